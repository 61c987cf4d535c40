//! How many calls a run makes, and how many of them wait for one another: what a person far from AWS waits for.

use std::fmt::Write as _;
use std::time::Duration;

use testkit::fault_proxy::{Call, Rule};

use super::stage::{Stage, words};

/// Long beside what the emulator and a busy machine need, so that calls which could go side by side do.
const ROUND: Duration = Duration::from_millis(300);

#[test]
fn no_run_has_more_rounds_or_changes_than_it_needs() {
    let stage = Stage::new();
    stage.proxy.rule(Rule::on("*", "*").latency(ROUND));

    // Reads; bucket, dead letters, role; function; function active; mapping; reads.
    stage.rounds("up --yes", 6, writes_bucket_settings);
    assert_eq!(stage.changes().len(), 14, "{:?}", stage.changes());

    // Reads; the mapping's tags, as its id is in the first answers.
    stage.rounds("up --yes", 2, |_| false);
    assert_eq!(stage.changes(), Vec::<String>::new());
    assert!(stage.proxy.calls().len() <= 30, "{} calls", stage.proxy.calls().len());

    stage.change_code();
    stage.rounds("up --yes", 3, |_| false);
    assert_eq!(stage.changes(), ["lambda:UpdateFunctionCode"]);

    // Reads; deletes; what goes after them, and whether they are gone; the audit.
    stage.rounds("down --yes", 4, |_| false);
}

/// A bucket's settings go one after another (E67): they lengthen the bucket's own branch, beside all others.
fn writes_bucket_settings(call: &Call) -> bool {
    call.service == "s3" && call.mutating && call.operation != "CreateBucket"
}

impl Stage {
    /// Runs a command line and expects its longest chain of calls to be no longer than `most`, but for those that `beside` picks.
    fn rounds(&self, line: &str, most: usize, beside: fn(&Call) -> bool) {
        self.proxy.forget();
        self.user.run(words(line)).succeeds();
        let chain = self.proxy.longest_chain_of(|call| !beside(call));
        if chain.len() > most {
            let mut told = String::new();
            for call in chain.iter().chain(&self.proxy.calls()) {
                let (begin, end) = (call.begin.as_millis(), call.end.unwrap_or_default().as_millis());
                let _ = writeln!(told, "{begin:>7} {end:>7} {}:{} {}", call.service, call.operation, call.resource);
            }
            panic!("{line} takes {} rounds, not {most}: the chain, then all calls\n{told}", chain.len());
        }
    }
}
