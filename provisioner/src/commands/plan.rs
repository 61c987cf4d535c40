//! `provision plan`: what `up` would do. Changes nothing.

use super::opened::Purpose;
use super::{Opened, Run, adopt};
use crate::cli;
use crate::error::Failure;
use crate::ui::plan;

pub(super) async fn run(run: &Run, flags: &cli::Plan) -> Result<(), Failure> {
    let busy = run.ui.busy("reading what is there");
    let (opened, plan) =
        Opened::reading(run, Purpose::Plan, async |opened, stack| opened.plan(run, stack, &flags.up).await).await?;
    drop(busy);
    adopt::warn_of_cloudformation(run, &plan);
    let scope = &opened.aws.scope;
    run.ui.result(|| plan::text(&plan, scope), &plan::document(&plan, scope))?;
    if flags.exit_code && !plan.is_empty() { Err(Failure::Different) } else { Ok(()) }
}
