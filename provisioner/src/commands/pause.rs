//! `provision pause` and `provision resume`: the mapping stops feeding the functions, and goes on.

use crawler_core::lake::Pause;
use serde_json::json;

use super::crawl::Crawl;
use super::{Opened, Run};
use crate::cli;
use crate::error::Failure;
use crate::fleet::Change;

/// Both end in one go: an interruption between their calls would only leave them to be run again.
pub(super) async fn pause(run: &Run, flags: &cli::Pause) -> Result<(), Failure> {
    let crawl = Crawl::opened(run, &Opened::open(run).await?)?;
    let (pause, changed) = match crawl.fleet.pause(&flags.reason).await? {
        Change::Made(pause) => (pause, true),
        Change::Already(pause) => (pause, false),
    };
    let depth = crawl.fleet.jobs.depth().await.map_err(crate::fleet::FleetError::from)?;
    let text = || {
        let said = if changed { "The fleet is paused" } else { "The fleet was paused already" };
        let under_way = match depth.in_flight {
            0 => String::new(),
            jobs => format!("\n{jobs} messages are under way and end by themselves."),
        };
        format!("{said}: {}.{under_way}\nTo go on: provision resume", pause.reason)
    };
    let Pause { reason, by, at } = &pause;
    run.ui.result(
        text,
        &json!({ "paused": { "reason": reason, "by": by, "at": at }, "changed": changed, "queue": depth }),
    )
}

pub(super) async fn resume(run: &Run) -> Result<(), Failure> {
    let crawl = Crawl::opened(run, &Opened::open(run).await?)?;
    let (pause, changed) = match crawl.fleet.resume().await? {
        Change::Made(pause) => (pause, true),
        Change::Already(pause) => (pause, false),
    };
    let text = || match (changed, &pause) {
        (true, Some(Pause { reason, by, .. })) => format!("The fleet goes on. It was paused by {by}: {reason}"),
        (true, None) => "The fleet goes on.".to_owned(),
        (false, _) => "The fleet was not paused.".to_owned(),
    };
    run.ui.result(text, &json!({ "paused": null, "was": pause, "changed": changed }))
}

/// Says of jobs that were just sent that they wait, if they do.
pub(super) fn warn_of(run: &Run, pause: &Pause) {
    run.ui.warn(&format!("the fleet is paused ({}); the jobs wait until `provision resume`", pause.reason));
}

/// What stops a command that wants a fleet at work.
pub(super) fn stands_still(run: &Run, pause: &Pause) -> Failure {
    let Pause { reason, by, at } = pause;
    Failure::failed(
        format!("the fleet is paused: {reason}"),
        format!("stack {}, since {at} by {by}", run.settings.stack),
    )
    .help("mend the cause, then: provision resume, and provision run to go on; nothing is lost meanwhile")
}
