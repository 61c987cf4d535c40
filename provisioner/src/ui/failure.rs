//! How an error is told: three parts on stderr, and with `--json` one document on stdout if none is there yet.

use std::sync::atomic::Ordering;

use owo_colors::OwoColorize;

use super::Ui;
use crate::error::{Failure, Told};

impl Ui {
    /// Tells the failure and gives its exit code.
    pub fn failure(&self, failure: &Failure) -> u8 {
        let Told { code, parts } = failure.told();
        let Some(parts) = parts else {
            return code;
        };
        self.stderr(&format!("{} {parts}", "error:".red().bold()));
        if self.json && !self.answered.load(Ordering::Relaxed) {
            // The failure is told already, and its code is what counts.
            let _ = self.document(&failure.document());
        }
        code
    }
}
