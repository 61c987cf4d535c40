//! What a newer index leaves over: objects and markers of parts that no longer exist.

use std::collections::HashSet;

use futures::TryStreamExt as _;

use super::{CrawlError, Marker, done};
use crate::{
    Job, Lake,
    imdb::Manifest,
    lake::{layout, layout::Kind},
};

/// Once every job of `manifest` is done, deletes what no job of it has; before that nothing, so that no film is missing in between.
/// The keys that were deleted.
pub async fn prune_when_complete(lake: &dyn Lake, manifest: &Manifest) -> Result<Vec<String>, CrawlError> {
    let markers: HashSet<(String, String)> = done(lake).map_ok(|done| (done.name(), done.digest)).try_collect().await?;
    let complete = manifest.jobs.iter().all(|job| markers.contains(&(job.name(), job.digest.clone())));
    if complete { prune(lake, manifest).await } else { Ok(Vec::new()) }
}

/// Deletes the objects and markers of jobs that `manifest` does not have. The keys that were deleted.
async fn prune(lake: &dyn Lake, manifest: &Manifest) -> Result<Vec<String>, CrawlError> {
    let jobs: HashSet<String> = manifest.jobs.iter().map(Job::name).collect();
    let folders = Kind::ALL.map(layout::folder);
    let folders = folders.iter().map(String::as_str).chain([layout::CHECKPOINTS, layout::DONE]);
    let (mut deleted, mut records) = (Vec::new(), Vec::new());
    for folder in folders {
        let mut entries = lake.list(folder);
        while let Some(entry) = entries.try_next().await? {
            match layout::job_beneath(folder, &entry.key) {
                Some(name) if jobs.contains(name) => {}
                Some(_) => {
                    lake.delete(&entry.key).await?;
                    deleted.push(entry.key);
                }
                // One record an object: only the markers know whose it is.
                None => records.push(entry.key),
            }
        }
    }
    deleted.extend(prune_records(lake, records).await?);
    Ok(deleted)
}

/// Deletes those of `records` that no marker names.
async fn prune_records(lake: &dyn Lake, records: Vec<String>) -> Result<Vec<String>, CrawlError> {
    let mut left: HashSet<String> = records.into_iter().collect();
    if left.is_empty() {
        return Ok(Vec::new());
    }
    let markers: Vec<layout::Done> = done(lake).try_collect().await?;
    for marker in markers {
        for object in Marker::read(lake, &marker.key()).await?.objects {
            left.remove(&object);
        }
    }
    for key in &left {
        lake.delete(key).await?;
    }
    Ok(left.into_iter().collect())
}
