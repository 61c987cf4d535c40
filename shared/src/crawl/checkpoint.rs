//! The films of a job that is not done yet: whole ones only, with what they cost.
//!
//! Two deliveries of a job that run at once share nothing until one of them has all its films: those answers are then the job's, whatever
//! the other was told, so that both write the same objects and the same marker.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    io,
    io::{BufReader, BufWriter},
};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures::{TryStreamExt as _, future::try_join_all};
use serde::{Deserialize, Serialize};

use super::{
    Answer, CrawlError, MOST_IDLE,
    output::{damaged, gzip},
};
use crate::{
    Job, Lake,
    imdb::{BadImdbId, ImdbId},
    lake::{Entry, Put, PutMode, layout, layout::Kind},
    tmdb::Tally,
};

/// What a job asked of TMDb, over all its deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub requests: u64,
    pub retries: u64,
    pub too_many: u64,
}

impl Asked {
    pub fn plus(&self, tally: &Tally) -> Self {
        Self {
            requests: self.requests + tally.requests(),
            retries: self.retries + tally.retries(),
            too_many: self.too_many + tally.too_many(),
        }
    }
}

/// The films so far.
#[derive(Debug, Default)]
pub(super) struct Checkpoint {
    answers: HashMap<ImdbId, Answer>,
    /// What they cost.
    pub asked: Asked,
    /// The refresh that they are asked for in, by its name, which their key tells; none in the crawl itself.
    refresh: Option<String>,
    /// Deliveries in a row that got no further.
    idle: u32,
}

/// As it is stored, gzipped.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    asked: Asked,
    idle: u32,
    /// By IMDb id.
    films: Vec<(String, Lines<'a>)>,
}

/// A film's lines, each with its kind.
type Lines<'a> = Cow<'a, [(Kind, String)]>;

impl Checkpoint {
    /// The job's checkpoint in the crawl, or in a refresh; an empty one where there is none. What a message that is delivered for the
    /// first time finds there is no fault of its own.
    pub async fn load(lake: &dyn Lake, job: &Job, refresh: Option<&str>, deliveries: u32) -> Result<Self, CrawlError> {
        let stored = Self::read(lake, &layout::checkpoint(job, refresh)).await?;
        let mut checkpoint = stored.unwrap_or_default().of(refresh);
        if deliveries <= 1 {
            checkpoint.idle = 0;
        }
        Ok(checkpoint)
    }

    /// The answers that the job ends with, where a delivery had them all and did not come to its end.
    pub async fn settled(lake: &dyn Lake, job: &Job, refresh: Option<&str>) -> Result<Option<Self>, CrawlError> {
        let settled = Self::read(lake, &layout::settled(job, refresh)).await?;
        Ok(settled.map(|settled| settled.of(refresh)))
    }

    /// The same films, of that refresh.
    fn of(self, refresh: Option<&str>) -> Self {
        Self { refresh: refresh.map(str::to_owned), ..self }
    }

    async fn read(lake: &dyn Lake, key: &str) -> Result<Option<Self>, CrawlError> {
        let Some(packed) = lake.get(key).await? else {
            return Ok(None);
        };
        let stored = serde_json::from_reader(BufReader::new(MultiGzDecoder::new(&*packed)));
        let stored: Stored = stored.map_err(|error| damaged(lake, key, &error))?;
        let Stored { asked, idle, films } = stored;
        let films = films.into_iter().map(|(id, lines)| {
            let id = id.parse()?;
            Ok((id, Answer { id, lines: lines.into_owned() }))
        });
        let answers = films.collect::<Result<_, BadImdbId>>().map_err(|error| damaged(lake, key, &error))?;
        Ok(Some(Self { answers, asked, idle, refresh: None }))
    }

    /// The job's marker stands: removes what was kept until then, after a refresh also of earlier ones that were given up.
    pub async fn forget(lake: &dyn Lake, job: &Job, refresh: Option<&str>) -> Result<(), CrawlError> {
        let own = layout::checkpoint(job, refresh);
        let mut keys = vec![layout::settled(job, refresh)];
        if refresh.is_some() {
            let all: Vec<Entry> = lake.list(&layout::refresh_checkpoints(job)).try_collect().await?;
            // Their names are times of one length.
            keys.extend(all.into_iter().map(|entry| entry.key).filter(|key| *key < own));
        }
        keys.push(own);
        try_join_all(keys.iter().map(|key| lake.delete(key))).await?;
        Ok(())
    }

    /// Writes it to the lake.
    pub async fn save(&self, lake: &dyn Lake, job: &Job) -> Result<(), CrawlError> {
        let key = layout::checkpoint(job, self.refresh.as_deref());
        lake.put(&key, self.pack(lake, &key)?, PutMode::Overwrite).await?;
        Ok(())
    }

    /// All films are here: makes them the job's, unless another delivery was first; then its films are.
    pub async fn settle(self, lake: &dyn Lake, job: &Job) -> Result<Self, CrawlError> {
        let key = layout::settled(job, self.refresh.as_deref());
        let packed = self.pack(lake, &key)?;
        loop {
            if lake.put(&key, packed.clone(), PutMode::CreateOnly).await? == Put::Written {
                return Ok(self);
            }
            // If it is gone by now, the other delivery has ended, and its marker tells.
            if let Some(settled) = Self::settled(lake, job, self.refresh.as_deref()).await? {
                return Ok(settled);
            }
        }
    }

    /// A newer index has the job with other titles: what was told of those that stay is that job's, and settles nothing.
    pub async fn unsettle(&self, lake: &dyn Lake, job: &Job) -> Result<(), CrawlError> {
        self.save(lake, job).await?;
        Ok(lake.delete(&layout::settled(job, self.refresh.as_deref())).await?)
    }

    /// As it is stored.
    fn pack(&self, lake: &dyn Lake, key: &str) -> Result<Bytes, CrawlError> {
        let films = self.answers.values().map(|answer| (answer.id.to_string(), Cow::Borrowed(&answer.lines[..])));
        let stored = Stored { asked: self.asked.clone(), idle: self.idle, films: films.collect() };
        let packed = gzip(|text| serde_json::to_writer(BufWriter::new(text), &stored).map_err(io::Error::other));
        packed.map_err(|error| damaged(lake, key, &error))
    }

    /// Says that this delivery got no further, until it has: its process may die. An error if those before were `suspect` and too many.
    pub async fn begin(&mut self, lake: &dyn Lake, job: &Job, suspect: bool) -> Result<(), CrawlError> {
        if suspect && self.idle >= MOST_IDLE {
            return Err(self.unfinished(job));
        }
        self.idle += 1;
        let saved = self.save(lake, job).await;
        self.idle -= 1;
        saved
    }

    /// The deadline came; `before` films were there when this delivery began. One that came to ask nothing does not count.
    pub fn out_of_time(&mut self, job: &Job, before: usize, asked: bool) -> CrawlError {
        self.idle = if self.len() > before { 0 } else { self.idle + u32::from(asked) };
        self.unfinished(job)
    }

    fn unfinished(&self, job: &Job) -> CrawlError {
        CrawlError::OutOfTime { job: job.name(), done: self.len() as u32, titles: job.titles, idle: self.idle }
    }

    /// How many deliveries in a row got no further, with this one if it does not.
    pub fn would_be_idle(&self) -> u32 {
        self.idle + 1
    }

    /// Adds a film: this delivery got further.
    pub fn add(&mut self, answer: Answer) {
        self.idle = 0;
        self.answers.insert(answer.id, answer);
    }

    /// Adds films of which nothing newer is there.
    pub fn keep(&mut self, answers: impl Iterator<Item = Answer>) {
        for answer in answers {
            self.answers.entry(answer.id).or_insert(answer);
        }
    }

    /// Forgets films that the job no longer has.
    pub fn keep_only(&mut self, ids: &[ImdbId]) {
        let ids: HashSet<ImdbId> = ids.iter().copied().collect();
        self.answers.retain(|id, _| ids.contains(id));
    }

    /// The answer for a title, if it is there.
    pub fn answer(&self, id: ImdbId) -> Option<&Answer> {
        self.answers.get(&id)
    }

    /// How many films there are.
    pub fn len(&self) -> usize {
        self.answers.len()
    }
}
