//! Makes title.basics files of any size: the ids' order, the shares of types, years, initials and odd titles as measured in IMDb's.
//!
//! All titles are made up of syllables. The same rows and seed give the same bytes.

use std::io::{self, Write};

use crate::seed::Dice;

/// The header line of title.basics.
const HEADER: &[u8] =
    b"tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres\n";

/// Seven-digit numbers that eight-digit ids begin with: such ids stand between the seven-digit ones, for the order is that of text.
const PREFIXES: std::ops::Range<u64> = 1_000_000..3_600_000;
/// How many rows one file may have: as many as there are ids.
pub const MOST_ROWS: u64 = 9_999_999 + (PREFIXES.end - PREFIXES.start) * 10;

/// IMDb's types with their shares of 10,000 rows.
const TYPES: [(&str, u64); 10] = [
    ("tvEpisode", 7_120),
    ("short", 1_050),
    ("movie", 860),
    ("video", 360),
    ("tvSeries", 280),
    ("tvMovie", 190),
    ("tvMiniSeries", 40),
    ("videoGame", 40),
    ("tvSpecial", 30),
    ("tvShort", 30),
];
const GENRES: [&str; 8] = ["Action", "Comedy", "Crime", "Documentary", "Drama", "Horror", "Romance", "Thriller"];
/// The commonest syllables first: they are drawn with a skew, so that initials are as uneven as real ones.
const STARTS: [&str; 40] = [
    "Ma", "La", "De", "Be", "Co", "Ha", "Sa", "Di", "Lo", "Mi", "Ca", "Pa", "Ba", "Re", "Li", "Da", "Mo", "Fa", "No",
    "Bo", "Ki", "Ro", "Su", "Ra", "El", "Go", "Ti", "Wi", "Bl", "Po", "Se", "Sh", "Vi", "In", "On", "Ja", "Un", "Qu",
    "Xe", "Zy",
];
const ENDS: [&str; 12] = ["n", "ra", "lo", "st", "ter", "ve", "ng", "mi", "ke", "das", "u", "ler"];
const ACCENTED: [&str; 8] = ["Él", "Ça", "Ós", "Łu", "Çe", "Ør", "Жа", "Ша"];

/// Writes a header and `rows` rows (at most [`MOST_ROWS`]), sorted by tconst as text. Memory does not grow with `rows`.
pub fn generate(out: &mut impl Write, rows: u64, seed: u64) -> io::Result<()> {
    if rows > MOST_ROWS {
        return Err(io::Error::other(format!("{rows} rows are more than the {MOST_ROWS} ids there are")));
    }
    out.write_all(HEADER)?;
    let mut dice = Dice::new(seed);
    let (mut row, mut title) = (Vec::new(), String::new());
    for n in 0..rows {
        // Evenly spread over all ids, at random within its own stretch.
        let (from, to) = (n * MOST_ROWS / rows, (n + 1) * MOST_ROWS / rows);
        write_row(&mut row, &mut title, from + dice.below(to - from), &mut dice)?;
        out.write_all(&row)?;
        row.clear();
    }
    out.flush()
}

/// The id at a place in the order of all ids: `tt1000000`, `tt10000000` to `tt10000009`, `tt1000001`, ...
fn write_id(row: &mut Vec<u8>, place: u64) -> io::Result<()> {
    let before = PREFIXES.start - 1;
    let between = (PREFIXES.end - PREFIXES.start) * 11;
    match place {
        _ if place < before => write!(row, "tt{:07}", place + 1),
        _ if place < before + between => {
            let (prefix, child) = ((place - before) / 11 + PREFIXES.start, (place - before) % 11);
            if child == 0 { write!(row, "tt{prefix}") } else { write!(row, "tt{prefix}{}", child - 1) }
        }
        _ => write!(row, "tt{}", place - before - between + PREFIXES.end),
    }
}

fn write_row(row: &mut Vec<u8>, title: &mut String, place: u64, dice: &mut Dice) -> io::Result<()> {
    let kind = title_type(dice);
    let is_film = kind == "movie";
    write_id(row, place)?;
    write_title(title, is_film, dice);
    write!(row, "\t{kind}\t{title}\t")?;
    if dice.chance(15) {
        row.extend_from_slice("L'".as_bytes());
    }
    write!(row, "{title}\t{}\t", u8::from(dice.chance(29)))?;
    match dice.chance(if is_film { 106 } else { 71 }) {
        true => row.extend_from_slice(b"\\N"),
        false => write!(row, "{}", year(dice))?,
    }
    row.extend_from_slice(b"\t\\N\t");
    match dice.chance(600) {
        true => row.extend_from_slice(b"\\N\t"),
        false => write!(row, "{}\t", 1 + dice.below(180))?,
    }
    let first = dice.below(GENRES.len() as u64) as usize;
    let count = 1 + dice.below(3) as usize;
    for (n, genre) in GENRES[first..].iter().take(count).enumerate() {
        if n > 0 {
            row.push(b',');
        }
        row.extend_from_slice(genre.as_bytes());
    }
    row.push(b'\n');
    Ok(())
}

fn title_type(dice: &mut Dice) -> &'static str {
    let mut at = dice.below(10_000);
    for (name, share) in TYPES {
        if at < share {
            return name;
        }
        at -= share;
    }
    "tvPilot"
}

/// Mostly of the last 16 years, a few from the first days of film, fewer still from years to come.
fn year(dice: &mut Dice) -> u64 {
    let past = dice.below(1_000).pow(3) * 130 / 1_000_000_000;
    if dice.chance(10) { 2027 + dice.below(5) } else { 2026 - past }
}

fn write_title(title: &mut String, is_film: bool, dice: &mut Dice) {
    title.clear();
    match dice.below(10_000) {
        0 => title.push('"'),
        1 => title.push_str("NA "),
        at if is_film && at < 1_210 => title.push_str("The "),
        at if at < 400 => title.push_str("Episode #"),
        at if at < 600 => title.push_str("A "),
        _ => {}
    }
    for word in 0..1 + dice.below(4) {
        if word > 0 {
            title.push(' ');
        }
        if word == 0 && dice.chance(if is_film { 85 } else { 50 }) {
            title.push_str(dice.pick(&ACCENTED));
        } else {
            push_start(title, dice);
        }
        for _ in 0..1 + dice.below(2) {
            title.push_str(dice.pick(&ENDS));
        }
    }
}

/// Two letters: often one of the common starts, else any two, for real titles have over 800 different initials.
fn push_start(title: &mut String, dice: &mut Dice) {
    if dice.chance(350) {
        title.push((b'A' + dice.below(26) as u8) as char);
        title.push((b'a' + dice.below(26) as u8) as char);
    } else {
        let common = dice.below(STARTS.len() as u64).min(dice.below(STARTS.len() as u64));
        title.push_str(STARTS[common as usize]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn lines(rows: u64, seed: u64) -> Vec<String> {
        let mut out = Vec::new();
        generate(&mut out, rows, seed).unwrap();
        String::from_utf8(out).unwrap().lines().skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn rows_are_as_many_as_asked_sorted_as_text_and_the_same_again() {
        let rows = lines(20_000, 1);
        assert_eq!(rows.len(), 20_000);
        let ids: Vec<&str> = rows.iter().filter_map(|row| row.split('\t').next()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| super::super::is_imdb_id(id)));
        assert!(ids.iter().any(|id| id.len() == 10), "some ids have eight digits");
        assert_eq!(rows, lines(20_000, 1));
        assert_ne!(rows, lines(20_000, 2));
    }

    #[test]
    fn ids_follow_each_other_where_the_lengths_meet() {
        let id = |place| {
            let mut row = Vec::new();
            write_id(&mut row, place).unwrap();
            String::from_utf8(row).unwrap()
        };
        assert_eq!(
            [id(0), id(999_998), id(999_999), id(1_000_000)],
            ["tt0000001", "tt0999999", "tt1000000", "tt10000000"]
        );
        assert_eq!(id(MOST_ROWS - 1), "tt9999999");
    }

    #[test]
    fn shares_are_those_that_were_measured() {
        let rows = lines(100_000, 3);
        let columns: Vec<Vec<&str>> = rows.iter().map(|row| row.split('\t').collect()).collect();
        assert!(columns.iter().all(|row| row.len() == 9));
        let films: Vec<_> = columns.iter().filter(|row| row[1] == "movie").collect();
        assert!((8_200..9_000).contains(&films.len()), "{} films", films.len());
        let per_mille =
            |is: &dyn Fn(&Vec<&str>) -> bool| films.iter().filter(|row| is(row)).count() * 1_000 / films.len();
        assert!((90..120).contains(&per_mille(&|row| row[5] == "\\N")), "films without a year");
        assert!((100..140).contains(&per_mille(&|row| row[2].starts_with("The "))), "films that begin with The");
        assert!((60..100).contains(&per_mille(&|row| !row[2].is_ascii())), "films with other letters than ASCII");
        let starts: HashSet<&str> = films.iter().filter_map(|row| row[2].get(..2)).collect();
        assert!(starts.len() > 600, "{} different starts", starts.len());
    }
}
