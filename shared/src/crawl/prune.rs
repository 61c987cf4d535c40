//! What a newer index leaves over: objects and markers of parts that no longer exist.

use std::collections::HashSet;

use futures::TryStreamExt as _;

use super::{CrawlError, Marker, done};
use crate::{
    Lake,
    imdb::Manifest,
    lake::{
        layout,
        layout::{Done, Kind},
    },
};

/// Once every job of `manifest` is done, deletes what no job of it has; before that nothing, so that no film is missing in between, and
/// nothing either where a newer index was taken meanwhile: its jobs are not this one's to judge. The keys that were deleted.
pub async fn prune_when_complete(lake: &dyn Lake, manifest: &Manifest) -> Result<Vec<String>, CrawlError> {
    let done: HashSet<(String, String)> = done(lake).map_ok(|done| (done.name(), done.digest)).try_collect().await?;
    let jobs: HashSet<(String, String)> = manifest.jobs.iter().map(|job| (job.name(), job.digest.clone())).collect();
    if !jobs.is_subset(&done) || Manifest::current_dataset(lake).await?.as_ref() != Some(&manifest.dataset) {
        return Ok(Vec::new());
    }
    prune(lake, &jobs).await
}

/// Deletes the markers and objects of other jobs than these, by name and digest. The markers first: an object without a marker is
/// deleted the next time, a marker without its objects would say that they are there. The keys that were deleted.
async fn prune(lake: &dyn Lake, jobs: &HashSet<(String, String)>) -> Result<Vec<String>, CrawlError> {
    let mut deleted = Vec::new();
    let mut markers = lake.list(layout::DONE);
    while let Some(entry) = markers.try_next().await? {
        if Done::parse(&entry.key).is_some_and(|done| !jobs.contains(&(done.name(), done.digest))) {
            lake.delete(&entry.key).await?;
            deleted.push(entry.key);
        }
    }
    let names: HashSet<&str> = jobs.iter().map(|(name, _)| name.as_str()).collect();
    let (mut records, mut ending) = (Vec::new(), false);
    for folder in Kind::ALL.map(layout::folder).iter().map(String::as_str).chain([layout::CHECKPOINTS]) {
        let mut entries = lake.list(folder);
        while let Some(entry) = entries.try_next().await? {
            match layout::job_beneath(folder, &entry.key) {
                Some(name) if names.contains(name) => ending |= layout::is_settled(&entry.key),
                Some(_) => {
                    lake.delete(&entry.key).await?;
                    deleted.push(entry.key);
                }
                // One record an object: only the markers know whose it is.
                None => records.push(entry.key),
            }
        }
    }
    // A refresh that is writing its records has no marker of them yet.
    if !ending {
        deleted.extend(prune_records(lake, records).await?);
    }
    Ok(deleted)
}

/// Deletes those of `records` that no marker names.
async fn prune_records(lake: &dyn Lake, records: Vec<String>) -> Result<Vec<String>, CrawlError> {
    let mut left: HashSet<String> = records.into_iter().collect();
    if left.is_empty() {
        return Ok(Vec::new());
    }
    let markers: Vec<Done> = done(lake).try_collect().await?;
    for marker in markers {
        for object in Marker::read(lake, &marker.key()).await?.iter().flat_map(|marker| &marker.objects) {
            left.remove(object);
        }
    }
    for key in &left {
        lake.delete(key).await?;
    }
    Ok(left.into_iter().collect())
}
