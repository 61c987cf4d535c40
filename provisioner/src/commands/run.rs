//! `provision run`: up, launch, wait, status, down. Interrupted and run again, it goes on.

use std::collections::HashSet;

use crawler_core::crawl::done;
use crawler_core::imdb::Manifest;
use futures::TryStreamExt as _;

use super::crawl::{Crawl, key_is_stored};
use super::launch::Launch;
use super::pause::stands_still;
use super::{Opened, Run, compact, down, status, titles, up};
use crate::cli;
use crate::error::Failure;
use crate::fleet::{Ended, Progress, Waiting, Wanted};
use crate::interrupt;
use crate::ui::crawl;

pub(super) async fn run(run: &Run, flags: &cli::Run) -> Result<(), Failure> {
    titles::check(run, &flags.selection, &flags.titles)?;
    if !flags.keep_up {
        // Asked now: at the end, hours later, nobody may be there to answer.
        let stack = &run.settings.stack;
        let question =
            format!("when the crawl is whole, this deletes stack {stack}, all but what its DeletionPolicy keeps");
        interrupt::until(&run.interrupt, run.ui.confirm(&question)).await?;
    }
    let steps = run.for_step();
    key_is_there(run, &steps, &flags.selection).await?;
    up::run(&steps, &cli::Up::default()).await?;
    let opened = Opened::open(&steps).await?;
    let stack = opened.stack(run)?;
    let crawl = Crawl::open(&stack, &opened.aws.config)?;
    if let Some(pause) = interrupt::until(&run.interrupt, crawl.fleet.paused()).await? {
        return Err(stands_still(run, &pause));
    }
    let launch = Launch::plan(run, &opened, &stack, &flags.selection, &flags.titles, &Wanted::default()).await?;
    let sent = launch.send(run, &opened).await?;
    run.ui.note(&sent.text());
    let ended = wait(run, &launch).await?;
    status::run(&steps, &cli::Status::default()).await?;
    let progress = match ended {
        Ended::Complete(progress) if progress.dead_letters.is_empty() && progress.titles.failed == 0 => progress,
        Ended::Paused(pause) => return Err(stands_still(run, &pause)),
        Ended::Complete(progress) | Ended::Incomplete(progress) => return Err(unfinished(run, &progress)),
    };
    launch.prune(run).await?;
    if let Some(format) = run.settings.format {
        let lake = &*launch.crawl.fleet.lake;
        let compacted = compact::merge(run, lake, format).await?;
        run.ui.note(&crate::ui::compact::text(&compacted, &lake.uri()));
    }
    run.ui.result(|| crawl::text(&progress), &progress)?;
    if flags.keep_up {
        return Ok(());
    }
    down::run(&run.for_agreed_step(), &cli::Down::default()).await
}

/// Before anything is made: without a key nothing can be asked. A run that has nothing left to ask goes on without one, as `down` may have
/// taken it when it was interrupted.
async fn key_is_there(run: &Run, steps: &Run, selected: &cli::Selection) -> Result<(), Failure> {
    let opened = Opened::open(steps).await?;
    let Err(missing) = key_is_stored(run, &opened.aws.config).await else { return Ok(()) };
    let selection = titles::selection(selected)?;
    let stack = opened.stack(run)?;
    let lake = Crawl::open(&stack, &opened.aws.config)?.fleet.lake;
    let all_is_done = async {
        let manifest = Manifest::current(&*lake).await.ok()??;
        let done: HashSet<_> = done(&*lake).map_ok(|done| (done.name(), done.digest)).try_collect().await.ok()?;
        let mut jobs = manifest.jobs_of(&selection);
        jobs.all(|job| done.contains(&(job.name(), job.digest.clone()))).then_some(())
    };
    let all_is_done = async { Ok::<_, Failure>(all_is_done.await) };
    interrupt::until(&run.interrupt, all_is_done).await?.ok_or(missing)
}

/// Waits for the crawl's end, showing how far it is.
async fn wait(run: &Run, launch: &Launch) -> Result<Ended, Failure> {
    let busy = run.ui.busy("waiting for the fleet");
    let fleet = &launch.crawl.fleet;
    let pace = Waiting { in_hand: launch.crawl.timeout + Waiting::default().settled, ..Waiting::default() };
    let waiting = fleet.wait(&launch.manifest, &launch.selection, pace, |looked| {
        busy.say(&match looked {
            Ok(progress) => crawl::line(progress),
            Err(error) => format!("the crawl goes on, and could not be looked at; looking again: {error}"),
        })
    });
    interrupt::until(&run.interrupt, waiting).await
}

/// What is missing, and what to do; the stack stays up, so that nothing is lost.
fn unfinished(run: &Run, progress: &Progress) -> Failure {
    let missing = progress.jobs.total - progress.jobs.done;
    let (dead, failed) = (progress.dead_letters.visible, progress.titles.failed);
    Failure::failed(
        format!("the crawl is not whole: {missing} jobs are not done, {dead} dead letters, {failed} titles failed"),
        format!("stack {}, left up", run.settings.stack),
    )
    .help(match dead + missing as u64 {
        0 => "ask again for the failed titles: provision launch --failed, then provision run; or leave them so: provision down",
        _ => "look at provision dead-letters and the function's logs, mend the cause, then: provision redrive and provision run (sends what is missing), or provision down (saves the dead letters into the lake)",
    })
}
