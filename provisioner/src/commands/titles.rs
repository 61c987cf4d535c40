//! The index of titles that `launch`, `simulate`, `download` and `run` stand on: the pinned one, or one made from the source.

use std::path::PathBuf;
use std::sync::Arc;

use aws_config::SdkConfig;
use crawler_core::Lake;
use crawler_core::imdb::{BadSelection, IndexError, IndexOptions, Manifest, Selection, Source, write_index};
use crawler_core::lake::S3Lake;

use super::{Run, opened};
use crate::cli;

use crate::error::Failure;
use crate::fleet::FleetError;
use crate::interrupt;
use crate::providers::s3_client;
use crate::template::nearest;

/// Where the environment names the source of the titles.
const SOURCE_VARIABLE: &str = "PROVISION_TITLES_SOURCE";
/// IMDb's title types.
const TITLE_TYPES: [&str; 11] = [
    "movie",
    "short",
    "tvEpisode",
    "tvMiniSeries",
    "tvMovie",
    "tvPilot",
    "tvSeries",
    "tvShort",
    "tvSpecial",
    "video",
    "videoGame",
];

/// Looks at what is typed before anything is asked or done.
///
/// # Errors
/// A text that is no list of years, initials or title types.
pub(super) fn check(run: &Run, selected: &cli::Selection, titles: &cli::Titles) -> Result<(), Failure> {
    selection(selected)?;
    Wanted::read(run, titles)?;
    Ok(())
}

/// What `--years` and `--initials` select.
///
/// # Errors
/// A text that is no list of years or initials.
pub(super) fn selection(flags: &cli::Selection) -> Result<Selection, Failure> {
    let wrong = |error: BadSelection, flag: &str| Failure::usage(error.to_string(), flag).help(error.help());
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
    selects: &dyn Fn(&Manifest) -> Result<(), Failure>,
) -> Result<Manifest, Failure> {
    let wanted = Wanted::read(run, flags)?;
    let pinned = async {
        let pinned = match flags.new_index {
            true => Manifest::current_if_sound(&**lake).await,
            false => Manifest::current(&**lake).await,
        };
        pinned.map_err(FleetError::from)
    };
    let pinned = interrupt::until(&run.interrupt, pinned).await?;
    let pinned = match pinned {
        Some(pinned) if !flags.new_index => {
            if is_typed(flags.titles_source.as_deref(), std::env::var(SOURCE_VARIABLE).ok().as_deref()) {
                run.ui.warn("the pinned index is used; --titles-source is read only with --new-index");
            }
            return wanted.is_in(&pinned.options).map(|()| pinned);
        }
        pinned => pinned,
    };
    let before = pinned.as_ref().map(|pinned| pinned.options.clone()).unwrap_or_default();
    let options = wanted.options(IndexOptions { job_titles, ..before.clone() });
    let dropped = pinned.as_ref().and_then(|pinned| dropped(&pinned.options, &options));
    if let Some(question) = &dropped {
        interrupt::until(&run.interrupt, run.ui.confirm(question)).await?;
    }
    let source = source(run, flags, config).await?;
    let busy = run.ui.busy(&format!("reading the titles from {source}"));
    let built =
        async { write_index(&**lake, &source, &options, |_| ()).await.map_err(|error| unbuilt(error, &source)) };
    let new = interrupt::until(&run.interrupt, built).await?;
    drop(busy);
    let shrinks = pinned.filter(|_| dropped.is_none()).and_then(|pinned| shrinks(pinned.titles, new.manifest.titles));
    if let Err(failure) = agreed(run, &new.manifest, shrinks, selects).await {
        new.discard(&**lake).await.map_err(FleetError::from)?;
        return Err(failure);
    }
    let manifest = new.take(&**lake).await.map_err(FleetError::from)?;
    report(run, &manifest);
    Ok(manifest)
}

/// Before a new index is the crawl's: it has what is wanted, and the person agrees to what it would take out of the lake.
async fn agreed(
    run: &Run,
    new: &Manifest,
    shrinks: Option<String>,
    selects: &dyn Fn(&Manifest) -> Result<(), Failure>,
) -> Result<(), Failure> {
    selects(new)?;
    match shrinks {
        Some(question) => interrupt::until(&run.interrupt, run.ui.confirm(&question)).await,
        None => Ok(()),
    }
}

/// A newer file has more titles: one that has fewer may be cut.
fn shrinks(before: u64, after: u64) -> Option<String> {
    (after < before).then(|| {
        format!(
            "the new index has {after} titles, and the one before has {before}: the films and reviews of {} or more go from the lake",
            before - after
        )
    })
}

/// What a new index would take out of the lake; none where it has all that the earlier one has.
fn dropped(before: &IndexOptions, options: &IndexOptions) -> Option<String> {
    let types = before.types.iter().filter(|one| !options.types.contains(one)).map(String::as_str);
    let adult = (before.adult && !options.adult).then_some("adult");
    let dropped: Vec<&str> = types.chain(adult).collect();
    (!dropped.is_empty()).then(|| {
        format!("the new index has no {} titles: their films and reviews go from the lake", dropped.join(", "))
    })
}

/// Whether a source was typed, and is not the environment's.
fn is_typed(source: Option<&str>, environment: Option<&str>) -> bool {
    source.is_some() && source != environment
}

/// Why there is no index.
fn unbuilt(error: IndexError, source: &Source) -> Failure {
    match error {
        IndexError::Header { column, found } => {
            let what = format!("this is no title.basics: its first line has no column {column:?} but is {found:?}");
            Failure::failed(what, source.to_string())
                .help("give IMDb's title.basics.tsv.gz with --titles-source; the index that was there before still is")
        }
        IndexError::Empty { uri, types, rows, skipped } => Failure::failed(
            format!("no title of type {types} is among the {rows} rows, {skipped} of them malformed"),
            uri,
        )
        .help("check --title-types and the source; the index that was there before still is"),
        error => FleetError::from(error).into(),
    }
}

/// Which titles are wanted, where flags or provision.toml say it.
#[derive(Debug, Default)]
struct Wanted {
    types: Option<Vec<String>>,
    adult: Option<bool>,
}

impl Wanted {
    fn read(run: &Run, flags: &cli::Titles) -> Result<Self, Failure> {
        let typed = flags.title_types.as_ref().map(|types| types.split(',').map(|one| one.trim().to_owned()).collect());
        let mut types: Option<Vec<String>> = typed.or_else(|| run.settings.title_types.clone());
        if let Some(types) = &mut types {
            // The same types in another order are the same index.
            types.sort_unstable();
            types.dedup();
            check_types(types)?;
        }
        Ok(Self { types, adult: flags.adult.or(run.settings.adult).map(|adult| adult == cli::Adult::In) })
    }

    /// What is not said is as in `before`.
    fn options(&self, before: IndexOptions) -> IndexOptions {
        let IndexOptions { types, adult, job_titles } = before;
        IndexOptions { types: self.types.clone().unwrap_or(types), adult: self.adult.unwrap_or(adult), job_titles }
    }

    /// Whether the pinned index is of these titles.
    fn is_in(&self, pinned: &IndexOptions) -> Result<(), Failure> {
        let same_types = self.types.as_ref().is_none_or(|types| *types == pinned.types);
        if same_types && self.adult.is_none_or(|adult| adult == pinned.adult) {
            return Ok(());
        }
        let adult = if pinned.adult { "in" } else { "out" };
        Err(Failure::usage(
            "the pinned index is of other titles",
            format!("{}, adult films {adult}", pinned.types.join(",")),
        )
        .help("take these with --new-index: only what is new is asked for, and what is left out goes"))
    }
}

fn check_types(types: &[String]) -> Result<(), Failure> {
    let Some(unknown) = types.iter().find(|one| !TITLE_TYPES.contains(&one.as_str())) else {
        return Ok(());
    };
    let help = match nearest(unknown, TITLE_TYPES) {
        Some(name) => format!("did you mean {name}?"),
        None => format!("the types are {}", TITLE_TYPES.join(", ")),
    };
    Err(Failure::usage(format!("IMDb has no title type {unknown:?}"), "--title-types, title_types").help(help))
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

/// A blank one is none: a variable that is not set.
fn typed(flags: &cli::Titles) -> Option<&String> {
    flags.titles_source.as_ref().filter(|source| !source.is_empty())
}

/// `--titles-source`, else provision.toml's, else IMDb's own file.
async fn source(run: &Run, flags: &cli::Titles, config: Option<&SdkConfig>) -> Result<Source, Failure> {
    let Some(given) = typed(flags).or(run.settings.titles_source.as_ref()) else {
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
        // A lake in a folder needs no AWS; its titles may.
        let config = match config {
            Some(config) => config.clone(),
            None => opened::connect(run).await?.config,
        };
        let lake = S3Lake::new(s3_client(&config), bucket);
        return Ok(Source::Object { lake: Arc::new(lake), key: key.to_owned() });
    }
    if given.starts_with("http://") || given.starts_with("https://") {
        let url = given.parse().map_err(|error| {
            Failure::usage(format!("this is no URL: {error}"), given).help("write https://host/title.basics.tsv.gz")
        })?;
        return Ok(Source::Url(url));
    }
    Ok(Source::File(PathBuf::from(given)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_of_other_titles_is_not_taken_for_the_one_that_is_wanted() {
        let pinned = IndexOptions::default();
        assert!(Wanted::default().is_in(&pinned).is_ok(), "who wants nothing takes what is pinned");
        let wanted =
            |types: &[&str], adult| Wanted { types: Some(types.iter().map(|one| (*one).into()).collect()), adult };
        assert!(wanted(&["movie"], Some(true)).is_in(&pinned).is_ok());
        assert!(wanted(&["movie", "short"], None).is_in(&pinned).is_err());
        let told = wanted(&["movie"], Some(false)).is_in(&pinned).unwrap_err().to_string();
        assert!(told.contains("movie, adult films in") && told.contains("--new-index"), "{told}");
        let options =
            wanted(&["short"], Some(false)).options(IndexOptions { job_titles: 7, ..IndexOptions::default() });
        assert_eq!(options, IndexOptions { types: vec!["short".into()], adult: false, job_titles: 7 });
    }

    #[test]
    fn only_a_source_that_was_typed_is_missed() {
        assert!(is_typed(Some("a.tsv"), None) && is_typed(Some("a.tsv"), Some("b.tsv")));
        assert!(!is_typed(Some("a.tsv"), Some("a.tsv")) && !is_typed(None, Some("a.tsv")) && !is_typed(None, None));
    }

    #[test]
    fn a_new_index_keeps_what_is_not_said_and_tells_what_it_would_take_out_of_the_lake() {
        let pinned = IndexOptions { types: vec!["movie".into(), "tvMovie".into()], adult: true, job_titles: 9 };
        assert_eq!(Wanted::default().options(pinned.clone()), pinned);
        assert_eq!(dropped(&pinned, &pinned), None);
        let fewer = Wanted { types: Some(vec!["tvMovie".into()]), adult: Some(false) }.options(pinned.clone());
        assert!(dropped(&pinned, &fewer).is_some_and(|told| told.contains("no movie, adult titles")));
        assert_eq!(dropped(&fewer, &pinned), None);
    }

    #[test]
    fn a_misspelt_type_is_told_with_the_nearest() {
        let told = check_types(&["movie".into(), "tvmovie".into()]).unwrap_err().to_string();
        assert!(told.contains("\"tvmovie\"") && told.contains("did you mean tvMovie?"), "{told}");
    }
}
