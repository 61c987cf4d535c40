//! `provision dead-letters` and `provision redrive`: what could not be done is listed, and sent round again.

use super::crawl::Crawl;
use super::{Opened, Run, titles};
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
        Ok::<_, FleetError>((there, crawl.fleet.dead_letters(flags.limit).await?))
    };
    let (there, letters) = looked.await?;
    drop(busy);
    run.ui.result(|| words::text(&letters, there), &words::document(&letters, there))
}

/// An interruption lets the batch that is under way end.
pub(super) async fn redrive(run: &Run, flags: &cli::Redrive) -> Result<(), Failure> {
    let selection = titles::selection(&flags.selection)?;
    let some = flags.selection.years.is_some() || flags.selection.initials.is_some();
    let crawl = Crawl::opened(run, &Opened::open(run).await?)?;
    let busy = run.ui.busy("sending the dead letters round again");
    let redriven = crawl
        .fleet
        .redrive(some.then_some(&selection), |sent, of| busy.say(&format!("redriving: {sent} of {of} dead letters")))
        .await?;
    drop(busy);
    if let Some(pause) = interrupt::until(&run.interrupt, crawl.fleet.paused()).await? {
        run.ui.warn(&format!("the fleet is paused ({}); the jobs wait until `provision resume`", pause.reason));
    }
    run.ui.result(|| words::redriven(&redriven), &redriven)
}
