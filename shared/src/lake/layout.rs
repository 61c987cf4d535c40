//! Every key of the lake, in one place.
//!
//! ```text
//! imdb/current.json, imdb/{dataset}/titles.tsv, imdb/{dataset}/manifest.json
//! tmdb/{movies,reviews,misses,others,failed}/year=2004/AD-000.ndjson.gz
//! tmdb/_checkpoints/year=2004/AD-000.json.gz, AD-000.{digest}.json.gz, AD-000.refresh.{time}.json.gz
//! tmdb/_left_over/year=2004/AD-000.tsv
//! tmdb/_sent/{dataset}/{time}-{number}.json, tmdb/_dead_letters/{time}-{message}.ndjson
//! tmdb/_fleet/paused.json, tmdb/_fleet/renewal.json
//! tmdb/_done/year=2004/AD-000.{digest}.{titles}t-{linked}l-{missed}m-{others}o-{failed}f-{oldest}d.json
//! ```
//!
//! With [`Layout::Objects`] films and reviews stand one an object, at the keys that an older warehouse reads:
//!
//! ```text
//! tmdb/movies/year-2004/initial-AD/tmdb-movie-{id}.json
//! tmdb/reviews/year-2004/initial-AD/tmdb-movie-{id}-review-{review}.json
//! ```
//!
//! What `compact` makes of them, a version a state of the crawl:
//!
//! ```text
//! compact/current.json, compact/{version}/manifest.json
//! compact/{version}/{movies,reviews,misses,others,failed}/year=2004/part-000.{ndjson.gz,parquet}
//! ```
//!
//! A done marker's key carries its counts and the day of its oldest answer, so that a listing of markers tells how far a crawl is and
//! what of it is old, and none needs to be read.

use std::{fmt, str::FromStr};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{
    job::{self, Job},
    partition::{parse_year_folder, year_folder},
};

/// Which dataset is the crawl's, until a newer one is taken.
pub const CURRENT: &str = "imdb/current.json";
/// Beneath it stands a marker for each job that is done.
pub const DONE: &str = "tmdb/_done/";
/// Beneath it stand the films of jobs that are not done.
pub const CHECKPOINTS: &str = "tmdb/_checkpoints/";
/// Beneath it stands for a job what goes when it is done: films that an earlier index had elsewhere.
pub const LEFT_OVER: &str = "tmdb/_left_over/";
/// Beneath it stands what SQS accepted, an object or more a launch.
pub const SENT: &str = "tmdb/_sent/";
/// Beneath it stand dead letters that were saved before their queue went.
pub const DEAD_LETTERS: &str = "tmdb/_dead_letters/";
/// Beneath it stand the few large files that the jobs' objects are merged into.
pub const COMPACT: &str = "compact/";
/// Which version of them is to be read.
pub const COMPACT_CURRENT: &str = "compact/current.json";
/// Why the fleet stands still; gone when it goes on.
pub const PAUSED: &str = "tmdb/_fleet/paused.json";
/// When the refresh began that a download has under way; gone at its end.
pub const RENEWAL: &str = "tmdb/_fleet/renewal.json";

/// The titles of a dataset: a header line, then `tconst`, `startYear` and `initial`, split by tabs, sorted by partition.
pub fn titles(dataset: &str) -> String {
    format!("imdb/{dataset}/titles.tsv")
}

/// The jobs of a dataset, and where it came from.
pub fn manifest(dataset: &str) -> String {
    format!("imdb/{dataset}/manifest.json")
}

/// What a line of an object tells about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// TMDb's films.
    Movies,
    /// Reviews of them.
    Reviews,
    /// IMDb ids that TMDb does not know.
    Misses,
    /// IMDb ids that are a series, an episode, a season or a person at TMDb.
    Others,
    /// IMDb ids that TMDb gave no usable answer for.
    Failed,
}

impl Kind {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 5] = [Self::Movies, Self::Reviews, Self::Misses, Self::Others, Self::Failed];

    /// The name of its folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Movies => "movies",
            Self::Reviews => "reviews",
            Self::Misses => "misses",
            Self::Others => "others",
            Self::Failed => "failed",
        }
    }
}

/// How films and reviews are laid out; as written in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One object a job and kind, gzipped, a line a record.
    #[default]
    Ndjson,
    /// One object a film and one a review.
    Objects,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ndjson => "ndjson",
            Self::Objects => "objects",
        })
    }
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ndjson" => Ok(Self::Ndjson),
            "objects" => Ok(Self::Objects),
            _ => Err(format!("{text:?} is no layout of the lake; write ndjson or objects")),
        }
    }
}

/// Beneath it stand all records of one kind.
pub fn folder(kind: Kind) -> String {
    format!("tmdb/{}/", kind.folder())
}

/// The object of a job that holds the records of one kind, as gzipped NDJSON.
pub fn records(kind: Kind, job: &Job) -> String {
    format!("{}{}.ndjson.gz", folder(kind), job.name())
}

/// With [`Layout::Objects`], the object of one record. `name` is what tells it from others: `{id}`, `{id}-review-{review}`.
pub fn object(kind: Kind, job: &Job, name: &str) -> String {
    format!("{}tmdb-movie-{name}.json", objects_like(kind, job))
}

/// With [`Layout::Objects`], what the keys of a job's objects of one kind, and of its partition's other jobs, begin with.
pub fn objects_like(kind: Kind, job: &Job) -> String {
    let year = job.year.map_or("none".to_owned(), |year| year.to_string());
    format!("{}year-{year}/initial-{}/", folder(kind), job.initial)
}

/// Whether TMDb's id of a review may stand in a key; where it may not, the review's place does.
pub fn may_name(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What the records at `key` tell about; none if there are none.
pub fn kind_of(key: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| key.starts_with(&folder(*kind)))
}

/// Whether a crawl itself would write records at this key: whatever else stands beneath its folders is somebody's own.
pub fn is_of_a_crawl(key: &str) -> bool {
    let beneath = Kind::ALL.iter().find_map(|kind| key.strip_prefix(&folder(*kind)));
    let is_job = |name: &str| {
        let part = name.rsplit_once('-').map_or("", |(_, part)| part);
        part.len() >= 3 && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    match beneath.unwrap_or_default().split('/').collect::<Vec<_>>()[..] {
        [year, file] => parse_year_folder(year).is_some() && file.strip_suffix(".ndjson.gz").is_some_and(is_job),
        [year, initial, file] => {
            year.starts_with("year-")
                && initial.starts_with("initial-")
                && file.starts_with("tmdb-movie-")
                && file.ends_with(".json")
        }
        _ => false,
    }
}

/// The name of the job whose object stands at `key` beneath `folder`; none if that is no single job's.
pub fn job_beneath<'k>(folder: &str, key: &'k str) -> Option<&'k str> {
    // A job's name has no dot in it; what follows the first one is ours to choose.
    let name = key.strip_prefix(folder)?.split('.').next()?;
    name.starts_with("year=").then_some(name)
}

/// The name of the job whose records stand at `key`; none if they are no single job's.
pub fn job_of(key: &str) -> Option<&str> {
    Kind::ALL.iter().find_map(|kind| job_beneath(&folder(*kind), key))
}

/// A version of the large files.
pub fn compact_folder(version: &str) -> String {
    format!("{COMPACT}{version}/")
}

/// What a version holds; the last of its objects to be written.
pub fn compact_manifest(version: &str) -> String {
    format!("{COMPACT}{version}/manifest.json")
}

/// The folder of a version that holds the records of one kind and year.
pub fn compact_records(version: &str, kind: Kind, year: Option<u16>) -> String {
    format!("{COMPACT}{version}/{}/{}", kind.folder(), year_folder(year))
}

/// One large file: such records, or a part of them.
pub fn compact_part(version: &str, kind: Kind, year: Option<u16>, number: u32, extension: &str) -> String {
    format!("{}/part-{number:03}.{extension}", compact_records(version, kind, year))
}

/// Whole films of a job that is not done yet; those of a refresh by its name, as both may be under way.
pub fn checkpoint(job: &Job, refresh: Option<&str>) -> String {
    match refresh {
        None => format!("{CHECKPOINTS}{}.json.gz", job.name()),
        Some(name) => format!("{}{name}.json.gz", refresh_checkpoints(job)),
    }
}

/// What the keys of all that is kept of a job until its marker stands begin with.
pub fn checkpoints_of(job: &Job) -> String {
    format!("{CHECKPOINTS}{}.", job.name())
}

/// What the keys of all such films of a job's refreshes begin with.
pub fn refresh_checkpoints(job: &Job) -> String {
    format!("{}refresh.", checkpoints_of(job))
}

/// The answers that a job ends with, until its marker stands; those of a refresh by its name.
pub fn settled(job: &Job, refresh: Option<&str>) -> String {
    format!(
        "{CHECKPOINTS}{}.{}{}.json.gz",
        job.name(),
        job.digest,
        refresh.map_or(String::new(), |name| format!("-{name}"))
    )
}

/// The digest of the job whose such answers stand at `key`; none for a checkpoint's key.
pub fn settled_digest(key: &str) -> Option<&str> {
    match key.strip_prefix(CHECKPOINTS)?.split('.').collect::<Vec<_>>()[..] {
        [_, digest, "json", "gz"] => digest.split('-').next(),
        _ => None,
    }
}

/// Whether what stands at `key` beneath [`CHECKPOINTS`] is a refresh's.
pub fn is_of_refresh(key: &str) -> bool {
    key.split('.').nth(1).is_some_and(|what| what == "refresh" || what.contains('-'))
}

/// What goes when a job is done.
pub fn left_over(job: &Job) -> String {
    format!("{LEFT_OVER}{}.tsv", job.name())
}

/// What every marker of a job begins with, whatever its titles are.
pub fn done_prefix(job: &Job) -> String {
    format!("{DONE}{}.", job.name())
}

/// What every marker of a partition begins with.
pub fn done_of_partition(year: Option<u16>, initial: &str) -> String {
    format!("{DONE}{}/{initial}-", year_folder(year))
}

/// What a marker's key tells: which job, of which titles, with which counts, how old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The year; none for films without one.
    pub year: Option<u16>,
    /// The initial.
    pub initial: String,
    /// The part of the partition.
    pub part: u32,
    /// The digest of the job's titles.
    pub digest: String,
    /// Titles in the job.
    pub titles: u32,
    /// Titles that lead to a film at TMDb.
    pub linked: u32,
    /// Titles that TMDb does not know.
    pub missed: u32,
    /// Titles that are something else at TMDb.
    pub others: u32,
    /// Titles without a usable answer.
    pub failed: u32,
    /// The day of the oldest answer; none in markers of an earlier version.
    pub oldest: Option<Date>,
}

impl Done {
    /// Whether this is the marker of `job`, titles and all.
    pub fn is_of(&self, job: &Job) -> bool {
        self.digest == job.digest && self.name() == job.name()
    }

    /// The job's name.
    pub fn name(&self) -> String {
        job::name(self.year, &self.initial, self.part)
    }

    /// The marker's key.
    pub fn key(&self) -> String {
        let Self { digest, titles, linked, missed, others, failed, .. } = self;
        let name = self.name();
        let oldest = self.oldest.map_or(String::new(), |day| format!("-{}d", day.strftime("%Y%m%d")));
        format!("{DONE}{name}.{digest}.{titles}t-{linked}l-{missed}m-{others}o-{failed}f{oldest}.json")
    }

    /// Reads a marker's key; none if it is no such key.
    pub fn parse(key: &str) -> Option<Self> {
        let (folder, file) = key.strip_prefix(DONE)?.split_once('/')?;
        let [name, digest, counts, "json"] = file.split('.').collect::<Vec<_>>()[..] else {
            return None;
        };
        let (initial, part) = name.rsplit_once('-')?;
        let mut counts = counts.split('-');
        let mut next = |unit: char| counts.next()?.strip_suffix(unit)?.parse::<u32>().ok();
        Some(Self {
            year: parse_year_folder(folder)?,
            initial: initial.to_owned(),
            part: part.parse().ok()?,
            digest: digest.to_owned(),
            titles: next('t')?,
            linked: next('l')?,
            missed: next('m')?,
            others: next('o')?,
            failed: next('f')?,
            oldest: next('d').and_then(|day| Date::strptime("%Y%m%d", day.to_string()).ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_s_key_is_read_as_written() {
        for year in [Some(2004), None] {
            let done = Done {
                year,
                initial: "A_".into(),
                part: 12,
                digest: "0123456789abcdef".into(),
                titles: 250,
                linked: 230,
                missed: 12,
                others: 7,
                failed: 1,
                oldest: year.map(|_| "2026-11-05".parse().unwrap()),
            };
            assert_eq!(Done::parse(&done.key()), Some(done));
        }
        for other in ["tmdb/_done/year=2004/AD-000.json", "tmdb/_done/x", "imdb/current.json"] {
            assert_eq!(Done::parse(other), None, "{other}");
        }
    }
}
