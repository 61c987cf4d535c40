//! Jobs that a newer index no longer has: their films stay until the jobs that have these now are done, and the last of those removes
//! them. Which wait for which is written down for each, so that no job that is done needs to search.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    ops::Range,
};

use bytes::Bytes;
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use super::{CrawlError, Marker, done_of_partition, output::damaged};
use crate::{
    Job, Lake,
    imdb::{ImdbId, Manifest, read_titles},
    lake::{PutMode, layout, layout::Done},
};

/// As much of the index as is read at once, in bytes.
const READ: u64 = 16 << 20;

/// What a job removes when it is done.
#[derive(Serialize, Deserialize)]
struct Note {
    /// The index by which it was written: a newer one may have the jobs again.
    dataset: String,
    left_over: Vec<LeftOver>,
}

#[derive(Clone, Serialize, Deserialize)]
struct LeftOver {
    /// The key of its marker.
    marker: String,
    /// What the keys of the markers begin with that must be there before, by the jobs' digests.
    waits_for: BTreeSet<String>,
}

/// Deletes those of the jobs `gone` for whose titles no job of `open` is waited for, and lets the open jobs delete the others. The keys
/// that were deleted.
pub(super) async fn settle(
    lake: &dyn Lake,
    manifest: &Manifest,
    gone: &[&Done],
    open: &[&Job],
) -> Result<Vec<String>, CrawlError> {
    let mut titles = Vec::new();
    for done in gone {
        let Some(marker) = Marker::read(lake, &done.key()).await? else { continue };
        titles.push((done.key(), marker.titles_in_lake(lake).await?));
    }
    let wanted: HashSet<ImdbId> = titles.iter().flat_map(|(_, titles)| titles).copied().collect();
    let holders = holders(lake, &manifest.dataset, open, &wanted).await?;
    let (mut deleted, mut notes) = (Vec::new(), BTreeMap::<String, (&Job, Vec<LeftOver>)>::new());
    for (marker, titles) in titles {
        let waits_for: BTreeMap<String, &Job> =
            titles.iter().filter_map(|id| holders.get(id)).map(|job| (marker_prefix(job), *job)).collect();
        let left_over = LeftOver { marker, waits_for: waits_for.keys().cloned().collect() };
        if waits_for.is_empty() {
            deleted.extend(remove(lake, &left_over.marker).await?);
        }
        for job in waits_for.into_values() {
            notes.entry(job.name()).or_insert((job, Vec::new())).1.push(left_over.clone());
        }
    }
    for (job, left_over) in notes.into_values() {
        write(lake, job, &Note { dataset: manifest.dataset.clone(), left_over }).await?;
        // It may have ended meanwhile.
        if is_done(lake, &marker_prefix(job)).await? {
            deleted.extend(job_done(lake, job).await?);
        }
    }
    Ok(deleted)
}

/// The marker of `job` stands: deletes what waited for it and for no other job. The keys that were deleted.
pub(super) async fn job_done(lake: &dyn Lake, job: &Job) -> Result<Vec<String>, CrawlError> {
    let key = layout::left_over(job);
    let Some(bytes) = lake.get(&key).await? else { return Ok(Vec::new()) };
    let note: Note = serde_json::from_slice(&bytes).map_err(|error| damaged(lake, &key, &error))?;
    let mut deleted = Vec::new();
    if Manifest::current_dataset(lake).await?.is_some_and(|current| current == note.dataset) {
        for LeftOver { marker, waits_for } in note.left_over {
            if all_done(lake, &waits_for).await? {
                deleted.extend(remove(lake, &marker).await?);
            }
        }
    }
    lake.delete(&key).await?;
    Ok(deleted)
}

/// Deletes a job's marker and objects, but for records alone in theirs that other jobs have too. The marker first, as everywhere: it must not name what is
/// gone.
async fn remove(lake: &dyn Lake, key: &str) -> Result<Vec<String>, CrawlError> {
    let Some(marker) = Marker::read(lake, key).await? else { return Ok(Vec::new()) };
    let mut others = HashSet::new();
    if marker.objects.iter().any(|object| layout::job_of(object).is_none()) {
        let near: Vec<Done> = done_of_partition(lake, marker.year, &marker.initial).try_collect().await?;
        for done in near.iter().filter(|done| done.key() != key) {
            others.extend(Marker::read(lake, &done.key()).await?.into_iter().flat_map(|marker| marker.objects));
        }
    }
    let own = marker.objects.into_iter().filter(|object| !others.contains(object));
    let keys: Vec<String> = std::iter::once(key.to_owned()).chain(own).collect();
    for key in &keys {
        lake.delete(key).await?;
    }
    Ok(keys)
}

async fn write(lake: &dyn Lake, job: &Job, note: &Note) -> Result<(), CrawlError> {
    let key = layout::left_over(job);
    let bytes = serde_json::to_vec(note).map_err(|error| damaged(lake, &key, &error))?;
    lake.put(&key, Bytes::from(bytes), PutMode::Overwrite).await?;
    Ok(())
}

/// What the key of the job's marker begins with, whatever it counts.
fn marker_prefix(job: &Job) -> String {
    format!("{}{}.", layout::done_prefix(job), job.digest)
}

async fn all_done(lake: &dyn Lake, prefixes: &BTreeSet<String>) -> Result<bool, CrawlError> {
    for prefix in prefixes {
        if !is_done(lake, prefix).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn is_done(lake: &dyn Lake, prefix: &str) -> Result<bool, CrawlError> {
    Ok(lake.list(prefix).try_next().await?.is_some())
}

/// Which of these jobs, that are in the index's order, have the titles of `wanted`.
async fn holders<'j>(
    lake: &dyn Lake,
    dataset: &str,
    jobs: &[&'j Job],
    wanted: &HashSet<ImdbId>,
) -> Result<HashMap<ImdbId, &'j Job>, CrawlError> {
    let mut holders = HashMap::new();
    if wanted.is_empty() {
        return Ok(holders);
    }
    for (range, jobs) in together(jobs) {
        let text = lake.get_range(&layout::titles(dataset), range.clone()).await?.unwrap_or_default();
        for job in jobs {
            let start = (job.offset - range.start) as usize;
            let ids = text.get(start..start + job.length as usize).and_then(|own| read_titles(job, own));
            let not_there = || CrawlError::NotInIndex { job: job.name(), dataset: dataset.to_owned() };
            let ids = ids.ok_or_else(not_there)?;
            holders.extend(ids.into_iter().filter(|id| wanted.contains(id)).map(|id| (id, job)));
        }
    }
    Ok(holders)
}

/// The jobs by ranges of the index that hold several of them, and few enough bytes.
fn together<'j>(jobs: &[&'j Job]) -> Vec<(Range<u64>, Vec<&'j Job>)> {
    let mut ranges = Vec::<(Range<u64>, Vec<&Job>)>::new();
    for job in jobs {
        let end = job.offset.saturating_add(job.length);
        match ranges.last_mut() {
            Some((range, jobs)) if range.end == job.offset && end - range.start <= READ => {
                range.end = end;
                jobs.push(job);
            }
            _ => ranges.push((job.offset..end, vec![job])),
        }
    }
    ranges
}
