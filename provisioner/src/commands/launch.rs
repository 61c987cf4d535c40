//! `provision launch`: the titles become jobs, and what is not done goes to the queue.

use std::collections::BTreeSet;
use std::time::Duration;

use crawler_core::crawl::{Films, Refresh};
use crawler_core::imdb::{Manifest, Selection};
use crawler_core::tmdb::Changes;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::crawl::{Crawl, key_is_stored, warn_of_rate};
use super::{Opened, Run, lake, pause, secret, titles};
use crate::cli;
use crate::engine::Stack;
use crate::error::Failure;
use crate::fleet::{Estimate, FleetError, FleetSettings, LaunchPlan, Wanted};
use crate::interrupt;
use crate::ui::launch as words;

pub(super) async fn run(run: &Run, flags: &cli::Launch) -> Result<(), Failure> {
    titles::check(run, &flags.selection, &flags.titles)?;
    let opened = Opened::open(run).await?;
    let stack = opened.stack(run)?;
    let mut wanted = Wanted { refresh: refresh(&flags.renew, Timestamp::now()), changes: None, again: flags.again };
    if flags.renew.refresh == Some(cli::Refresh::Changed) {
        let Crawl { settings: FleetSettings { rate, concurrency, .. }, fleet, .. } =
            Crawl::open(&stack, &opened.aws.config)?;
        let depth = async { fleet.jobs.depth().await.map_err(FleetError::from) };
        let rests = interrupt::until(&run.interrupt, depth).await?.is_empty();
        wanted.changes = Some(changes(run, if rests { rate / concurrency } else { rate * LEFT }).await?);
    }
    let launch = Launch::plan(run, &opened, &stack, &flags.selection, &flags.titles, &wanted).await?;
    if flags.dry_run {
        let document = words::document(&launch.plan, &launch.estimate);
        return run.ui.result(|| words::jobs(&launch.plan, &launch.estimate), &document);
    }
    let outcome = launch.send(run, &opened).await?;
    if let Some(pause) = interrupt::until(&run.interrupt, launch.crawl.fleet.paused()).await? {
        pause::warn_of(run, &pause);
    }
    run.ui.result(|| outcome.text(), &outcome)
}

/// What is asked again of jobs that are done, by a refresh that began then.
pub(super) fn refresh(flags: &cli::Renew, began: Timestamp) -> Option<Refresh> {
    let older = |age| began.checked_sub(age).unwrap_or(Timestamp::MIN);
    match flags.refresh {
        _ if flags.failed => Some(Refresh { before: began, films: Films::Failed }),
        Some(cli::Refresh::OlderThan(age)) => Some(Refresh { before: older(age), films: Films::All }),
        Some(cli::Refresh::Changed) => Some(Refresh { before: began, films: Films::These(BTreeSet::new()) }),
        None => None,
    }
}

/// What a fleet at work leaves of its rate to others.
const LEFT: f64 = 0.02;

/// What TMDb says has changed, asked at `rate`: of a fleet that rests that of one function.
pub(super) async fn changes(run: &Run, rate: f64) -> Result<Changes, Failure> {
    let busy = run.ui.busy("asking TMDb which films changed");
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let asked = secret::changes(run, today, rate);
    let changes = interrupt::until(&run.interrupt, asked).await?;
    drop(busy);
    run.ui.note(&format!("TMDb: {} films changed in the last fortnight", changes.len()));
    Ok(changes)
}

/// A launch that is ready to be sent.
pub(super) struct Launch {
    pub(super) crawl: Crawl,
    pub(super) manifest: Manifest,
    /// Which of its jobs are meant.
    pub(super) selection: Selection,
    plan: LaunchPlan,
    estimate: Estimate,
}

impl Launch {
    /// Makes or reuses the index, finds what is selected, wanted and not queued, and says what it will take.
    pub(super) async fn plan(
        run: &Run,
        opened: &Opened,
        stack: &Stack<'_>,
        selected: &cli::Selection,
        source: &cli::Titles,
        wanted: &Wanted,
    ) -> Result<Self, Failure> {
        let selection = titles::selection(selected)?;
        let crawl = Crawl::open(stack, &opened.aws.config)?;
        let config = Some(&opened.aws.config);
        let asked = titles::shown(selected);
        let selects = |manifest: &Manifest| match manifest.jobs_of(&selection).next() {
            Some(_) => Ok(()),
            None => Err(FleetError::NothingSelected { asked: asked.clone() }.into()),
        };
        let job_titles = crawl.job_titles()?;
        let manifest = titles::manifest(run, source, &crawl.fleet.lake, config, job_titles, &selects).await?;
        let busy = run.ui.busy("listing the jobs that are done");
        let planned = crawl.fleet.plan_launch(&manifest, &selection, &asked, wanted);
        let plan = interrupt::until(&run.interrupt, planned).await?;
        drop(busy);
        let estimate = Estimate::new(plan.workload(), crawl.settings);
        let launch = Self { crawl, manifest, selection, plan, estimate };
        launch.warn(run).await?;
        Ok(launch)
    }

    /// What may go wrong with a launch of this size at this rate.
    async fn warn(&self, run: &Run) -> Result<(), Failure> {
        warn_of_rate(run, "the fleet's", self.crawl.settings.rate);
        let (largest, fits) = (self.plan.jobs.iter().map(|job| job.titles).max(), self.crawl.job_titles()?);
        if let Some(largest) = largest.filter(|largest| *largest > fits) {
            run.ui.warn(&format!(
                "the index has jobs of {largest} titles, and with these parameters a function should have {fits}: it may run out of time or memory (--new-index cuts what is not begun anew)"
            ));
        }
        let retention = async { self.crawl.fleet.jobs.retention().await.map_err(FleetError::from) };
        let retention = interrupt::until(&run.interrupt, retention).await?;
        if Duration::from_secs(self.estimate.seconds) > retention.unsigned_abs() {
            let (takes, keeps) =
                (words::time(&self.estimate), crate::ui::crawl::duration(retention.unsigned_abs().as_secs()));
            run.ui.warn(&format!(
                "this takes {takes} or more, and SQS drops a message after {keeps}: launch years one after another, or launch again then"
            ));
        }
        Ok(())
    }

    /// Sends it. An interruption lets the step under way end, and what SQS accepted is written down.
    pub(super) async fn send(&self, run: &Run, opened: &Opened) -> Result<words::Outcome, Failure> {
        if !self.plan.jobs.is_empty() {
            key_is_stored(run, &opened.aws.config).await?;
            run.ui.note(&words::estimate(&self.estimate));
        }
        if self.plan.jobs.is_empty() || self.plan.left_over {
            self.prune(run).await?;
        }
        let busy = run.ui.busy("sending the jobs");
        let launched = self
            .crawl
            .fleet
            .launch(&self.plan, &run.interrupt, |sent, of| {
                busy.say(&format!("sending the jobs: {sent} of {of} messages"))
            })
            .await?;
        drop(busy);
        if launched.jobs < self.plan.jobs.len() {
            return Err(Failure::Interrupted);
        }
        Ok(words::Outcome::new(&self.plan, launched, self.estimate))
    }

    /// What an older index left over goes, as far as the jobs of this one are done; the rest goes with those that are not.
    pub(super) async fn prune(&self, run: &Run) -> Result<(), Failure> {
        lake::prune(run, &*self.crawl.fleet.lake, &self.manifest).await
    }
}
