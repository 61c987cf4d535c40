//! `provision launch`: the titles become jobs, and what is not done goes to the queue.

use super::crawl::{Crawl, key_is_stored};
use super::{Opened, Run, titles};
use crate::cli;
use crate::engine::Stack;
use crate::error::Failure;
use crate::fleet::LaunchPlan;
use crate::interrupt;
use crate::ui::launch::{Outcome, jobs_text};
use crawler_core::imdb::Manifest;

pub(super) async fn run(run: &Run, flags: &cli::Launch) -> Result<(), Failure> {
    let opened = Opened::open(run).await?;
    let stack = opened.stack(run)?;
    let launch = Launch::plan(run, &opened, &stack, &flags.selection, &flags.titles, flags.again).await?;
    if flags.dry_run {
        return run.ui.result(|| jobs_text(&launch.plan), &crate::ui::launch::jobs_document(&launch.plan));
    }
    let outcome = launch.send(run, &opened).await?;
    if let Some(pause) = interrupt::until(&run.interrupt, launch.crawl.fleet.paused()).await? {
        run.ui.warn(&format!("the fleet is paused ({}); the jobs wait until `provision resume`", pause.reason));
    }
    run.ui.result(|| outcome.text(), &outcome)
}

/// A launch that is ready to be sent.
pub(super) struct Launch {
    pub(super) crawl: Crawl,
    pub(super) manifest: Manifest,
    plan: LaunchPlan,
}

impl Launch {
    /// Makes or reuses the index, and finds what is selected and neither done nor queued.
    pub(super) async fn plan(
        run: &Run,
        opened: &Opened,
        stack: &Stack<'_>,
        selected: &cli::Selection,
        source: &cli::Titles,
        again: bool,
    ) -> Result<Self, Failure> {
        let selection = titles::selection(selected)?;
        let crawl = Crawl::open(stack, &opened.aws.config)?;
        let config = Some(&opened.aws.config);
        let manifest = titles::manifest(run, source, &crawl.fleet.lake, config, crawl.job_titles).await?;
        let asked = titles::shown(selected);
        let busy = run.ui.busy("listing the jobs that are done");
        let planned = crawl.fleet.plan_launch(&manifest, &selection, &asked, again);
        let plan = interrupt::until(&run.interrupt, planned).await?;
        drop(busy);
        Ok(Self { crawl, manifest, plan })
    }

    /// Sends it. An interruption lets the batches under way end, and what SQS accepted is written down.
    pub(super) async fn send(&self, run: &Run, opened: &Opened) -> Result<Outcome, Failure> {
        if !self.plan.jobs.is_empty() {
            key_is_stored(run, &opened.aws.config).await?;
        }
        let busy = run.ui.busy("sending the jobs");
        let launched = self
            .crawl
            .fleet
            .launch(&self.plan, |sent, of| busy.say(&format!("sending the jobs: {sent} of {of} messages")))
            .await?;
        drop(busy);
        Ok(Outcome::new(&self.plan, launched, self.crawl.least_time(launched.titles)))
    }
}
