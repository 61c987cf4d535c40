//! The committed input: what SOURCES.md says of it is so.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::HashSet;

use testkit::titles;

#[test]
fn the_sample_is_17470_films_sorted_and_each_once() {
    let films = titles::read(&titles::sample()).unwrap();
    assert_eq!(films.len(), 17_470);
    assert!(films.iter().is_sorted_by(|a, b| a.tconst < b.tconst));
    assert!(films.iter().all(|film| film.title_type == "movie"));
    let years: HashSet<u16> = films.iter().filter_map(|film| film.start_year).collect();
    assert_eq!((years.iter().min(), years.iter().max()), (Some(&1940), Some(&2014)));
}

#[test]
fn every_odd_row_is_explained_at_its_line() {
    let bytes = std::fs::read(titles::odd()).unwrap();
    let sources = std::fs::read_to_string(titles::odd().with_file_name("SOURCES.md")).unwrap();
    let explained: Vec<(usize, &str)> = sources
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            Some((cells.next()?.parse().ok()?, cells.next()?))
        })
        .collect();
    let rows: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    assert_eq!(rows.len(), explained.len() + 1, "a line of SOURCES.md for each but the header");
    for (line, tconst) in explained {
        let row = String::from_utf8_lossy(rows[line - 1]);
        let found = row.split('\t').next().unwrap();
        assert!(found == tconst || found.is_empty(), "line {line} has {found}, not {tconst}");
    }
}
