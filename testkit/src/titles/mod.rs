//! IMDb's title.basics as the tests read it: the committed sample, and rows of any such file.
//!
//! Knows the nine columns and no rule of the crawler: which row is a film to link is the crawler's to decide.

mod generate;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;

pub use generate::{MOST_ROWS, generate};

/// One row of title.basics, as far as the stand-in needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// The IMDb id: `tt` and seven to nine digits.
    pub tconst: String,
    /// IMDb's kind of title: movie, short, tvEpisode, ...
    pub title_type: String,
    /// The title as IMDb shows it, whatever it contains.
    pub primary_title: String,
    /// The year, where the column holds one.
    pub start_year: Option<u16>,
}

/// The 17,470 real films of 1940 to 2014 that are committed beside the source.
pub fn sample() -> PathBuf {
    data("title.basics.sample.tsv.gz")
}

/// The hand-written rows that each break or bend a rule; see SOURCES.md beside them.
pub fn odd() -> PathBuf {
    data("title.basics.odd.tsv")
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

/// Reads a title.basics file, compressed or not. Rows that are no title (other than nine columns, no IMDb id) are passed over.
pub fn read(path: &Path) -> io::Result<Vec<Title>> {
    let mut file = BufReader::new(File::open(path)?);
    let compressed = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let plain: Box<dyn Read> = if compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut titles = Vec::new();
    let mut lines = BufReader::new(plain);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        titles.extend(parse(&String::from_utf8_lossy(&line)));
        line.clear();
    }
    Ok(titles)
}

fn parse(line: &str) -> Option<Title> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let columns: Vec<&str> = line.split('\t').collect();
    let [tconst, title_type, primary_title, _, _, start_year, _, _, _] = columns[..] else {
        return None;
    };
    is_imdb_id(tconst).then(|| Title {
        tconst: tconst.to_owned(),
        title_type: title_type.to_owned(),
        primary_title: primary_title.to_owned(),
        start_year: start_year.parse().ok(),
    })
}

/// Whether `id` is `tt` and seven to nine digits.
pub fn is_imdb_id(id: &str) -> bool {
    id.strip_prefix("tt")
        .is_some_and(|digits| (7..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}
