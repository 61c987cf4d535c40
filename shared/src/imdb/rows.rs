//! The rows of title.basics: split at tabs, nothing quoted, columns found by their names.
//!
//! Copies no field: what is kept of a row are its id, its year and its initial.

use memchr::{memchr, memchr_iter};

use super::{ImdbId, IndexError};
use crate::partition::Initial;

/// The columns that are read.
const WANTED: [&str; 5] = ["tconst", "titleType", "primaryTitle", "isAdult", "startYear"];
/// More columns than any title.basics has had.
const MOST_COLUMNS: usize = 32;

/// Which rows are kept, and where their columns stand.
#[derive(Debug)]
pub(super) struct Rows {
    columns: usize,
    places: [usize; WANTED.len()],
    types: Vec<Box<[u8]>>,
    adult: bool,
}

/// A row that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Title {
    pub id: ImdbId,
    pub year: Option<u16>,
    pub initial: Initial,
}

/// Why a row that should be kept cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadRow {
    Columns,
    Id,
    Year,
}

impl BadRow {
    pub fn reason(self) -> &'static str {
        match self {
            Self::Columns => "wrong number of columns",
            Self::Id => "no IMDb id in tconst",
            Self::Year => "no year in startYear",
        }
    }
}

impl Rows {
    /// Finds the columns in the header line. Whatever is not title.basics fails here, such as an error page of HTML.
    pub fn new(header: &[u8], types: &[String], adult: bool) -> Result<Self, IndexError> {
        let header = String::from_utf8_lossy(header);
        let header = header.trim_start_matches('\u{feff}').trim_end();
        let names: Vec<&str> = header.split('\t').collect();
        let mut places = [0; WANTED.len()];
        for (place, wanted) in places.iter_mut().zip(WANTED) {
            let found = names.iter().position(|name| *name == wanted);
            *place = found
                .filter(|_| names.len() <= MOST_COLUMNS)
                .ok_or_else(|| IndexError::Header { column: wanted, found: header.chars().take(80).collect() })?;
        }
        Ok(Self {
            columns: names.len(),
            places,
            types: types.iter().map(|name| name.as_bytes().into()).collect(),
            adult,
        })
    }

    /// What is kept of a line (without its line end); none if it is no row of the wanted kind.
    pub fn read(&self, line: &[u8]) -> Result<Option<Title>, BadRow> {
        let mut fields = [&line[..0]; MOST_COLUMNS];
        let (mut columns, mut start) = (0, 0);
        for end in memchr_iter(b'\t', line).chain([line.len()]) {
            *fields.get_mut(columns).ok_or(BadRow::Columns)? = &line[start..end];
            (columns, start) = (columns + 1, end + 1);
        }
        if columns != self.columns {
            return Err(BadRow::Columns);
        }
        let [id, kind, title, adult, year] = self.places.map(|place| fields[place]);
        if !self.types.iter().any(|wanted| **wanted == *kind) || (!self.adult && adult == b"1") {
            return Ok(None);
        }
        Ok(Some(Title {
            id: ImdbId::parse(id).ok_or(BadRow::Id)?,
            year: read_year(year.strip_suffix(b"\r").unwrap_or(year)).ok_or(BadRow::Year)?,
            initial: Initial::of(&String::from_utf8_lossy(title)),
        }))
    }
}

/// The whole lines of a block that ends with a line's end (or is the last one).
pub(super) fn lines(mut block: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if block.is_empty() {
            return None;
        }
        let end = memchr(b'\n', block).unwrap_or(block.len());
        let line = &block[..end];
        block = block.get(end + 1..).unwrap_or_default();
        Some(line)
    })
}

/// A year of four digits, or none where IMDb writes `\N`.
fn read_year(field: &[u8]) -> Option<Option<u16>> {
    match field {
        b"\\N" => Some(None),
        [_, _, _, _] if field.iter().all(u8::is_ascii_digit) => {
            let year = field.iter().fold(0, |n, digit| n * 10 + u16::from(digit - b'0'));
            (year > 0).then_some(Some(year))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] =
        b"tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres";

    fn rows() -> Rows {
        Rows::new(HEADER, &["movie".into()], true).unwrap()
    }

    fn read(line: &str) -> Result<Option<(String, Option<u16>, String)>, BadRow> {
        let title = rows().read(line.as_bytes())?;
        Ok(title.map(|title| (title.id.to_string(), title.year, title.initial.to_string())))
    }

    #[test]
    fn a_quote_is_a_letter_like_any_other() {
        let row = read("tt0073045\tmovie\t\"Giliap\t\"Giliap\"\t0\t1975\t\\N\t137\tCrime,Drama");
        assert_eq!(row, Ok(Some(("tt0073045".into(), Some(1975), "GI".into()))));
    }

    #[test]
    fn a_title_na_is_a_title_and_no_year_is_no_year() {
        let row = read("tt0000009\tmovie\tNA\tNA\t0\t\\N\t\\N\t\\N\t\\N");
        assert_eq!(row, Ok(Some(("tt0000009".into(), None, "NA".into()))));
    }

    #[test]
    fn other_types_are_passed_over() {
        let row = read("tt0000009\tshort\tNA\tNA\t0\t\\N\t\\N\t\\N\t\\N");
        assert_eq!(row, Ok(None));
    }

    #[test]
    fn adult_films_are_in_or_out() {
        let row = b"tt0000009\tmovie\tX\tX\t1\t2001\t\\N\t\\N\t\\N";
        assert!(rows().read(row).unwrap().is_some());
        let without = Rows::new(HEADER, &["movie".into()], false).unwrap();
        assert_eq!(without.read(row), Ok(None));
    }

    #[test]
    fn bad_rows_say_why() {
        for (row, bad) in [
            ("tt0000009\tmovie\tX\tX\t0\t2001\t\\N\t\\N", BadRow::Columns),
            ("tt0000009\tmovie\tX\tY\tX\t0\t2001\t\\N\t\\N\t\\N", BadRow::Columns),
            ("", BadRow::Columns),
            ("tt9\tmovie\tX\tX\t0\t2001\t\\N\t\\N\t\\N", BadRow::Id),
            ("tt0000009\tmovie\tX\tX\t0\t20x1\t\\N\t\\N\t\\N", BadRow::Year),
            ("tt0000009\tmovie\tX\tX\t0\t\t\\N\t\\N\t\\N", BadRow::Year),
        ] {
            assert_eq!(read(row), Err(bad), "{row}");
        }
    }

    #[test]
    fn columns_are_found_by_name() {
        let rows =
            Rows::new(b"startYear\tisAdult\tprimaryTitle\ttitleType\ttconst\r", &["movie".into()], true).unwrap();
        let title = rows.read(b"2001\t0\tThe X\tmovie\ttt0000009").unwrap().unwrap();
        assert_eq!((title.year, title.initial.as_str()), (Some(2001), "TH"));
    }

    #[test]
    fn a_page_of_html_is_no_title_basics() {
        let error = Rows::new(b"<html><head>", &["movie".into()], true).unwrap_err();
        assert!(error.to_string().contains("<html><head>"), "{error}");
    }

    #[test]
    fn lines_end_at_line_ends_and_at_the_end() {
        assert_eq!(lines(b"a\n\nb").collect::<Vec<_>>(), [&b"a"[..], b"", b"b"]);
        assert_eq!(lines(b"a\n").collect::<Vec<_>>(), [b"a"]);
    }
}
