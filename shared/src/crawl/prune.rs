//! What a newer index leaves over: objects and markers of parts that no longer exist.

use std::{collections::HashSet, ops::Range};

use futures::TryStreamExt as _;

use super::{CrawlError, Marker, done};
use crate::{
    Job, Lake,
    imdb::{ImdbId, Manifest},
    lake::{
        layout,
        layout::{Done, Kind},
    },
};

/// As much of the index as is read at once, in bytes.
const READ: u64 = 16 << 20;

/// Once every job of `manifest` is done, deletes what no job of it has. Before that only jobs that it has no more, and of them those whose
/// titles wait for no other job, so that no film is missing in between. Nothing where a newer index was taken meanwhile: its jobs are
/// not this one's to judge. The keys that were deleted.
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
    let gone = markers.iter().filter(|done| !names.contains(&done.name()));
    prune_settled(lake, &manifest.dataset, gone, &open).await
}

/// Deletes those of `gone` of whose titles none is in an `open` job.
async fn prune_settled(
    lake: &dyn Lake,
    dataset: &str,
    gone: impl Iterator<Item = &Done>,
    open: &[&Job],
) -> Result<Vec<String>, CrawlError> {
    let mut left_over = Vec::new();
    for done in gone {
        let Some(marker) = Marker::read(lake, &done.key()).await? else { continue };
        // A record alone in its object may be an open job's too.
        if marker.objects.iter().all(|object| layout::job_of(object).is_some()) {
            left_over.push((done, marker.titles_in_lake(lake).await?, marker.objects));
        }
    }
    let wanted: HashSet<ImdbId> = left_over.iter().flat_map(|(_, titles, _)| titles).copied().collect();
    let waiting = if wanted.is_empty() { wanted } else { among(lake, dataset, open, &wanted).await? };
    let mut deleted = Vec::new();
    for (done, titles, objects) in left_over {
        if titles.is_disjoint(&waiting) {
            // The marker first, as everywhere: it must not name what is gone.
            deleted.extend(std::iter::once(done.key()).chain(objects));
        }
    }
    for key in &deleted {
        lake.delete(key).await?;
    }
    Ok(deleted)
}

/// Those of `wanted` that are titles of these jobs, which are in the index's order.
async fn among(
    lake: &dyn Lake,
    dataset: &str,
    jobs: &[&Job],
    wanted: &HashSet<ImdbId>,
) -> Result<HashSet<ImdbId>, CrawlError> {
    let mut ranges = Vec::<Range<u64>>::new();
    for job in jobs {
        let end = job.offset.saturating_add(job.length);
        match ranges.last_mut() {
            Some(last) if last.end == job.offset && end - last.start <= READ => last.end = end,
            _ => ranges.push(job.offset..end),
        }
    }
    let mut found = HashSet::new();
    for range in ranges {
        let text = lake.get_range(&layout::titles(dataset), range).await?.unwrap_or_default();
        let ids = text
            .split(|byte| *byte == b'\n')
            .filter_map(|line| std::str::from_utf8(line).ok()?.split('\t').next()?.parse().ok());
        found.extend(ids.filter(|id| wanted.contains(id)));
    }
    Ok(found)
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
