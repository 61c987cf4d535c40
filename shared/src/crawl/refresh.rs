//! What of a done job is asked again.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{
    Answer, CrawlError, Marker, Outcome,
    output::{WIDTH, damaged, read_object},
};
use crate::{
    Lake,
    imdb::ImdbId,
    lake::{
        layout,
        layout::{Done, Kind},
    },
    tmdb::Changes,
};

/// Which films of jobs that are done are asked for again. A job that was refreshed since `before` is left alone, so that the same order
/// may come twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// Only jobs that were done before it.
    pub before: Timestamp,
    /// Which of their films.
    #[serde(default)]
    pub films: Films,
}

/// Films of a done job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Films {
    /// All of them.
    #[default]
    All,
    /// Those that had no usable answer.
    Failed,
    /// These.
    These(BTreeSet<ImdbId>),
}

impl Refresh {
    /// Whether a job with this marker, done at `finished`, is meant.
    pub fn wants(&self, done: &Done, finished: Timestamp) -> bool {
        let is_older = finished < self.before;
        match self.films {
            // A job that kept some films while it asked for others is younger than those.
            Films::All => is_older || done.oldest.is_some_and(|day| day < day_of(self.before)),
            Films::Failed => is_older && done.failed > 0,
            Films::These(_) => is_older,
        }
    }

    /// Whether an answer stays as it is.
    pub(super) fn keeps(&self, answer: &Answer) -> bool {
        match &self.films {
            Films::All => false,
            Films::Failed => answer.outcome() != Outcome::Failed,
            Films::These(ids) => !ids.contains(&answer.id),
        }
    }

    /// What tells it from another refresh in a key.
    pub(super) fn name(&self) -> String {
        self.before.as_millisecond().to_string()
    }
}

/// The films of a done job that changed since they were fetched. None where its marker is gone: then it is being refreshed.
pub async fn changed_films(lake: &dyn Lake, done: &Done, changes: &Changes) -> Result<BTreeSet<ImdbId>, CrawlError> {
    #[derive(Deserialize)]
    struct Movie {
        id: u64,
        id_imdb: ImdbId,
        fetched_on: Date,
    }
    let marker = Marker::read(lake, &done.key()).await?;
    let objects = marker.iter().flat_map(|marker| &marker.objects);
    let reads: Vec<_> =
        objects.filter(|key| layout::kind_of(key) == Some(Kind::Movies)).map(|key| read_object(lake, key)).collect();
    let mut texts = stream::iter(reads).buffered(WIDTH);
    let mut films = BTreeSet::new();
    while let Some((_, key, text)) = texts.try_next().await? {
        for line in text.iter().flat_map(|text| text.lines()) {
            let movie: Movie = serde_json::from_str(line).map_err(|error| damaged(lake, key, &error))?;
            if changes.since(movie.id, movie.fetched_on) {
                films.insert(movie.id_imdb);
            }
        }
    }
    Ok(films)
}

/// The day in UTC, as in `fetched_on`.
pub(super) fn day_of(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}
