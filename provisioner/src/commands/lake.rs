//! Which lake a command works on: a folder, a bucket, or the stack's own.

use std::sync::Arc;

use aws_config::SdkConfig;
use crawler_core::crawl;
use crawler_core::imdb::Manifest;
use crawler_core::lake::{LocalLake, S3Lake};
use crawler_core::{CrawlError, Lake, with_causes};

use super::crawl::Crawl;
use super::{Opened, Run, opened};
use crate::error::Failure;
use crate::interrupt;
use crate::providers::s3_client;

/// The lake at `at`; only a bucket needs AWS.
///
/// # Errors
/// A text that names no bucket, or whatever keeps AWS from answering.
pub(super) async fn at(run: &Run, at: &str) -> Result<(Arc<dyn Lake>, Option<SdkConfig>), Failure> {
    let Some(bucket) = at.strip_prefix("s3://") else {
        return Ok((Arc::new(LocalLake::new(at)), None));
    };
    let bucket = bucket.trim_end_matches('/');
    if bucket.is_empty() || bucket.contains('/') {
        return Err(Failure::usage("this names no bucket", at).help("write --lake s3://bucket; a lake fills a bucket"));
    }
    let aws = opened::connect(run).await?;
    Ok((Arc::new(S3Lake::new(s3_client(&aws.config), bucket)), Some(aws.config)))
}

/// The lake that is given, else the bucket of the stack.
///
/// # Errors
/// As [`at`]; or a template without the outputs of a crawl.
pub(super) async fn given_or_stacks(run: &Run, given: Option<&str>) -> Result<Arc<dyn Lake>, Failure> {
    // A blank one is none: a variable that is not set.
    if let Some(given) = given.filter(|given| !given.is_empty()) {
        return Ok(at(run, given).await?.0);
    }
    let opened = Opened::open(run).await?;
    let stack = opened.stack(run)?;
    Ok(Crawl::open(&stack, &opened.aws.config)?.fleet.lake)
}

/// Removes what an earlier index left over, as far as the jobs of this one are done.
///
/// # Errors
/// A failed read or delete; what is left goes the next time.
pub(super) async fn prune(run: &Run, lake: &dyn Lake, manifest: &Manifest) -> Result<(), Failure> {
    let failed = |error| match error {
        CrawlError::Lake(error) => Failure::from(error),
        error => Failure::failed(with_causes(&error), lake.uri()).help("run the same command again"),
    };
    let pruning = async { crawl::prune(lake, manifest).await.map_err(failed) };
    let pruned = interrupt::until(&run.interrupt, pruning).await?;
    if !pruned.is_empty() {
        run.ui.note(&format!("removed {} objects that an earlier index left over", pruned.len()));
    }
    Ok(())
}
