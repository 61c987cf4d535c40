//! `make bench`: what this project does beside how people do it otherwise, on the same machine in the same run. Only ratios are kept:
//! a bare time says more of the machine than of the program.
//!
//! A section is a file here and a line in `SECTIONS`.

#![allow(clippy::print_stdout, reason = "the table is its output")]

mod stack;
mod table;

use std::{error::Error, path::Path};

use table::Table;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A part of the results.
struct Section {
    title: &'static str,
    /// How it was measured, and what it does not say.
    about: &'static str,
    measure: fn() -> Result<Table>,
}

const SECTIONS: [Section; 1] = [Section { title: "A whole stack", about: stack::ABOUT, measure: stack::measure }];

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace has no root")?;
    let cores = std::thread::available_parallelism()?;
    let mut text =
        format!("# Results of `make bench`\n\nOn {cores} cores. Ratios within one run; `1.0` is `provision`.\n");
    for Section { title, about, measure } in SECTIONS {
        let section = format!("\n## {title}\n\n{about}\n\n{}", measure()?);
        println!("{section}");
        text.push_str(&section);
    }
    Ok(std::fs::write(root.join("bench/RESULTS.md"), text)?)
}
