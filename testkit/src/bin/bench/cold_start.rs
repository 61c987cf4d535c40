//! The function's cold start, beside the least function's.

use std::{path::Path, process::Command};

use testkit::emulator::tool;

use crate::{Result, script, table::Table};

pub const ABOUT: &str = "From the spawn of the bootstrap to its first request for an invocation, by turns, the medians of 51 each. The least function
(`function/examples/hello.rs`) has lambda_runtime and nothing else, and is built with the function's own profile; the crawler also makes
its clients; TMDb's key it reads with its first message. The goal is at most 3 times the least. The script is `bench/cold_start.py`.";

pub fn measure(root: &Path) -> Result<Table> {
    let example = ["build", "--profile", "lambda", "--package", "crawler", "--example", "hello"];
    script::prepare(Command::new("cargo").args(example).current_dir(root))?;
    let measured = script::run(root, &tool("python"), "cold_start.py", &[])?;
    let mut table = Table::new(&["function", "time"]);
    table.row(["the least".to_owned(), "1.0".to_owned()]);
    table.row(["crawler".to_owned(), measured["ratio"].to_string()]);
    Ok(table)
}
