//! Which years and initials are wanted, as a person writes them.

use std::{ops::RangeInclusive, str::FromStr};

use crate::{job::Job, partition::Initial};

/// Years: `2004`, `2000..2020` (both ends in it), `none` for films without one, or several of these with commas between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Years {
    ranges: Vec<RangeInclusive<u16>>,
    none: bool,
}

/// A text that is no list of years or initials.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadSelection {
    /// Not years.
    #[error("{0:?} is no year")]
    Years(String),
    /// A range that ends before it begins.
    #[error("{0:?} ends before it begins")]
    Backwards(String),
    /// Not initials.
    #[error("{0:?} is no initial")]
    Initials(String),
}

impl BadSelection {
    /// What to write instead.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Years(_) => "write 2004, 2000..2020, none, or several with commas between",
            Self::Backwards(_) => "write the earlier year first",
            Self::Initials(_) => "write two letters or digits (TH, A_), or several with commas between",
        }
    }
}

impl Years {
    /// Whether `year` is one of them.
    pub fn has(&self, year: Option<u16>) -> bool {
        match year {
            None => self.none,
            Some(year) => self.ranges.iter().any(|range| range.contains(&year)),
        }
    }
}

impl FromStr for Years {
    type Err = BadSelection;

    fn from_str(text: &str) -> Result<Self, BadSelection> {
        let mut years = Self { ranges: Vec::new(), none: false };
        for part in text.split(',').map(str::trim) {
            let bad = || BadSelection::Years(part.to_owned());
            let year = |text: &str| text.trim().parse::<u16>().map_err(|_| bad());
            if part == "none" {
                years.none = true;
                continue;
            }
            let range = match part.split_once("..") {
                None => year(part)?..=year(part)?,
                Some((first, last)) => {
                    let last = last.strip_prefix('=').unwrap_or(last);
                    year(first)?..=year(last)?
                }
            };
            if range.is_empty() {
                return Err(BadSelection::Backwards(part.to_owned()));
            }
            years.ranges.push(range);
        }
        Ok(years)
    }
}

/// Which jobs are wanted; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of these years.
    pub years: Option<Years>,
    /// With these initials, as [`Initial`] writes them.
    pub initials: Option<Vec<String>>,
}

impl Selection {
    /// Whether `job` is one of them.
    pub fn has(&self, job: &Job) -> bool {
        self.has_partition(job.year, &job.initial)
    }

    /// Whether jobs of this year and initial are among them.
    pub fn has_partition(&self, year: Option<u16>, initial: &str) -> bool {
        let wanted = |initials: &Vec<String>| initials.iter().any(|wanted| wanted == initial);
        self.years.as_ref().is_none_or(|years| years.has(year)) && self.initials.as_ref().is_none_or(wanted)
    }

    /// Reads a list of initials: `TH`, `th,A_`.
    pub fn parse_initials(text: &str) -> Result<Vec<String>, BadSelection> {
        let initial = |part: &str| match Initial::parse(part) {
            Some(initial) if !part.is_empty() => Ok(initial.to_string()),
            _ => Err(BadSelection::Initials(part.to_owned())),
        };
        text.split(',').map(initial).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_are_single_ranges_and_none() {
        let years: Years = "1999, 2000..2002,none".parse().unwrap();
        let has = [None, Some(1998), Some(1999), Some(2000), Some(2002), Some(2003)].map(|year| years.has(year));
        assert_eq!(has, [true, false, true, true, true, false]);
        assert!(!"2004".parse::<Years>().unwrap().has(None));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for bad in ["", "x", "2004..", "2010..2000", "2004,,2005", "99999"] {
            assert!(bad.parse::<Years>().is_err(), "{bad}");
        }
        assert_eq!("2010..2000".parse::<Years>(), Err(BadSelection::Backwards("2010..2000".into())));
        assert_eq!(Selection::parse_initials("th,A_,a "), Ok(vec!["TH".into(), "A_".into(), "A_".into()]));
        for bad in ["", "TH,", "ABC", "é"] {
            assert!(Selection::parse_initials(bad).is_err(), "{bad}");
        }
    }
}
