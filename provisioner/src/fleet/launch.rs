//! Which jobs are sent, and their sending.
//!
//! Guarantees: a job that is done is not sent; one that SQS accepted and that may still be in the queue neither. A launch
//! that was cut off goes on; a batch whose answer was lost may be sent twice, which harms nothing (E48).

use std::collections::{BTreeMap, BTreeSet};

use crawler_core::imdb::{Manifest, Selection};
use crawler_core::lake::Lake;
use crawler_core::{Job, Order};
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};

use super::{Fleet, FleetError, sent};

/// Small jobs share a message up to this many bytes of body, far below what SQS bills as one request.
const MESSAGE_BYTES: usize = 4096;
/// ... and up to this share of a full job's titles.
const SHARED_TITLES: u32 = 4;
/// Messages after which what SQS accepted is written down.
const WAVE: usize = 1000;
/// SQS keeps a message for at most 14 days (E50).
const RETENTION: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What a launch would send.
#[derive(Clone, Debug)]
pub struct LaunchPlan {
    /// The dataset that the jobs are ranges of.
    pub dataset: String,
    /// Jobs that will be sent, in the manifest's order.
    pub jobs: Vec<Job>,
    /// Selected jobs that are done.
    pub done: usize,
    /// Selected jobs that were sent before and may still be in the queue.
    pub queued: usize,
    full_job: u32,
}

/// What a launch sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Launched {
    /// Messages that SQS accepted.
    pub messages: usize,
    /// Jobs in them.
    pub jobs: usize,
    /// Titles in those.
    pub titles: u64,
}

impl LaunchPlan {
    /// Titles in the jobs that will be sent.
    pub fn titles(&self) -> u64 {
        self.jobs.iter().map(|job| u64::from(job.titles)).sum()
    }

    /// The messages: a job each, or several small ones of one dataset together.
    fn messages(&self) -> Vec<Vec<Job>> {
        let mut messages: Vec<Vec<Job>> = Vec::new();
        let (mut titles, mut bytes) = (0, 0);
        let most = (self.full_job / SHARED_TITLES).max(1);
        for job in &self.jobs {
            let size = serde_json::to_string(job).map_or(MESSAGE_BYTES, |text| text.len() + 1);
            match messages.last_mut() {
                Some(message) if titles + job.titles <= most && bytes + size <= MESSAGE_BYTES => {
                    message.push(job.clone());
                    (titles, bytes) = (titles + job.titles, bytes + size);
                }
                _ => {
                    messages.push(vec![job.clone()]);
                    (titles, bytes) = (job.titles, size + 256);
                }
            }
        }
        messages
    }
}

impl Fleet {
    /// What is selected, not done and not already sent; `again` takes no account of what was sent.
    ///
    /// # Errors
    /// A failed read of lake or queue, or [`FleetError::NothingSelected`].
    pub async fn plan_launch(
        &self,
        manifest: &Manifest,
        selection: &Selection,
        asked: &str,
        again: bool,
    ) -> Result<LaunchPlan, FleetError> {
        let selected: Vec<&Job> = manifest.jobs_of(selection).collect();
        if selected.is_empty() {
            return Err(FleetError::NothingSelected { asked: asked.to_owned() });
        }
        let (done, sent) = futures::try_join!(done_marks(&*self.lake), self.still_queued(manifest, again))?;
        let (mut jobs, mut finished, mut queued) = (Vec::new(), 0, 0);
        for job in selected {
            let mark = sent::mark(job);
            if done.contains(&mark) {
                finished += 1;
            } else if sent.contains(&mark) {
                queued += 1;
            } else {
                jobs.push(job.clone());
            }
        }
        let full_job = manifest.options.job_titles;
        Ok(LaunchPlan { dataset: manifest.dataset.clone(), jobs, done: finished, queued, full_job })
    }

    /// Marks of jobs that SQS accepted within its retention, unless the queue is empty: then none is in it.
    async fn still_queued(&self, manifest: &Manifest, again: bool) -> Result<BTreeSet<String>, FleetError> {
        if again || self.jobs.depth().await?.is_empty() {
            return Ok(BTreeSet::new());
        }
        let since = Timestamp::now().checked_sub(RETENTION).unwrap_or(Timestamp::MIN);
        Ok(sent::recorded(&*self.lake, &manifest.dataset, since).await?)
    }

    /// Sends the plan, and writes down what SQS accepted, a wave at a time; `progress` learns how many messages of how many
    /// are sent.
    ///
    /// # Errors
    /// A failed send. What was accepted is written down all the same.
    pub async fn launch(&self, plan: &LaunchPlan, progress: impl Fn(usize, usize)) -> Result<Launched, FleetError> {
        let messages = plan.messages();
        let started = Timestamp::now();
        let mut launched = Launched::default();
        for (wave, messages_of_wave) in messages.chunks(WAVE).enumerate() {
            let bodies: Vec<String> = messages_of_wave
                .iter()
                .map(|jobs| Order::Jobs { dataset: plan.dataset.clone(), jobs: jobs.clone() }.to_body())
                .collect();
            let mut accepted = Vec::new();
            let result = self
                .jobs
                .send_all(&bodies, |places| {
                    accepted.extend_from_slice(places);
                    progress(launched.messages + accepted.len(), messages.len());
                })
                .await;
            let jobs: Vec<&Job> = accepted.iter().flat_map(|place| &messages_of_wave[*place]).collect();
            let marks: Vec<String> = jobs.iter().map(|job| sent::mark(job)).collect();
            sent::record(&*self.lake, &plan.dataset, started, wave, &marks).await?;
            launched.messages += accepted.len();
            launched.jobs += jobs.len();
            launched.titles += jobs.iter().map(|job| u64::from(job.titles)).sum::<u64>();
            result?;
        }
        Ok(launched)
    }

    /// Marks of every job of `manifest` that was ever sent, or is done: what the crawl's progress is measured against.
    pub(super) async fn launched_marks(&self, manifest: &Manifest) -> Result<BTreeSet<String>, FleetError> {
        Ok(sent::recorded(&*self.lake, &manifest.dataset, Timestamp::MIN).await?)
    }
}

/// Marks of the jobs that are done, from the markers' keys alone.
async fn done_marks(lake: &dyn Lake) -> Result<BTreeSet<String>, FleetError> {
    let done = crawler_core::crawl::done(lake).map_ok(|done| format!("{}.{}", done.name(), done.digest));
    Ok(done.try_collect().await?)
}

/// Jobs by their marks.
pub(super) fn by_mark(manifest: &Manifest) -> BTreeMap<String, &Job> {
    manifest.jobs.iter().map(|job| (sent::mark(job), job)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(initial: &str, titles: u32) -> Job {
        Job {
            year: Some(2004),
            initial: initial.into(),
            part: 0,
            offset: 24,
            length: 36,
            titles,
            digest: "0123456789abcdef".into(),
        }
    }

    fn plan(jobs: Vec<Job>) -> LaunchPlan {
        LaunchPlan { dataset: "d".into(), jobs, done: 0, queued: 0, full_job: 100 }
    }

    #[test]
    fn small_jobs_share_a_message_and_a_full_one_has_its_own() {
        let sizes = |titles: &[u32]| -> Vec<usize> {
            plan(titles.iter().map(|titles| job("AD", *titles)).collect()).messages().iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(&[4, 4, 4, 100, 4]), [3, 1, 1]);
        assert_eq!(sizes(&[20, 10]), [1, 1]);
    }

    #[test]
    fn a_message_stays_below_its_bytes() {
        let plan = plan((0..500).map(|_| job("AD", 0)).collect());
        for jobs in plan.messages() {
            let body = Order::Jobs { dataset: plan.dataset.clone(), jobs }.to_body();
            assert!(body.len() <= MESSAGE_BYTES, "{}", body.len());
        }
    }
}
