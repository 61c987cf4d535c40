//! Readers in Python: what is in the emulator, told by tools that are not ours; and one that changes it as people do.

use std::{
    io::{self, Write as _},
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{
    emulator::{aws_env, tool},
    stand_in::Expected,
};

/// All that the account of the emulator at `endpoint` holds.
///
/// # Panics
/// If it cannot be read.
pub fn account(endpoint: &str) -> Value {
    run("list_account.py", &[], "", endpoint)
}

/// Counts of a lake's records, once they are what the truth says: each film in its one place, each review once.
///
/// # Panics
/// With the differences, where there are any.
pub fn check_lake(endpoint: &str, bucket: &str, truth: &[Expected]) -> Value {
    let truth = serde_json::to_string(truth).unwrap_or_default();
    run("check_lake.py", &[bucket, "/dev/stdin"], &truth, endpoint)
}

/// What DuckDB finds in the folder of a lake.
///
/// # Panics
/// If it cannot be read.
pub fn read_lake(folder: &Path) -> Value {
    run("read_lake.py", &[&folder.display().to_string()], "", "")
}

/// What is there of a stack.
///
/// # Panics
/// If it cannot be read.
pub fn stack(endpoint: &str, stack: &str) -> Value {
    run("describe_stack.py", &[stack], "", endpoint)
}

/// Makes a user for each IAM policy, and tells their access keys: a list of `id` and `secret`.
///
/// # Panics
/// If they cannot be made.
pub fn make_users(endpoint: &str, policies: &[Value]) -> Value {
    run("make_users.py", &["/dev/stdin"], &serde_json::json!(policies).to_string(), endpoint)
}

/// Of IAM actions those that the emulator at `endpoint` lets somebody do who may do all but this.
///
/// # Panics
/// If they cannot be tried.
pub fn unenforced(endpoint: &str, actions: &[String]) -> Value {
    run("unenforced.py", &["/dev/stdin"], &serde_json::json!(actions).to_string(), endpoint)
}

/// Changes a stack of the crawler's by hand: code, settings, tags and policies.
///
/// # Panics
/// If it cannot be changed.
pub fn meddle(endpoint: &str, stack: &str) {
    run("meddle.py", &[stack], "", endpoint);
}

fn run(script: &str, arguments: &[&str], input: &str, endpoint: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("readers").join(script);
    let mut command = Command::new(tool("python"));
    command.arg(path).args(arguments).envs(aws_env(endpoint));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = fed(&mut command, input).unwrap_or_else(|error| panic!("{script} does not run: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {told}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{script} says no JSON: {error}"))
}

fn fed(command: &mut Command, input: &str) -> io::Result<Output> {
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    child.wait_with_output()
}
