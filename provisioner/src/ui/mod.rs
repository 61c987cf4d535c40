//! The only place that prints. stdout carries results, one JSON document with `--json`; all else goes to stderr.

mod ask;
pub mod compact;
pub mod crawl;
pub mod dead_letters;
pub mod doctor;
pub mod explain;
mod failure;
mod hidden;
pub mod launch;
pub mod plan;
mod progress;
pub mod report;
pub mod status;
pub mod verify;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{MultiProgress, ProgressDrawTarget};
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};

use crate::cli::Global;
use crate::engine::Observer;
use crate::error::Failure;

use hidden::Hidden;

/// How a run talks to its person.
pub struct Ui {
    json: bool,
    quiet: bool,
    yes: bool,
    bars: MultiProgress,
    answered: Arc<AtomicBool>,
    step: bool,
    hidden: Arc<Hidden>,
}

/// Sends the program's own log to stderr: warnings, with `--verbose` steps, with `-vv` calls. Never the `trace` level, in
/// which a request's body may stand.
pub fn log(verbose: u8) {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(levels(verbose, STATIC_MAX_LEVEL)))
        .with_writer(std::io::stderr)
        .with_ansi(anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never)
        .init();
}

/// The levels that are shown, of those that are compiled in: the filter would complain of others.
fn levels(verbose: u8, compiled: LevelFilter) -> String {
    let own = compiled.min(LevelFilter::DEBUG);
    match verbose {
        0 => "error".into(),
        1 => format!("warn,provisioner={own},crawler_core={own}"),
        _ => format!("info,provisioner={own},crawler_core={own},aws_smithy_runtime={own},aws_config={own}"),
    }
}

impl Ui {
    /// As the flags say.
    pub fn new(flags: &Global) -> Self {
        let target = if flags.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Self {
            json: flags.json,
            quiet: flags.quiet,
            yes: flags.yes,
            bars: MultiProgress::with_draw_target(target),
            answered: Arc::default(),
            step: false,
            hidden: Arc::default(),
        }
    }

    /// The same voice for a step of a larger command: what would be its result is told as a note; what ends it ends the command.
    pub fn for_step(&self) -> Self {
        let Self { json, quiet, yes, .. } = *self;
        let (bars, answered, hidden) = (self.bars.clone(), Arc::clone(&self.answered), Arc::clone(&self.hidden));
        Self { json, quiet, yes, bars, answered, step: true, hidden }
    }

    /// The same voice where the person has said yes already.
    pub fn agreed(self) -> Self {
        Self { yes: true, ..self }
    }

    /// From now on these values are in nothing that is printed.
    pub fn hide(&self, values: impl IntoIterator<Item = String>) {
        self.hidden.add(values);
    }

    /// A line about what goes on, to stderr; silent with `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.stderr(text);
        }
    }

    /// A line that must be seen, to stderr.
    pub fn warn(&self, text: &str) {
        use owo_colors::OwoColorize;
        self.stderr(&format!("{} {text}", "warning:".yellow().bold()));
    }

    /// The command's result, to stdout: `text`, or with `--json` the one document.
    ///
    /// # Errors
    /// [`Failure::ClosedPipe`] where nobody reads it any more.
    pub fn result(&self, text: impl FnOnce() -> String, document: &impl serde::Serialize) -> Result<(), Failure> {
        if self.step {
            self.note(&text());
            return Ok(());
        }
        if self.json { self.document(document) } else { self.stdout(&text()) }
    }

    /// The one document of `--json`.
    fn document(&self, document: &impl serde::Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(document)
            .map_err(|error| Failure::failed("cannot write JSON", error.to_string()))?;
        self.stdout(&text)
    }

    fn stdout(&self, text: &str) -> Result<(), Failure> {
        self.answered.store(true, Ordering::Relaxed);
        self.bars.suspend(|| {
            let mut stdout = anstream::stdout().lock();
            writeln!(stdout, "{}", self.hidden.mask(text.trim_end()))?;
            stdout.flush()
        })?;
        Ok(())
    }

    /// Who listens to the engine's events: bars on a terminal, lines elsewhere.
    pub fn observer(&self) -> Observer {
        progress::observer(self.bars.clone(), Arc::clone(&self.hidden), self.quiet)
    }

    /// A spinner with a text, until it is dropped; a line elsewhere than on a terminal.
    pub fn busy(&self, text: &str) -> progress::Busy {
        progress::Busy::start(&self.bars, &self.hidden, text, self.quiet)
    }

    fn stderr(&self, text: &str) {
        self.bars.suspend(|| anstream::eprintln!("{}", self.hidden.mask(text.trim_end())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_level_is_asked_for_that_is_not_compiled_in() {
        assert_eq!(levels(1, LevelFilter::TRACE), "warn,provisioner=debug,crawler_core=debug");
        assert_eq!(levels(1, LevelFilter::INFO), "warn,provisioner=info,crawler_core=info");
        assert!(levels(2, STATIC_MAX_LEVEL).contains("aws_smithy_runtime=debug"), "a dev build shows the calls");
    }
}
