//! The large files of `compact` against the jobs' objects that they were merged from.
//!
//! A version that is current is read whole. Where the same jobs are done as when it was made, its records of each kind and year must be
//! those of the jobs' objects; where others are, or a refresh was at work while these were read, it is told to be stale, and only held
//! against itself.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use futures::TryStreamExt as _;
use tokio::task::spawn_blocking;

use super::{
    Fault, LargeFiles, Problem, Report,
    job::{Checked, Line, Sum},
    number,
};
use crate::{
    Job, Lake,
    compact::{self, Compacted, File, Format},
    lake::{Entry, LakeError, layout, layout::Kind},
};

/// The records of the jobs' objects, by year and kind.
#[derive(Default)]
pub(super) struct Records(HashMap<(Option<u16>, Kind), Sum>);

impl Records {
    pub fn add(&mut self, job: &Job, checked: &Checked) {
        for (kind, sum) in &checked.sums {
            self.0.entry((job.year, *kind)).or_default().add(*sum);
        }
    }

    /// By the folder of a version in which the same records stand.
    fn by_folder(&self, version: &str) -> BTreeMap<String, Sum> {
        let folder = |(year, kind): &(Option<u16>, Kind)| layout::compact_records(version, *kind, *year);
        self.0.iter().map(|(of, sum)| (folder(of), *sum)).collect()
    }
}

/// Reads the current version of the large files, if there is one; `done` are the jobs that were done before their objects were read,
/// `records` what these hold.
/// Where `compact` put another in its place meanwhile, that is read.
pub(super) async fn check(
    lake: &dyn Lake,
    done: &[(&Job, Entry)],
    records: &Records,
    report: &mut Report,
) -> Result<(), LakeError> {
    loop {
        let (before, current) = (report.clone(), lake.get(layout::COMPACT_CURRENT).await?);
        check_current(lake, done, records, report).await?;
        if lake.get(layout::COMPACT_CURRENT).await? == current {
            return Ok(());
        }
        *report = before;
    }
}

async fn check_current(
    lake: &dyn Lake,
    done: &[(&Job, Entry)],
    records: &Records,
    report: &mut Report,
) -> Result<(), LakeError> {
    if lake.get(layout::COMPACT_CURRENT).await?.is_none() {
        return Ok(());
    }
    let Some(version) = compact::current(lake).await? else {
        report.problem(Problem::new(Fault::Unreadable, layout::COMPACT_CURRENT));
        return Ok(());
    };
    let Some(compacted) = Compacted::of(lake, &version).await? else {
        report.problem(Problem::new(Fault::Unreadable, layout::compact_manifest(&version)));
        return Ok(());
    };
    let stale = compact::version(compacted.format, done) != version || compact::changed(lake, done).await?.is_some();
    let found = read(lake, &compacted, report).await?;
    if !stale {
        differences(&records.by_folder(&version), &found, report);
    }
    strays(lake, &compacted, report).await?;
    report.compacted = Some(LargeFiles {
        version,
        jobs: compacted.jobs,
        files: compacted.files.len(),
        records: found.values().map(|sum| sum.records).sum(),
        stale,
        jobs_since: done.iter().filter(|(_, marker)| marker.modified > compacted.made).count(),
    });
    Ok(())
}

/// Reads each file, the files of one kind and year after one another. What is in each such folder.
async fn read(lake: &dyn Lake, compacted: &Compacted, report: &mut Report) -> Result<BTreeMap<String, Sum>, LakeError> {
    let mut found = BTreeMap::<String, Sum>::new();
    for files in compacted.files.chunk_by(|a, b| folder(a) == folder(b)) {
        let mut seen = HashSet::new();
        for file in files {
            let Some(bytes) = lake.get(&file.key).await? else {
                report.problem(Problem::new(Fault::Missing, &file.key));
                continue;
            };
            let whole = Whole { seen, ..Whole::default() };
            let whole = whole.read(compacted.format, file.clone(), bytes).await;
            whole.problems.into_iter().for_each(|problem| report.problem(problem));
            found.entry(folder(file).to_owned()).or_default().add(whole.sum);
            seen = whole.seen;
        }
    }
    Ok(found)
}

/// The folder of a file: all records of one kind and year.
fn folder(file: &File) -> &str {
    file.key.rsplit_once('/').map_or(&file.key, |(folder, _)| folder)
}

/// A file as it was read.
#[derive(Default)]
struct Whole {
    sum: Sum,
    problems: Vec<Problem>,
    /// The records of this kind and year, with those of the files before, a number each.
    seen: HashSet<u64>,
}

impl Whole {
    /// Reads a file where it may take its time.
    async fn read(mut self, format: Format, file: File, bytes: Bytes) -> Self {
        let key = file.key.clone();
        let reading = spawn_blocking(move || {
            let read = format.read(bytes, &mut |line| self.see(line, &file.key));
            if read.is_err() {
                self.problems.push(Problem::new(Fault::Unreadable, &file.key));
            } else if self.sum.records != file.rows {
                let which = format!("{} ({} records of {})", file.key, self.sum.records, file.rows);
                self.problems.push(Problem::new(Fault::Compacted, which));
            }
            self
        });
        let panicked = |_| Self { problems: vec![Problem::new(Fault::Unreadable, key)], ..Self::default() };
        reading.await.unwrap_or_else(panicked)
    }

    fn see(&mut self, text: &str, key: &str) {
        self.sum.see(text);
        match Line::read(text) {
            Some((id, line)) if self.seen.insert(number(&format!("{id} {}", line.which()))) => {}
            Some((id, _)) => self.problems.push(Problem::new(Fault::Twice, format!("{id} in {key}"))),
            None => self.problems.push(Problem::new(Fault::Unreadable, format!("{key} record {}", self.sum.records))),
        }
    }
}

/// The folders in which other records stand than in the jobs' objects.
fn differences(expected: &BTreeMap<String, Sum>, found: &BTreeMap<String, Sum>, report: &mut Report) {
    let none = Sum::default();
    let folders: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    for folder in folders {
        let (expected, found) = (expected.get(folder).unwrap_or(&none), found.get(folder).unwrap_or(&none));
        if expected != found {
            let which = format!("{folder} ({} records, the jobs' objects have {})", found.records, expected.records);
            report.problem(Problem::new(Fault::Compacted, which));
        }
    }
}

/// What stands beneath the version and is not of it: a reader of the whole folder would take it for records.
async fn strays(lake: &dyn Lake, compacted: &Compacted, report: &mut Report) -> Result<(), LakeError> {
    let mut entries = lake.list(&layout::compact_folder(&compacted.version));
    while let Some(entry) = entries.try_next().await? {
        if !compacted.has(&entry.key) {
            report.problem(Problem::new(Fault::Stray, entry.key));
        }
    }
    Ok(())
}
