//! `provision plan`: what `up` would do. Changes nothing.

use super::{Opened, Run, adopt};
use crate::cli;
use crate::error::Failure;
use crate::interrupt;
use crate::ui::plan;

pub(super) async fn run(run: &Run, flags: &cli::Plan) -> Result<(), Failure> {
    let opened = Opened::open_to_plan(run).await?;
    let stack = opened.stack(run)?;
    let busy = run.ui.busy("reading what is there");
    let plan = interrupt::until(&run.interrupt, opened.plan(run, &stack, flags.adopt)).await?;
    drop(busy);
    adopt::warn_of_cloudformation(run, &plan);
    run.ui.result(|| plan::text(&plan, &stack.scope), &plan::document(&plan, &stack.scope))?;
    if flags.exit_code && !plan.is_empty() { Err(Failure::Different) } else { Ok(()) }
}
