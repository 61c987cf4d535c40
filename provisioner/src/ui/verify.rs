//! A lake's proof, in words: the counts, what is wrong, and one closing line.

use std::fmt::Write;

use crawler_core::verify::{LargeFiles, Partition, Report};
use serde::Serialize;

/// Problems that are shown on a terminal; all are counted.
const SHOWN: usize = 20;

/// A lake's proof.
#[derive(Debug, Serialize)]
pub struct Proof<'a> {
    /// Where the lake is.
    pub lake: String,
    /// What counts as old.
    pub older_than: &'a str,
    /// Whether every title is in exactly one place and nothing else is wrong.
    pub holds: bool,
    /// What was found.
    #[serde(flatten)]
    pub report: Report,
}

impl Proof<'_> {
    /// For a terminal.
    pub fn text(&self) -> String {
        let Report { dataset, jobs, jobs_done, counts, reviews, age, partitions, .. } = &self.report;
        let mut text = format!(
            "Index         {} titles in {} partitions, dataset {dataset}\nJobs          {jobs_done} of {jobs} done\n\
             Titles        {} linked + {} missed + {} other + {} failed + {} not done yet\n\
             Reviews       {} of the {} that TMDb promised",
            counts.titles,
            partitions.len(),
            counts.linked,
            counts.missed,
            counts.others,
            counts.failed,
            counts.not_done,
            reviews.found,
            reviews.promised,
        );
        if reviews.films_that_differ > 0 {
            let _ = write!(text, "; {} films have another number than it said", reviews.films_that_differ);
        }
        if let Some(oldest) = age.oldest {
            let _ = write!(
                text,
                "\nAge           {} titles older than {}; the oldest of {oldest}",
                age.old, self.older_than
            );
        }
        self.large_files(&mut text);
        self.waiting(&mut text);
        self.wrong(&mut text);
        let _ = write!(text, "\n{}", self.closing());
        text
    }

    /// What `compact` made, and whether it is still all.
    fn large_files(&self, text: &mut String) {
        let Some(LargeFiles { version, jobs, files, records, stale, jobs_since }) = &self.report.compacted else {
            return;
        };
        let _ = write!(text, "\nCompacted     {records} records of {jobs} jobs in {files} files, version {version}");
        if *stale {
            let why = match jobs_since {
                0 => "other jobs are done by now, or a refresh is at work".to_owned(),
                jobs => format!("{jobs} jobs were done since"),
            };
            let _ = write!(text, "\n              stale: {why}; `provision compact` merges anew");
        }
    }

    /// Objects that are not counted yet, or no longer.
    fn waiting(&self, text: &mut String) {
        let Report { unfinished_objects, left_over_objects, .. } = &self.report;
        if *unfinished_objects > 0 {
            let _ = write!(
                text,
                "\nWaiting       {unfinished_objects} objects of jobs that are not done: they are written anew"
            );
        }
        if *left_over_objects > 0 {
            let _ = write!(
                text,
                "\nLeft over     {left_over_objects} objects of an earlier index: they go when the jobs that have their titles now are done"
            );
        }
    }

    fn wrong(&self, text: &mut String) {
        let Report { wrong, problems, partitions, .. } = &self.report;
        for problem in problems.iter().take(SHOWN) {
            let _ = write!(text, "\nWrong         {problem}");
        }
        if *wrong > SHOWN as u64 {
            let _ = write!(text, "\n              and {} more; --json has the first hundred", wrong - SHOWN as u64);
        }
        for Partition { year, initial, counts } in partitions.iter().filter(|one| !one.counts.add_up()).take(SHOWN) {
            let year = year.map_or("none".to_owned(), |year| year.to_string());
            let places = counts.linked + counts.missed + counts.others + counts.failed + counts.not_done;
            let _ = write!(text, "\nUneven        {year}/{initial}: {} titles in {places} places", counts.titles);
        }
    }

    fn closing(&self) -> String {
        let Self { lake, holds, report, .. } = self;
        match (holds, report.counts.not_done) {
            (false, _) => format!("{lake} does not hold: {} things are wrong", report.wrong),
            (true, 0) => format!("{lake} holds: all {} titles are in exactly one place", report.counts.titles),
            (true, left) => format!(
                "{lake} holds: {} of {} titles are in exactly one place, {left} are not done yet",
                report.counts.titles - left,
                report.counts.titles
            ),
        }
    }
}
