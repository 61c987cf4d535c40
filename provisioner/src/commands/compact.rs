//! `provision compact`: the jobs' many small objects merged into few large files, without the fleet.

use crawler_core::compact::{CompactError, Compacted, Format, compact};
use crawler_core::crawl::prune;
use crawler_core::imdb::{Manifest, ManifestError};
use crawler_core::{CrawlError, Lake, with_causes};

use super::{Run, lake};
use crate::cli;
use crate::error::Failure;
use crate::interrupt;
use crate::ui::compact::text;

pub(super) async fn run(run: &Run, flags: &cli::Compact) -> Result<(), Failure> {
    let lake = lake::given_or_stacks(run, flags.lake.as_deref()).await?;
    let format = flags.format.or(run.settings.format).unwrap_or_default();
    let compacted = merge(run, &*lake, format).await?;
    run.ui.result(|| text(&compacted, &lake.uri()), &compacted)
}

/// Removes what an earlier index left over, as far as the jobs of this one are done, and merges the rest.
pub(super) async fn merge(run: &Run, lake: &dyn Lake, format: Format) -> Result<Compacted, Failure> {
    let busy = run.ui.busy(&format!("merging {}", lake.uri()));
    let merging = async {
        if let Some(manifest) = Manifest::current(lake).await.map_err(CompactError::from)? {
            prune(lake, &manifest).await?;
        }
        compact(lake, format, |merged, of| busy.say(&format!("merged {merged} of {of} jobs"))).await
    };
    let merging = async { merging.await.map_err(|error| failure(error, &lake.uri())) };
    interrupt::until(&run.interrupt, merging).await
}

fn failure(error: CompactError, lake: &str) -> Failure {
    match error {
        CompactError::NoIndex { .. } => Failure::usage("this lake has no index, so there is nothing to merge", lake)
            .help("name the right lake with --lake, or fill it with `provision launch` or `provision download`"),
        CompactError::Lake(error)
        | CompactError::Manifest(ManifestError::Lake(error))
        | CompactError::Object(CrawlError::Lake(error)) => error.into(),
        error => Failure::failed(with_causes(&error), lake).help(
            "the version that was current still is; look with `provision verify`, then run the same command again",
        ),
    }
}
