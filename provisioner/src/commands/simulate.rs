//! `provision simulate`: sends the message of one year and initial.

use crawler_core::Order;
use crawler_core::imdb::{Manifest, Selection};
use serde_json::json;

use super::crawl::{Crawl, key_is_stored};
use super::{Opened, Run, titles};
use crate::cli;
use crate::error::Failure;
use crate::fleet::FleetError;
use crate::interrupt;

pub(super) async fn run(run: &Run, flags: &cli::Simulate) -> Result<(), Failure> {
    let (year, initial) = partition(&flags.year, &flags.initial)?;
    titles::check(run, &cli::Selection::default(), &flags.titles)?;
    let opened = Opened::open(run).await?;
    let stack = opened.stack(run)?;
    let crawl = Crawl::open(&stack, &opened.aws.config)?;
    let config = Some(&opened.aws.config);
    let asked = format!("year {}, initial {initial}", flags.year);
    let selects = |manifest: &Manifest| match manifest.jobs_of_partition(year, &initial).next() {
        Some(_) => Ok(()),
        None => Err(FleetError::NothingSelected { asked: asked.clone() }.into()),
    };
    let job_titles = crawl.job_titles()?;
    let manifest = titles::manifest(run, &flags.titles, &crawl.fleet.lake, config, job_titles, &selects).await?;
    selects(&manifest)?;
    let titles: Vec<u32> = manifest.jobs_of_partition(year, &initial).map(|job| job.titles).collect();
    let jobs = titles.len();
    has_deliveries_for(&crawl, titles.iter().sum(), &flags.year, &initial)?;
    key_is_stored(run, &opened.aws.config).await?;
    let body = Order::Partition { year, initial }.to_body();
    let send = async { crawl.fleet.jobs.send(&body).await.map_err(FleetError::from) };
    interrupt::until(&run.interrupt, send).await?;
    run.ui.result(
        || format!("Sent {body}: {jobs} jobs; see how far it is with `provision status`."),
        &json!({"sent": body, "jobs": jobs}),
    )
}

/// Refuses titles that one message could not do before it is a dead letter: a delivery does about as many as a job may have.
fn has_deliveries_for(crawl: &Crawl, titles: u32, year: &str, initial: &str) -> Result<(), Failure> {
    let takes = titles.div_ceil(crawl.job_titles()?);
    let Some(most) = crawl.deliveries.filter(|most| takes > *most) else {
        return Ok(());
    };
    let timeout = crawl.timeout.as_secs();
    let what = format!("one message would take {takes} deliveries of {timeout} s, and is a dead letter after {most}");
    let help = format!(
        "send the jobs one by one: provision launch --years {year} --initials {initial}; or raise FunctionTimeout or MaxReceiveCount, then provision up"
    );
    Err(Failure::usage(what, format!("year {year}, initial {initial}")).help(help))
}

/// One year (or none) and one initial.
///
/// # Errors
/// Texts that are none.
pub(super) fn partition(year: &str, initial: &str) -> Result<(Option<u16>, String), Failure> {
    let year = match year {
        "none" => None,
        digits => Some(digits.parse::<u16>().map_err(|_| {
            Failure::usage(format!("{digits:?} is no year"), "--year")
                .help("write a year, or none for films without one")
        })?),
    };
    let initials = Selection::parse_initials(initial)
        .map_err(|error| Failure::usage(error.to_string(), "--initial").help("write two letters or digits: TH, A_"))?;
    match <[String; 1]>::try_from(initials) {
        Ok([initial]) => Ok((year, initial)),
        Err(_) => Err(Failure::usage("one initial is wanted", format!("--initial {initial}"))
            .help("for several: provision launch --initials TH,A_, or provision download --all --initials TH,A_")),
    }
}
