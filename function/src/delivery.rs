//! One message: what it says is done, and what becomes of it is decided. Knows no SQS call.

use std::collections::{HashMap, HashSet};

use crawler_core::{
    CrawlError, Crawler, Job, Lake, Marker, Order,
    crawl::{MOST_IDLE, Refresh, done_of_partition},
    imdb::{Manifest, ManifestError},
    tmdb::{MOST_CONNECTIONS, TmdbError},
    with_causes,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::Instant;

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All its jobs are done; it is deleted.
    Done,
    /// Not done, for want of time or as TMDb asks to wait: it comes again after so many seconds.
    Again { seconds: i32, reason: String },
    /// The lake failed: it comes again after a rest, a longer one with each delivery, as deliveries must outlast an outage.
    Unkept { reason: String },
    /// TMDb fails for all messages alike: it comes again, and the fleet may have to pause. `certain` if asking again cannot help.
    Spoiled { reason: String, certain: bool },
    /// It can never be done: it goes to the dead letters.
    Dead { reason: String },
}

/// Does what a message's body says.
pub async fn deliver(crawler: &Crawler, lake: &dyn Lake, body: &str, deadline: Instant) -> Verdict {
    let work = match Order::parse(body) {
        Ok(order) => work(lake, order).await,
        Err(bad) => Err(Verdict::Dead { reason: bad.to_string() }),
    };
    let Work { dataset, jobs, refresh } = match work {
        Ok(work) => work,
        Err(verdict) => return verdict,
    };
    let width = side_by_side(&jobs);
    let (crawler, dataset, refresh) = (&judging(crawler, deadline), &dataset, &refresh);
    let runs = jobs.iter().map(async |job| {
        if Instant::now() >= deadline {
            return Verdict::Again { seconds: 0, reason: format!("out of time before {}", job.name()) };
        }
        let result = match refresh {
            None => crawler.run(job, dataset, deadline).await,
            Some(refresh) => crawler.refresh(job, dataset, refresh, deadline).await,
        };
        log(job, &result);
        result.map_or_else(judge, |_| Verdict::Done)
    });
    let runs: Vec<_> = runs.collect();
    // A job that can never be done does not hold up those that share its message.
    let verdicts: Vec<Verdict> = stream::iter(runs).buffer_unordered(width).collect().await;
    verdicts.into_iter().max_by_key(weight).unwrap_or(Verdict::Done)
}

/// A job that is begun in the second half of a delivery is not judged by it.
fn judging(crawler: &Crawler, deadline: Instant) -> Crawler {
    let now = Instant::now();
    crawler.clone().with_judged_until(now + deadline.saturating_duration_since(now) / 2)
}

/// How many jobs of a message are done at once: small ones share the connections, so that asking never idles; of large ones (a whole
/// partition's) some are whole when the time is over, where side by side none would be.
fn side_by_side(jobs: &[Job]) -> usize {
    let largest = jobs.iter().map(|job| job.titles).max().unwrap_or(1).max(1);
    1 + MOST_CONNECTIONS / largest as usize
}

/// Of the verdicts on a message's jobs the heaviest is the message's.
fn weight(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Done => 0,
        Verdict::Dead { .. } => 1,
        Verdict::Again { .. } | Verdict::Unkept { .. } => 2,
        Verdict::Spoiled { certain, .. } => 3 + u8::from(*certain),
    }
}

/// What an order comes to.
struct Work {
    dataset: String,
    jobs: Vec<Job>,
    refresh: Option<Refresh>,
}

/// The jobs of an order, as the crawl's dataset has them.
async fn work(lake: &dyn Lake, order: Order) -> Result<Work, Verdict> {
    let unreadable = |error: ManifestError| match error {
        ManifestError::Lake(error) => unkept(&error),
        ManifestError::Damaged { .. } | ManifestError::Gone { .. } => Verdict::Dead { reason: with_causes(&error) },
    };
    let (dataset, jobs, refresh) = match order {
        Order::Partition { year, initial } => {
            let manifest = Manifest::current(lake).await.map_err(unreadable)?;
            let (dataset, mut jobs) = partition(lake, manifest, year, &initial)?;
            // A large partition comes many times: what is done is not looked at one by one each time.
            let done = done_of_partition(lake, year, &initial).map_ok(|done| (done.name(), done.digest));
            let done: HashSet<(String, String)> = done.try_collect().await.map_err(|error| unkept(&error))?;
            jobs.retain(|job| !done.contains(&(job.name(), job.digest.clone())));
            return Ok(Work { dataset, jobs, refresh: None });
        }
        Order::Jobs { dataset, jobs } => (dataset, jobs, None),
        Order::Refresh { dataset, jobs, refresh } => (dataset, jobs, Some(refresh)),
    };
    let current = Manifest::current_dataset(lake).await.map_err(unreadable)?;
    if current.as_ref().is_none_or(|current| *current == dataset) {
        return Ok(Work { dataset, jobs, refresh });
    }
    let Some(manifest) = Manifest::current(lake).await.map_err(unreadable)? else {
        return Ok(Work { dataset, jobs, refresh });
    };
    Ok(Work { jobs: as_now(jobs, &manifest), dataset: manifest.dataset, refresh })
}

/// The jobs of these names as a newer index has them: they were sent before it was taken, and what was accepted is done.
fn as_now(jobs: Vec<Job>, manifest: &Manifest) -> Vec<Job> {
    let now: HashMap<String, &Job> = manifest.jobs.iter().map(|job| (job.name(), job)).collect();
    let mut still = Vec::new();
    for name in jobs.iter().map(Job::name) {
        match now.get(&name) {
            Some(job) => still.push((*job).clone()),
            None => tracing::info!(job = name, dataset = manifest.dataset, "a newer index has no such job"),
        }
    }
    still
}

/// The jobs of a partition, as the manifest has them.
fn partition(
    lake: &dyn Lake,
    manifest: Option<Manifest>,
    year: Option<u16>,
    initial: &str,
) -> Result<(String, Vec<Job>), Verdict> {
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
        // It tried nothing: neither the job nor TMDb is to blame.
        CrawlError::AskedToWait { seconds, .. } => {
            Verdict::Again { seconds: i32::try_from(*seconds).unwrap_or(i32::MAX), reason: error.to_string() }
        }
        CrawlError::Tmdb(tmdb) => Verdict::Spoiled {
            reason: tmdb.to_string(),
            certain: matches!(tmdb, TmdbError::Unauthorized { .. } | TmdbError::Setup { .. }),
        },
        CrawlError::Lake(lake) | CrawlError::Index(ManifestError::Lake(lake)) => unkept(lake),
        // The next delivery does the newer index's job in its place.
        CrawlError::Superseded { .. } => Verdict::Again { seconds: 0, reason: error.to_string() },
        CrawlError::NotInIndex { .. } | CrawlError::Index(_) | CrawlError::Damaged { .. } => {
            Verdict::Dead { reason: with_causes(&error) }
        }
    }
}

fn unkept(error: &dyn std::error::Error) -> Verdict {
    Verdict::Unkept { reason: with_causes(error) }
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
        Err(error) => tracing::warn!(job = job.name(), error = with_causes(error), "job not done"),
    }
}
