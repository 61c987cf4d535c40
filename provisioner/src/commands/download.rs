//! `provision download`: jobs done in this process, by the very code that the function runs, into a folder or a bucket.

use std::sync::Arc;
use std::time::Instant;

use crawler_core::imdb::Manifest;
use crawler_core::tmdb::{Client, FetchMode, Settings};
use crawler_core::{CrawlError, Crawler, Job, Lake};

use super::{Run, lake, secret, simulate, titles};
use crate::cli;
use crate::error::Failure;
use crate::fleet::FleetError;
use crate::interrupt;
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
    let crawler = crawler(run, Arc::clone(&lake))?;
    let mut whole = Downloaded::new(lake.uri(), jobs.len());
    let busy = run.ui.busy(&format!("0 of {} jobs", jobs.len()));
    for job in jobs {
        whole.add(&one(run, &crawler, job, &manifest.dataset).await?);
        busy.say(&whole.progress());
    }
    drop(busy);
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
    };
    let tmdb = Client::new(settings).map_err(|error| Failure::usage(error.to_string(), "--tmdb-url"))?;
    Ok(Crawler::new(lake, tmdb, FetchMode::default()))
}

/// As the template's parameter TmdbRate is set by provision.toml or `--param`.
fn rate(run: &Run) -> f64 {
    let given = run.settings.parameters(|name| name == "TmdbRate").shift_remove("TmdbRate");
    given.and_then(|rate| rate.parse().ok()).unwrap_or(RATE)
}

/// One job, to its end. An interruption leaves its checkpoint, or nothing; the next run goes on.
async fn one(run: &Run, crawler: &Crawler, job: &Job, dataset: &str) -> Result<crawler_core::Marker, Failure> {
    let never = tokio::time::Instant::now() + std::time::Duration::from_secs(30 * 24 * 3600);
    let done = async { crawler.run(job, dataset, never).await.map_err(|error| failure(&error, job)) };
    interrupt::until(&run.interrupt, done).await
}

fn failure(error: &CrawlError, job: &Job) -> Failure {
    Failure::failed(error.to_string(), job.name()).help("run the same command again: it goes on from here")
}
