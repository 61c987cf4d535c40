//! `provision down`: removes all that carries the stack's tags, but what its DeletionPolicy keeps: the lake.

use std::time::Instant;

use super::crawl::Crawl;
use super::{Opened, Run};
use crate::cli;
use crate::engine::{DestroyOptions, DestroyPlan, Observed, Report, Stack};
use crate::error::Failure;
use crate::interrupt;
use crate::ui::{plan, report};

pub(super) async fn run(run: &Run, flags: &cli::Down) -> Result<(), Failure> {
    let started = Instant::now();
    let options =
        DestroyOptions { delete_data: flags.delete_data, keep_secret: flags.keep_secret, no_wait: flags.no_wait };
    let opened = Opened::open(run).await?;
    let stack = opened.stack(run)?;
    let busy = run.ui.busy("reading what is there");
    let plan = interrupt::until(&run.interrupt, stack.plan_destroy(options)).await?;
    drop(busy);
    let (report, remaining) = match plan.deletions.is_empty() {
        true => (Report::default(), Vec::new()),
        false => carry_out(run, &opened, &stack, &plan, options).await?,
    };
    let kept = interrupt::until(&run.interrupt, lakes(&opened, &plan)).await?;
    let whole = report::Down {
        scope: &stack.scope,
        plan: &plan,
        report: &report,
        remaining: &remaining,
        lakes: &kept,
        took: started.elapsed(),
    };
    run.ui.result(|| whole.text(), &whole.document())?;
    report::failures(&run.ui, report)?;
    if remaining.is_empty() { Ok(()) } else { Err(Failure::Incomplete { code: crate::exit::FAILED }) }
}

/// Asks, deletes, and lists once more: what is still there although it was deleted.
async fn carry_out(
    run: &Run,
    opened: &Opened,
    stack: &Stack<'_>,
    plan: &DestroyPlan,
    options: DestroyOptions,
) -> Result<(Report, Vec<Observed>), Failure> {
    let names: Vec<_> = plan.deletions.iter().map(plan::named).collect();
    let data = if options.delete_data { ", with all data in it" } else { "" };
    let question = format!("this deletes {}{data}", names.join(", "));
    interrupt::until(&run.interrupt, run.ui.confirm(&question)).await?;
    let ending = ending_crawl(opened, stack, plan);
    if let Some(crawl) = &ending {
        save_dead_letters(run, crawl).await?;
    }
    let report = stack.destroy(plan, options, &run.ui.observer(), &run.interrupt).await;
    if let (Some(crawl), true) = (&ending, report.is_whole()) {
        crawl.fleet.forget_pause().await?;
    }
    let remaining = match report.is_whole() {
        true => interrupt::until(&run.interrupt, stack.audit(options)).await?,
        false => Vec::new(),
    };
    Ok((report, remaining))
}

/// The crawl whose queues go while its lake stays: what the queues know is kept in the lake.
fn ending_crawl(opened: &Opened, stack: &Stack<'_>, plan: &DestroyPlan) -> Option<Crawl> {
    let crawl = Crawl::open(stack, &opened.aws.config).ok()?;
    let goes = |name: &str| plan.deletions.iter().any(|change| name.ends_with(&format!("/{}", change.physical_id)));
    let lake_goes = plan.deletions.iter().any(|change| change.physical_id == crawl.fleet.bucket);
    (goes(crawl.fleet.dead_letters.url()) && !lake_goes).then_some(crawl)
}

/// What could not be done is told in the lake, before the queue that remembers it goes.
async fn save_dead_letters(run: &Run, crawl: &Crawl) -> Result<(), Failure> {
    let saved = crawl.fleet.save_dead_letters().await?;
    if saved > 0 {
        run.ui.note(&format!("saved {saved} dead letters to s3://{}/tmdb/_dead_letters/", crawl.fleet.bucket));
    }
    Ok(())
}

/// The buckets that stay, each with its number of objects; none where it cannot be counted.
async fn lakes(opened: &Opened, plan: &DestroyPlan) -> Result<Vec<(String, Option<u64>)>, Failure> {
    let mut lakes = Vec::new();
    for bucket in plan.kept.iter().filter(|kept| kept.type_name == "AWS::S3::Bucket") {
        let objects = opened.aws.count_objects(&bucket.physical_id).await.ok();
        lakes.push((bucket.physical_id.clone(), objects));
    }
    Ok(lakes)
}
