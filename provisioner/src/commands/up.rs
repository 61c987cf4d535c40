//! `provision up`: makes everything as the template says. A second `up` finds nothing to change.

use std::time::Instant;

use indexmap::IndexMap;

use super::opened::Purpose;
use super::{Opened, Run, adopt};
use crate::cli;
use crate::engine::{Action, Look, Plan, Report, Stack, State};
use crate::error::Failure;
use crate::interrupt;
use crate::ui::{plan, report};

pub(super) async fn run(run: &Run, flags: &cli::Up) -> Result<(), Failure> {
    let started = Instant::now();
    let busy = run.ui.busy("reading what is there");
    let read = async |opened: &Opened, stack: &Stack<'_>| opened.plan(run, stack, flags).await;
    let (opened, plan) = Opened::reading(run, Purpose::Plan, read).await?;
    drop(busy);
    let stack = opened.stack(run)?;
    let mut report = match plan.is_empty() {
        true if plan.waits() => stack.apply(&plan, &run.ui.observer(), &run.interrupt).await,
        true => Report::default(),
        false => carry_out(run, &stack, &plan).await?,
    };
    // What was done is told first, whatever fails from here on.
    let followed = follow(run, &stack, &plan, &mut report).await;
    let (seen, looked) = look_again(run, &stack, &mut report).await;
    let closing = followed.and(looked);
    let looks = seen.unwrap_or_else(|| looks(&plan));
    report.count_unusable(&looks);
    let (outputs, closing) = match stack.outputs(&looks) {
        Ok(outputs) => (outputs, closing),
        Err(problems) => (IndexMap::new(), closing.and(Err(problems.into()))),
    };
    for (mapping, reason) in looks.iter().filter_map(paused) {
        run.ui.warn(&format!("{mapping} is paused and stays so ({reason}); to go on: provision resume"));
    }
    let whole =
        report::Up { scope: &stack.scope, plan: &plan, report: &report, outputs: &outputs, took: started.elapsed() };
    run.ui.result(|| whole.text(), &whole.document())?;
    report::failures(&run.ui, report)?;
    closing
}

/// A role takes its function with it, and that its permissions: no chain of replacements is longer than a stack's few ranks.
const TURNS: usize = 4;

/// What was replaced took with it what hung on it, and others may name what it was: they follow, as another plan finds, and what hung on
/// those.
async fn follow(run: &Run, stack: &Stack<'_>, plan: &Plan, report: &mut Report) -> Result<(), Failure> {
    let mut replaced = plan.count(Action::Replace) > 0;
    for _ in 0..TURNS {
        if !replaced || !report.is_whole() {
            break;
        }
        let plan = stack.plan(false).await?;
        if plan.is_empty() {
            break;
        }
        report.extend(carry_out(run, stack, &plan).await?);
        replaced = plan.count(Action::Replace) > 0;
    }
    Ok(())
}

/// Where anything came or went everything is read again: what comes now is what AWS says, not what we wanted (E43). Nothing is
/// seen where that was cut off or has failed.
async fn look_again(run: &Run, stack: &Stack<'_>, report: &mut Report) -> (Option<Vec<Look>>, Result<(), Failure>) {
    if !report.came_or_went() || report.interrupted {
        return (None, Ok(()));
    }
    let done: &Report = report;
    let look = async { Ok(stack.look_after(done, &run.ui.observer()).await?) };
    let looked = interrupt::unless_cut_off(&run.interrupt, look).await;
    match looked {
        Ok(Some(seen)) => {
            report.miss(&seen);
            (Some(seen), Ok(()))
        }
        Ok(None) => {
            report.interrupted = true;
            (None, Ok(()))
        }
        Err(failure) => (None, Err(failure)),
    }
}

/// What the plan has seen.
fn looks(plan: &Plan) -> Vec<Look> {
    let wanted = plan.changes.iter().filter_map(|change| Some((change.resource.clone()?, change.observed.clone())));
    wanted.map(|(resource, observed)| Look { resource, observed }).collect()
}

/// What was paused on purpose, with the reason: it is left as it is.
fn paused(look: &Look) -> Option<(&str, &str)> {
    match &look.observed.as_ref()?.state {
        State::Paused(reason) => Some((&look.resource.logical_id, reason)),
        _ => None,
    }
}

async fn carry_out(run: &Run, stack: &Stack<'_>, plan: &Plan) -> Result<Report, Failure> {
    run.ui.note(&plan::text(plan, &stack.scope));
    if let Some(question) = plan::losses(plan) {
        interrupt::until(&run.interrupt, run.ui.confirm(&question)).await?;
    }
    adopt::warn_of_cloudformation(run, plan);
    if plan.count(Action::Adopt) > 0 {
        run.ui.warn("what is adopted is this stack's from now on: `down` deletes it, but for what the plan marks as to be deleted by hand");
    }
    Ok(stack.apply(plan, &run.ui.observer(), &run.interrupt).await)
}
