//! `provision dead-letters` and `provision redrive`: what could not be done is listed, and sent round again.

use super::crawl::Crawl;
use super::{Opened, Run, pause, titles};
use crate::cli;
use crate::error::Failure;
use crate::fleet::FleetError;
use crate::interrupt;
use crate::ui::dead_letters as words;

pub(super) async fn list(run: &Run, flags: &cli::DeadLetters) -> Result<(), Failure> {
    let crawl = Crawl::opened(run, &Opened::open(run).await?)?;
    let busy = run.ui.busy("reading the dead letters");
    let looked = async {
        let there = crawl.fleet.dead_letters.depth().await?;
        Ok::<_, FleetError>((there, crawl.fleet.dead_letters(flags.limit.into()).await?))
    };
    let (there, letters) = interrupt::until(&run.interrupt, looked).await?;
    drop(busy);
    run.ui.result(|| words::text(&letters, there), &words::document(&letters, there))
}

/// An interruption lets the batch that is under way end, and what is done is told.
pub(super) async fn redrive(run: &Run, flags: &cli::Redrive) -> Result<(), Failure> {
    let selection = titles::selection(&flags.selection)?;
    let some = flags.selection.years.is_some() || flags.selection.initials.is_some();
    let crawl = Crawl::opened(run, &Opened::open(run).await?)?;
    let busy = run.ui.busy("sending the dead letters round again");
    let told = |sent, of| busy.say(&format!("redriving: {sent} of {of} dead letters"));
    let redriven = crawl.fleet.redrive(some.then_some(&selection), &run.interrupt, told).await?;
    drop(busy);
    let paused = async { Ok(crawl.fleet.paused().await?) };
    if let Some(Some(pause)) = interrupt::unless_cut_off(&run.interrupt, paused).await? {
        pause::warn_of(run, &pause);
    }
    run.ui.result(|| words::redriven(&redriven), &redriven)?;
    if run.interrupt.is_cancelled() { Err(Failure::Interrupted) } else { Ok(()) }
}
