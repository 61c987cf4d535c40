//! What SQS accepted, written down in the lake, so that `launch` sends nothing twice.
//!
//! An object a wave of sending: `tmdb/_sent/{dataset}/{time}-{number}.json`, the jobs' names with their digests.

use std::collections::BTreeSet;

use bytes::Bytes;
use crawler_core::lake::{LakeError, PutMode};
use crawler_core::{Job, Lake};
use futures::stream::TryStreamExt;
use jiff::Timestamp;

const SENT: &str = "tmdb/_sent/";
/// Objects read at once.
const WIDTH: usize = 32;

/// How a job is told apart from one of the same name with other titles.
pub(super) fn mark(job: &Job) -> String {
    format!("{}.{}", job.name(), job.digest)
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

/// The marks that SQS accepted since `since`.
pub(super) async fn recorded(lake: &dyn Lake, dataset: &str, since: Timestamp) -> Result<BTreeSet<String>, LakeError> {
    let prefix = format!("{SENT}{dataset}/");
    let waves: Vec<Vec<String>> = lake
        .list(&prefix)
        .try_filter(|entry| futures::future::ready(entry.modified >= since))
        .map_ok(|entry| async move {
            let bytes = lake.get(&entry.key).await?.unwrap_or_else(|| Bytes::from_static(b"[]"));
            serde_json::from_slice(&bytes).map_err(|error| unreadable(lake, &entry.key, error))
        })
        .try_buffer_unordered(WIDTH)
        .try_collect()
        .await?;
    Ok(waves.into_iter().flatten().collect())
}

fn unreadable(lake: &dyn Lake, key: &str, error: serde_json::Error) -> LakeError {
    LakeError {
        operation: "read",
        uri: lake.uri(),
        key: key.to_owned(),
        hint: "delete that object, then launch again",
        source: error.into(),
    }
}
