//! The unit that films are grouped by: their year, and the first two letters of their title.
//!
//! Knows the rule of the initial and how a partition is written, and nothing of jobs, files or queues.

use std::fmt;

use unidecode::unidecode_char;

/// What readers of hive partitions take for NULL: the folder of films without a year.
pub const NO_YEAR: &str = "__HIVE_DEFAULT_PARTITION__";

/// Two bytes, each `A`-`Z`, `0`-`9` or `_`: the initial of a title.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Initial([u8; 2]);

impl Initial {
    /// The initial of a title: in ASCII letters, without punctuation, trimmed, upper case, the first two characters; a blank or a
    /// missing one is `_`.
    pub fn of(title: &str) -> Self {
        let mut initial = [b'_'; 2];
        let letters = title.chars().flat_map(in_ascii);
        let kept = letters.filter_map(|c| match c {
            ' ' | '\t' | '\r' | '\n' | '\x0c' => Some(b'_'),
            c if c.is_ascii_alphanumeric() => Some(c.to_ascii_uppercase() as u8),
            _ => None,
        });
        let trimmed = kept.skip_while(|&byte| byte == b'_');
        for (place, byte) in initial.iter_mut().zip(trimmed) {
            *place = byte;
        }
        Self(initial)
    }

    /// Reads what a person or a message wrote: `AD`, `ad`, `A `, `A_`, `a`; none if it is no initial.
    pub fn parse(text: &str) -> Option<Self> {
        let mut initial = [b'_'; 2];
        if text.len() > initial.len() {
            return None;
        }
        for (place, byte) in initial.iter_mut().zip(text.bytes()) {
            *place = match byte {
                b' ' | b'_' => b'_',
                byte if byte.is_ascii_alphanumeric() => byte.to_ascii_uppercase(),
                _ => return None,
            };
        }
        Some(Self(initial))
    }

    /// The two characters.
    pub fn as_str(&self) -> &str {
        // Only ASCII is ever put in.
        std::str::from_utf8(&self.0).unwrap_or("__")
    }

    /// The two bytes.
    pub fn bytes(self) -> [u8; 2] {
        self.0
    }
}

impl fmt::Display for Initial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Initial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// As Python's Unidecode has it; the crate lacks the blank that stands before a vulgar fraction there (`8½` is `8 1/2`).
fn in_ascii(c: char) -> impl Iterator<Item = char> {
    let blank = matches!(c, '\u{bc}'..='\u{be}' | '\u{2150}'..='\u{215e}').then_some(' ');
    blank.into_iter().chain(unidecode_char(c).chars())
}

/// The folder of a year: `year=2004`, or hive's word for NULL where there is none.
pub fn year_folder(year: Option<u16>) -> String {
    match year {
        Some(year) => format!("year={year}"),
        None => format!("year={NO_YEAR}"),
    }
}

/// The year of a folder's name; none if it is no such folder.
pub fn parse_year_folder(folder: &str) -> Option<Option<u16>> {
    match folder.strip_prefix("year=")? {
        NO_YEAR => Some(None),
        year => year.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_follow_the_rule() {
        let cases = include_str!("../../testkit/data/initials.tsv");
        let mut count = 0;
        for line in cases.lines().skip(1) {
            let (title, initial) = line.split_once('\t').unwrap();
            assert_eq!(Initial::of(title).as_str(), initial, "of {title:?}");
            count += 1;
        }
        assert_eq!(count, 40);
    }

    #[test]
    fn what_people_write_is_read() {
        for (written, initial) in [("AD", "AD"), ("ad", "AD"), ("A ", "A_"), ("a", "A_"), ("", "__"), ("0_", "0_")] {
            assert_eq!(Initial::parse(written).unwrap().as_str(), initial);
        }
        for bad in ["ADA", "É", "A-", "é", "\n"] {
            assert_eq!(Initial::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn year_folders_are_read_as_written() {
        for year in [Some(2004), None] {
            assert_eq!(parse_year_folder(&year_folder(year)), Some(year));
        }
        assert_eq!(parse_year_folder("year=now"), None);
    }
}
