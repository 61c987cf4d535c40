//! `provision status`: what is there and how it is. Changes nothing.

use super::{Opened, Run};
use crate::cli;
use crate::error::Failure;
use crate::interrupt;
use crate::ui::status::Status;

pub(super) async fn run(run: &Run, flags: &cli::Status) -> Result<(), Failure> {
    let opened = Opened::open(run).await?;
    let stack = opened.stack(run)?;
    let looks = interrupt::until(&run.interrupt, stack.look_without_artifacts()).await?;
    let status = Status::new(&stack.scope, &looks);
    run.ui.result(|| status.text(), &status)?;
    if flags.exit_code && !status.is_healthy() { Err(Failure::Different) } else { Ok(()) }
}
