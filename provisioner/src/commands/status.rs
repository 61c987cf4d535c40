//! `provision status`: what is there and how it is. Changes nothing.

use crawler_core::imdb::{Manifest, Selection};

use super::crawl::Crawl;
use super::{Opened, Run};
use crate::cli;
use crate::engine::{Look, Stack};
use crate::error::Failure;
use crate::fleet::{FleetError, Progress};
use crate::interrupt;
use crate::ui::status::Status;

pub(super) async fn run(run: &Run, flags: &cli::Status) -> Result<(), Failure> {
    let opened = Opened::open(run).await?;
    let stack = opened.stack(run)?;
    let looks = interrupt::until(&run.interrupt, stack.look()).await?;
    let status = Status::new(&stack, &looks, progress(run, &opened, &stack, &looks).await?);
    run.ui.result(|| status.text(), &status)?;
    if flags.exit_code && !status.is_healthy() { Err(Failure::Different) } else { Ok(()) }
}

/// How far the crawl is; none for a template without one, or where its queues or lake are not there.
async fn progress(run: &Run, opened: &Opened, stack: &Stack<'_>, looks: &[Look]) -> Result<Option<Progress>, Failure> {
    let Ok(crawl) = Crawl::open(stack, &opened.aws.config) else {
        return Ok(None);
    };
    let (queues, buckets) = ("AWS::SQS::Queue", "AWS::S3::Bucket");
    let of_crawl = |look: &&Look| [queues, buckets].contains(&look.resource.type_name.as_str());
    if looks.iter().filter(of_crawl).any(|look| look.observed.is_none()) {
        return Ok(None);
    }
    let counted = async {
        let manifest = Manifest::current(&*crawl.fleet.lake).await.map_err(FleetError::from)?;
        crawl.fleet.progress(manifest.as_ref(), &Selection::default()).await
    };
    interrupt::until(&run.interrupt, counted).await.map(Some)
}
