//! Which jobs are sent, and their sending.
//!
//! Guarantees: a job that is done is not sent, but to be refreshed; one that SQS accepted and that may still be in the queue neither. A
//! launch that was cut off goes on; a batch whose answer was lost may be sent twice, which harms nothing (E48).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crawler_core::crawl::{Films, Refresh, changed_films};
use crawler_core::imdb::{ImdbId, Manifest, Selection};
use crawler_core::lake::layout::Done;
use crawler_core::tmdb::Changes;
use crawler_core::{Job, Order};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::estimate::Workload;
use super::progress::done_with_times;
use super::{Fleet, FleetError, sent};

/// Small jobs share a message up to this many bytes of body, far below what SQS bills as one request.
const MESSAGE_BYTES: usize = 4096;
/// ... and up to this share of a full job's titles.
const SHARED_TITLES: u32 = 4;
/// Messages that one write writes down, where so many are left.
const RECORDED: usize = 160;
/// Messages that may be sent and not written down.
const UNKNOWN: usize = 640;
/// SQS's counters show what was sent after about a minute (E46).
const LAG: SignedDuration = SignedDuration::from_mins(2);
/// Jobs whose films are read at once.
const WIDTH: usize = 16;

/// What a launch would send.
#[derive(Clone, Debug)]
pub struct LaunchPlan {
    /// The dataset that the jobs are ranges of.
    pub dataset: String,
    /// Jobs that will be sent, in the manifest's order.
    pub jobs: Vec<Job>,
    /// Selected jobs that are done, and that nothing more is wanted of.
    pub done: usize,
    /// Selected jobs that were sent before and may still be in the queue.
    pub queued: usize,
    /// Whether jobs are done that the index no longer has.
    pub left_over: bool,
    refresh: Option<Refresh>,
    /// With a refresh of what changed: the films of each job, by its mark.
    changed: Changed,
    full_job: u32,
}

type Changed = HashMap<String, BTreeSet<ImdbId>>;

/// Which of the selected jobs are sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// Of jobs that are done, those that this asks again; without it, jobs that are not done.
    pub refresh: Option<Refresh>,
    /// Of their films only those that changed.
    pub changes: Option<Changes>,
    /// Also those that were sent before and may still be in the queue.
    pub again: bool,
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
    /// Titles in the jobs that will be sent; of what changed only those.
    pub fn titles(&self) -> u64 {
        self.titles_of(&self.jobs)
    }

    fn titles_of<'j>(&self, jobs: impl IntoIterator<Item = &'j Job>) -> u64 {
        let changed = |job: &Job| self.changed.get(&sent::mark(job, None)).map(|films| films.len() as u64);
        jobs.into_iter().map(|job| changed(job).unwrap_or(u64::from(job.titles))).sum()
    }

    /// What is to be done. Of a job of which only failed titles are asked again, these are not known: all count.
    pub fn workload(&self) -> Workload {
        Workload { titles: self.titles(), jobs: self.jobs.len() as u64, messages: self.messages().len() as u64 }
    }

    fn order(&self, jobs: &[Job]) -> Order {
        let changed = || jobs.iter().filter_map(|job| self.changed.get(&sent::mark(job, None))).flatten().copied();
        let (dataset, jobs) = (self.dataset.clone(), jobs.to_vec());
        match &self.refresh {
            None => Order::Jobs { dataset, jobs },
            Some(Refresh { before, films: Films::These(_) }) => {
                let films = Films::These(changed().collect());
                Order::Refresh { dataset, jobs, refresh: Refresh { before: *before, films } }
            }
            Some(refresh) => Order::Refresh { dataset, jobs, refresh: refresh.clone() },
        }
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
    /// What is selected, wanted, and not already sent.
    ///
    /// # Errors
    /// A failed read of lake or queue, or [`FleetError::NothingSelected`].
    pub async fn plan_launch(
        &self,
        manifest: &Manifest,
        selection: &Selection,
        asked: &str,
        wanted: &Wanted,
    ) -> Result<LaunchPlan, FleetError> {
        let selected: Vec<&Job> = manifest.jobs_of(selection).collect();
        if selected.is_empty() {
            return Err(FleetError::NothingSelected { asked: asked.to_owned() });
        }
        let (all_done, sent) = futures::try_join!(done_with_times(&*self.lake), self.still_queued(wanted.again))?;
        let done: HashMap<String, &(Done, Timestamp)> =
            all_done.iter().map(|one| (sent::mark_of(&one.0), one)).collect();
        let mut plan = LaunchPlan {
            dataset: manifest.dataset.clone(),
            jobs: Vec::new(),
            done: 0,
            queued: 0,
            left_over: has_left_over(&all_done, manifest),
            refresh: wanted.refresh.clone(),
            changed: Changed::new(),
            full_job: manifest.options.job_titles,
        };
        if let Some(changes) = &wanted.changes {
            let of_selected = selected.iter().filter_map(|job| done.get(&sent::mark(job, None)));
            plan.changed = self.changed(of_selected.map(|(done, _)| done), changes).await?;
        }
        for job in selected {
            let done = done.get(&sent::mark(job, None)).copied();
            let sent = sent::last(&sent, job, plan.refresh.is_some());
            let unchanged = wanted.changes.is_some() && !plan.changed.contains_key(&sent::mark(job, None));
            match standing(done, sent, plan.refresh.as_ref()) {
                Standing::Done => plan.done += 1,
                Standing::Wanted if unchanged => plan.done += 1,
                Standing::Queued => plan.queued += 1,
                Standing::Wanted => plan.jobs.push(job.clone()),
                Standing::NotMeant => {}
            }
        }
        Ok(plan)
    }

    /// The films of these jobs that changed since they were fetched; no job without any.
    async fn changed<'d>(
        &self,
        done: impl Iterator<Item = &'d Done>,
        changes: &Changes,
    ) -> Result<Changed, FleetError> {
        let read = |done: &'d Done| async move {
            Ok::<_, FleetError>((sent::mark_of(done), changed_films(&*self.lake, done, changes).await?))
        };
        let reads: Vec<_> = done.filter(|done| done.linked > 0).map(read).collect();
        let all: Vec<_> = stream::iter(reads).buffer_unordered(WIDTH).try_collect().await?;
        Ok(all.into_iter().filter(|(_, films)| !films.is_empty()).collect())
    }

    /// When SQS accepted what it may still have. Where the queue is empty, that is what its counters may not show yet.
    async fn still_queued(&self, again: bool) -> Result<BTreeMap<String, Timestamp>, FleetError> {
        if again {
            return Ok(BTreeMap::new());
        }
        let (depth, held) = futures::try_join!(self.jobs.depth(), self.jobs.holds_since())?;
        let unseen = Timestamp::now().checked_sub(LAG).unwrap_or(Timestamp::MIN);
        let since = if depth.is_empty() { held.max(unseen) } else { held };
        Ok(sent::recorded(&*self.lake, since).await?)
    }

    /// Sends the plan, and beside that writes down what SQS accepted, until all is sent or `stop` is cancelled; `progress` learns how many
    /// messages of how many are sent. A launch that is killed leaves at most [`UNKNOWN`] that SQS accepted and nobody knows of,
    /// which the next one sends again.
    ///
    /// # Errors
    /// A failed send, or a failed write to the lake, after which nothing more is sent. What was accepted is written down all the same.
    pub async fn launch(
        &self,
        plan: &LaunchPlan,
        stop: &CancellationToken,
        progress: impl Fn(usize, usize),
    ) -> Result<Launched, FleetError> {
        let messages = plan.messages();
        let bodies: Vec<String> = messages.iter().map(|jobs| plan.order(jobs).to_body()).collect();
        let mut record = sent::Record::new(&*self.lake, &plan.dataset);
        let mut launched = Launched::default();
        let (stop, room) = (stop.child_token(), Semaphore::new(UNKNOWN));
        let (taken, mut accepted) = mpsc::unbounded_channel();
        let mut count = 0;
        let total = messages.len();
        let sending = self.jobs.send_all(&bodies, &stop, &room, move |places| {
            count += places.len();
            progress(count, total);
            // The reader stays until the last sender is gone.
            places.iter().for_each(|place| taken.send(*place).unwrap_or_default());
        });
        let recording = async {
            let mut places = Vec::new();
            loop {
                while places.len() < RECORDED && accepted.recv_many(&mut places, RECORDED).await > 0 {}
                if places.is_empty() {
                    return record.write().await;
                }
                let recorded = places.len();
                launched.messages += recorded;
                let jobs: Vec<&Job> = places.drain(..).flat_map(|place| &messages[place]).collect();
                record.add(jobs.iter().map(|job| sent::mark(job, plan.refresh.as_ref())));
                launched.jobs += jobs.len();
                launched.titles += plan.titles_of(jobs);
                if record.write().await.is_err() {
                    stop.cancel();
                }
                room.add_permits(recorded);
            }
        };
        let (sent, recorded) = tokio::join!(sending, recording);
        recorded?;
        sent.map(|()| launched)
    }

    /// When each job that was ever sent was sent last: what the crawl's progress is measured against.
    pub(super) async fn launched(&self) -> Result<BTreeMap<String, Timestamp>, FleetError> {
        Ok(sent::recorded(&*self.lake, Timestamp::MIN).await?)
    }
}

fn has_left_over(done: &[(Done, Timestamp)], manifest: &Manifest) -> bool {
    let names: HashSet<String> = manifest.jobs.iter().map(Job::name).collect();
    done.iter().any(|(done, _)| !names.contains(&done.name()))
}

/// How a selected job stands to a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Done,
    Queued,
    Wanted,
    /// Only done jobs are meant, and it is not.
    NotMeant,
}

/// A job by its marker, if it has one, and by when SQS accepted it, if it may still have it. The time at which a marker was written is the
/// lake's: no marker is read.
fn standing(done: Option<&(Done, Timestamp)>, sent: Option<Timestamp>, refresh: Option<&Refresh>) -> Standing {
    match (done, refresh) {
        (Some(_), None) => Standing::Done,
        (None, None) if sent.is_some() => Standing::Queued,
        (None, None) => Standing::Wanted,
        (None, Some(_)) => Standing::NotMeant,
        (Some((done, finished)), Some(refresh)) => {
            match (refresh.wants(done, *finished), sent.is_some_and(|sent| sent > *finished)) {
                (false, _) => Standing::Done,
                (true, true) => Standing::Queued,
                (true, false) => Standing::Wanted,
            }
        }
    }
}

/// Jobs by their marks.
pub(super) fn by_mark(manifest: &Manifest) -> BTreeMap<String, &Job> {
    manifest.jobs.iter().map(|job| (sent::mark(job, None), job)).collect()
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
        LaunchPlan {
            dataset: "d".into(),
            jobs,
            done: 0,
            queued: 0,
            left_over: false,
            refresh: None,
            changed: Changed::new(),
            full_job: 100,
        }
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

    #[test]
    fn a_job_is_sent_once_and_again_only_for_a_refresh_that_it_has_not_had() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let done = |failed| {
            let Job { year, initial, part, titles, digest, .. } = job("AD", 10);
            let oldest = None;
            let linked = titles - failed;
            let done = Done { year, initial, part, digest, titles, linked, missed: 0, others: 0, failed, oldest };
            (done, at(100))
        };
        let refresh =
            |before, failed| Refresh { before: at(before), films: if failed { Films::Failed } else { Films::All } };
        let of_day = |day: &str| {
            let (done, finished) = done(0);
            (Done { oldest: Some(day.parse().unwrap()), ..done }, finished)
        };
        for (done, sent, refresh, expected) in [
            (None, None, None, Standing::Wanted),
            (None, Some(at(50)), None, Standing::Queued),
            (Some(done(0)), Some(at(50)), None, Standing::Done),
            (None, None, Some(refresh(200, false)), Standing::NotMeant),
            (Some(done(0)), None, Some(refresh(200, false)), Standing::Wanted),
            (Some(done(0)), None, Some(refresh(99, false)), Standing::Done),
            (Some(of_day("1970-01-01")), None, Some(refresh(99, false)), Standing::Done),
            (Some(of_day("1969-12-31")), None, Some(refresh(99, false)), Standing::Wanted),
            (Some(of_day("1969-12-31")), None, Some(refresh(99, true)), Standing::Done),
            (Some(done(0)), Some(at(150)), Some(refresh(200, false)), Standing::Queued),
            (Some(done(0)), Some(at(50)), Some(refresh(200, false)), Standing::Wanted),
            (Some(done(0)), None, Some(refresh(200, true)), Standing::Done),
            (Some(done(1)), None, Some(refresh(200, true)), Standing::Wanted),
        ] {
            assert_eq!(standing(done.as_ref(), sent, refresh.as_ref()), expected, "{done:?} {sent:?} {refresh:?}");
        }
    }
}
