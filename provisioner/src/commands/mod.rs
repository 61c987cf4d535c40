//! A file a command; each reads top to bottom as what the person asked for.

mod adopt;
mod compact;
mod crawl;
mod dead_letters;
mod doctor;
mod down;
mod download;
mod explain;
mod init;
mod lake;
mod launch;
mod opened;
mod package;
mod packager;
mod pause;
mod plan;
mod policy;
mod run;
mod secret;
mod simulate;
mod status;
mod titles;
mod up;
mod verify;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::cli::{Cli, Command, Secret};
use crate::config::{Environment, Settings};
use crate::error::Failure;
use crate::ui::Ui;

pub use opened::Opened;

/// What every command gets.
#[derive(Clone)]
pub struct Run {
    /// What it is told.
    pub settings: Settings,
    /// How it talks.
    pub ui: Arc<Ui>,
    /// Cancelled by Ctrl-C.
    pub interrupt: CancellationToken,
}

impl Run {
    /// The same for a step of a larger command.
    fn for_step(&self) -> Self {
        Self { ui: Arc::new(self.ui.for_step()), ..self.clone() }
    }

    /// The same of a step that the person has said yes to.
    fn for_agreed_step(&self) -> Self {
        Self { ui: Arc::new(self.ui.for_step().agreed()), ..self.clone() }
    }
}

/// Does what was typed.
///
/// # Errors
/// What the person must be told.
pub async fn run(cli: Cli, ui: &Arc<Ui>, interrupt: &CancellationToken) -> Result<(), Failure> {
    let environment = Environment::read();
    let settings = match cli.command {
        Command::Init(_) | Command::Explain(_) => Settings::load_if_sound(&cli.global, &environment)?,
        _ => Settings::load(&cli.global, &environment)?,
    };
    let run = Run { settings, ui: Arc::clone(ui), interrupt: interrupt.clone() };
    match cli.command {
        Command::Init(flags) => init::run(&run, &cli.global, &flags).await,
        Command::Secret(Secret::Set) => secret::set(&run).await,
        Command::Secret(Secret::Check) => secret::check(&run).await,
        Command::Package => package::run(&run).await,
        Command::Plan(flags) => plan::run(&run, &flags).await,
        Command::Up(flags) => up::run(&run, &flags).await,
        Command::Down(flags) => down::run(&run, &flags).await,
        Command::Status(flags) => status::run(&run, &flags).await,
        Command::Launch(flags) => launch::run(&run, &flags).await,
        Command::Simulate(flags) => simulate::run(&run, &flags).await,
        Command::Download(flags) => download::run(&run, &flags).await,
        Command::Compact(flags) => compact::run(&run, &flags).await,
        Command::Verify(flags) => verify::run(&run, &flags).await,
        Command::Pause(flags) => pause::pause(&run, &flags).await,
        Command::Resume => pause::resume(&run).await,
        Command::DeadLetters(flags) => dead_letters::list(&run, &flags).await,
        Command::Redrive(flags) => dead_letters::redrive(&run, &flags).await,
        Command::Run(flags) => run::run(&run, &flags).await,
        Command::Policy(flags) => policy::run(&run, &flags).await,
        Command::Doctor => doctor::run(&run).await,
        Command::Explain(flags) => explain::run(&run, &flags).await,
    }
}
