//! `provision down`: removes all that carries the stack's tags, but what its DeletionPolicy keeps: the lake.

use std::time::{Duration, Instant};

use crawler_core::lake::layout::DEAD_LETTERS;

use super::crawl::Crawl;
use super::opened::Purpose;
use super::{Opened, Run};
use crate::cli;
use crate::engine::{Change, DestroyOptions, DestroyPlan, Observed, Report, Stack};
use crate::error::Failure;
use crate::fleet::{Depth, Fleet, FleetError};
use crate::interrupt;
use crate::ui::{plan, report};

const BUCKET: &str = "AWS::S3::Bucket";

pub(super) async fn run(run: &Run, flags: &cli::Down) -> Result<(), Failure> {
    let started = Instant::now();
    let options =
        DestroyOptions { delete_data: flags.delete_data, keep_secret: flags.keep_secret, no_wait: flags.no_wait };
    let busy = run.ui.busy("reading what is there");
    let read = async |opened: &Opened, stack: &Stack<'_>| {
        let (plan, in_hand) = futures::join!(stack.plan_destroy(options), are_jobs_in_hand(opened, stack));
        Ok((plan?, in_hand))
    };
    let (opened, (plan, in_hand)) = Opened::reading(run, Purpose::Look, read).await?;
    drop(busy);
    let stack = opened.stack(run)?;
    let ending = ending_crawl(&opened, &stack, &plan);
    let mut report = Report::default();
    if !plan.deletions.is_empty() {
        confirm(run, &plan).await?;
        match &ending {
            Some(crawl) => save_dead_letters(run, crawl).await?,
            None if flags.delete_data && !flags.now && in_hand => let_functions_end(run, &opened, &stack).await?,
            None => {}
        }
        report = stack.destroy(&plan, options, &run.ui.observer(), &run.interrupt).await;
    }
    // Interrupted, what is done and left is told without another look.
    let seen = match report.interrupted {
        true => None,
        false => {
            let closing = closing(run, &opened, &stack, &plan, options, &report, ending.as_ref());
            let seen = interrupt::unless_cut_off(&run.interrupt, closing).await?;
            report.interrupted = seen.is_none();
            seen
        }
    };
    let (listed, kept) = seen.unwrap_or_default();
    let remaining = plan.remaining(&report, listed.as_deref());
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

async fn confirm(run: &Run, plan: &DestroyPlan) -> Result<(), Failure> {
    let names: Vec<_> = plan.deletions.iter().map(plan::going).collect();
    let buckets = plan.deletions.iter().any(|change| change.type_name == BUCKET);
    let data = if buckets { ", with all data in it" } else { "" };
    let question = format!("this deletes {}{data}", names.join(", "));
    interrupt::until(&run.interrupt, run.ui.confirm(&question)).await
}

/// Whether functions have jobs in hand, which write to the lake until they end.
async fn are_jobs_in_hand(opened: &Opened, stack: &Stack<'_>) -> bool {
    let Ok(crawl) = Crawl::open(stack, &opened.aws.config) else { return false };
    crawl.fleet.jobs.depth().await.is_ok_and(|depth| depth.in_flight > 0)
}

/// What still runs would write into a bucket that is being emptied, and leave its last lines in a log group that is gone (E62).
async fn let_functions_end(run: &Run, opened: &Opened, stack: &Stack<'_>) -> Result<(), Failure> {
    let crawl = Crawl::open(stack, &opened.aws.config)?;
    let busy = run.ui.busy("waiting for the functions that run; --now skips this");
    let told =
        |in_hand| busy.say(&format!("waiting for the functions that run, {in_hand} jobs in hand; --now skips this"));
    interrupt::until(&run.interrupt, crawl.fleet.stop(crawl.timeout, told)).await
}

type Lakes = Vec<(String, Option<u64>)>;

/// What is still there of what was to go, where it can be listed, and beside it what is kept; a crawl that ended is no longer paused.
async fn closing(
    run: &Run,
    opened: &Opened,
    stack: &Stack<'_>,
    plan: &DestroyPlan,
    options: DestroyOptions,
    report: &Report,
    ending: Option<&Crawl>,
) -> Result<(Option<Vec<Observed>>, Lakes), Failure> {
    let ended = !plan.deletions.is_empty() && report.is_whole();
    let observer = run.ui.observer();
    let audit = async {
        let listed = stack.audit(options, report, &observer);
        match (plan.deletions.is_empty(), ended) {
            (true, _) => Ok::<_, Failure>(None),
            (false, true) => Ok(Some(listed.await?)),
            // What failed may keep the listing from its work too, and is told already.
            (false, false) => Ok(listed.await.ok()),
        }
    };
    let forget = async {
        match ending.filter(|_| ended) {
            // A lake that somebody deleted has no pause to forget.
            Some(crawl) => match crawl.fleet.forget_pause().await {
                Err(FleetError::Lake(error)) if error.is_no_lake => Ok(()),
                forgotten => Ok(forgotten?),
            },
            None => Ok(()),
        }
    };
    let (listed, (), lakes) = futures::try_join!(audit, forget, lakes(opened, plan))?;
    Ok((listed, lakes))
}

/// The crawl whose queues go while its lake stays: what the queues know is kept in the lake.
fn ending_crawl(opened: &Opened, stack: &Stack<'_>, plan: &DestroyPlan) -> Option<Crawl> {
    let crawl = Crawl::open(stack, &opened.aws.config).ok()?;
    let goes = |name: &str| plan.deletions.iter().any(|change| name.ends_with(&format!("/{}", change.physical_id)));
    // Its policy has the bucket's name, too.
    let is_lake = |change: &Change| change.type_name == BUCKET && change.physical_id == crawl.fleet.bucket;
    let lake_goes = plan.deletions.iter().any(is_lake);
    (goes(crawl.fleet.dead_letters.url()) && !lake_goes).then_some(crawl)
}

/// What could not be done is told in the lake, before the queue that remembers it goes. Looks only now: a job may have died while the
/// question stood. As long as there are jobs, more may die, so that no more is given out; what functions have in hand is not waited for,
/// and is not done, as its missing marker tells.
async fn save_dead_letters(run: &Run, crawl: &Crawl) -> Result<(), Failure> {
    let Fleet { jobs, dead_letters, bucket, .. } = &crawl.fleet;
    let look = async { Ok::<_, FleetError>(futures::join!(jobs.depth(), dead_letters.depth())) };
    let (jobs, letters) = interrupt::until(&run.interrupt, look).await?;
    let more_may_die = jobs.is_ok_and(|depth| !depth.is_empty());
    if more_may_die {
        interrupt::until(&run.interrupt, crawl.fleet.stop(Duration::ZERO, |_| {})).await?;
    } else if letters.is_ok_and(Depth::is_empty) {
        return Ok(());
    }
    let busy = run.ui.busy("saving the dead letters into the lake");
    let saved = interrupt::until(&run.interrupt, crawl.fleet.save_dead_letters()).await?;
    drop(busy);
    if saved > 0 {
        run.ui.note(&format!("saved {saved} dead letters to s3://{bucket}/{DEAD_LETTERS}"));
    }
    Ok(())
}

/// The buckets that stay, each with its number of objects; none where it cannot be counted.
async fn lakes(opened: &Opened, plan: &DestroyPlan) -> Result<Lakes, Failure> {
    let mut lakes = Vec::new();
    for bucket in plan.kept.iter().filter(|kept| kept.type_name == BUCKET) {
        let objects = opened.aws.count_objects(&bucket.physical_id).await.ok();
        lakes.push((bucket.physical_id.clone(), objects));
    }
    Ok(lakes)
}
