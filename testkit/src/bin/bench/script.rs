//! A script of bench/ that measures by itself and prints one JSON object; that a goal was missed is no failure here.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::Result;

/// What a Python of this path printed for a script with these words.
pub fn run(root: &Path, python: &Path, script: &str, words: &[&str]) -> Result<Value> {
    let mut command = Command::new(python);
    command.arg(root.join("bench").join(script)).args(words).current_dir(root).stdin(Stdio::null());
    let output = command.stderr(Stdio::inherit()).output()?;
    match serde_json::from_slice(&output.stdout) {
        Ok(printed) => Ok(printed),
        Err(_) => Err(format!("bench/{script} ended with {} and printed no result", output.status).into()),
    }
}

/// Runs a command of the preparation to its end.
pub fn prepare(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}").into()) }
}

/// Names and numbers of an object, in its order.
pub fn numbers(object: &Value) -> impl Iterator<Item = (&str, f64)> {
    object.as_object().into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_f64()?)))
}
