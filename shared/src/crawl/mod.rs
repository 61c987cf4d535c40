//! One job: its titles in; movies, reviews, misses, others and failures out; last, its done marker.
//!
//! Guarantees: a marker stands only where every title of the job is in exactly one of movies, misses, others and failed, and each
//! review once. The same answers give the same bytes, but for the day in `fetched_on`. A job that is done asks TMDb nothing; one that
//! was stopped goes on where it was, a film at a time.
//! Assumes: two deliveries of one job may run at once; they write the same objects. Errors: [`CrawlError`]; what concerns one title
//! alone is no error of the job but a record in failed.

mod answer;
mod checkpoint;
mod left_over;
mod marker;
mod objects;
mod output;
mod prune;
mod refresh;

use std::{
    collections::BTreeSet,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, stream};
use jiff::{Timestamp, civil::Date};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{answer::Answer, checkpoint::Checkpoint};
use crate::{
    Job, Lake,
    imdb::{ImdbId, Manifest, ManifestError, read_titles},
    job::REQUESTS_A_FILM,
    lake::{LakeError, layout, layout::Layout},
    tmdb::{Client, FetchMode, TmdbError},
};

pub use answer::Outcome;
pub(crate) use marker::markers_of;
pub use marker::{Marker, done, done_of_partition};
pub(crate) use output::{read_object, text_of};
pub use prune::prune;
pub use refresh::{Films, Refresh, changed_films};

/// The longest that films are only in memory.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// The part of a delivery's time in which films are ended and none is begun, and the longest that it is.
const LAST_FILMS: f64 = 0.2;
const LONGEST_FILM: Duration = Duration::from_secs(5);

/// How long TMDb may take over the question whether it answers at all, beside the time until it may be asked.
const LAST_QUESTION: Duration = Duration::from_secs(1);
const LONGEST_TURN: Duration = Duration::from_secs(2);

/// Without one usable answer for so long it is not the job that gets no further.
const SILENCE: Duration = Duration::from_secs(2);

/// Deliveries in a row that may get no further; one more of that kind, and it is the job.
pub const MOST_IDLE: u32 = 2;

/// From this delivery on a job says before it begins that it got no further: what kills its process leaves no time to say so.
const DEADLY: u32 = 3;

/// Does jobs.
#[derive(Clone, Debug)]
pub struct Crawler {
    lake: Arc<dyn Lake>,
    tmdb: Client,
    fetch: FetchMode,
    layout: Layout,
    stop: CancellationToken,
    clock: fn() -> Timestamp,
    deliveries: u32,
    judged_until: Option<Instant>,
    answers: Arc<AtomicU64>,
}

/// A job is not done.
#[derive(Debug, thiserror::Error)]
pub enum CrawlError {
    /// The deadline came first. What was done is saved.
    #[error("out of time at {done} of {titles} titles of {job}; the next delivery goes on from there")]
    OutOfTime {
        /// The job's name.
        job: String,
        /// Titles done, in this and earlier deliveries.
        done: u32,
        /// Titles in the job.
        titles: u32,
        /// Deliveries in a row, with this one, that got no further.
        idle: u32,
    },
    /// TMDb has asked for a pause that is longer than the delivery, before this had sent a request.
    #[error("TMDb asks to wait {seconds} s more; {job} goes on after that")]
    AskedToWait {
        /// The job's name.
        job: String,
        /// Seconds from now.
        seconds: u64,
    },
    /// TMDb, or the key, fails for all titles alike. What was done is saved.
    #[error(transparent)]
    Tmdb(#[from] TmdbError),
    /// The index does not hold what the job says.
    #[error(
        "the titles of {job} are not in dataset {dataset}, or other ones are; send the jobs anew with `provision launch`"
    )]
    NotInIndex {
        /// The job's name.
        job: String,
        /// The dataset.
        dataset: String,
    },
    /// A newer index was taken while the job was done, and has other titles for it.
    #[error("{job} of dataset {dataset} is superseded by a newer index, which has a job of its own for its titles")]
    Superseded {
        /// The job's name.
        job: String,
        /// The dataset.
        dataset: String,
    },
    /// The index cannot be read.
    #[error(transparent)]
    Index(#[from] ManifestError),
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// An object of the lake is damaged.
    #[error("cannot read {uri}/{key} ({cause}); delete it and the job's marker beneath {done}, then send the job anew with `provision launch`", done = layout::DONE)]
    Damaged {
        /// Where the lake is.
        uri: String,
        /// The object.
        key: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl Crawler {
    /// A crawler that writes what `tmdb` answers to `lake`.
    pub fn new(lake: Arc<dyn Lake>, tmdb: Client, fetch: FetchMode) -> Self {
        let (layout, stop) = (Layout::default(), CancellationToken::new());
        Self {
            lake,
            tmdb,
            fetch,
            layout,
            stop,
            clock: Timestamp::now,
            deliveries: 1,
            judged_until: None,
            answers: Arc::default(),
        }
    }

    /// The same crawler, which lays films and reviews out so.
    pub fn with_layout(self, layout: Layout) -> Self {
        Self { layout, ..self }
    }

    /// The same crawler, for which the deadline is at the latest when `stop` is cancelled.
    pub fn with_stop(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }

    /// The same crawler for jobs that are delivered for so many times by now.
    pub fn with_deliveries(self, deliveries: u32) -> Self {
        Self { deliveries, ..self }
    }

    /// The same crawler, by which a job that it begins later than this is not blamed for getting no further: there was too little time.
    pub fn with_judged_until(self, until: Instant) -> Self {
        Self { judged_until: Some(until), ..self }
    }

    /// The same crawler by another clock, which gives the day of `fetched_on`.
    pub fn with_clock(self, clock: fn() -> Timestamp) -> Self {
        Self { clock, ..self }
    }

    /// Usable answers of TMDb in all its jobs so far; a job that was done before asks for none.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Does `job` of `dataset`, or what is left of it, until `deadline`. A job that is done already is answered from its marker.
    pub async fn run(&self, job: &Job, dataset: &str, deadline: Instant) -> Result<Marker, CrawlError> {
        self.run_or_refresh(job, dataset, None, deadline).await
    }

    /// As [`Crawler::run`], but what `refresh` wants is asked again though the job is done. What is there stays until all is new.
    pub async fn refresh(
        &self,
        job: &Job,
        dataset: &str,
        refresh: &Refresh,
        deadline: Instant,
    ) -> Result<Marker, CrawlError> {
        self.run_or_refresh(job, dataset, Some(refresh), deadline).await
    }

    async fn run_or_refresh(
        &self,
        job: &Job,
        dataset: &str,
        refresh: Option<&Refresh>,
        deadline: Instant,
    ) -> Result<Marker, CrawlError> {
        let lake = &*self.lake;
        let name = refresh.map(Refresh::name);
        let markers = markers_of(lake, job).await?;
        if let Some(marker) = self.done(job, &markers, refresh).await? {
            // A delivery that was killed after its marker has left it.
            self.tidy(job, name.as_deref()).await?;
            return Ok(marker);
        }
        let ids = self.titles(job, dataset).await?;
        let checkpoint = match Checkpoint::settled(lake, job, name.as_deref()).await? {
            Some(settled) => settled,
            None => self.asked(job, &ids, &markers, refresh, deadline).await?.settle(lake, job).await?,
        };
        let ended = self.end(job, dataset, refresh, &ids, &checkpoint).await;
        if matches!(ended, Err(CrawlError::Superseded { .. })) {
            checkpoint.unsettle(lake, job).await?;
        }
        let marker = ended?;
        self.tidy(job, name.as_deref()).await?;
        Ok(marker)
    }

    /// The job's marker stands: removes what was only kept until then.
    async fn tidy(&self, job: &Job, refresh: Option<&str>) -> Result<(), CrawlError> {
        Checkpoint::forget(&*self.lake, job, refresh).await?;
        left_over::job_done(&*self.lake, job).await.map(drop)
    }

    /// An answer for every title: what is there already, and what TMDb says of the others.
    async fn asked(
        &self,
        job: &Job,
        ids: &[ImdbId],
        markers: &[Marker],
        refresh: Option<&Refresh>,
        deadline: Instant,
    ) -> Result<Checkpoint, CrawlError> {
        let lake = &*self.lake;
        let name = refresh.map(Refresh::name);
        let mut checkpoint = Checkpoint::load(lake, job, name.as_deref(), self.deliveries).await?;
        // Done before, of these titles or of others: only what is new, or to be refreshed, is asked for.
        let (kept, whole) = output::read(lake, &objects_of(markers)).await?;
        // Where an object is gone, nobody knows which films or reviews were in it.
        let kept = kept.into_values().filter(|answer| whole || answer.outcome() != Outcome::Linked);
        checkpoint.keep(kept.filter(|answer| refresh.is_none_or(|refresh| refresh.keeps(answer))));
        checkpoint.keep_only(ids);
        let judged = self.judged_until.is_none_or(|until| Instant::now() < until);
        if self.deliveries >= DEADLY && judged {
            checkpoint.begin(lake, job, self.deliveries > DEADLY).await?;
        }
        let tmdb = self.tmdb.begin();
        self.ask(&tmdb, job, ids, &mut checkpoint, deadline, judged).await?;
        Ok(checkpoint)
    }

    /// Writes the job's objects and its marker, unless another delivery has done so meanwhile.
    async fn end(
        &self,
        job: &Job,
        dataset: &str,
        refresh: Option<&Refresh>,
        ids: &[ImdbId],
        checkpoint: &Checkpoint,
    ) -> Result<Marker, CrawlError> {
        let lake = &*self.lake;
        let markers = markers_of(lake, job).await?;
        if let Some(marker) = self.done(job, &markers, refresh).await? {
            return Ok(marker);
        }
        self.still_wanted(job, dataset).await?;
        let answers: Vec<&Answer> = ids.iter().filter_map(|id| checkpoint.answer(*id)).collect();
        // A marker of other titles must never stand beside objects of these: a later index may have those titles again.
        for other in markers.iter().map(Marker::done).filter(|done| !done.is_of(job)) {
            lake.delete(&other.key()).await?;
        }
        let objects = output::write(lake, self.layout, job, &answers, &objects_of(&markers)).await?;
        let marker = Marker::new(job, dataset, &answers, objects, &checkpoint.asked, (self.clock)());
        marker.write(lake, &markers).await?;
        Ok(marker)
    }

    /// A job that a newer index has otherwise must not overwrite what is done of that one.
    async fn still_wanted(&self, job: &Job, dataset: &str) -> Result<(), CrawlError> {
        let current = Manifest::current_dataset(&*self.lake).await?;
        if current.is_none_or(|current| current == dataset) {
            return Ok(());
        }
        let manifest = Manifest::current(&*self.lake).await?;
        let same = |other: &Job| other.name() == job.name() && other.digest == job.digest;
        match manifest.iter().flat_map(|manifest| &manifest.jobs).any(same) {
            true => Ok(()),
            false => Err(CrawlError::Superseded { job: job.name(), dataset: dataset.to_owned() }),
        }
    }

    /// The job's marker, where nothing more is wanted of it. Of two, which a delivery leaves that was killed between writing one and
    /// removing the other, the newer tells of the job's objects; if that is of other titles, these are not done.
    async fn done(
        &self,
        job: &Job,
        markers: &[Marker],
        refresh: Option<&Refresh>,
    ) -> Result<Option<Marker>, CrawlError> {
        let newest = markers.iter().max_by_key(|marker| marker.finished);
        let Some(newest) = newest.filter(|newest| newest.done().is_of(job)) else {
            return Ok(None);
        };
        newest.replace(&*self.lake, markers).await?;
        Ok(refresh.is_none_or(|refresh| !refresh.wants(&newest.done(), newest.finished)).then(|| newest.clone()))
    }

    /// The ids in the job's range of the index.
    async fn titles(&self, job: &Job, dataset: &str) -> Result<Vec<ImdbId>, CrawlError> {
        let range = self.lake.get_range(&layout::titles(dataset), job.range()).await?;
        let ids = range.and_then(|range| read_titles(job, &range));
        ids.ok_or_else(|| CrawlError::NotInIndex { job: job.name(), dataset: dataset.to_owned() })
    }

    /// Asks for each title that has no answer yet, several at a time. Whatever ends it early, whole films are saved first.
    async fn ask(
        &self,
        tmdb: &Client,
        job: &Job,
        ids: &[ImdbId],
        checkpoint: &mut Checkpoint,
        deadline: Instant,
        judged: bool,
    ) -> Result<(), CrawlError> {
        let before = checkpoint.len();
        let left: Vec<ImdbId> = ids.iter().copied().filter(|id| checkpoint.answer(*id).is_none()).collect();
        let asked_before = checkpoint.asked.clone();
        let (side_by_side, last) = films_in_time(tmdb, deadline.saturating_duration_since(Instant::now()));
        let begin_until = deadline - last;
        let left = stream::iter(left).take_while(|_| ready(Instant::now() < begin_until));
        let mut answers = left.map(|id| self.answer(tmdb, job, id)).buffer_unordered(side_by_side);
        let (began, heard) = (Instant::now(), tmdb.answers());
        let mut saved = began;
        let end = loop {
            let next = self.stop.run_until_cancelled(tokio::time::timeout_at(deadline, answers.next()));
            match next.await {
                Some(Ok(Some(Ok(answer)))) => checkpoint.add(answer),
                Some(Ok(Some(Err(error)))) => break End::Failed(error),
                Some(Ok(None)) if ids.iter().all(|id| checkpoint.answer(*id).is_some()) => break End::Whole,
                Some(Ok(None) | Err(_)) if began.elapsed() > SILENCE && tmdb.answers() == heard => {
                    break End::InSilence;
                }
                Some(Ok(None) | Err(_)) | None => break End::InTime,
            }
            if saved.elapsed() > SAVE_EVERY {
                checkpoint.asked = asked_before.plus(tmdb.tally());
                checkpoint.save(&*self.lake, job).await?;
                saved = Instant::now();
            }
        };
        // What is under way holds what a last question needs.
        drop(answers);
        let stopped = match end {
            End::Whole => None,
            End::Failed(error) => Some(error.into()),
            End::InTime => Some(checkpoint.out_of_time(job, before, judged && tmdb.tally().requests() > 0)),
            End::InSilence => Some(self.silence(tmdb, job, ids, checkpoint, side_by_side, judged).await),
        };
        checkpoint.asked = asked_before.plus(tmdb.tally());
        self.answers.fetch_add(tmdb.tally().answers(), Ordering::Relaxed);
        let Some(error) = stopped else {
            return Ok(());
        };
        let begun = judged && self.deliveries >= DEADLY;
        if checkpoint.len() > before || begun || matches!(error, CrawlError::OutOfTime { idle: 1.., .. }) {
            checkpoint.save(&*self.lake, job).await?;
        }
        Err(error)
    }

    /// Not one usable answer: whether that is TMDb's fault or the films' own, a question more tells. Films that twice in a row got no
    /// answer while TMDb has some are set aside.
    async fn silence(
        &self,
        tmdb: &Client,
        job: &Job,
        ids: &[ImdbId],
        checkpoint: &mut Checkpoint,
        side_by_side: usize,
        judged: bool,
    ) -> CrawlError {
        if tmdb.tally().too_many() > 0 {
            return TmdbError::RateLimited { retry_after: None }.into();
        }
        let wait = tmdb.asked_to_wait();
        if tmdb.tally().requests() == 0 && !wait.is_zero() {
            return CrawlError::AskedToWait { job: job.name(), seconds: wait.as_secs() + 1 };
        }
        // As each of two kinds has its turn.
        let turns = Duration::try_from_secs_f64(2.0 / tmdb.rate()).unwrap_or(LONGEST_TURN).min(LONGEST_TURN);
        match tokio::time::timeout(LAST_QUESTION + turns, tmdb.is_there()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if matches!(error, TmdbError::Unauthorized { .. }) => return error.into(),
            Ok(Err(_)) | Err(_) => return TmdbError::silent().into(),
        }
        let before = checkpoint.len();
        if judged && checkpoint.would_be_idle() >= MOST_IDLE {
            let under_way: Vec<ImdbId> = ids.iter().copied().filter(|id| checkpoint.answer(*id).is_none()).collect();
            for id in under_way.into_iter().take(side_by_side) {
                tracing::warn!(%id, "title set aside: it has no answer while TMDb answers");
                checkpoint.add(Answer::failed(id, &job.initial, &TmdbError::of_one_film(), self.today()));
            }
        }
        checkpoint.out_of_time(job, before, judged)
    }

    /// The answer for one title. Only what concerns all titles alike is an error.
    async fn answer(&self, tmdb: &Client, job: &Job, id: ImdbId) -> Result<Answer, TmdbError> {
        let film = self.fetch.fetch().film(tmdb, id).await;
        let today = self.today();
        match film {
            Ok(film) => Ok(Answer::of_film(id, &job.initial, film, today)),
            Err(error) if error.is_systemic() => Err(error),
            Err(error) => {
                tracing::warn!(%id, %error, "title set aside");
                Ok(Answer::failed(id, &job.initial, &error, today))
            }
        }
    }

    fn today(&self) -> Date {
        refresh::day_of((self.clock)())
    }
}

/// How the asking came to its end.
enum End {
    /// Every title has its answer.
    Whole,
    /// Of all titles alike.
    Failed(TmdbError),
    /// The time is over, or somebody has stopped it.
    InTime,
    /// The time is over, and nothing had an answer.
    InSilence,
}

/// How many films are asked for side by side, and for how long before the end no new one is begun: what is under way then ends, and was not
/// asked for in vain. Where the rate is low, those that are begun stand in line for it.
fn films_in_time(tmdb: &Client, time: Duration) -> (usize, Duration) {
    let films_a_second = tmdb.rate() / REQUESTS_A_FILM;
    let in_time = films_a_second * time.as_secs_f64();
    let side_by_side = tmdb.connections().min((in_time as usize).max(1));
    let in_line = Duration::try_from_secs_f64(side_by_side as f64 / films_a_second).unwrap_or(time);
    (side_by_side, time.mul_f64(LAST_FILMS).min(LONGEST_FILM).max(in_line).min(time / 2))
}

/// The objects that these markers name.
fn objects_of(markers: &[Marker]) -> BTreeSet<String> {
    markers.iter().flat_map(|marker| marker.objects.iter().cloned()).collect()
}
