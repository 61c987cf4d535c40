//! `provision policy`: the least IAM policy that a person needs. Changes nothing.

use super::{Opened, Run};
use crate::cli;
use crate::error::Failure;
use crate::policy::{Command, Policy};
use clap::ValueEnum;

pub(super) async fn run(run: &Run, flags: &cli::Policy) -> Result<(), Failure> {
    let opened = Opened::open(run).await?;
    let stack = opened.stack(run)?;
    let all = Command::value_variants();
    let commands = if flags.commands.is_empty() { all } else { &flags.commands };
    let document = Policy::of(&stack, commands, flags.delete_data)?.document();
    run.ui.result(|| format!("{document:#}"), &document)
}
