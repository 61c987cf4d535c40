//! Few large files instead of many small ones, for those who read the lake whole.
//!
//! The jobs' own objects stay: they are what the crawl goes on from, and what exactly once rests on. The large files are a copy beneath
//! `compact/{version}/`, a version a state of the crawl, which nobody sees before `compact/current.json` names it.
//!
//! Guarantees: a reader that follows `current.json` sees the old version whole or the new one, whenever this is killed; the version
//! before stays for those who still read it. Holds exactly the records of the jobs that are done, each job as one delivery left it. Memory: one file,
//! at most [`PART`], and the objects of 32 jobs, inflated.

mod ndjson;
#[cfg(feature = "parquet")]
mod parquet;

use std::{
    collections::{BTreeMap, HashMap},
    fmt, io,
    str::FromStr,
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    Job, Lake,
    crawl::{CrawlError, Marker, read_object},
    imdb::{Manifest, ManifestError, hex},
    lake::{
        Entry, LakeError, PutMode, layout,
        layout::{Done, Kind},
    },
};

/// A file is closed when it has this many bytes.
const PART: usize = 64 << 20;
/// Objects that are read at once.
const WIDTH: usize = 32;

/// What the large files are; as written in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Gzipped lines of JSON, as the jobs' own objects are.
    #[default]
    Ndjson,
    /// Typed columns, and each record whole as JSON text.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl Format {
    #[cfg_attr(not(feature = "parquet"), allow(unused_variables, reason = "lines of JSON are of no kind"))]
    fn part(self, kind: Kind) -> io::Result<Box<dyn Part>> {
        match self {
            Self::Ndjson => Ok(Box::new(ndjson::Lines::new())),
            #[cfg(feature = "parquet")]
            Self::Parquet => Ok(Box::new(parquet::Table::new(kind)?)),
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson.gz",
            #[cfg(feature = "parquet")]
            Self::Parquet => "parquet",
        }
    }

    /// Reads a file to its end and tells each record, as it stands in its job's object. In memory: what one step of inflating needs.
    pub(crate) fn read(self, file: Bytes, each: &mut dyn FnMut(&str)) -> io::Result<()> {
        match self {
            Self::Ndjson => ndjson::read(&file, each),
            #[cfg(feature = "parquet")]
            Self::Parquet => parquet::read(file, each),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ndjson => "ndjson",
            #[cfg(feature = "parquet")]
            Self::Parquet => "parquet",
        })
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ndjson" => Ok(Self::Ndjson),
            #[cfg(feature = "parquet")]
            "parquet" => Ok(Self::Parquet),
            _ => Err(format!("{text:?} is no format of files; write ndjson or parquet")),
        }
    }
}

/// A file that is being made.
trait Part: Send {
    /// Adds a record, a JSON object in a line.
    fn add(&mut self, line: &str) -> io::Result<()>;
    /// Bytes so far, as they will be stored.
    fn bytes(&self) -> usize;
    /// The whole file.
    fn finish(self: Box<Self>) -> io::Result<Vec<u8>>;
}

/// A version of the large files; stands at `compact/{version}/manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    /// Its name, which follows from the markers of the jobs that are in it.
    pub version: String,
    /// What the files are.
    pub format: Format,
    /// The dataset whose jobs are in it.
    pub dataset: String,
    /// Jobs that are in it.
    pub jobs: usize,
    /// Jobs that are not done, and so not in it.
    pub jobs_not_done: usize,
    /// When it was made.
    pub made: Timestamp,
    /// Its files.
    pub files: Vec<File>,
}

/// One large file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its key.
    pub key: String,
    /// What its records tell about.
    pub kind: Kind,
    /// How many there are.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// What stands in `compact/current.json`.
#[derive(Serialize, Deserialize)]
struct Current {
    version: String,
}

/// The large files were not made; what is current stays so.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// There is no index, and so no job that could be done.
    #[error(
        "{uri} has no index of titles, so there is nothing to merge; make one with `provision launch` or `provision download`"
    )]
    NoIndex {
        /// Where the lake is.
        uri: String,
    },
    /// A record of the lake cannot be written to a file.
    #[error(
        "cannot write {key} of {uri}, the files that were current still are; prove the lake with `provision verify`"
    )]
    Unwritable {
        /// Where the lake is.
        uri: String,
        /// The file.
        key: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// What was there a moment ago is not, or was never.
    #[error(
        "{key} of {uri} is not there, though it is named: a refresh or another `provision compact` is at work, or it is lost; look with `provision verify`, then run the command again"
    )]
    Gone {
        /// Where the lake is.
        uri: String,
        /// The object.
        key: String,
    },
    /// A job was done anew while its objects were read, or is being.
    #[error(
        "{uri} changed while it was merged ({key}), the files that were current still are: a refresh is at work; run the command again when `provision status` shows an empty queue"
    )]
    Changed {
        /// Where the lake is.
        uri: String,
        /// What tells: a job's marker, or answers that a job is ending with.
        key: String,
    },
    /// A job's object cannot be read.
    #[error(transparent)]
    Object(#[from] CrawlError),
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The index could not be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Merges the records of all jobs that are done, and makes the result the current version. Where nothing has changed since the last
/// time, that is what is given back. `progress` learns how many of how many jobs are merged.
pub async fn compact(
    lake: &dyn Lake,
    format: Format,
    progress: impl Fn(usize, usize) + Send,
) -> Result<Compacted, CompactError> {
    let manifest = Manifest::current(lake).await?.ok_or_else(|| CompactError::NoIndex { uri: lake.uri() })?;
    let done = done_jobs(lake, &manifest).await?;
    let version = version(format, &done);
    if let Some(same) = Compacted::of(lake, &version).await?
        && same.lost(lake).await?.is_none()
    {
        publish(lake, &same).await?;
        return Ok(same);
    }
    let mut compacted = Compacted {
        version,
        format,
        dataset: manifest.dataset.clone(),
        jobs: done.len(),
        jobs_not_done: manifest.jobs.len() - done.len(),
        made: Timestamp::now(),
        files: Vec::new(),
    };
    let mut merged = 0;
    for year in done.chunk_by(|(a, _), (b, _)| a.year == b.year) {
        let mut objects = objects(lake, year).await?;
        for kind in Kind::ALL {
            let keys = objects.remove(&kind).unwrap_or_default();
            merge(lake, kind, year[0].0.year, &keys, &mut compacted).await?;
        }
        merged += year.len();
        progress(merged, done.len());
    }
    if let Some(key) = changed(lake, &done).await? {
        return Err(CompactError::Changed { uri: lake.uri(), key });
    }
    if let Some(key) = compacted.lost(lake).await? {
        return Err(CompactError::Gone { uri: lake.uri(), key });
    }
    write(lake, &layout::compact_manifest(&compacted.version), &compacted).await?;
    publish(lake, &compacted).await?;
    Ok(compacted)
}

impl Compacted {
    /// The version of this name; none if it is not whole.
    pub(crate) async fn of(lake: &dyn Lake, version: &str) -> Result<Option<Self>, LakeError> {
        let bytes = lake.get(&layout::compact_manifest(version)).await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Whether this is the key of one of its objects.
    pub(crate) fn has(&self, key: &str) -> bool {
        key == layout::compact_manifest(&self.version) || self.files.iter().any(|file| file.key == key)
    }

    /// One of its files that is not there as it was written, if there is any.
    async fn lost(&self, lake: &dyn Lake) -> Result<Option<String>, LakeError> {
        let entries = lake.list(&layout::compact_folder(&self.version));
        let there: HashMap<String, u64> = entries.map_ok(|entry| (entry.key, entry.size)).try_collect().await?;
        let lost = self.files.iter().find(|file| there.get(&file.key) != Some(&file.bytes));
        Ok(lost.map(|file| file.key.clone()))
    }
}

/// The jobs of the index that are done, in its order, with their markers as listed.
pub(crate) async fn done_jobs<'m>(lake: &dyn Lake, manifest: &'m Manifest) -> Result<Vec<(&'m Job, Entry)>, LakeError> {
    let mut markers = BTreeMap::new();
    let mut entries = lake.list(layout::DONE);
    while let Some(entry) = entries.try_next().await? {
        if let Some(done) = Done::parse(&entry.key) {
            markers.insert((done.name(), done.digest), entry);
        }
    }
    let marker = |job: &'m Job| Some((job, markers.remove(&(job.name(), job.digest.clone()))?));
    Ok(manifest.jobs.iter().filter_map(marker).collect())
}

/// The same markers give the same version; a job that is done, or done anew, another.
pub(crate) fn version(format: Format, done: &[(&Job, Entry)]) -> String {
    let mut digest = Sha256::new();
    for (_, marker) in done {
        digest.update(format!("{} {}\n", marker.key, marker.modified));
    }
    format!("{format}-{}", hex(&digest.finalize()[..8]))
}

/// What tells that one of these jobs was done anew since they were listed, or is being: then some of its objects may be of before. A
/// refresh writes down its answers before the first object, and removes them after its marker: they are looked at first.
pub(crate) async fn changed(lake: &dyn Lake, done: &[(&Job, Entry)]) -> Result<Option<String>, LakeError> {
    let jobs = done.iter().map(|(job, marker)| ((job.name(), job.digest.as_str()), marker));
    let jobs: HashMap<_, _> = jobs.collect();
    let mut answers = lake.list(layout::CHECKPOINTS);
    while let Some(entry) = answers.try_next().await? {
        let job = layout::job_beneath(layout::CHECKPOINTS, &entry.key).zip(layout::settled_digest(&entry.key));
        let job = job.and_then(|(name, digest)| jobs.get(&(name.to_owned(), digest)));
        // Of a refresh that was killed after its marker they are older; and the crawl's own are those that the marker stands for.
        if layout::is_of_refresh(&entry.key) && job.is_some_and(|marker| entry.modified >= marker.modified) {
            return Ok(Some(entry.key));
        }
    }
    let now: HashMap<String, Timestamp> =
        lake.list(layout::DONE).map_ok(|entry| (entry.key, entry.modified)).try_collect().await?;
    let gone = done.iter().find(|(_, marker)| now.get(&marker.key) != Some(&marker.modified));
    Ok(gone.map(|(_, marker)| marker.key.clone()))
}

/// The keys of these jobs' objects, by kind, in the jobs' order.
async fn objects(lake: &dyn Lake, jobs: &[(&Job, Entry)]) -> Result<BTreeMap<Kind, Vec<String>>, CompactError> {
    let marker = async |key: &str| match Marker::read(lake, key).await? {
        Some(marker) => Ok(marker),
        None => Err(CompactError::Gone { uri: lake.uri(), key: key.to_owned() }),
    };
    let markers: Vec<_> = jobs.iter().map(|(_, entry)| marker(&entry.key)).collect();
    let mut markers = stream::iter(markers).buffered(WIDTH);
    let mut objects = BTreeMap::<Kind, Vec<String>>::new();
    while let Some(marker) = markers.try_next().await? {
        for key in marker.objects {
            if let Some(kind) = layout::kind_of(&key) {
                objects.entry(kind).or_default().push(key);
            }
        }
    }
    Ok(objects)
}

/// Merges a year's objects of one kind into files.
async fn merge(
    lake: &dyn Lake,
    kind: Kind,
    year: Option<u16>,
    keys: &[String],
    compacted: &mut Compacted,
) -> Result<(), CompactError> {
    let reads: Vec<_> = keys.iter().map(|key| read_object(lake, key)).collect();
    let mut texts = stream::iter(reads).buffered(WIDTH);
    let (mut part, mut rows, mut number): (Option<Box<dyn Part>>, u64, u32) = (None, 0, 0);
    let format = compacted.format;
    let version = compacted.version.clone();
    let key = |number| layout::compact_part(&version, kind, year, number, format.extension());
    let unwritable = |number| {
        let (uri, key) = (lake.uri(), key(number));
        move |source| CompactError::Unwritable { uri, key, source }
    };
    while let Some((_, key_of_job, text)) = texts.try_next().await? {
        let text = text.ok_or_else(|| CompactError::Gone { uri: lake.uri(), key: key_of_job.to_owned() })?;
        let open = match &mut part {
            Some(open) => open,
            None => part.insert(format.part(kind).map_err(unwritable(number))?),
        };
        for line in text.lines() {
            open.add(line).map_err(unwritable(number))?;
            rows += 1;
        }
        if open.bytes() >= PART
            && let Some(full) = part.take()
        {
            let bytes = full.finish().map_err(unwritable(number))?;
            compacted.files.push(put(lake, key(number), kind, rows, bytes).await?);
            (rows, number) = (0, number + 1);
        }
    }
    if let Some(last) = part {
        let bytes = last.finish().map_err(unwritable(number))?;
        compacted.files.push(put(lake, key(number), kind, rows, bytes).await?);
    }
    Ok(())
}

async fn put(lake: &dyn Lake, key: String, kind: Kind, rows: u64, bytes: Vec<u8>) -> Result<File, LakeError> {
    let file = File { kind, rows, bytes: bytes.len() as u64, key };
    lake.put(&file.key, Bytes::from(bytes), PutMode::Overwrite).await?;
    Ok(file)
}

async fn write(lake: &dyn Lake, key: &str, value: &impl Serialize) -> Result<(), CompactError> {
    let unwritable = |error: serde_json::Error| CompactError::Unwritable {
        uri: lake.uri(),
        key: key.to_owned(),
        source: error.into(),
    };
    let bytes = serde_json::to_vec_pretty(value).map_err(unwritable)?;
    lake.put(key, Bytes::from(bytes), PutMode::Overwrite).await?;
    Ok(())
}

/// The version that `compact/current.json` names; none if there is no such object, or it names none.
pub(crate) async fn current(lake: &dyn Lake) -> Result<Option<String>, LakeError> {
    let bytes = lake.get(layout::COMPACT_CURRENT).await?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice::<Current>(&bytes).ok()).map(|current| current.version))
}

/// Makes a whole version the current one. Of the others only the one before stays, and of its own folder only what is of it.
async fn publish(lake: &dyn Lake, compacted: &Compacted) -> Result<(), CompactError> {
    let before = current(lake).await?;
    let is_new = before.as_ref() != Some(&compacted.version);
    if is_new {
        write(lake, layout::COMPACT_CURRENT, &Current { version: compacted.version.clone() }).await?;
    }
    let folder = layout::compact_folder(&compacted.version);
    let before = before.map(|version| layout::compact_folder(&version));
    let mut entries = lake.list(layout::COMPACT);
    while let Some(entry) = entries.try_next().await? {
        let stays = if entry.key.starts_with(&folder) {
            compacted.has(&entry.key)
        } else {
            !is_new || before.as_ref().is_some_and(|before| entry.key.starts_with(before))
        };
        if !stays && entry.key != layout::COMPACT_CURRENT {
            lake.delete(&entry.key).await?;
        }
    }
    Ok(())
}
