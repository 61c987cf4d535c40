//! What a lake's proof comes to: counts by partition and in all, and what is wrong.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use super::job::Checked;
use crate::{Job, imdb::Manifest};

/// Problems that are kept word for word; all are counted.
const MOST_KEPT: usize = 100;

/// Titles, and where they are. Each is in one place where the five last add up to the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Titles in the index.
    pub titles: u64,
    /// Titles with records in movies.
    pub linked: u64,
    /// Titles in misses.
    pub missed: u64,
    /// Titles in others.
    pub others: u64,
    /// Titles in failed.
    pub failed: u64,
    /// Titles of jobs that are not done yet.
    pub not_done: u64,
}

impl Counts {
    /// Whether the places add up to the titles.
    pub fn add_up(&self) -> bool {
        self.titles == self.linked + self.missed + self.others + self.failed + self.not_done
    }

    fn add(&mut self, other: &Self) {
        self.titles += other.titles;
        self.linked += other.linked;
        self.missed += other.missed;
        self.others += other.others;
        self.failed += other.failed;
        self.not_done += other.not_done;
    }
}

/// The counts of one year and initial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Partition {
    /// The year; none for films without one.
    pub year: Option<u16>,
    /// The initial.
    pub initial: String,
    /// Its titles.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Reviews, against what TMDb said of each film.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reviews {
    /// Reviews in the lake.
    pub found: u64,
    /// The sum of the films' `total_results`.
    pub promised: u64,
    /// Films that have another number of reviews than TMDb said: its count and its pages need not agree.
    pub films_that_differ: u64,
}

impl Reviews {
    fn add(&mut self, other: &Self) {
        self.found += other.found;
        self.promised += other.promised;
        self.films_that_differ += other.films_that_differ;
    }
}

/// Titles that were fetched long ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Age {
    /// How many are older than was asked for.
    pub old: u64,
    /// The earliest day of any.
    pub oldest: Option<Date>,
}

impl Age {
    /// One more title, fetched on `day`.
    pub(super) fn see(&mut self, day: Date, before: Date) {
        self.old += u64::from(day < before);
        self.oldest = Some(self.oldest.map_or(day, |oldest| oldest.min(day)));
    }

    fn add(&mut self, other: &Self) {
        self.old += other.old;
        self.oldest = self.oldest.into_iter().chain(other.oldest).min();
    }
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A film stands in two kinds of objects, or in an object of another job.
    TwoPlaces,
    /// A film of a job that is done stands nowhere.
    NoPlace,
    /// A film or a review stands twice in an object, or in the large files.
    Twice,
    /// Reviews of a film that does not stand beside them.
    NoFilm,
    /// A record alone in its object is not the one that the object's key tells.
    Misplaced,
    /// An object that a marker names is not there, or a file that a version of the large files names.
    Missing,
    /// An object cannot be read.
    Unreadable,
    /// An object of a job that is done is not named by its marker.
    Unnamed,
    /// An object of a job that the index does not have, though all that it has are done.
    LeftOver,
    /// An object that no job's marker names, of this index or of an earlier one.
    Nobodys,
    /// A marker's counts are not those of its objects.
    Counts,
    /// A job has more than one marker for the same titles.
    Markers,
    /// The index does not hold a job's titles.
    Index,
    /// The index's jobs have not as many titles as the index.
    Titles,
    /// An object beneath the current version of the large files is not of it.
    Stray,
    /// A large file, or all of a kind and year, does not hold the records that it should.
    Compacted,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TwoPlaces => "is in two places",
            Self::NoPlace => "is in no place",
            Self::Twice => "stands twice",
            Self::NoFilm => "has reviews where it is no film",
            Self::Misplaced => "is not what its key tells",
            Self::Missing => "is named and not there",
            Self::Unreadable => "cannot be read",
            Self::Unnamed => "is not named by its job's marker",
            Self::LeftOver => "is left over by an earlier index",
            Self::Nobodys => "is no job's",
            Self::Counts => "has other counts than its objects",
            Self::Markers => "has several markers",
            Self::Index => "is not in the index as its job says",
            Self::Titles => "has jobs of other titles than it says",
            Self::Stray => "is beneath a version of the large files and not of it",
            Self::Compacted => "does not hold the records that it should",
        })
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What.
    pub fault: Fault,
    /// With which film, object or job.
    pub which: String,
}

impl Problem {
    pub(super) fn new(fault: Fault, which: impl Into<String>) -> Self {
        Self { fault, which: which.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.which, self.fault)
    }
}

/// The large files that `compact` made, as they are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LargeFiles {
    /// The version that is current.
    pub version: String,
    /// Jobs that are in it.
    pub jobs: usize,
    /// How many files there are.
    pub files: usize,
    /// Records in them.
    pub records: u64,
    /// Whether other jobs are done now than those that are in it, or one is being done anew: then they are not held against the jobs'
    /// objects.
    pub stale: bool,
    /// Jobs that were done, or done anew, since it was made.
    pub jobs_since: usize,
}

/// What a lake's proof comes to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The index that it was held against.
    pub dataset: String,
    /// Jobs of the index.
    pub jobs: usize,
    /// Jobs with a marker of their titles.
    pub jobs_done: usize,
    /// All titles.
    #[serde(flatten)]
    pub counts: Counts,
    /// Their reviews.
    pub reviews: Reviews,
    /// How old they are.
    pub age: Age,
    /// Objects of jobs that are not done yet: they are written anew.
    pub unfinished_objects: u64,
    /// Objects of jobs of an earlier index: they go when the jobs that have their titles now are done.
    pub left_over_objects: u64,
    /// The large files of `compact`, where there are any.
    pub compacted: Option<LargeFiles>,
    /// How many things are wrong.
    pub wrong: u64,
    /// The first of them.
    pub problems: Vec<Problem>,
    /// The titles by year and initial.
    pub partitions: Vec<Partition>,
}

impl Report {
    pub(super) fn new(manifest: &Manifest) -> Self {
        Self { dataset: manifest.dataset.clone(), jobs: manifest.jobs.len(), ..Self::default() }
    }

    /// Whether every title is in one place, in all and in each partition, and nothing else is wrong.
    pub fn holds(&self) -> bool {
        self.wrong == 0 && self.counts.add_up() && self.partitions.iter().all(|partition| partition.counts.add_up())
    }

    /// Adds a job. The jobs of a partition follow each other.
    pub(super) fn add(&mut self, job: &Job, checked: Checked) {
        self.jobs_done += usize::from(checked.done);
        self.counts.add(&checked.counts);
        self.reviews.add(&checked.reviews);
        self.age.add(&checked.age);
        match self.partitions.last_mut().filter(|last| last.year == job.year && last.initial == job.initial) {
            Some(last) => last.counts.add(&checked.counts),
            None => {
                self.partitions.push(Partition { year: job.year, initial: job.initial.clone(), counts: checked.counts })
            }
        }
        checked.problems.into_iter().for_each(|problem| self.problem(problem));
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.wrong += 1;
        if self.problems.len() < MOST_KEPT {
            self.problems.push(problem);
        }
    }
}
