//! The index of titles that `launch`, `simulate`, `download` and `run` stand on: the pinned one, or one made from the source.

use std::path::PathBuf;
use std::sync::Arc;

use aws_config::SdkConfig;
use crawler_core::Lake;
use crawler_core::imdb::{IndexOptions, Manifest, Selection, Source, build_index};
use crawler_core::lake::S3Lake;

use super::Run;
use crate::cli;
use crate::error::Failure;
use crate::fleet::FleetError;
use crate::interrupt;
use crate::providers::s3_client;

/// What `--years` and `--initials` select.
///
/// # Errors
/// A text that is no list of years or initials.
pub(super) fn selection(flags: &cli::Selection) -> Result<Selection, Failure> {
    let wrong = |error: crawler_core::imdb::BadSelection, flag: &str| Failure::usage(error.to_string(), flag);
    let years = flags.years.as_deref().map(str::parse).transpose().map_err(|error| wrong(error, "--years"))?;
    let initials = flags.initials.as_deref().map(Selection::parse_initials).transpose();
    Ok(Selection { years, initials: initials.map_err(|error| wrong(error, "--initials"))? })
}

/// The flags as a person would repeat them.
pub(super) fn shown(flags: &cli::Selection) -> String {
    let years = flags.years.iter().map(|years| format!("--years {years}"));
    let initials = flags.initials.iter().map(|initials| format!("--initials {initials}"));
    let shown: Vec<_> = years.chain(initials).collect();
    if shown.is_empty() { "all years and initials".to_owned() } else { shown.join(" ") }
}

/// The lake's manifest: the pinned one, unless there is none or `--new-index` asks for another.
///
/// # Errors
/// A source that cannot be read, or that is no title.basics; the pinned index stays.
pub(super) async fn manifest(
    run: &Run,
    flags: &cli::Titles,
    lake: &Arc<dyn Lake>,
    config: Option<&SdkConfig>,
    job_titles: u32,
) -> Result<Manifest, Failure> {
    if !flags.new_index {
        let pinned =
            interrupt::until(&run.interrupt, async { Manifest::current(&**lake).await.map_err(FleetError::from) });
        if let Some(pinned) = pinned.await? {
            return Ok(pinned);
        }
    }
    let source = source(run, flags, config)?;
    let busy = run.ui.busy(&format!("reading the titles from {source}"));
    let options = IndexOptions { job_titles, ..IndexOptions::default() };
    let built = async { build_index(&**lake, &source, &options, |_| ()).await.map_err(FleetError::from) };
    let manifest = interrupt::until(&run.interrupt, built).await?;
    drop(busy);
    report(run, &manifest);
    Ok(manifest)
}

fn report(run: &Run, manifest: &Manifest) {
    let Manifest { titles, rows, jobs, skipped, skipped_rows, .. } = manifest;
    run.ui.note(&format!("index: {titles} titles of {rows} rows, in {} jobs", jobs.len()));
    if *skipped > 0 {
        let first: Vec<_> =
            skipped_rows.iter().take(3).map(|row| format!("line {}: {}", row.line, row.reason)).collect();
        run.ui.warn(&format!("{skipped} rows of the source are malformed and were skipped ({})", first.join("; ")));
    }
}

/// `--titles-source`, else provision.toml's, else IMDb's own file.
fn source(run: &Run, flags: &cli::Titles, config: Option<&SdkConfig>) -> Result<Source, Failure> {
    let Some(given) = flags.titles_source.as_ref().or(run.settings.titles_source.as_ref()) else {
        return Ok(Source::imdb());
    };
    if given == "-" {
        return Ok(Source::Stdin);
    }
    if let Some(object) = given.strip_prefix("s3://") {
        let Some((bucket, key)) = object.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
        else {
            return Err(Failure::usage("this names no object", given).help("write s3://bucket/key"));
        };
        let Some(config) = config else {
            return Err(Failure::usage("an s3:// source needs AWS, and this lake is a folder", given)
                .help("fetch the file first, or give a lake on S3"));
        };
        let lake = S3Lake::new(s3_client(config), bucket);
        return Ok(Source::Object { lake: Arc::new(lake), key: key.to_owned() });
    }
    if given.starts_with("http://") || given.starts_with("https://") {
        let url = given.parse().map_err(|error| Failure::usage(format!("this is no URL: {error}"), given))?;
        return Ok(Source::Url(url));
    }
    Ok(Source::File(PathBuf::from(given)))
}
