//! How `doctor` tells what it has found.

use std::fmt::Write;

use owo_colors::OwoColorize;

use serde::Serialize;

/// One line.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What was looked at.
    pub check: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub what: String,
    /// How to mend it; empty where there is nothing to mend.
    pub help: String,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// In the way of `up` or `launch`.
    Wrong,
    /// It could not be looked at.
    Unknown,
}

/// A line a check, and under a wrong one what to do.
pub fn text(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Check { check, state, what, help } in checks {
        let word = match state {
            State::Ok => "ok   ".green().to_string(),
            State::Wrong => "wrong".red().bold().to_string(),
            State::Unknown => "?    ".yellow().to_string(),
        };
        let _ = writeln!(text, "{word}  {check:<width$}  {}", what.trim_end().replace('\n', "\n         "));
        if !help.is_empty() {
            let _ = writeln!(text, "       {:<width$}  help: {help}", "");
        }
    }
    text
}
