//! A job: a byte range of the title index, of one year and initial, that one delivery can do.
//!
//! Knows how a job is named and checked; not how it is done, nor how it travels.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::partition::{Initial, year_folder};

/// The longest byte range a job may have; far above any job that `imdb::build_index` makes.
const LONGEST: u64 = 16 << 20;

/// A byte range of `imdb/{dataset}/titles.tsv`, of one year and initial.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Job {
    /// The year the films came out; none where IMDb knows none.
    pub year: Option<u16>,
    /// The two characters that the films' titles begin with.
    pub initial: String,
    /// The number of this part of the partition, from 0.
    pub part: u32,
    /// Where the range begins, in bytes.
    pub offset: u64,
    /// How long the range is, in bytes.
    pub length: u64,
    /// How many titles are in it.
    pub titles: u32,
    /// Sixteen hexadecimal digits that follow from the IMDb ids in it: other titles are another job's work.
    pub digest: String,
}

impl Job {
    /// The job's name, as in its objects' keys: `year=2004/AD-000`.
    pub fn name(&self) -> String {
        name(self.year, &self.initial, self.part)
    }

    /// Its bytes of the index; of a damaged job, as many as there may be.
    pub(crate) fn range(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(self.length)
    }

    /// Whether every part of it is of the form that `imdb::build_index` makes; what came in a message is checked before it is used.
    pub fn is_well_formed(&self) -> bool {
        Initial::parse(&self.initial).is_some_and(|initial| initial.as_str() == self.initial)
            && self.year.is_none_or(|year| year <= 9999)
            && self.titles > 0
            && (1..=LONGEST).contains(&self.length)
            && self.digest.len() == 16
            && self.digest.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

/// The name of a job by its parts.
pub fn name(year: Option<u16>, initial: &str, part: u32) -> String {
    format!("{}/{initial}-{part:03}", year_folder(year))
}

/// Requests that a film takes, as a rule: itself and its reviews.
pub(crate) const REQUESTS_A_FILM: f64 = 2.0;

/// The most titles of a job: a function holds its answers until they are written.
const MOST: u32 = 1_000;
/// ... where more is appended to each film: an answer may have a hundred kilobytes then.
const MOST_APPENDING: u32 = 200;

/// How many titles a job may have, however much time there is; `appends` as for [`titles_per_job`].
pub fn most_titles(appends: bool) -> u32 {
    if appends { MOST_APPENDING } else { MOST }
}

/// How much of a function's time goes by on a job: what is left after it is for saving the checkpoint and handing the message back.
pub fn usable(timeout: Duration) -> Duration {
    timeout - (timeout / 5).min(Duration::from_secs(20))
}

/// How many titles a job may have so that it ends well inside a function's timeout; none where not even one film ends inside it.
///
/// `share` is one function's requests a second, `timeout` the function's in seconds; `appends` whether credits or other things are
/// appended to each film. Two thirds of the time leave room for retries, more pages of reviews and the writing.
pub fn titles_per_job(share: f64, timeout: u32, appends: bool) -> Option<u32> {
    let films = share * usable(Duration::from_secs(timeout.into())).as_secs_f64() / REQUESTS_A_FILM;
    (films >= 1.0).then(|| ((films * 2.0 / 3.0) as u32).clamp(1, most_titles(appends)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job {
            year: Some(2004),
            initial: "AD".into(),
            part: 0,
            offset: 24,
            length: 36,
            titles: 2,
            digest: "0123456789abcdef".into(),
        }
    }

    #[test]
    fn jobs_are_named_by_year_initial_and_part() {
        assert_eq!(job().name(), "year=2004/AD-000");
        let yearless = Job { year: None, part: 1_234, ..job() };
        assert_eq!(yearless.name(), "year=__HIVE_DEFAULT_PARTITION__/AD-1234");
    }

    #[test]
    fn what_would_leave_its_folder_is_not_well_formed() {
        assert!(job().is_well_formed());
        for bad in [
            Job { initial: "..".into(), ..job() },
            Job { initial: "A/".into(), ..job() },
            Job { initial: "ad".into(), ..job() },
            Job { length: u64::MAX, ..job() },
            Job { titles: 0, ..job() },
            Job { digest: "short".into(), ..job() },
        ] {
            assert!(!bad.is_well_formed(), "{bad:?}");
        }
    }

    #[test]
    fn jobs_fit_the_timeout_at_the_share_of_the_rate() {
        assert_eq!(titles_per_job(35.0 / 8.0, 900, false), Some(1_000));
        assert_eq!(titles_per_job(35.0 / 8.0, 900, true), Some(200), "the answers are larger");
        assert_eq!(titles_per_job(35.0 / 8.0, 60, false), Some(70));
        assert_eq!(titles_per_job(0.25, 10, false), Some(1));
        assert_eq!(titles_per_job(0.1, 10, false), None, "two requests take longer than a function runs");
    }
}
