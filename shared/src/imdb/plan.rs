//! Cuts titles into jobs, and reads a job's titles back.
//!
//! A title is 64 bits: year, initial and id, so that sorting the numbers sorts the titles, and twelve million of them fit in 96 MB.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use sha2::{Digest as _, Sha256};

use super::{ImdbId, rows::Title};
use crate::{job::Job, partition::Initial};

/// The first line of the index.
pub(super) const HEADER: &str = "tconst\tstartYear\tinitial\n";

/// Films without a year come last.
const NO_YEAR: u64 = (1 << 14) - 1;

/// One title: from the top, 14 bits of year, two bytes of initial (which need 16), 32 bits of id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Packed(u64);

impl Packed {
    pub fn new(title: &Title) -> Self {
        let year = title.year.map_or(NO_YEAR, u64::from);
        let initial = u64::from(u16::from_be_bytes(title.initial.bytes()));
        Self(year << 48 | initial << 32 | u64::from(title.id.to_bits()))
    }

    /// The id's bits.
    fn id(self) -> u32 {
        self.0 as u32
    }

    /// Year and initial.
    pub fn partition(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn year(self) -> Option<u16> {
        let year = self.0 >> 48;
        (year != NO_YEAR).then_some(year as u16)
    }

    fn initial(self) -> String {
        let bytes = (self.partition() as u16).to_be_bytes();
        bytes.map(char::from).iter().collect()
    }
}

/// Leaves each id once (that of the first partition), sorts by partition and id; how many were left out.
pub(super) fn sort(titles: &mut Vec<Packed>) -> u64 {
    let before = titles.len();
    titles.sort_unstable_by_key(|title| title.0.rotate_left(32));
    titles.dedup_by_key(|title| title.id());
    titles.sort_unstable();
    (before - titles.len()) as u64
}

/// The partition of a job, numbered as its titles'; none if no index has such a job.
pub(super) fn partition(job: &Job) -> Option<u32> {
    let title = Title { id: ImdbId::from_bits(0), year: job.year, initial: Initial::parse(&job.initial)? };
    Some(Packed::new(&title).partition())
}

/// The part that each title of an earlier index is in.
#[derive(Debug, Default)]
pub(super) struct Parts(HashMap<Packed, Part>);

#[derive(Clone, Copy, Debug)]
struct Part {
    number: u32,
    begun: bool,
}

impl Parts {
    /// Adds a job of the earlier index and its titles; `begun` if some of them have answers.
    pub fn add(&mut self, job: &Job, ids: &[ImdbId], begun: bool) {
        let Some(initial) = Initial::parse(&job.initial) else { return };
        let packed = ids.iter().map(|&id| Packed::new(&Title { id, year: job.year, initial }));
        self.0.extend(packed.map(|title| (title, Part { number: job.part, begun })));
    }
}

/// The index's text of one partition, which begins at `offset`, and its jobs of at most `job_titles` titles each. The titles are sorted.
///
/// A title stays in the part that it was in: a job whose titles are the same is the same job, and what it has stays done. A part that
/// was begun stays whole even where `job_titles` is smaller now: no other part would find its answers. New titles fill the last part,
/// then new ones.
pub(super) fn cut(partition: &[Packed], job_titles: u32, earlier: &Parts, offset: u64) -> (String, Vec<Job>) {
    let mut text = String::with_capacity(partition.len() * 20);
    let parts = parts(partition, job_titles.max(1) as usize, earlier);
    let jobs = parts.into_iter().map(|(part, titles)| job(part, &titles, offset, &mut text)).collect();
    (text, jobs)
}

/// The titles of one partition by part; none is empty.
fn parts(partition: &[Packed], most: usize, earlier: &Parts) -> BTreeMap<u32, Vec<Packed>> {
    let mut parts = BTreeMap::<u32, Vec<Packed>>::new();
    let mut new = Vec::new();
    for title in partition {
        match earlier.0.get(title) {
            Some(part) if part.begun || parts.get(&part.number).is_none_or(|titles| titles.len() < most) => {
                parts.entry(part.number).or_default().push(*title);
            }
            _ => new.push(*title),
        }
    }
    let mut last = parts.last_key_value().map_or(0, |(part, _)| *part);
    for title in new {
        if parts.get(&last).is_some_and(|titles| titles.len() >= most) {
            last += 1;
        }
        parts.entry(last).or_default().push(title);
    }
    parts.values_mut().for_each(|titles| titles.sort_unstable());
    parts
}

/// Writes the titles of one job to the text, which begins at `offset` of the index. There is at least one.
fn job(part: u32, titles: &[Packed], offset: u64, text: &mut String) -> Job {
    let (year, initial) = (titles[0].year(), titles[0].initial());
    let shown_year = year.map_or("\\N".to_owned(), |year| year.to_string());
    let rest = format!("\t{shown_year}\t{initial}\n");
    let begin = text.len();
    let mut digest = Sha256::new();
    for title in titles {
        let start = text.len();
        // Writing to a String cannot fail.
        let _ = write!(text, "{}", ImdbId::from_bits(title.id()));
        digest.update(&text[start..]);
        digest.update("\n");
        text.push_str(&rest);
    }
    Job {
        year,
        initial,
        part,
        offset: offset + begin as u64,
        length: (text.len() - begin) as u64,
        titles: titles.len() as u32,
        digest: hex(&digest.finalize()[..8]),
    }
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The ids in a job's range of the index, if it holds what the job says.
pub(crate) fn read_titles(job: &Job, range: &[u8]) -> Option<Vec<ImdbId>> {
    let text = std::str::from_utf8(range).ok()?;
    let mut digest = Sha256::new();
    let mut ids = Vec::new();
    for line in text.lines() {
        let id = line.split('\t').next()?;
        digest.update(id);
        digest.update("\n");
        ids.push(id.parse().ok()?);
    }
    let whole = ids.len() == job.titles as usize && hex(&digest.finalize()[..8]) == job.digest;
    whole.then_some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(id: &str, year: Option<u16>, title: &str) -> Packed {
        Packed::new(&Title { id: id.parse().unwrap(), year, initial: Initial::of(title) })
    }

    /// A whole index.
    fn cut(titles: &[Packed], job_titles: u32, earlier: &Parts) -> (String, Vec<Job>) {
        let (mut text, mut jobs) = (HEADER.to_owned(), Vec::new());
        for partition in titles.chunk_by(|a, b| a.partition() == b.partition()) {
            let (more, its) = super::cut(partition, job_titles, earlier, text.len() as u64);
            text.push_str(&more);
            jobs.extend(its);
        }
        (text, jobs)
    }

    #[test]
    fn jobs_are_ranges_that_never_span_partitions() {
        let mut titles = vec![
            packed("tt0000005", None, "Other"),
            packed("tt10000000", Some(2004), "Adam"),
            packed("tt0000001", Some(2004), "Adieu"),
            packed("tt0000003", Some(2004), "Ad"),
            packed("tt0000002", Some(2003), "The X"),
        ];
        assert_eq!(sort(&mut titles), 0);
        let (text, jobs) = cut(&titles, 2, &Parts::default());
        let of = |job: &Job| {
            let range = &text[job.offset as usize..(job.offset + job.length) as usize];
            let ids = read_titles(job, range.as_bytes()).unwrap();
            (job.name(), ids.iter().map(ImdbId::to_string).collect::<Vec<_>>())
        };
        let jobs: Vec<_> = jobs.iter().map(of).collect();
        let expected = [
            ("year=2003/TH-000", vec!["tt0000002"]),
            ("year=2004/AD-000", vec!["tt0000001", "tt0000003"]),
            ("year=2004/AD-001", vec!["tt10000000"]),
            ("year=__HIVE_DEFAULT_PARTITION__/OT-000", vec!["tt0000005"]),
        ];
        let expected =
            expected.map(|(name, ids)| (name.to_owned(), ids.into_iter().map(str::to_owned).collect::<Vec<_>>()));
        assert_eq!(jobs, expected);
        assert!(text.starts_with("tconst\tstartYear\tinitial\ntt0000002\t2003\tTH\n"));
        assert!(text.ends_with("tt0000005\t\\N\tOT\n"));
    }

    #[test]
    fn an_id_that_stands_twice_is_one_title() {
        let mut titles = vec![
            packed("tt0000001", Some(2005), "Adieu"),
            packed("tt0000001", Some(2004), "Adieu"),
            packed("tt0000001", Some(2004), "Adieu"),
        ];
        assert_eq!(sort(&mut titles), 2);
        assert_eq!(titles, [packed("tt0000001", Some(2004), "Adieu")]);
    }

    #[test]
    fn a_range_of_other_titles_is_not_the_job_s() {
        let titles = [packed("tt0000001", Some(2004), "Adieu")];
        let (text, jobs) = cut(&titles, 2, &Parts::default());
        let range = &text.as_bytes()[jobs[0].offset as usize..];
        assert!(read_titles(&jobs[0], range).is_some());
        assert!(read_titles(&jobs[0], &range[1..]).is_none());
        assert!(read_titles(&jobs[0], b"tt0000002\t2004\tAD\n").is_none());
    }

    fn films(ids: impl IntoIterator<Item = u32>) -> Vec<Packed> {
        ids.into_iter().map(|n| packed(&format!("tt{n:07}"), Some(2017), "The")).collect()
    }

    fn parts_of(jobs: &[Job]) -> Vec<(u32, u32)> {
        jobs.iter().map(|job| (job.part, job.titles)).collect()
    }

    #[test]
    fn parts_of_a_partition_are_filled_one_after_another() {
        let (_, jobs) = cut(&films(1..=10), 4, &Parts::default());
        assert_eq!(parts_of(&jobs), [(0, 4), (1, 4), (2, 2)]);
    }

    fn earlier(text: &str, jobs: &[Job], begun: impl Fn(&Job) -> bool) -> Parts {
        let mut earlier = Parts::default();
        for job in jobs {
            let range = &text[job.offset as usize..(job.offset + job.length) as usize];
            earlier.add(job, &read_titles(job, range.as_bytes()).unwrap(), begun(job));
        }
        earlier
    }

    #[test]
    fn smaller_jobs_are_cut_of_what_was_not_begun() {
        let (text, old) = cut(&films(1..=12), 4, &Parts::default());
        let (_, new) = cut(&films(1..=13), 2, &earlier(&text, &old, |job| job.part == 1));
        assert_eq!(parts_of(&new), [(0, 2), (1, 4), (2, 2), (3, 2), (4, 2), (5, 1)]);
        assert_eq!(new[1].digest, old[1].digest, "what was begun is the same job");
    }

    #[test]
    fn a_title_stays_in_its_part_whatever_comes_and_goes_before_it() {
        let (text, old) = cut(&films(2..=10), 4, &Parts::default());
        let earlier = earlier(&text, &old, |_| true);
        // One before them all, one after them; the third is gone.
        let (_, new) = cut(&films([1, 2, 4, 5, 6, 7, 8, 9, 10, 11]), 4, &earlier);
        assert_eq!(parts_of(&old), [(0, 4), (1, 4), (2, 1)]);
        assert_eq!(parts_of(&new), [(0, 3), (1, 4), (2, 3)]);
        assert_eq!(new[1].digest, old[1].digest, "an untouched part is the same job");
        assert_ne!(new[0].digest, old[0].digest);
        assert_eq!(cut(&films(2..=10), 4, &earlier).1, old);
    }
}
