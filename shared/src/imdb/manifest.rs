//! The manifest: which dataset this is, and the jobs that its titles are cut into.

use bytes::Bytes;
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use super::{IndexOptions, Selection};
use crate::{
    job::Job,
    lake::{Lake, LakeError, PutMode, layout},
};

/// Where a dataset came from, so that the same is not read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceVersion {
    /// The file, URL or object.
    pub uri: String,
    /// The ETag that came with it.
    pub etag: Option<String>,
    /// When it was last changed, as its source says.
    pub last_modified: Option<String>,
    /// Bytes, as stored.
    pub size: Option<u64>,
}

/// A row that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The line in the file; the header is line 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What an index of titles holds, and the jobs that it is cut into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The dataset's name, which follows from the source's version and the options.
    pub dataset: String,
    /// Where it came from.
    pub source: SourceVersion,
    /// What was kept, and how it was cut.
    pub options: IndexOptions,
    /// Rows that were read.
    pub rows: u64,
    /// Titles that are in the index.
    pub titles: u64,
    /// Rows left out because their id stood in an earlier one.
    pub duplicates: u64,
    /// Rows left out because something is wrong with them.
    pub skipped: u64,
    /// The first of them.
    pub skipped_rows: Vec<Skipped>,
    /// The jobs, sorted by year (none last), initial and part.
    pub jobs: Vec<Job>,
}

/// What stands in `imdb/current.json`.
#[derive(Serialize, Deserialize)]
struct Current {
    dataset: String,
}

/// An object of the index is not what it must be.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The object is damaged or made by another version.
    #[error(
        "cannot read {uri}/{key}, it is damaged or made by another version; make the index anew with `provision launch --new-index`"
    )]
    Damaged {
        /// Where the lake is.
        uri: String,
        /// The object.
        key: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The crawl's dataset has no manifest.
    #[error("{uri}/{key} is gone, and the crawl goes by it; make the index anew with `provision launch --new-index`")]
    Gone {
        /// Where the lake is.
        uri: String,
        /// The object.
        key: String,
    },
}

impl Manifest {
    /// The manifest of the crawl's dataset; none before the first index is made.
    pub async fn current(lake: &dyn Lake) -> Result<Option<Self>, ManifestError> {
        match Self::current_dataset(lake).await? {
            Some(dataset) => {
                let gone = || ManifestError::Gone { uri: lake.uri(), key: layout::manifest(&dataset) };
                Self::of(lake, &dataset).await?.ok_or_else(gone).map(Some)
            }
            None => Ok(None),
        }
    }

    /// The same, where another one is to be made: one that is damaged or gone is no reason not to.
    pub async fn current_if_sound(lake: &dyn Lake) -> Result<Option<Self>, ManifestError> {
        match Self::current(lake).await {
            Err(ManifestError::Damaged { .. } | ManifestError::Gone { .. }) => Ok(None),
            current => current,
        }
    }

    /// The name of the crawl's dataset, without reading its manifest.
    pub async fn current_dataset(lake: &dyn Lake) -> Result<Option<String>, ManifestError> {
        let current = read::<Current>(lake, layout::CURRENT).await?;
        Ok(current.map(|current| current.dataset))
    }

    /// Whether it is the crawl's, and no newer one.
    pub(crate) async fn is_current(&self, lake: &dyn Lake) -> Result<bool, ManifestError> {
        Ok(Self::current_dataset(lake).await?.as_ref() == Some(&self.dataset))
    }

    /// The manifest of `dataset`; none if there is no such dataset.
    pub async fn of(lake: &dyn Lake, dataset: &str) -> Result<Option<Self>, ManifestError> {
        read(lake, &layout::manifest(dataset)).await
    }

    /// Whether the titles that its jobs are ranges of stand there, all of them.
    pub(super) async fn has_its_titles(&self, lake: &dyn Lake) -> Result<bool, LakeError> {
        let end = self.jobs.iter().map(|job| job.offset.saturating_add(job.length)).max();
        let key = layout::titles(&self.dataset);
        let there = lake.list(&key).try_next().await?.filter(|entry| entry.key == key);
        Ok(there.map(|entry| entry.size) == end)
    }

    /// Writes the manifest, and then makes it the crawl's.
    pub(super) async fn publish(&self, lake: &dyn Lake) -> Result<(), ManifestError> {
        write(lake, &layout::manifest(&self.dataset), self).await?;
        let current = Current { dataset: self.dataset.clone() };
        write(lake, layout::CURRENT, &current).await
    }

    /// The jobs of these years and initials.
    pub fn jobs_of<'a>(&'a self, selection: &'a Selection) -> impl Iterator<Item = &'a Job> {
        self.jobs.iter().filter(|job| selection.has(job))
    }

    /// The jobs of one partition.
    pub fn jobs_of_partition<'a>(&'a self, year: Option<u16>, initial: &'a str) -> impl Iterator<Item = &'a Job> {
        self.jobs.iter().filter(move |job| job.year == year && job.initial == initial)
    }
}

async fn read<T: for<'a> Deserialize<'a>>(lake: &dyn Lake, key: &str) -> Result<Option<T>, ManifestError> {
    let Some(bytes) = lake.get(key).await? else {
        return Ok(None);
    };
    let value = serde_json::from_slice(&bytes).map_err(|source| damaged(lake, key, source))?;
    Ok(Some(value))
}

async fn write<T: Serialize>(lake: &dyn Lake, key: &str, value: &T) -> Result<(), ManifestError> {
    let bytes = serde_json::to_vec(value).map_err(|source| damaged(lake, key, source))?;
    lake.put(key, Bytes::from(bytes), PutMode::Overwrite).await?;
    Ok(())
}

fn damaged(lake: &dyn Lake, key: &str, source: serde_json::Error) -> ManifestError {
    ManifestError::Damaged { uri: lake.uri(), key: key.to_owned(), source }
}
