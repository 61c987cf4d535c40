//! Parse, dispatch, tell the failure, exit.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use provisioner::cli::{Cli, Global, mistake};
use provisioner::ui::Ui;
use provisioner::{commands, exit, interrupt, ui};

/// With `--json` a mistake on the command line is a document on stdout, too.
fn tell_program(told: &clap::Error) {
    if told.use_stderr() && std::env::args_os().any(|word| word == "--json") {
        let ui = Ui::new(&Global { json: true, ..Global::default() });
        // The mistake is told already, and its code is what counts.
        let _ = ui.result(String::new, &mistake(told).document());
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // Nobody reading the help is no failure.
            let _ = told.print();
            tell_program(&told);
            return if told.use_stderr() { exit::USAGE } else { exit::DONE }.into();
        }
    };
    ui::log(cli.global.verbose);
    let ui = Arc::new(Ui::new(&cli.global));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ui.failure(&error.into()).into(),
    };
    let code = runtime.block_on(async {
        let interrupt = interrupt::listen(Arc::clone(&ui));
        match commands::run(cli, &ui, &interrupt).await {
            Ok(()) => exit::DONE,
            Err(failure) => ui.failure(&failure),
        }
    });
    // A question that nobody answers must not hold up the end.
    runtime.shutdown_background();
    code.into()
}
