//! One message: what it says is done, and what becomes of it is decided. Knows no SQS call.

use crawler_core::{
    CrawlError, Crawler, Job, Lake, Marker, Order,
    imdb::{Manifest, ManifestError},
    tmdb::TmdbError,
};
use tokio::time::Instant;

/// Receives in a row without one more film done: then it is the job.
const MOST_IDLE: u32 = 2;

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All its jobs are done; it is deleted.
    Done,
    /// Not done, for want of time or a lake that failed: it comes again after so many seconds.
    Again { seconds: i32, reason: String },
    /// TMDb fails for all messages alike: it comes again, and the fleet may have to pause. `certain` if asking again cannot help.
    Spoiled { reason: String, certain: bool },
    /// It can never be done: it goes to the dead letters.
    Dead { reason: String },
}

/// Does what a message's body says.
pub async fn deliver(crawler: &Crawler, lake: &dyn Lake, body: &str, deadline: Instant) -> Verdict {
    let (dataset, jobs) = match Order::parse(body) {
        Ok(Order::Jobs { dataset, jobs }) => (dataset, jobs),
        Ok(Order::Partition { year, initial }) => match partition(lake, year, &initial).await {
            Ok(found) => found,
            Err(verdict) => return verdict,
        },
        Err(bad) => return Verdict::Dead { reason: bad.to_string() },
    };
    let mut verdict = Verdict::Done;
    for job in &jobs {
        let result = crawler.run(job, &dataset, deadline).await;
        log(job, &result);
        let of_job = result.map_or_else(judge, |_| Verdict::Done);
        let stop = matches!(of_job, Verdict::Again { .. } | Verdict::Spoiled { .. });
        // A job that can never be done does not hold up those that share its message.
        if verdict == Verdict::Done || stop {
            verdict = of_job;
        }
        if stop {
            break;
        }
    }
    verdict
}

/// The jobs of a partition, as the manifest has them.
async fn partition(lake: &dyn Lake, year: Option<u16>, initial: &str) -> Result<(String, Vec<Job>), Verdict> {
    let manifest = Manifest::current(lake).await.map_err(|error| match error {
        ManifestError::Lake(error) => again(&error),
        ManifestError::Damaged { .. } => Verdict::Dead { reason: told(&error) },
    })?;
    let manifest = manifest.ok_or_else(|| Verdict::Dead {
        reason: format!(
            "there is no index of titles in {}; make one with `provision launch`, then `provision redrive`",
            lake.uri()
        ),
    })?;
    let jobs: Vec<Job> = manifest.jobs_of_partition(year, initial).cloned().collect();
    if jobs.is_empty() {
        tracing::warn!(year, initial, dataset = manifest.dataset, "no film of that year and initial in the index");
    }
    Ok((manifest.dataset, jobs))
}

/// What an error of a job means for its message.
fn judge(error: CrawlError) -> Verdict {
    match &error {
        CrawlError::OutOfTime { idle, .. } if *idle >= MOST_IDLE => {
            Verdict::Dead { reason: format!("{error}, but {idle} deliveries in a row got no further") }
        }
        CrawlError::OutOfTime { .. } => Verdict::Again { seconds: 0, reason: error.to_string() },
        CrawlError::Tmdb(tmdb) => Verdict::Spoiled {
            reason: tmdb.to_string(),
            certain: matches!(tmdb, TmdbError::Unauthorized { .. } | TmdbError::Setup { .. }),
        },
        CrawlError::Lake(lake) => again(lake),
        CrawlError::NotInIndex { .. } | CrawlError::Damaged { .. } => Verdict::Dead { reason: told(&error) },
    }
}

fn again(error: &dyn std::error::Error) -> Verdict {
    Verdict::Again { seconds: 30, reason: told(error) }
}

/// An error and its causes, in a line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text = format!("{text}: {next}");
        source = next.source();
    }
    text
}

fn log(job: &Job, result: &Result<Marker, CrawlError>) {
    match result {
        Ok(marker) => tracing::info!(
            job = job.name(),
            titles = marker.titles,
            linked = marker.linked,
            missed = marker.missed,
            others = marker.others,
            failed = marker.failed,
            reviews = marker.reviews,
            requests = marker.requests,
            retries = marker.retries,
            too_many = marker.too_many,
            "job done"
        ),
        Err(error) => tracing::warn!(job = job.name(), error = told(error), "job not done"),
    }
}
