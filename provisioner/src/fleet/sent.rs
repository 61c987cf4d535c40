//! What SQS accepted, written down in the lake, so that `launch` sends nothing twice.
//!
//! Objects `tmdb/_sent/{dataset}/{time of the launch}-{number}.json`: the jobs' names with their digests. A job that a newer index has
//! unchanged is the same job, and its message as good as one of the newer index.

use std::collections::BTreeMap;

use bytes::Bytes;
use crawler_core::crawl::{Films, Refresh};
use crawler_core::lake::layout::{Done, SENT};
use crawler_core::lake::{LakeError, PutMode};
use crawler_core::{Job, Lake};
use futures::stream::TryStreamExt;
use jiff::Timestamp;
use serde_json::json;

/// Jobs that one object names.
const MOST: usize = 5_000;
/// Objects read at once.
const WIDTH: usize = 32;

/// How a job is told apart from one of the same name with other titles, and from itself to be refreshed.
pub(super) fn mark(job: &Job, refresh: Option<&Refresh>) -> String {
    let what = match refresh.map(|refresh| &refresh.films) {
        None => "",
        Some(Films::All) => ".refresh",
        Some(Films::Failed) => ".failed",
        Some(Films::These(_)) => ".changed",
    };
    format!("{}.{}{what}", job.name(), job.digest)
}

/// When the job was sent last, in the crawl itself or to be refreshed, whatever the refresh asks for: of two at once the one that ends first
/// would be undone by the other, which has kept what the first asks for.
pub(super) fn last(sent: &BTreeMap<String, Timestamp>, job: &Job, refresh: bool) -> Option<Timestamp> {
    let own = mark(job, None);
    if !refresh {
        return sent.get(&own).copied();
    }
    let refreshes = format!("{own}.");
    let marks = sent.range(refreshes.clone()..).take_while(|(mark, _)| mark.starts_with(&refreshes));
    marks.map(|(_, at)| *at).max()
}

/// The mark of the job that a marker is of.
pub(super) fn mark_of(done: &Done) -> String {
    format!("{}.{}", done.name(), done.digest)
}

/// What SQS accepted of one launch. Its last object is written anew as it grows, so that few are left to be read.
pub(super) struct Record<'l> {
    lake: &'l dyn Lake,
    prefix: String,
    number: usize,
    marks: Vec<String>,
    written: usize,
}

impl<'l> Record<'l> {
    /// Nothing yet, of a launch of `dataset` that begins now.
    pub fn new(lake: &'l dyn Lake, dataset: &str) -> Self {
        let prefix = format!("{SENT}{dataset}/{}", Timestamp::now().as_millisecond());
        Self { lake, prefix, number: 0, marks: Vec::new(), written: 0 }
    }

    /// SQS accepted these.
    pub fn add(&mut self, marks: impl IntoIterator<Item = String>) {
        if self.written == self.marks.len() && self.written >= MOST {
            (self.number, self.written) = (self.number + 1, 0);
            self.marks.clear();
        }
        self.marks.extend(marks);
    }

    /// Writes down what was added.
    pub async fn write(&mut self) -> Result<(), LakeError> {
        if self.written == self.marks.len() {
            return Ok(());
        }
        let key = format!("{}-{:04}.json", self.prefix, self.number);
        self.lake.put(&key, json!(self.marks).to_string().into(), PutMode::Overwrite).await?;
        self.written = self.marks.len();
        Ok(())
    }
}

/// The marks that SQS accepted since `since`, of whatever index, each with the last time.
pub(super) async fn recorded(lake: &dyn Lake, since: Timestamp) -> Result<BTreeMap<String, Timestamp>, LakeError> {
    let mut waves: Vec<(Timestamp, Vec<String>)> = lake
        .list(SENT)
        .try_filter(|entry| futures::future::ready(entry.modified >= since))
        .map_ok(|entry| async move {
            let bytes = lake.get(&entry.key).await?.unwrap_or_else(|| Bytes::from_static(b"[]"));
            let marks = serde_json::from_slice(&bytes).map_err(|error| unreadable(lake, &entry.key, error))?;
            Ok((entry.modified, marks))
        })
        .try_buffer_unordered(WIDTH)
        .try_collect()
        .await?;
    waves.sort_unstable_by_key(|(at, _)| *at);
    Ok(waves.into_iter().flat_map(|(at, marks)| marks.into_iter().map(move |mark| (mark, at))).collect())
}

fn unreadable(lake: &dyn Lake, key: &str, error: serde_json::Error) -> LakeError {
    LakeError {
        operation: "read",
        uri: lake.uri(),
        key: key.to_owned(),
        hint: "delete that object, then launch again",
        denied: false,
        is_no_lake: false,
        source: error.into(),
    }
}
