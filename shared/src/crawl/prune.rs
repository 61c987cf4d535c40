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
/// titles wait for no other job, so that no film is missing in between; the others go when those they wait for are done. Nothing from when
/// a newer index is taken: its jobs are not this one's to judge. The keys that were deleted.
pub async fn prune(lake: &dyn Lake, manifest: &Manifest) -> Result<Vec<String>, CrawlError> {
    let markers: Vec<Done> = done(lake).try_collect().await?;
    if !manifest.is_current(lake).await? {
        return Ok(Vec::new());
    }
    let done: HashSet<(String, String)> = markers.iter().map(|done| (done.name(), done.digest.clone())).collect();
    let open: Vec<&Job> =
        manifest.jobs.iter().filter(|job| !done.contains(&(job.name(), job.digest.clone()))).collect();
    if open.is_empty() {
        let mut pruning = Pruning { lake, manifest, deleted: Vec::new() };
        pruning.all().await?;
        return Ok(pruning.deleted);
    }
    let names: HashSet<String> = manifest.jobs.iter().map(Job::name).collect();
    let gone: Vec<&Done> = markers.iter().filter(|done| !names.contains(&done.name())).collect();
    left_over::settle(lake, manifest, &gone, &open).await
}

/// What of a crawl that is done is nobody's.
struct Pruning<'a> {
    lake: &'a dyn Lake,
    manifest: &'a Manifest,
    deleted: Vec<String>,
}

impl Pruning<'_> {
    /// Deletes the markers and objects of other jobs than the manifest's, by name and digest. The markers first: an object without a
    /// marker is deleted the next time, a marker without its objects would say that they are there.
    async fn all(&mut self) -> Result<(), CrawlError> {
        let jobs: HashSet<(String, String)> =
            self.manifest.jobs.iter().map(|job| (job.name(), job.digest.clone())).collect();
        let mut markers = self.lake.list(layout::DONE);
        while let Some(entry) = markers.try_next().await? {
            if Done::parse(&entry.key).is_some_and(|done| !jobs.contains(&(done.name(), done.digest))) {
                self.delete(entry.key).await?;
            }
        }
        let mut waiting = self.lake.list(layout::LEFT_OVER);
        while let Some(entry) = waiting.try_next().await? {
            self.delete(entry.key).await?;
        }
        let names: HashSet<&str> = jobs.iter().map(|(name, _)| name.as_str()).collect();
        let (mut records, mut ending) = (HashSet::new(), false);
        for folder in Kind::ALL.map(layout::folder).iter().map(String::as_str).chain([layout::CHECKPOINTS]) {
            let mut entries = self.lake.list(folder);
            while let Some(entry) = entries.try_next().await? {
                let settled = layout::settled_digest(&entry.key);
                let is_its =
                    |name: &str| settled.is_none_or(|digest| jobs.contains(&(name.to_owned(), digest.to_owned())));
                match layout::job_beneath(folder, &entry.key) {
                    Some(name) if names.contains(name) && is_its(name) => ending |= settled.is_some(),
                    Some(_) => self.delete(entry.key).await?,
                    // One record an object: only the markers know whose it is.
                    None => drop(records.insert(entry.key)),
                }
            }
        }
        // A refresh that is writing its records has no marker of them yet.
        if ending { Ok(()) } else { self.records(records).await }
    }

    /// Deletes those of `left` that no marker names.
    async fn records(&mut self, mut left: HashSet<String>) -> Result<(), CrawlError> {
        if left.is_empty() {
            return Ok(());
        }
        let markers: Vec<Done> = done(self.lake).try_collect().await?;
        for marker in markers {
            // A refresh has put another in its place, and written its records.
            let Some(marker) = Marker::read(self.lake, &marker.key()).await? else { return Ok(()) };
            for object in &marker.objects {
                left.remove(object);
            }
        }
        for key in left {
            self.delete(key).await?;
        }
        Ok(())
    }

    /// Deletes an object, unless a newer index was taken by now: a job of that may have written it, or have it for its own.
    async fn delete(&mut self, key: String) -> Result<(), CrawlError> {
        if self.manifest.is_current(self.lake).await? {
            self.lake.delete(&key).await?;
            self.deleted.push(key);
        }
        Ok(())
    }
}
