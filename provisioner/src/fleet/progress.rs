//! How far a crawl is, from the lake's done markers and the queues' counters. Lists markers and reads none.

use std::collections::BTreeSet;

use crawler_core::Lake;
use crawler_core::imdb::{Manifest, Selection};
use crawler_core::lake::Pause;
use crawler_core::lake::layout::{self, Done};
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};

use super::launch::by_mark;
use super::sent::mark_of;
use super::{Depth, Fleet, FleetError};

/// Jobs that ended within this time give the rate.
const RECENT: SignedDuration = SignedDuration::from_mins(5);

/// How far a crawl is.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Progress {
    /// The jobs queue.
    pub queue: Depth,
    /// The dead-letter queue.
    pub dead_letters: Depth,
    /// Jobs.
    pub jobs: Jobs,
    /// Titles.
    pub titles: Titles,
    /// How fast, where jobs ended lately.
    pub pace: Option<Pace>,
    /// Lambda's word for the mapping's state; none where there is no mapping.
    pub mapping: Option<String>,
    /// Why the fleet stands still, where it does.
    pub paused: Option<Pause>,
}

/// Jobs of the current dataset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Jobs {
    /// Jobs in the index, sent or not.
    pub indexed: usize,
    /// Jobs that were sent or are done.
    pub total: usize,
    /// Jobs with a marker.
    pub done: usize,
    /// When the one that waits longest was sent: SQS drops a message at the end of its retention (E50).
    pub oldest: Option<Timestamp>,
}

/// Titles of the jobs that were sent or are done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Titles {
    /// Titles of all these jobs.
    pub total: u64,
    /// Titles of jobs that are done: linked + missed + others + failed.
    pub done: u64,
    /// Titles that lead to a film at TMDb.
    pub linked: u64,
    /// Titles that TMDb does not know.
    pub missed: u64,
    /// Titles that are a series, an episode or a person at TMDb.
    pub others: u64,
    /// Titles without a usable answer.
    pub failed: u64,
}

/// How fast a crawl goes.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Pace {
    /// Titles a second, over the last minutes.
    pub titles_per_second: f64,
    /// Seconds until all titles are done at that pace.
    pub seconds_left: u64,
}

impl Progress {
    /// Whether every job that was sent is done.
    pub fn is_complete(&self) -> bool {
        self.jobs.total > 0 && self.jobs.done == self.jobs.total
    }

    /// Whether nothing waits and nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }
}

impl Fleet {
    /// How far the crawl of these jobs of `manifest` is.
    ///
    /// # Errors
    /// A failed read of lake or queues.
    pub async fn progress(&self, manifest: Option<&Manifest>, selection: &Selection) -> Result<Progress, FleetError> {
        let Some(manifest) = manifest else {
            return self.queues().await;
        };
        let (queues, done, mut launched) =
            futures::try_join!(self.queues(), done_with_times(&*self.lake), self.launched())?;
        let mut jobs = by_mark(manifest);
        let indexed = jobs.len();
        jobs.retain(|_, job| selection.has(job));
        let done: Vec<_> = done.into_iter().filter(|(done, _)| jobs.contains_key(&mark_of(done))).collect();
        launched.retain(|mark, _| jobs.contains_key(mark));
        let marks: BTreeSet<String> = done.iter().map(|(done, _)| mark_of(done)).collect();
        let oldest = launched.iter().filter(|(mark, _)| !marks.contains(*mark)).map(|(_, sent)| *sent).min();
        launched.extend(done.iter().map(|(done, ended)| (mark_of(done), *ended)));
        let total = launched.keys().filter_map(|mark| jobs.get(mark)).map(|job| u64::from(job.titles)).sum();
        let titles = count_titles(total, done.iter().map(|(done, _)| done));
        Ok(Progress {
            jobs: Jobs { indexed, total: launched.len(), done: done.len(), oldest },
            titles,
            pace: pace(&done, titles, Timestamp::now()),
            ..queues
        })
    }

    /// What queues and mapping tell; nothing of jobs.
    async fn queues(&self) -> Result<Progress, FleetError> {
        let depths = async { Ok(futures::try_join!(self.jobs.depth(), self.dead_letters.depth())?) };
        let ((queue, dead_letters), (mapping, paused)) = futures::try_join!(depths, self.mapping_and_pause())?;
        Ok(Progress { queue, dead_letters, mapping, paused, ..Progress::default() })
    }
}

/// All done jobs, each with the time at which its marker was written, from the listing alone.
///
/// # Errors
/// A failed listing.
pub async fn done_with_times(lake: &dyn Lake) -> Result<Vec<(Done, Timestamp)>, FleetError> {
    let done = lake
        .list(layout::DONE)
        .try_filter_map(|entry| futures::future::ready(Ok(Done::parse(&entry.key).map(|done| (done, entry.modified)))));
    Ok(done.try_collect().await?)
}

fn count_titles<'d>(total: u64, done: impl Iterator<Item = &'d Done>) -> Titles {
    done.fold(Titles { total, ..Titles::default() }, |sum, done| Titles {
        total: sum.total,
        done: sum.done + u64::from(done.titles),
        linked: sum.linked + u64::from(done.linked),
        missed: sum.missed + u64::from(done.missed),
        others: sum.others + u64::from(done.others),
        failed: sum.failed + u64::from(done.failed),
    })
}

fn pace(done: &[(Done, Timestamp)], titles: Titles, now: Timestamp) -> Option<Pace> {
    let recent: Vec<_> = done.iter().filter(|(_, ended)| now.duration_since(*ended) <= RECENT).collect();
    let first = recent.iter().map(|(_, ended)| *ended).min()?;
    let seconds = now.duration_since(first).as_secs_f64();
    let counted: u64 = recent.iter().map(|(done, _)| u64::from(done.titles)).sum();
    if seconds < 1.0 || counted == 0 {
        return None;
    }
    let titles_per_second = counted as f64 / seconds;
    let left = titles.total.saturating_sub(titles.done) as f64;
    Some(Pace { titles_per_second, seconds_left: (left / titles_per_second).ceil() as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(titles: u32, linked: u32) -> Done {
        Done {
            year: Some(2004),
            initial: "AD".into(),
            part: 0,
            digest: "0123456789abcdef".into(),
            titles,
            linked,
            missed: titles - linked,
            others: 0,
            failed: 0,
            oldest: None,
        }
    }

    #[test]
    fn titles_add_up() {
        let titles = count_titles(100, [done(10, 9), done(20, 15)].iter());
        assert_eq!((titles.total, titles.done, titles.linked, titles.missed), (100, 30, 24, 6));
    }

    #[test]
    fn the_pace_is_that_of_the_last_minutes() {
        let now = Timestamp::from_second(10_000).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let titles = Titles { total: 130, done: 30, ..Titles::default() };
        let found = pace(&[(done(1000, 0), at(100)), (done(10, 0), at(9_990)), (done(10, 0), at(9_999))], titles, now);
        assert_eq!(found, Some(Pace { titles_per_second: 2.0, seconds_left: 50 }));
        assert_eq!(pace(&[(done(10, 0), at(100))], titles, now), None);
    }
}
