//! Proves a lake: every title of the index is in exactly one place, every object is readable and named by its job's marker, and the
//! large files of `compact` hold the records of the jobs that were merged, each once.
//!
//! Reads the lake itself, not counters, and changes nothing. Holds the records of a few jobs at a time and one number for each object,
//! whatever the lake's size. Does not ask TMDb: what is missing there is no fault of the lake.

mod compacted;
mod job;
mod report;

use std::collections::{HashMap, HashSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::civil::Date;

pub use self::report::{Age, Counts, Fault, LargeFiles, Partition, Problem, Report, Reviews};
use crate::{
    CrawlError, Job, Lake, Marker, compact,
    crawl::{done, markers_of},
    imdb::{ImdbId, Manifest, ManifestError},
    lake::{LakeError, layout, layout::Done, layout::Kind},
};

/// Jobs that are read at once.
const WIDTH: usize = 16;

/// A lake could not be judged; what is wrong in it is no error but a [`Problem`].
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no index, so nobody knows what should be there.
    #[error(
        "{uri} has no index of titles, so nothing says what should be in it; make one with `provision launch` or `provision download`"
    )]
    NoIndex {
        /// Where the lake is.
        uri: String,
    },
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The index could not be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Reads the whole lake. Records fetched before `before` are counted as old. `progress` learns how many jobs of how many are read.
pub async fn verify(lake: &dyn Lake, before: Date, progress: impl Fn(usize, usize)) -> Result<Report, VerifyError> {
    let manifest = Manifest::current(lake).await?.ok_or_else(|| VerifyError::NoIndex { uri: lake.uri() })?;
    let markers = markers(lake).await?;
    let done = compact::done_jobs(lake, &manifest).await?;
    let mut records = compacted::Records::default();
    let mut report = Report::new(&manifest);
    let earlier = earlier(lake, &manifest, &markers, &mut report).await?;
    let mut named = HashSet::new();
    let none = Vec::new();
    let mut checked = stream::iter(&manifest.jobs)
        .map(|job| {
            let markers = markers.get(&job.name()).unwrap_or(&none);
            let checked = job::check(lake, &manifest.dataset, job, markers, &earlier.titles, before);
            async move { checked.await.map(|checked| (job, checked)) }
        })
        .buffered(WIDTH);
    let mut read = 0;
    while let Some((job, checked)) = checked.try_next().await? {
        read += 1;
        progress(read, manifest.jobs.len());
        named.extend(checked.objects.iter().map(|key| number(key)));
        records.add(job, &checked);
        report.add(job, checked);
    }
    if report.counts.titles != manifest.titles {
        let which = format!(
            "{} ({} titles, its jobs have {})",
            layout::manifest(&manifest.dataset),
            manifest.titles,
            report.counts.titles
        );
        report.problem(Problem::new(Fault::Titles, which));
    }
    strangers(lake, &manifest, &markers, &named, &earlier.objects, &mut report).await?;
    compacted::check(lake, &done, &records, &mut report).await?;
    Ok(report)
}

/// All markers, as their keys tell, by job.
async fn markers(lake: &dyn Lake) -> Result<HashMap<String, Vec<Done>>, LakeError> {
    let mut markers = HashMap::<String, Vec<Done>>::new();
    let mut all = Box::pin(done(lake));
    while let Some(done) = all.try_next().await? {
        markers.entry(done.name()).or_default().push(done);
    }
    Ok(markers)
}

/// What stands in the lake by an earlier index's jobs, which no job of this one has replaced yet.
#[derive(Default)]
struct Earlier {
    /// Its titles, each with its job's name.
    titles: HashMap<ImdbId, String>,
    /// Its objects, as numbers.
    objects: HashSet<u64>,
}

async fn earlier(
    lake: &dyn Lake,
    manifest: &Manifest,
    markers: &HashMap<String, Vec<Done>>,
    report: &mut Report,
) -> Result<Earlier, LakeError> {
    let mut left: HashMap<&String, &Vec<Done>> = markers.iter().collect();
    for job in &manifest.jobs {
        if markers.get(&job.name()).is_some_and(|markers| markers.iter().any(|done| done.is_of(job))) {
            left.remove(&job.name());
        }
    }
    let mut earlier = Earlier::default();
    let reads = left.into_iter().flat_map(|(name, markers)| markers.iter().map(move |done| (name, done.key())));
    let reads = reads.map(async |(name, key)| (name, titles_of(lake, &key).await, key));
    let mut reads = stream::iter(reads).buffer_unordered(WIDTH);
    while let Some((name, ids, key)) = reads.next().await {
        match ids {
            Ok((ids, objects)) => {
                earlier.titles.extend(ids.into_iter().map(|id| (id, name.clone())));
                earlier.objects.extend(objects.iter().map(|key| number(key)));
            }
            Err(CrawlError::Lake(error)) => return Err(error),
            Err(_) => report.problem(Problem::new(Fault::Unreadable, key)),
        }
    }
    Ok(earlier)
}

/// The titles and the objects of a marker.
async fn titles_of(lake: &dyn Lake, key: &str) -> Result<(HashSet<ImdbId>, Vec<String>), CrawlError> {
    match Marker::read(lake, key).await? {
        Some(marker) => Ok((marker.titles_in_lake(lake).await?, marker.objects)),
        None => Ok(Default::default()),
    }
}

/// What stands in the lake and is named by no marker of the index's jobs.
///
/// A job that is not done may have written already, and an earlier index's jobs stay until those of the new one are done: both only wait.
async fn strangers(
    lake: &dyn Lake,
    manifest: &Manifest,
    markers: &HashMap<String, Vec<Done>>,
    named: &HashSet<u64>,
    earlier: &HashSet<u64>,
    report: &mut Report,
) -> Result<(), LakeError> {
    let jobs: HashMap<String, &Job> = manifest.jobs.iter().map(|job| (job.name(), job)).collect();
    let is_done =
        |job: &Job| markers.get(&job.name()).is_some_and(|markers| markers.iter().any(|done| done.is_of(job)));
    let complete = report.jobs_done == report.jobs;
    let mut ending: Option<Vec<&Job>> = None;
    for kind in Kind::ALL {
        let folder = layout::folder(kind);
        let open = manifest.jobs.iter().filter(|job| !is_done(job));
        let open: HashSet<String> = open.map(|job| layout::objects_like(kind, job)).collect();
        let mut entries = lake.list(&folder);
        while let Some(entry) = entries.try_next().await? {
            if named.contains(&number(&entry.key)) {
                continue;
            }
            let job = layout::job_beneath(&folder, &entry.key).and_then(|name| jobs.get(name));
            // What no reader of the lake takes for records may stand there.
            if !layout::is_of_a_crawl(&entry.key) && !entry.key.ends_with(".ndjson.gz") {
                continue;
            }
            let fault = match job {
                Some(job) if !is_done(job) => {
                    report.unfinished_objects += 1;
                    continue;
                }
                // A refresh may have ended since the markers were listed.
                Some(job) if markers_now(lake, job).await?.iter().any(|marker| marker.objects.contains(&entry.key)) => {
                    continue;
                }
                None if open.contains(folder_of(&entry.key)) => {
                    report.unfinished_objects += 1;
                    continue;
                }
                // A film that a newer index has elsewhere stays at its own key until it is done there.
                None if !complete && (earlier.contains(&number(&entry.key)) || is_one_record(&folder, &entry.key)) => {
                    report.left_over_objects += 1;
                    continue;
                }
                Some(_) => Fault::Unnamed,
                None if earlier.contains(&number(&entry.key)) => Fault::LeftOver,
                None => Fault::Nobodys,
            };
            if ending.is_none() {
                ending = Some(jobs_that_end(lake, manifest).await?);
            }
            let is_of = |job: &&Job| {
                entry.key == layout::records(kind, job) || entry.key.starts_with(&layout::objects_like(kind, job))
            };
            match ending.iter().flatten().any(is_of) {
                true => report.problem(Problem::new(Fault::Unnamed, entry.key + job::ENDING)),
                false => report.problem(Problem::new(fault, entry.key)),
            }
        }
    }
    Ok(())
}

/// The jobs of which a refresh has all answers and no marker yet: it may have written what no marker names.
async fn jobs_that_end<'m>(lake: &dyn Lake, manifest: &'m Manifest) -> Result<Vec<&'m Job>, LakeError> {
    let keys: Vec<String> = lake.list(layout::CHECKPOINTS).map_ok(|entry| entry.key).try_collect().await?;
    let names: HashSet<&str> = keys.iter().filter_map(|key| layout::job_beneath(layout::CHECKPOINTS, key)).collect();
    let mut ending = Vec::new();
    for job in manifest.jobs.iter().filter(|job| names.contains(job.name().as_str())) {
        if job::is_ending(lake, job).await? {
            ending.push(job);
        }
    }
    Ok(ending)
}

/// The job's markers as they stand by now, of whatever titles; none where one cannot be read.
async fn markers_now(lake: &dyn Lake, job: &Job) -> Result<Vec<Marker>, LakeError> {
    match markers_of(lake, job).await {
        Err(CrawlError::Lake(error)) => Err(error),
        markers => Ok(markers.unwrap_or_default()),
    }
}

/// Whether a record stands there alone, in the layout of one object each.
fn is_one_record(folder: &str, key: &str) -> bool {
    layout::is_of_a_crawl(key) && layout::job_beneath(folder, key).is_none()
}

/// A key up to its last `/`, with it.
fn folder_of(key: &str) -> &str {
    &key[..key.rfind('/').map_or(0, |at| at + 1)]
}

/// A text as 64 bits: of the ten million keys that a lake may have, two are the same once in 300,000 lakes.
fn number(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
