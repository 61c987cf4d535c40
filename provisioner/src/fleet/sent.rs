//! What SQS accepted, written down in the lake, so that `launch` sends nothing twice.
//!
//! An object a wave of sending: `tmdb/_sent/{dataset}/{time}-{number}.json`, the jobs' names with their digests.

use std::collections::BTreeMap;

use bytes::Bytes;
use crawler_core::crawl::{Films, Refresh};
use crawler_core::lake::layout::Done;
use crawler_core::lake::{LakeError, PutMode};
use crawler_core::{Job, Lake};
use futures::stream::TryStreamExt;
use jiff::Timestamp;

const SENT: &str = "tmdb/_sent/";
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

/// The mark of the job that a marker is of.
pub(super) fn mark_of(done: &Done) -> String {
    format!("{}.{}", done.name(), done.digest)
}

/// Writes down that SQS accepted these marks; `wave` counts within one launch.
pub(super) async fn record(
    lake: &dyn Lake,
    dataset: &str,
    started: Timestamp,
    wave: usize,
    marks: &[String],
) -> Result<(), LakeError> {
    if marks.is_empty() {
        return Ok(());
    }
    let key = format!("{SENT}{dataset}/{}-{wave:04}.json", started.as_millisecond());
    let bytes = serde_json::to_vec(marks).map_err(|error| unreadable(lake, &key, error))?;
    lake.put(&key, Bytes::from(bytes), PutMode::Overwrite).await?;
    Ok(())
}

/// The marks that SQS accepted since `since`, each with the last time.
pub(super) async fn recorded(
    lake: &dyn Lake,
    dataset: &str,
    since: Timestamp,
) -> Result<BTreeMap<String, Timestamp>, LakeError> {
    let prefix = format!("{SENT}{dataset}/");
    let mut waves: Vec<(Timestamp, Vec<String>)> = lake
        .list(&prefix)
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
        source: error.into(),
    }
}
