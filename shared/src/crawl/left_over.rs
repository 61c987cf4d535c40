//! Jobs that a newer index no longer has: their films stay until the jobs that have these now are done, and the last of those removes
//! them. Which wait for which is written down for each, so that no job that is done needs to search.
//!
//! Such a note's first line is the dataset by which it was written, as a newer one may have the jobs again. Then a line each: the key of a
//! marker, and what the keys of those that must stand before it goes begin with, split by tabs.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
};

use bytes::Bytes;
use futures::TryStreamExt as _;

use super::{CrawlError, Marker, done_of_partition};
use crate::{
    Job, Lake,
    imdb::{ImdbId, Manifest, read_titles},
    lake::{PutMode, layout, layout::Done},
};

/// As much of the index as is read at once, in bytes.
const READ: u64 = 16 << 20;

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
    let (mut deleted, mut notes) = (Vec::new(), BTreeMap::<String, (&Job, String)>::new());
    for (marker, titles) in titles {
        let waits_for: BTreeMap<String, &Job> =
            titles.iter().filter_map(|id| holders.get(id)).map(|job| (marker_prefix(job), *job)).collect();
        // A newer index may have it again.
        if waits_for.is_empty() && manifest.is_current(lake).await? {
            deleted.extend(remove(lake, &marker).await?);
        }
        let line: Vec<&str> = std::iter::once(&marker).chain(waits_for.keys()).map(String::as_str).collect();
        for job in waits_for.values() {
            let (_, note) = notes.entry(job.name()).or_insert((job, manifest.dataset.clone()));
            *note += &format!("\n{}", line.join("\t"));
        }
    }
    for (job, note) in notes.into_values() {
        lake.put(&layout::left_over(job), Bytes::from(note), PutMode::Overwrite).await?;
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
    let Some(note) = lake.get(&key).await? else { return Ok(Vec::new()) };
    let note = String::from_utf8_lossy(&note);
    let mut lines = note.lines();
    let mut deleted = Vec::new();
    if Manifest::current_dataset(lake).await?.as_deref() == lines.next() {
        for line in lines {
            let mut keys = line.split('\t');
            let marker = keys.next().unwrap_or_default();
            if all_done(lake, keys).await? {
                deleted.extend(remove(lake, marker).await?);
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

/// What the key of the job's marker begins with, whatever it counts.
fn marker_prefix(job: &Job) -> String {
    format!("{}{}.", layout::done_prefix(job), job.digest)
}

async fn all_done(lake: &dyn Lake, prefixes: impl Iterator<Item = &str>) -> Result<bool, CrawlError> {
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
        let own = job.range();
        match ranges.last_mut() {
            Some((range, jobs)) if range.end == own.start && own.end - range.start <= READ => {
                range.end = own.end;
                jobs.push(job);
            }
            _ => ranges.push((own, vec![job])),
        }
    }
    ranges
}
