//! How fast a launch feeds the queue, beside boto3.

use std::path::Path;

use testkit::emulator::tool;

use crate::{
    Result,
    script::{self, numbers},
    table::Table,
};

pub const ABOUT: &str = "8,698 messages (as many as all films have partitions) to the AWS emulator behind the fault proxy, 20 ms a call, by the debug
build. The goals are five times boto3's SendMessageBatch and twenty times one SendMessage after another, of which a twentieth is timed.
The script is `bench/launch.py`.";

pub fn measure(root: &Path) -> Result<Table> {
    let measured = script::run(root, &tool("python"), "launch.py", &[])?;
    let mut table = Table::new(&["by", "time", "goal"]);
    table.row(["provision".to_owned(), "1.0".to_owned(), String::new()]);
    for (by, ratio) in numbers(&measured["ratios"]) {
        table.row([by.replace('_', " "), format!("{ratio:.1}"), measured["goals"][by].to_string()]);
    }
    Ok(table)
}
