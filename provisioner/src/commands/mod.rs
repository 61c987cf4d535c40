//! A file a command; each reads top to bottom as what the person asked for.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::cli::Cli;
use crate::config::{Environment, Settings};
use crate::error::Failure;
use crate::ui::Ui;

/// Does what was typed.
///
/// # Errors
/// What the person must be told.
pub async fn run(cli: Cli, _ui: &Arc<Ui>, _interrupt: &CancellationToken) -> Result<(), Failure> {
    let _settings = Settings::load(&cli.global, &Environment::read())?;
    Err(Failure::failed("this command is not there yet", format!("{:?}", cli.command)))
}
