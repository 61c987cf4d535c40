//! How many calls a run makes, and how many of them wait for one another: what a person far from AWS waits for.

use std::fmt::Write as _;
use std::time::Duration;

use testkit::fault_proxy::{Call, Edge, Rule};

use super::stage::{Stage, light_user, words, write_code};

/// Long beside what the emulator and a busy machine need, so that calls which could go side by side do.
const ROUND: Duration = Duration::from_millis(250);

/// A machine that is too busy only makes chains longer, so the best of so many tries tells what a run needs.
const TRIES: usize = 4;

#[test]
fn no_run_has_more_rounds_or_changes_than_it_needs() {
    let mut stage = Stage::new();
    stage.user = light_user(&stage.proxy.url());
    stage.proxy.rule(Rule::on("*", "*").latency(ROUND));
    stage.proxy.play(Edge::TaggingTellsOfMappings);
    let mut told = String::new();
    for _ in 0..TRIES {
        write_code(&stage.user, "one");
        match stage.story() {
            Ok(()) => return,
            Err(longer) => told = longer,
        }
    }
    panic!("{told}");
}

impl Stage {
    /// Up, up again, new code, down. An error is a chain that was too long.
    fn story(&self) -> Result<(), String> {
        // Reads; bucket, dead letters, role; function; function active; mapping; reads.
        let cold = self.rounds("up --yes", 6, writes_bucket_settings);
        assert_eq!(self.changes().len(), 13, "{:?}", self.changes());

        // All reads at once.
        let again = self.rounds("up --yes", 1, |_| false);
        assert_eq!(self.changes(), Vec::<String>::new());
        assert!(self.proxy.calls().len() <= 36, "{} calls", self.proxy.calls().len());

        // Reads; the new code; whether it is in force.
        write_code(&self.user, "two");
        let code = self.rounds("up --yes", 3, |_| false);
        assert_eq!(self.changes(), ["lambda:UpdateFunctionCode"]);

        // Reads; deletes; what goes after them, and whether they are gone; the audit.
        let down = self.rounds("down --yes --delete-data", 4, deletes_bucket);
        [cold, again, code, down].into_iter().collect()
    }

    /// Runs a command line and expects its longest chain of calls to be no longer than `most`, but for those that `beside` picks.
    fn rounds(&self, line: &str, most: usize, beside: fn(&Call) -> bool) -> Result<(), String> {
        self.proxy.forget();
        self.user.run(words(line)).succeeds();
        let chain = self.proxy.longest_chain_of(|call| !beside(call));
        if chain.len() <= most {
            return Ok(());
        }
        let mut told = format!("{line} takes {} rounds, not {most}: the chain, then all calls\n", chain.len());
        for call in chain.iter().chain(&self.proxy.calls()) {
            let (begin, end) = (call.begin.as_millis(), call.end.unwrap_or_default().as_millis());
            let _ = writeln!(told, "{begin:>7} {end:>7} {}:{} {}", call.service, call.operation, call.resource);
        }
        Err(told)
    }
}

/// A bucket's settings go one after another (E67): they lengthen the bucket's own branch, beside all others.
fn writes_bucket_settings(call: &Call) -> bool {
    call.service == "s3" && call.mutating && call.operation != "CreateBucket"
}

/// A bucket is emptied page by page before it can go, beside all others.
fn deletes_bucket(call: &Call) -> bool {
    call.service == "s3" && (call.mutating || call.operation.starts_with("List"))
}
