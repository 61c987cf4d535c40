//! An earlier index beside the new one: which part each title was in, so that it stays there.
//!
//! Read partition by partition, as the new index is written: of twelve million titles only one partition's are held.

use std::{collections::HashSet, iter::Peekable, vec};

use bytes::Bytes;
use futures::TryStreamExt as _;

use super::{
    Manifest,
    plan::{self, Parts},
};
use crate::{
    job::Job,
    lake::{Lake, LakeError, layout},
};

/// Bytes of the earlier index that are read at once.
const BLOCK: u64 = 8 << 20;

/// The jobs of an earlier index that are still to come, and the block of its text that was read last.
pub(super) struct Earlier<'l> {
    lake: &'l dyn Lake,
    key: String,
    jobs: Peekable<vec::IntoIter<Job>>,
    begun: HashSet<String>,
    start: u64,
    block: Bytes,
}

impl<'l> Earlier<'l> {
    /// That of `manifest`; without one there was none.
    pub async fn of(lake: &'l dyn Lake, manifest: Option<&Manifest>) -> Result<Self, LakeError> {
        let jobs = manifest.map(|manifest| manifest.jobs.clone()).unwrap_or_default();
        let begun = if jobs.is_empty() { HashSet::new() } else { begun(lake).await? };
        Ok(Self {
            lake,
            key: layout::titles(manifest.map_or("", |manifest| &manifest.dataset)),
            jobs: jobs.into_iter().peekable(),
            begun,
            start: 0,
            block: Bytes::new(),
        })
    }

    /// The part that each title of `partition` was in; partitions are asked for in their order. A damaged index has none: then more
    /// is asked of TMDb again, and nothing lost.
    pub async fn parts(&mut self, partition: u32) -> Result<Parts, LakeError> {
        let mut parts = Parts::default();
        while let Some(job) = self.jobs.next_if(|job| plan::partition(job).is_none_or(|its| its <= partition)) {
            if plan::partition(&job) == Some(partition) && job.is_well_formed() {
                let range = self.range(&job).await?;
                if let Some(ids) = range.and_then(|range| plan::read_titles(&job, &range)) {
                    parts.add(&job, &ids, self.begun.contains(&job.name()));
                }
            }
        }
        Ok(parts)
    }

    /// The job's bytes, if the index has them.
    async fn range(&mut self, job: &Job) -> Result<Option<Bytes>, LakeError> {
        let own = job.range();
        if own.start < self.start || own.end > self.start + self.block.len() as u64 {
            let range = own.start..own.end.max(own.start.saturating_add(BLOCK));
            self.block = self.lake.get_range(&self.key, range).await?.unwrap_or_default();
            self.start = own.start;
        }
        let range = (own.start - self.start) as usize..(own.end - self.start) as usize;
        Ok((range.end <= self.block.len()).then(|| self.block.slice(range)))
    }
}

/// The names of the jobs that have answers, all or some of them.
async fn begun(lake: &dyn Lake) -> Result<HashSet<String>, LakeError> {
    let mut names = HashSet::new();
    for folder in [layout::DONE, layout::CHECKPOINTS] {
        let mut entries = lake.list(folder);
        while let Some(entry) = entries.try_next().await? {
            names.extend(layout::job_beneath(folder, &entry.key).map(str::to_owned));
        }
    }
    Ok(names)
}
