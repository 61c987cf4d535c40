//! The done marker: the last object of a job, whose key tells its counts and whose content tells the rest.

use std::collections::HashSet;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{Answer, CrawlError, Outcome, checkpoint::Asked, output, output::damaged};
use crate::{
    Job, Lake,
    imdb::ImdbId,
    lake::{
        LakeError, PutMode, layout,
        layout::{Done, Kind},
    },
};

/// What a job that is done came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The year; none for films without one.
    pub year: Option<u16>,
    /// The initial.
    pub initial: String,
    /// The part of the partition.
    pub part: u32,
    /// The dataset that the titles are of.
    pub dataset: String,
    /// The digest of the job's titles.
    pub digest: String,
    /// Titles in the job: the sum of the next four.
    pub titles: u32,
    /// Titles that lead to a film at TMDb.
    pub linked: u32,
    /// Titles that TMDb does not know.
    pub missed: u32,
    /// Titles that are a series, an episode, a season or a person at TMDb.
    pub others: u32,
    /// Titles without a usable answer.
    pub failed: u32,
    /// The day of the oldest answer: a job that kept some films while it asked for others is older than its marker.
    #[serde(default)]
    pub oldest: Option<Date>,
    /// Films of TMDb, lines in movies: several where one title leads to several.
    pub movies: u64,
    /// Lines in reviews.
    pub reviews: u64,
    /// Requests to TMDb, over all deliveries of the job.
    pub requests: u64,
    /// Requests that were repeated.
    pub retries: u64,
    /// Answers 429.
    pub too_many: u64,
    /// The keys of the job's objects.
    pub objects: Vec<String>,
    /// When the job was done.
    pub finished: Timestamp,
}

impl Marker {
    pub(super) fn new(
        job: &Job,
        dataset: &str,
        answers: &[&Answer],
        objects: Vec<String>,
        asked: &Asked,
        finished: Timestamp,
    ) -> Self {
        let ended = |outcome| answers.iter().filter(|answer| answer.outcome() == outcome).count() as u32;
        let lines = |kind| answers.iter().map(|answer| answer.count(kind) as u64).sum();
        Self {
            year: job.year,
            initial: job.initial.clone(),
            part: job.part,
            dataset: dataset.to_owned(),
            digest: job.digest.clone(),
            titles: job.titles,
            linked: ended(Outcome::Linked),
            missed: ended(Outcome::Missed),
            others: ended(Outcome::Other),
            failed: ended(Outcome::Failed),
            oldest: answers.iter().filter_map(|answer| answer.day()).min(),
            movies: lines(Kind::Movies),
            reviews: lines(Kind::Reviews),
            requests: asked.requests,
            retries: asked.retries,
            too_many: asked.too_many,
            objects,
            finished,
        }
    }

    /// What its key tells.
    pub fn done(&self) -> Done {
        Done {
            year: self.year,
            initial: self.initial.clone(),
            part: self.part,
            digest: self.digest.clone(),
            titles: self.titles,
            linked: self.linked,
            missed: self.missed,
            others: self.others,
            failed: self.failed,
            oldest: self.oldest,
        }
    }

    /// The marker at `key`; none if it is not there any more: a refresh puts another in its place.
    pub async fn read(lake: &dyn Lake, key: &str) -> Result<Option<Self>, CrawlError> {
        let marker = lake.get(key).await?.map(|bytes| serde_json::from_slice(&bytes)).transpose();
        marker.map_err(|error| damaged(lake, key, &error))
    }

    /// The titles that its objects tell about.
    pub(crate) async fn titles_in_lake(&self, lake: &dyn Lake) -> Result<HashSet<ImdbId>, CrawlError> {
        let tells_where = |key: &&String| layout::kind_of(key) != Some(Kind::Reviews);
        let objects = self.objects.iter().filter(tells_where).cloned().collect();
        let (answers, _) = output::read(lake, &objects).await?;
        Ok(answers.into_keys().collect())
    }

    /// Writes it in the place of the job's earlier markers. Where there is none, another delivery of the job may be first, and stays.
    pub(super) async fn write(&self, lake: &dyn Lake, earlier: &[Self]) -> Result<(), CrawlError> {
        let key = self.key();
        let bytes = serde_json::to_vec(self).map_err(|error| damaged(lake, &key, &error))?;
        let mode = if earlier.is_empty() { PutMode::CreateOnly } else { PutMode::Overwrite };
        lake.put(&key, Bytes::from(bytes), mode).await?;
        self.replace(lake, earlier).await
    }

    /// Removes these markers, but for itself.
    pub(super) async fn replace(&self, lake: &dyn Lake, earlier: &[Self]) -> Result<(), CrawlError> {
        let key = self.key();
        for old in earlier.iter().map(Self::key).filter(|old| *old != key) {
            lake.delete(&old).await?;
        }
        Ok(())
    }

    fn key(&self) -> String {
        self.done().key()
    }
}

/// The markers of one job, of whatever titles; nearly always none or one.
pub(crate) async fn markers_of(lake: &dyn Lake, job: &Job) -> Result<Vec<Marker>, CrawlError> {
    let listed: Vec<Done> = parsed(lake, &layout::done_prefix(job)).try_collect().await?;
    let mut markers = Vec::new();
    for done in listed {
        markers.extend(Marker::read(lake, &done.key()).await?);
    }
    Ok(markers)
}

/// All done jobs, as their markers' keys tell; none is read.
pub fn done(lake: &dyn Lake) -> impl Stream<Item = Result<Done, LakeError>> + Send + use<> {
    parsed(lake, layout::DONE)
}

/// The done jobs of one partition, in one listing.
pub fn done_of_partition(
    lake: &dyn Lake,
    year: Option<u16>,
    initial: &str,
) -> impl Stream<Item = Result<Done, LakeError>> + Send + use<> {
    parsed(lake, &layout::done_of_partition(year, initial))
}

fn parsed(lake: &dyn Lake, prefix: &str) -> impl Stream<Item = Result<Done, LakeError>> + Send + use<> {
    lake.list(prefix).filter_map(async |entry| match entry {
        Ok(entry) => Done::parse(&entry.key).map(Ok),
        Err(error) => Some(Err(error)),
    })
}
