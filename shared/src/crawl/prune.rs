//! What a newer index leaves over: objects and markers of parts that no longer exist; and what a refresh does that was given up.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt as _;
use jiff::Timestamp;

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
        let jobs: HashMap<String, &str> = self.manifest.jobs.iter().map(|job| (job.name(), &*job.digest)).collect();
        let (mut markers, mut ended) = (self.lake.list(layout::DONE), HashMap::new());
        while let Some(entry) = markers.try_next().await? {
            let Some(done) = Done::parse(&entry.key) else { continue };
            match jobs.get(&done.name()) {
                Some(digest) if done.digest == *digest => {
                    let newest = ended.entry(done.name()).or_insert(entry.modified);
                    *newest = entry.modified.max(*newest);
                }
                _ => self.delete(entry.key).await?,
            }
        }
        let mut waiting = self.lake.list(layout::LEFT_OVER);
        while let Some(entry) = waiting.try_next().await? {
            self.delete(entry.key).await?;
        }
        let mut records = HashSet::new();
        for folder in Kind::ALL.map(layout::folder) {
            let mut entries = self.lake.list(&folder);
            while let Some(entry) = entries.try_next().await? {
                match layout::job_beneath(&folder, &entry.key) {
                    _ if !layout::is_of_a_crawl(&entry.key) => {}
                    Some(name) if jobs.contains_key(name) => {}
                    Some(_) => self.delete(entry.key).await?,
                    // One record an object: only the markers know whose it is.
                    None => drop(records.insert(entry.key)),
                }
            }
        }
        // A refresh that is writing its records has no marker of them yet.
        if self.kept(&jobs, &ended).await? { Ok(()) } else { self.records(records).await }
    }

    /// Deletes what was kept of jobs until their markers stand, as these do since `ended`, but for that of a refresh which went on since.
    /// Whether one is writing its records.
    async fn kept(
        &mut self,
        jobs: &HashMap<String, &str>,
        ended: &HashMap<String, Timestamp>,
    ) -> Result<bool, CrawlError> {
        let mut writing = false;
        let mut entries = self.lake.list(layout::CHECKPOINTS);
        while let Some(entry) = entries.try_next().await? {
            let settled = layout::settled_digest(&entry.key);
            let name = layout::job_beneath(layout::CHECKPOINTS, &entry.key).unwrap_or_default();
            let is_its = jobs.get(name).is_some_and(|digest| settled.is_none_or(|settled| settled == *digest));
            // A marker that is replaced while markers are listed may be in no page.
            let went_on = ended.get(name).is_none_or(|ended| entry.modified >= *ended);
            match is_its && went_on && layout::is_of_refresh(&entry.key) {
                true => writing |= settled.is_some(),
                false => self.delete(entry.key).await?,
            }
        }
        Ok(writing)
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
