//! IMDb's id of a title: `tt` and seven to nine digits.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An IMDb id that is of the right form, and so may stand in a path. Ordered by length, then number, as IMDb gives them out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImdbId {
    digits: u8,
    number: u32,
}

/// A text that is no IMDb id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no IMDb id; one is tt and seven to nine digits")]
pub struct BadImdbId(pub String);

impl ImdbId {
    /// Reads an id; none if it is not `tt` and seven to nine digits.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let digits = bytes.strip_prefix(b"tt")?;
        if !(7..=9).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = digits.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
        Some(Self { digits: digits.len() as u8, number })
    }

    /// As 32 bits, in the same order: 2 for the length, 30 for the number.
    pub(crate) fn to_bits(self) -> u32 {
        u32::from(self.digits - 7) << 30 | self.number
    }

    /// The id of these bits.
    pub(crate) fn from_bits(bits: u32) -> Self {
        Self { digits: (bits >> 30) as u8 + 7, number: bits & ((1 << 30) - 1) }
    }
}

impl TryFrom<String> for ImdbId {
    type Error = BadImdbId;

    fn try_from(text: String) -> Result<Self, BadImdbId> {
        text.parse()
    }
}

impl From<ImdbId> for String {
    fn from(id: ImdbId) -> Self {
        id.to_string()
    }
}

impl FromStr for ImdbId {
    type Err = BadImdbId;

    fn from_str(text: &str) -> Result<Self, BadImdbId> {
        Self::parse(text.as_bytes()).ok_or_else(|| BadImdbId(text.to_owned()))
    }
}

impl fmt::Display for ImdbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tt{:0width$}", self.number, width = usize::from(self.digits))
    }
}

impl fmt::Debug for ImdbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_seven_to_nine_digits_keep_their_form() {
        for text in ["tt0000001", "tt0137523", "tt10790040", "tt01234567", "tt999999999"] {
            let id: ImdbId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(ImdbId::from_bits(id.to_bits()), id);
        }
    }

    #[test]
    fn what_may_not_stand_in_a_path_is_no_id() {
        for bad in ["tt123456", "tt1234567890", "nm0000001", "tt000000a", "tt../../x", "tt0000001 ", "", "tt٣٣٣٣٣٣٣"]
        {
            assert!(bad.parse::<ImdbId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn bits_keep_the_order() {
        let ids: Vec<ImdbId> =
            ["tt0000002", "tt9999999", "tt10000000", "tt100000000"].map(|id| id.parse().unwrap()).into();
        assert!(ids.is_sorted() && ids.iter().map(|id| id.to_bits()).is_sorted());
    }
}
