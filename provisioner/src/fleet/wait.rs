//! Waiting for a crawl's end: the done markers are the truth, the queue's counters only a hint (E46).

use std::time::Duration;

use crawler_core::imdb::{Manifest, Selection};
use crawler_core::lake::Pause;
use tokio::time::Instant;

use super::{Fleet, FleetError, Progress};

/// The longest between two looks at a large crawl.
const RARELY: Duration = Duration::from_secs(60);

/// How a wait is paced.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Between two looks.
    pub every: Duration,
    /// How long an empty queue must stay empty to be taken for drained while jobs are missing.
    pub settled: Duration,
    /// How long a function may have a message in hand: when all jobs are done and nothing waits, no longer is waited for those that have.
    pub in_hand: Duration,
    /// How long looks may fail in a row: a line that is down for minutes is not the end of a crawl of hours.
    pub patience: Duration,
}

impl Waiting {
    /// The time until the next look at a crawl of so many jobs: each lists all their markers, which costs.
    fn after(&self, jobs: usize) -> Duration {
        self.every.max(Duration::from_millis(jobs as u64 * 2).min(RARELY))
    }
}

impl Default for Waiting {
    fn default() -> Self {
        let [settled, in_hand, patience] = [60, 900, 600].map(Duration::from_secs);
        Self { every: Duration::from_secs(2), settled, in_hand, patience }
    }
}

/// How a crawl ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// Every job that was sent is done.
    Complete(Progress),
    /// The fleet is paused: nothing more is done until it is resumed.
    Paused(Pause),
    /// The queue is empty, and jobs are missing: dead-lettered or lost.
    Incomplete(Progress),
}

/// Since when something has been so at every look.
struct Since(Option<Instant>);

impl Since {
    /// Whether it has been so for this long; `now` is what this look says.
    fn holds_for(&mut self, now: bool, long: Duration) -> bool {
        self.0 = now.then(|| self.0.unwrap_or_else(Instant::now));
        self.0.is_some_and(|since| since.elapsed() >= long)
    }
}

impl Fleet {
    /// Looks until all these jobs are done, the fleet is paused, or the queue stays empty though jobs are not done; `look` learns each look's
    /// result.
    ///
    /// # Errors
    /// Looks that failed for too long, or for a reason that does not pass by itself.
    pub async fn wait(
        &self,
        manifest: &Manifest,
        selection: &Selection,
        pace: Waiting,
        mut look: impl FnMut(Result<&Progress, &FleetError>),
    ) -> Result<Ended, FleetError> {
        let [mut held, mut empty, mut failing] = [const { Since(None) }; 3];
        loop {
            let looked = self.progress(Some(manifest), selection).await;
            look(looked.as_ref());
            let progress = match looked {
                Ok(progress) => progress,
                Err(error) => {
                    (held, empty) = (Since(None), Since(None));
                    if !error.may_pass() || failing.holds_for(true, pace.patience) {
                        return Err(error);
                    }
                    tokio::time::sleep(pace.after(manifest.jobs.len())).await;
                    continue;
                }
            };
            failing = Since(None);
            // What a function that was killed had in hand stays hidden for hours.
            let is_held = progress.is_complete() && progress.queue.visible + progress.queue.delayed == 0;
            let is_given_up = held.holds_for(is_held, pace.in_hand);
            if progress.is_complete() && (progress.is_idle() || is_given_up) {
                return Ok(Ended::Complete(progress));
            }
            if let Some(pause) = progress.paused {
                return Ok(Ended::Paused(pause));
            }
            if empty.holds_for(progress.is_idle(), pace.settled) {
                return Ok(Ended::Incomplete(progress));
            }
            tokio::time::sleep(pace.after(manifest.jobs.len())).await;
        }
    }
}
