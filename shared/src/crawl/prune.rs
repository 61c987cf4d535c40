//! What a newer index leaves over: objects and markers of parts that no longer exist.

use std::collections::HashSet;

use futures::TryStreamExt as _;

use super::{CrawlError, Marker, done, left_over};
use crate::{
    Job, Lake,
    imdb::Manifest,
    lake::{
        layout,
        layout::{Done, Kind},
    },
};

/// Once every job of `manifest` is done, deletes what no job of it has. Before that only jobs that it has no more, and of them those whose
/// titles wait for no other job, so that no film is missing in between; the others go when those they wait for are done. Nothing where a
/// newer index was taken meanwhile: its jobs are not this one's to judge. The keys that were deleted.
pub async fn prune(lake: &dyn Lake, manifest: &Manifest) -> Result<Vec<String>, CrawlError> {
    let markers: Vec<Done> = done(lake).try_collect().await?;
    if Manifest::current_dataset(lake).await?.as_ref() != Some(&manifest.dataset) {
        return Ok(Vec::new());
    }
    let done: HashSet<(String, String)> = markers.iter().map(|done| (done.name(), done.digest.clone())).collect();
    let open: Vec<&Job> =
        manifest.jobs.iter().filter(|job| !done.contains(&(job.name(), job.digest.clone()))).collect();
    if open.is_empty() {
        let jobs = manifest.jobs.iter().map(|job| (job.name(), job.digest.clone())).collect();
        return prune_all(lake, &jobs).await;
    }
    let names: HashSet<String> = manifest.jobs.iter().map(Job::name).collect();
    let gone: Vec<&Done> = markers.iter().filter(|done| !names.contains(&done.name())).collect();
    left_over::settle(lake, manifest, &gone, &open).await
}

/// Deletes the markers and objects of other jobs than these, by name and digest. The markers first: an object without a marker is
/// deleted the next time, a marker without its objects would say that they are there. The keys that were deleted.
async fn prune_all(lake: &dyn Lake, jobs: &HashSet<(String, String)>) -> Result<Vec<String>, CrawlError> {
    let mut deleted = Vec::new();
    let mut markers = lake.list(layout::DONE);
    while let Some(entry) = markers.try_next().await? {
        if Done::parse(&entry.key).is_some_and(|done| !jobs.contains(&(done.name(), done.digest))) {
            lake.delete(&entry.key).await?;
            deleted.push(entry.key);
        }
    }
    let mut waiting = lake.list(layout::LEFT_OVER);
    while let Some(entry) = waiting.try_next().await? {
        lake.delete(&entry.key).await?;
    }
    let names: HashSet<&str> = jobs.iter().map(|(name, _)| name.as_str()).collect();
    let (mut records, mut ending) = (Vec::new(), false);
    for folder in Kind::ALL.map(layout::folder).iter().map(String::as_str).chain([layout::CHECKPOINTS]) {
        let mut entries = lake.list(folder);
        while let Some(entry) = entries.try_next().await? {
            let settled = layout::settled_digest(&entry.key);
            let is_its = |name: &str| settled.is_none_or(|digest| jobs.contains(&(name.to_owned(), digest.to_owned())));
            match layout::job_beneath(folder, &entry.key) {
                Some(name) if names.contains(name) && is_its(name) => ending |= settled.is_some(),
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
        // A refresh has put another in its place, and written its records.
        let Some(marker) = Marker::read(lake, &marker.key()).await? else { return Ok(Vec::new()) };
        for object in &marker.objects {
            left.remove(object);
        }
    }
    for key in &left {
        lake.delete(key).await?;
    }
    Ok(left.into_iter().collect())
}
