//! Dead letters as a table, and what a redrive did.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Value, json};

use crate::fleet::{DeadLetter, Depth, Redriven};

/// The most names of jobs that a row shows.
const JOBS: usize = 3;

/// For a terminal.
pub fn text(letters: &[DeadLetter], there: Depth) -> String {
    if letters.is_empty() {
        return match there.in_flight {
            0 => "There are no dead letters.".into(),
            hidden => format!("No dead letter can be read now: {hidden} are hidden by another reader, for a minute."),
        };
    }
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["JOBS", "ATTEMPTS", "REASON", "LAST ERROR"]);
    for letter in letters {
        let last = letter.last_error.as_deref().unwrap_or("-");
        table.add_row([&jobs(letter), &letter.attempts, &letter.reason, last]);
    }
    let table = table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    let there = there.visible.max(letters.len() as u64);
    format!("{table}\n\n{} of {there} dead letters; mend the cause, then: provision redrive", letters.len())
}

/// For a program.
pub fn document(letters: &[DeadLetter], there: Depth) -> Value {
    json!({ "dead_letters": letters, "queue": there })
}

fn jobs(letter: &DeadLetter) -> String {
    match letter.jobs.as_slice() {
        [] => "none".into(),
        jobs if jobs.len() <= JOBS => jobs.join(", "),
        jobs => format!("{}, and {} more", jobs[..JOBS].join(", "), jobs.len() - JOBS),
    }
}

/// What a redrive did.
pub fn redriven(redriven: &Redriven) -> String {
    let Redriven { redriven, left, .. } = redriven;
    match (redriven, left) {
        (0, 0) => "There are no dead letters.".into(),
        (0, left) => format!("None of the {left} dead letters is selected."),
        (sent, 0) => format!("{sent} dead letters are in the jobs queue again; none is left."),
        (sent, left) => format!("{sent} dead letters are in the jobs queue again; {left} are left."),
    }
}
