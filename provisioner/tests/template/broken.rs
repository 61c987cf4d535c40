//! Broken templates and what is said of each: a file in `broken/`, and beside it in `snapshots/` the message, reviewed.
//!
//! A first line `# --param Name=value` gives parameters. After a wanted change of words: `INSTA_UPDATE=always cargo test`.

use std::path::{Path, PathBuf};

use crate::support::resolve_all;

fn here(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/template").join(folder)
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(here(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// The parameters of the first line.
fn parameters(text: &str) -> Vec<(&str, &str)> {
    let first = text.lines().next().unwrap_or_default();
    let words = first.strip_prefix("# --param ").map(|rest| rest.split(" --param "));
    words.into_iter().flatten().filter_map(|word| word.split_once('=')).collect()
}

#[test]
fn a_broken_template_is_told_with_place_and_way_out() {
    let files = files("broken");
    assert!(files.len() >= 40);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        let Err(problems) = resolve_all(&name, &text, &parameters(&text)) else {
            panic!("{name} is accepted");
        };
        for problem in problems.list() {
            assert!(problem.help.is_some(), "{name}: no way out of: {}", problem.message);
            let given = problem.path.starts_with("Parameters.");
            assert!(problem.position.is_some() || given, "{name}: no place of: {}", problem.message);
        }
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(stem(&path), problems.to_string());
        });
    }
}

#[test]
fn every_message_belongs_to_a_broken_template() {
    let stems = |folder| files(folder).iter().map(|path| stem(path)).collect::<Vec<_>>();
    assert_eq!(stems("snapshots"), stems("broken"));
}
