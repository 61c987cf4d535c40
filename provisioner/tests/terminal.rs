//! What a person at a terminal is asked and shown; everywhere else the tests have no terminal.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::path::Path;

use testkit::Emulator;
use testkit::emulator::tool;
use testkit::provision::{Outcome, Provision};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const QUEUE: &str = "Resources:\n  Jobs:\n    Type: AWS::SQS::Queue\n";

/// A person whose commands run on a terminal.
fn person(endpoint: &str) -> Provision {
    Provision::new(tool("python")).endpoint(endpoint).env("TERM", "xterm").file("jobs.yaml", QUEUE)
}

/// `provision` with this line, each prompt answered in turn; what the terminal showed is the outcome's stdout.
fn provision(person: &Provision, line: &str, answers: &[&str]) -> Outcome {
    let terminal = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/readers/terminal.py").display().to_string();
    let mut words = vec![terminal.as_str()];
    words.extend(answers);
    words.extend(["--", env!("CARGO_BIN_EXE_provision")]);
    words.extend(line.split_whitespace());
    person.run(words)
}

#[test]
fn init_asks_for_what_is_not_given_and_never_shows_the_key() {
    let emulator = Emulator::shared();
    let person = person(&emulator.endpoint());
    let init = provision(&person, "init", &["asked", "eu-west-1", "", KEY]).succeeds();
    init.never_says(KEY).says("asked").says("Next: provision up");
    let written = std::fs::read_to_string(person.folder().join("provision.toml")).unwrap();
    assert_eq!(written, "stack = \"asked\"\nregion = \"eu-west-1\"\n");

    let later = provision(&person, "init --force --stack asked", &["", "", ""]).succeeds();
    later.says("Next: provision secret set");
}

#[test]
fn down_asks_and_a_no_changes_nothing() {
    let emulator = Emulator::shared();
    let person = person(&emulator.endpoint());
    provision(&person, "up --template jobs.yaml", &[]).succeeds();
    provision(&person, "down --template jobs.yaml", &["n"])
        .exits(1)
        .says("Go on? [y/N]")
        .says("not done: the answer was no");
    provision(&person, "plan --template jobs.yaml --exit-code", &[]).succeeds();
    provision(&person, "down --template jobs.yaml --no-wait", &["y"]).succeeds().says("1 deleted");
    provision(&person, "plan --template jobs.yaml --exit-code", &[]).exits(3);
}
