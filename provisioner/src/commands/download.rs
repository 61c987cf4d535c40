//! `provision download`: jobs done in this process, by the very code that the function runs, into a folder or a bucket.

mod parameters;
mod renewal;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crawler_core::crawl::{Films, Refresh, changed_films};
use crawler_core::imdb::{Manifest, ManifestError};
use crawler_core::job::most_titles;
use crawler_core::lake::layout::Done;
use crawler_core::tmdb::{Changes, Client, Settings, TmdbError};
use crawler_core::{CrawlError, Crawler, Job, Lake, Marker, Secret, with_causes};
use futures::{StreamExt, TryStreamExt, future, stream};
use jiff::Timestamp;

use self::parameters::Parameters;
use super::crawl::warn_of_rate;
use super::{Run, lake, launch, secret, simulate, titles};
use crate::cli;
use crate::error::Failure;
use crate::fleet::{FleetError, done_with_times};
use crate::interrupt;
use crate::ui::crawl::Downloaded;

/// Jobs whose films are read at once.
const WIDTH: usize = 16;

pub(super) async fn run(run: &Run, flags: &cli::Download) -> Result<(), Failure> {
    let started = Instant::now();
    if !flags.all && (flags.selection.years.is_some() || flags.selection.initials.is_some()) {
        return Err(Failure::usage("--years and --initials choose among all jobs", "--all is missing")
            .help("add --all, or name one job's films: --year 2004 --initial AD"));
    }
    titles::check(run, &flags.selection, &flags.titles)?;
    simulate::partition(&flags.year, &flags.initial)?;
    let parameters = Parameters::read(&run.settings)?;
    warn_of_rate(run, "the", parameters.rate);
    let (lake, config) = lake::at(run, flags.lake()).await?;
    lake.tidy().await.map_err(FleetError::from)?;
    let crawler = crawler(&parameters, Arc::clone(&lake))?;
    let manifest = index(run, flags, &parameters, &lake, config.as_ref()).await?;
    let jobs = jobs(flags, &manifest)?;
    let work = interrupt::until(&run.interrupt, work(run, flags, &parameters, &*lake, &jobs)).await?;
    let mut whole = Downloaded::new(lake.uri(), jobs.len(), work.done);
    all(run, flags, crawler, &manifest.dataset, work.left, &mut whole).await?;
    lake::prune(run, &*lake, &manifest).await?;
    if flags.renew.is_wanted() {
        renewal::ended(&*lake).await.map_err(FleetError::from)?;
    }
    whole.took = started.elapsed();
    run.ui.result(|| whole.text(), &whole)?;
    if let Some(warning) = whole.warning() {
        run.ui.warn(&warning);
    }
    Ok(())
}

/// Does what is left, jobs side by side. Where one fails or the person interrupts, all save what they have.
async fn all(
    run: &Run,
    flags: &cli::Download,
    crawler: Crawler,
    dataset: &str,
    left: Vec<(&Job, Option<Refresh>)>,
    whole: &mut Downloaded,
) -> Result<(), Failure> {
    let stop = run.interrupt.child_token();
    let crawler = crawler.with_stop(stop.clone());
    let busy = run.ui.busy(&whole.progress());
    let mut failure = None;
    let mut markers = stream::iter(left)
        .take_while(|_| future::ready(!stop.is_cancelled()))
        .map(|(job, refresh)| one(&crawler, job, dataset, refresh))
        .buffer_unordered(usize::from(flags.jobs));
    while let Some(marker) = markers.next().await {
        match marker {
            Ok(marker) => whole.add(&marker),
            // The first to fail says why.
            Err(error) => {
                stop.cancel();
                failure.get_or_insert(error);
            }
        }
        busy.say(&whole.progress());
    }
    if run.interrupt.is_cancelled() {
        return Err(Failure::Interrupted);
    }
    failure.map_or(Ok(()), Err)
}

/// The index of titles. Before a new one is read, which takes a while, TMDb is asked whether the key is good.
async fn index(
    run: &Run,
    flags: &cli::Download,
    parameters: &Parameters,
    lake: &Arc<dyn Lake>,
    config: Option<&aws_config::SdkConfig>,
) -> Result<Manifest, Failure> {
    let is_new =
        flags.titles.new_index || Manifest::current_dataset(&**lake).await.map_err(FleetError::from)?.is_none();
    if is_new {
        interrupt::until(&run.interrupt, secret::validity(run)).await?;
    }
    let selects = |manifest: &Manifest| jobs(flags, manifest).map(drop);
    titles::manifest(run, &flags.titles, lake, config, most_titles(parameters.appends()), &selects).await
}

/// Every selected job with `--all`, else those of one year and initial.
fn jobs<'m>(flags: &cli::Download, manifest: &'m Manifest) -> Result<Vec<&'m Job>, Failure> {
    let (jobs, asked): (Vec<_>, _) = if flags.all {
        let selected = titles::selection(&flags.selection)?;
        (manifest.jobs.iter().filter(|job| selected.has(job)).collect(), titles::shown(&flags.selection))
    } else {
        let (year, initial) = simulate::partition(&flags.year, &flags.initial)?;
        let asked = format!("year {}, initial {initial}", flags.year);
        (manifest.jobs.iter().filter(|job| job.year == year && job.initial == initial).collect(), asked)
    };
    if jobs.is_empty() {
        return Err(Failure::usage(
            FleetError::NothingSelected { asked }.to_string(),
            format!("the lake {}", flags.lake()),
        )
        .help(format!(
            "`provision verify --lake {} --json` lists the years and initials that there are",
            flags.lake()
        )));
    }
    Ok(jobs)
}

/// What there is to do.
struct Work<'m> {
    /// Jobs to be done, each with what of it is asked again if it is done.
    left: Vec<(&'m Job, Option<Refresh>)>,
    /// Jobs that are done, and that nothing more is wanted of.
    done: usize,
}

/// The jobs that have no marker yet, or with `--failed` and `--refresh` those that have one and are meant. The markers' keys tell.
async fn work<'m>(
    run: &Run,
    flags: &cli::Download,
    parameters: &Parameters,
    lake: &dyn Lake,
    jobs: &[&'m Job],
) -> Result<Work<'m>, Failure> {
    let done = done_with_times(lake).await?.into_iter();
    let done: HashMap<(String, String), (Done, Timestamp)> =
        done.map(|one| ((one.0.name(), one.0.digest.clone()), one)).collect();
    let marker = |job: &Job| done.get(&(job.name(), job.digest.clone()));
    let are_done = jobs.iter().filter(|job| marker(job).is_some()).count();
    let began = match flags.renew.is_wanted() {
        true => renewal::began(lake, flags).await.map_err(FleetError::from)?,
        false => Timestamp::now(),
    };
    let Some(refresh) = launch::refresh(&flags.renew, began) else {
        let left = jobs.iter().filter(|job| marker(job).is_none()).map(|job| (*job, None)).collect();
        return Ok(Work { left, done: are_done });
    };
    let changes = match flags.renew.refresh {
        Some(cli::Refresh::Changed) => Some(launch::changes(run, parameters.rate).await?),
        _ => None,
    };
    let meant = jobs.iter().filter_map(|job| {
        let (done, _) = marker(job).filter(|(done, finished)| refresh.wants(done, *finished))?;
        Some(renewed(lake, job, done, &refresh, changes.as_ref()))
    });
    let meant: Vec<_> = meant.collect();
    let left: Vec<_> = stream::iter(meant).buffered(WIDTH).try_filter_map(future::ok).try_collect().await?;
    Ok(Work { done: are_done - left.len(), left })
}

/// What of a done job is asked again: of what changed only those films, and nothing where none did.
async fn renewed<'m>(
    lake: &dyn Lake,
    job: &'m Job,
    done: &Done,
    refresh: &Refresh,
    changes: Option<&Changes>,
) -> Result<Option<(&'m Job, Option<Refresh>)>, Failure> {
    let Some(changes) = changes else {
        return Ok(Some((job, Some(refresh.clone()))));
    };
    let films = changed_films(lake, done, changes).await.map_err(FleetError::from)?;
    let refresh = Refresh { before: refresh.before, films: Films::These(films.clone()) };
    Ok((!films.is_empty()).then_some((job, Some(refresh))))
}

fn crawler(parameters: &Parameters, lake: Arc<dyn Lake>) -> Result<Crawler, Failure> {
    let settings = Settings {
        base_url: parameters.tmdb_url.clone(),
        key: key()?,
        requests_per_second: parameters.rate,
        connections: parameters.connections,
        append: parameters.append.clone(),
    };
    let tmdb = Client::new(settings).map_err(|error| {
        Failure::usage(error.to_string(), "--tmdb-url, Append")
            .help("write the address as https://api.themoviedb.org, and Append as credits,external_ids")
    })?;
    Ok(Crawler::new(lake, tmdb, parameters.fetch).with_layout(parameters.layout))
}

fn key() -> Result<Secret, Failure> {
    secret::from_environment().ok_or_else(|| {
        Failure::usage("no TMDb key is given", "TMDB_API_KEY")
            .help("set it: read -rs TMDB_API_KEY; export TMDB_API_KEY")
    })
}

/// One job, to its end, or until it is stopped: then its whole films are saved, and the next run goes on.
async fn one(crawler: &Crawler, job: &Job, dataset: &str, refresh: Option<Refresh>) -> Result<Marker, Failure> {
    let never = tokio::time::Instant::now() + Duration::from_secs(30 * 24 * 3600);
    let done = match refresh {
        None => crawler.run(job, dataset, never).await,
        Some(refresh) => crawler.refresh(job, dataset, &refresh, never).await,
    };
    done.map_err(|error| failure(error, job))
}

fn failure(error: CrawlError, job: &Job) -> Failure {
    match error {
        CrawlError::Lake(error) | CrawlError::Index(ManifestError::Lake(error)) => error.into(),
        CrawlError::Tmdb(error @ TmdbError::Unauthorized { .. }) => secret::told(&error, secret::VARIABLE),
        error => {
            Failure::failed(with_causes(&error), job.name()).help("run the same command again: it goes on from here")
        }
    }
}

#[cfg(test)]
mod tests {
    use crawler_core::lake::LakeError;

    use super::*;

    #[test]
    fn a_refused_key_is_the_one_that_download_was_given_and_a_closed_lake_is_a_permission() {
        let job = Job {
            year: Some(2004),
            initial: "AD".into(),
            part: 0,
            offset: 0,
            length: 1,
            titles: 1,
            digest: "0".repeat(16),
        };
        let refused = TmdbError::Unauthorized { status: 401, message: "no".into() };
        let told = failure(CrawlError::Tmdb(refused), &job).to_string();
        assert!(told.contains("set TMDB_API_KEY") && !told.contains("secret set"), "{told}");
        let (uri, key, source) = ("s3://lake".to_owned(), "k".to_owned(), "no".into());
        let closed = LakeError { operation: "write", uri, key, hint: "", denied: true, is_no_lake: false, source };
        assert_eq!(failure(CrawlError::Lake(closed), &job).told().code, crate::exit::DENIED);
    }
}
