//! The films of a job that is not done yet: whole ones only, with what they cost.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{
    Answer, CrawlError,
    output::{damaged, gunzip, gzip},
};
use crate::{
    Job, Lake,
    imdb::ImdbId,
    lake::{PutMode, layout, layout::Kind},
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
    /// Whether there is one in the lake.
    pub stored: bool,
    /// Deliveries in a row that got no further.
    idle: u32,
}

/// As it is stored, gzipped.
#[derive(Serialize, Deserialize)]
struct Stored {
    asked: Asked,
    idle: u32,
    films: Vec<(String, Vec<(Kind, String)>)>,
}

impl Checkpoint {
    /// The job's checkpoint; an empty one where there is none.
    pub async fn load(lake: &dyn Lake, job: &Job) -> Result<Self, CrawlError> {
        let key = layout::checkpoint(job);
        let Some(packed) = lake.get(&key).await? else {
            return Ok(Self::default());
        };
        let text = gunzip(&packed).map_err(|error| damaged(lake, &key, &error))?;
        let stored: Stored = serde_json::from_str(&text).map_err(|error| damaged(lake, &key, &error))?;
        let films = stored.films.into_iter().filter_map(|(id, lines)| {
            let id = id.parse().ok()?;
            Some((id, Answer { id, lines }))
        });
        Ok(Self { answers: films.collect(), asked: stored.asked, stored: true, idle: stored.idle })
    }

    /// Writes it to the lake.
    pub async fn save(&mut self, lake: &dyn Lake, job: &Job) -> Result<(), CrawlError> {
        let key = layout::checkpoint(job);
        let films = self.answers.values();
        let stored = Stored {
            asked: self.asked.clone(),
            idle: self.idle,
            films: films.map(|answer| (answer.id.to_string(), answer.lines.clone())).collect(),
        };
        let text = serde_json::to_vec(&stored).map_err(|error| damaged(lake, &key, &error))?;
        let packed = gzip(&text).map_err(|error| damaged(lake, &key, &error))?;
        lake.put(&key, packed, PutMode::Overwrite).await?;
        self.stored = true;
        Ok(())
    }

    /// The deadline came; `before` films were there when this delivery began.
    pub fn out_of_time(&mut self, job: &Job, before: usize) -> CrawlError {
        self.idle = if self.len() > before { 0 } else { self.idle + 1 };
        CrawlError::OutOfTime { job: job.name(), done: self.len() as u32, titles: job.titles, idle: self.idle }
    }

    /// Adds a film.
    pub fn add(&mut self, answer: Answer) {
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
