//! `make bench`: what this project does beside how people do it otherwise, on the same machine in the same run. Only ratios are kept:
//! a bare time says more of the machine than of the program.
//!
//! A section is a file here and a line in `SECTIONS`; those that are named are measured, and the others' results stay.

#![allow(clippy::print_stdout, reason = "the table is its output")]

mod cold_start;
mod index;
mod launch;
mod script;
mod stack;
mod table;

use std::{error::Error, path::Path};

use clap::{Parser, builder::PossibleValuesParser};

use table::Table;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A part of the results.
struct Section {
    /// As it is asked for.
    name: &'static str,
    title: &'static str,
    /// How it was measured, and what it does not say.
    about: &'static str,
    measure: fn(&Path) -> Result<Table>,
}

const SECTIONS: [Section; 4] = [
    Section { name: "stack", title: "A whole stack", about: stack::ABOUT, measure: stack::measure },
    Section { name: "index", title: "The index", about: index::ABOUT, measure: index::measure },
    Section { name: "launch", title: "Feeding the queue", about: launch::ABOUT, measure: launch::measure },
    Section { name: "cold-start", title: "A cold start", about: cold_start::ABOUT, measure: cold_start::measure },
];

/// Measures this project beside how people do it otherwise, and writes the ratios to bench/RESULTS.md.
///
/// Wants what `make bench` builds before: the tools, `provision` and the function's zip.
#[derive(Parser)]
struct Args {
    /// What is measured; the results of the other sections stay [default: all]
    #[arg(value_parser = PossibleValuesParser::new(SECTIONS.map(|section| section.name)))]
    sections: Vec<String>,
}

fn main() -> Result<()> {
    let asked = Args::parse().sections;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace has no root")?;
    let results = root.join("bench/RESULTS.md");
    let earlier = std::fs::read_to_string(&results).unwrap_or_default();
    let cores = std::thread::available_parallelism()?;
    let mut text =
        format!("# Results of `make bench`\n\nOn {cores} cores. Ratios within one run; `1.0` is `provision`.\n");
    for Section { name, title, about, measure } in SECTIONS {
        if !asked.is_empty() && !asked.iter().any(|asked| asked == name) {
            text.push_str(part(&earlier, title));
            continue;
        }
        let section = format!("\n## {title}\n\n{about}\n\n{}", measure(root)?);
        println!("{section}");
        text.push_str(&section);
    }
    Ok(std::fs::write(results, text)?)
}

/// The part of earlier results under this title, with the blank line before it.
fn part<'t>(earlier: &'t str, title: &str) -> &'t str {
    let heading = format!("\n## {title}\n");
    let Some(start) = earlier.find(&heading) else { return "" };
    let rest = &earlier[start + 1..];
    let end = rest.find("\n## ").map_or(earlier.len(), |end| start + 1 + end);
    &earlier[start..end]
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_part_ends_where_the_next_begins() {
        let results = "# R\n\n## A\n\na\n\n## B\n\nb\n";
        assert_eq!(part(results, "A"), "\n## A\n\na\n");
        assert_eq!(part(results, "B"), "\n## B\n\nb\n");
        assert_eq!(part(results, "C"), "");
    }
}
