//! `provision download`: jobs done in this process, by the very code that the function runs, into a folder or a bucket.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crawler_core::crawl::done;
use crawler_core::imdb::Manifest;
use crawler_core::tmdb::{Client, Settings};
use crawler_core::{CrawlError, Crawler, Job, Lake, Marker};
use futures::{StreamExt, TryStreamExt, future, stream};

use super::{Run, lake, secret, simulate, titles};
use crate::cli;
use crate::error::Failure;
use crate::fleet::FleetError;
use crate::ui::crawl::Downloaded;

/// Requests a second to TMDb, where nothing says another rate.
const RATE: f64 = 35.0;
/// Connections to TMDb.
const CONNECTIONS: usize = 10;
/// Titles a job: small enough that an interruption costs little.
const JOB_TITLES: u32 = 1_000;

pub(super) async fn run(run: &Run, flags: &cli::Download) -> Result<(), Failure> {
    let started = Instant::now();
    let (lake, config) = lake::at(run, &flags.lake).await?;
    let manifest = titles::manifest(run, &flags.titles, &lake, config.as_ref(), JOB_TITLES).await?;
    let jobs = jobs(flags, &manifest)?;
    let stop = run.interrupt.child_token();
    let crawler = crawler(run, Arc::clone(&lake))?.with_stop(stop.clone());
    let left = not_done(&*lake, &jobs).await?;
    let mut whole = Downloaded::new(lake.uri(), jobs.len(), jobs.len() - left.len());
    let busy = run.ui.busy(&whole.progress());
    let mut failure = None;
    let mut markers = stream::iter(left)
        .take_while(|_| future::ready(!stop.is_cancelled()))
        .map(|job| one(&crawler, job, &manifest.dataset))
        .buffer_unordered(usize::from(flags.jobs.get()));
    while let Some(marker) = markers.next().await {
        match marker {
            Ok(marker) => whole.add(&marker),
            // The others save what they have, and the first to fail says why.
            Err(error) => {
                stop.cancel();
                failure.get_or_insert(error);
            }
        }
        busy.say(&whole.progress());
    }
    drop(busy);
    if run.interrupt.is_cancelled() {
        return Err(Failure::Interrupted);
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    lake::prune(run, &*lake, &manifest).await?;
    whole.took = started.elapsed();
    run.ui.result(|| whole.text(), &whole)
}

/// Every selected job with `--all`, else those of one year and initial.
fn jobs<'m>(flags: &cli::Download, manifest: &'m Manifest) -> Result<Vec<&'m Job>, Failure> {
    let (jobs, asked): (Vec<_>, _) = if flags.all {
        let selection = titles::selection(&flags.selection)?;
        (manifest.jobs.iter().filter(|job| selection.has(job)).collect(), titles::shown(&flags.selection))
    } else {
        let (year, initial) = simulate::partition(&flags.year, &flags.initial)?;
        let asked = format!("year {}, initial {initial}", flags.year);
        (manifest.jobs.iter().filter(|job| job.year == year && job.initial == initial).collect(), asked)
    };
    if jobs.is_empty() { Err(FleetError::NothingSelected { asked }.into()) } else { Ok(jobs) }
}

/// Those that have no marker yet; the markers' keys tell.
async fn not_done<'m>(lake: &dyn Lake, jobs: &[&'m Job]) -> Result<Vec<&'m Job>, Failure> {
    let done: HashSet<(String, String)> =
        done(lake).map_ok(|done| (done.name(), done.digest)).try_collect().await.map_err(FleetError::from)?;
    Ok(jobs.iter().copied().filter(|job| !done.contains(&(job.name(), job.digest.clone()))).collect())
}

fn crawler(run: &Run, lake: Arc<dyn Lake>) -> Result<Crawler, Failure> {
    let key = secret::from_environment().ok_or_else(|| {
        Failure::usage("no TMDb key is given", "TMDB_API_KEY")
            .help("set it: read -rs TMDB_API_KEY; export TMDB_API_KEY")
    })?;
    let settings = Settings {
        base_url: run.settings.tmdb_url.clone(),
        key,
        requests_per_second: rate(run),
        connections: CONNECTIONS,
        append: run.settings.append.clone(),
    };
    let tmdb = Client::new(settings).map_err(|error| Failure::usage(error.to_string(), "--tmdb-url"))?;
    Ok(Crawler::new(lake, tmdb, run.settings.fetch).with_layout(run.settings.layout))
}

/// As the template's parameter TmdbRate is set by provision.toml or `--param`.
fn rate(run: &Run) -> f64 {
    let given = run.settings.parameters(|name| name == "TmdbRate").shift_remove("TmdbRate");
    given.and_then(|rate| rate.parse().ok()).unwrap_or(RATE)
}

/// One job, to its end, or until it is stopped: then its whole films are saved, and the next run goes on.
async fn one(crawler: &Crawler, job: &Job, dataset: &str) -> Result<Marker, Failure> {
    let never = tokio::time::Instant::now() + Duration::from_secs(30 * 24 * 3600);
    crawler.run(job, dataset, never).await.map_err(|error| failure(&error, job))
}

fn failure(error: &CrawlError, job: &Job) -> Failure {
    Failure::failed(error.to_string(), job.name()).help("run the same command again: it goes on from here")
}
