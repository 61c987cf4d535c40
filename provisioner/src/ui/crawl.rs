//! How far a crawl is, in words.

use std::time::Duration;

use crawler_core::Marker;
use crawler_core::lake::Pause;
use jiff::Timestamp;
use serde::Serialize;

use crate::fleet::Progress;

/// One line, for a progress display.
pub fn line(progress: &Progress) -> String {
    let Progress { queue, jobs, titles, pace, .. } = progress;
    let left = pace.map(|pace| format!(", {} left", duration(pace.seconds_left))).unwrap_or_default();
    let failed = if titles.failed > 0 { format!(" ({} failed)", titles.failed) } else { String::new() };
    format!(
        "{} of {} jobs, {} of {} titles done{failed}; {} waiting, {} in flight{left}",
        jobs.done, jobs.total, titles.done, titles.total, queue.visible, queue.in_flight
    )
}

/// The whole, for a terminal.
pub fn text(progress: &Progress) -> String {
    let Progress { queue, dead_letters, jobs, titles, pace, mapping, paused } = progress;
    let mut lines = vec![
        format!("Queue         {} visible, {} in flight, {} delayed", queue.visible, queue.in_flight, queue.delayed),
        match dead_letters.visible {
            0 => "Dead letters  0".to_owned(),
            dead => format!("Dead letters  {dead}; for their reasons: provision dead-letters"),
        },
        format!("Jobs          {} of {} done ({} in the index)", jobs.done, jobs.total, jobs.indexed),
        format!(
            "Titles        {} of {} done: {} linked, {} missed, {} other, {} failed",
            titles.done, titles.total, titles.linked, titles.missed, titles.others, titles.failed
        ),
    ];
    if let Some(sent) = jobs.oldest {
        let age = Timestamp::now().duration_since(sent).unsigned_abs().as_secs();
        lines.push(format!(
            "Oldest job    sent {} ago; SQS drops a message after its retention, 14 days at most",
            duration(age)
        ));
    }
    if titles.failed > 0 {
        lines.push(format!(
            "Failed        {} titles had no usable answer; to ask again: provision launch --failed",
            titles.failed
        ));
    }
    if let Some(pace) = pace.filter(|_| !progress.is_complete() && paused.is_none()) {
        lines.push(format!(
            "Rate          {:.1} titles a second, {} left",
            pace.titles_per_second,
            duration(pace.seconds_left)
        ));
    }
    match (paused, mapping.as_deref()) {
        (Some(Pause { reason, by, at }), _) => {
            let since = at.round(jiff::Unit::Second).unwrap_or(*at);
            lines.push(format!("Paused        since {since} by {by}: {reason}; to go on: provision resume"));
        }
        (None, Some("Enabled")) if progress.is_idle() => {
            lines.push(
                "Mapping       Enabled on an empty queue; its polling is billed until: provision pause, or down".into(),
            );
        }
        (None, _) => {}
    }
    lines.join("\n")
}

/// Seconds as a person says them: `42 s`, `7 min`, `5 h 10 min`, `3 d 4 h`.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..90 => format!("{seconds} s"),
        90..5_400 => format!("{} min", seconds.div_ceil(60)),
        5_400..172_800 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// What `download` did.
#[derive(Clone, Debug, Serialize)]
pub struct Downloaded {
    lake: String,
    jobs: usize,
    jobs_done_before: usize,
    jobs_done: usize,
    titles: u64,
    linked: u64,
    missed: u64,
    others: u64,
    failed: u64,
    reviews: u64,
    requests: u64,
    /// How long it took.
    #[serde(skip)]
    pub took: Duration,
}

impl Downloaded {
    /// Nothing yet, of `jobs`, of which `jobs_done_before` were done by an earlier run.
    pub fn new(lake: String, jobs: usize, jobs_done_before: usize) -> Self {
        Self {
            lake,
            jobs,
            jobs_done_before,
            jobs_done: 0,
            titles: 0,
            linked: 0,
            missed: 0,
            others: 0,
            failed: 0,
            reviews: 0,
            requests: 0,
            took: Duration::ZERO,
        }
    }

    /// One more job.
    pub fn add(&mut self, marker: &Marker) {
        self.jobs_done += 1;
        self.titles += u64::from(marker.titles);
        self.linked += u64::from(marker.linked);
        self.missed += u64::from(marker.missed);
        self.others += u64::from(marker.others);
        self.failed += u64::from(marker.failed);
        self.reviews += marker.reviews;
        self.requests += marker.requests;
    }

    /// One line, for a progress display.
    pub fn progress(&self) -> String {
        let done = self.jobs_done_before + self.jobs_done;
        let failed = if self.failed > 0 { format!(" ({} failed)", self.failed) } else { String::new() };
        format!("{done} of {} jobs, {} titles{failed}, {} reviews", self.jobs, self.titles, self.reviews)
    }

    /// What is to be said of titles without a usable answer, where there are any.
    pub fn warning(&self) -> Option<String> {
        let what = "had no usable answer and are set aside in the lake's failed";
        (self.failed > 0)
            .then(|| format!("{} titles {what}; to ask again, add --failed to the same command", self.failed))
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let before = match self.jobs_done_before {
            0 => String::new(),
            before => format!(" ({before} were done before)"),
        };
        let Self { lake, jobs_done, titles, linked, missed, others, failed, reviews, requests, .. } = self;
        format!(
            "{jobs_done} jobs{before}, {titles} titles: {linked} linked, {missed} missed, {others} other, {failed} failed; {reviews} reviews, \
             {requests} requests, {}\nThe lake is {lake}",
            duration(self.took.as_secs())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_two_units() {
        let said = [42, 100, 18_600, 273_600].map(duration);
        assert_eq!(said, ["42 s", "2 min", "5 h 10 min", "3 d 4 h"]);
    }
}
