//! What the repository says of itself: its documents name only what is there, and its dependencies are what it promises.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use provisioner::cli::Cli;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(workspace().join(path)).unwrap()
}

/// Every Markdown page for readers, by path.
fn pages() -> Vec<(PathBuf, String)> {
    let mut folders: Vec<PathBuf> =
        ["", "docs", "docs/commands", "testkit", "bench"].map(|folder| workspace().join(folder)).into();
    let mut pages = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push((path.clone(), std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    pages
}

/// A page, and the pages beside it that it sends its reader to.
fn with_linked_pages(path: &str) -> String {
    let page = read(path);
    let linked = local_links(&page).filter(|link| link.ends_with(".md")).map(|link| {
        let beside = Path::new(path).parent().unwrap().join(link);
        read(&beside.display().to_string())
    });
    linked.fold(page.clone(), |all, page| all + &page)
}

/// Files that a page links to, without the place in them.
fn local_links(page: &str) -> impl Iterator<Item = &str> {
    let links = page.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    links.filter(|link| !link.is_empty() && !link.contains("://"))
}

/// The lines of a page's shell blocks, without comments.
fn shell_lines(page: &str) -> impl Iterator<Item = &str> {
    page.split("```sh\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .flat_map(str::lines)
        .map(|line| line.split(" #").next().unwrap_or_default().trim())
}

/// Words of four parts and more in backquotes can only be the names of tests.
#[test]
fn the_test_plan_names_every_edge_and_only_tests_that_are_there() {
    let plan = read("docs/test-plan.md");
    let missing: Vec<_> = (1..=67).filter(|n| !plan.contains(&format!("| E{n} |"))).collect();
    assert!(missing.is_empty(), "edges without a line: {missing:?}");
    let mut sources = String::new();
    let mut folders: Vec<PathBuf> = ["provisioner/src", "provisioner/tests", "shared", "function", "testkit"]
        .map(|name| workspace().join(name))
        .into();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("rs") => sources.push_str(&std::fs::read_to_string(&path).unwrap()),
                None if path.is_dir() => folders.push(path),
                _ => {}
            }
        }
    }
    let quoted = plan.split('`').skip(1).step_by(2);
    let names =
        quoted.filter(|name| name.matches('_').count() >= 3 && !name.contains(|c: char| c.is_uppercase() || c == ' '));
    let unknown: Vec<_> = names.filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(unknown.is_empty(), "the plan names tests that are not there: {unknown:?}");
}

#[test]
fn every_provision_line_in_the_documents_is_understood() {
    let mut tried = 0;
    for (path, page) in pages() {
        for line in shell_lines(&page).filter(|line| line.starts_with("provision ")) {
            let parsed = Cli::try_parse_from(line.split_whitespace());
            assert!(parsed.is_ok(), "{}: {line}\n{}", path.display(), parsed.unwrap_err());
            tried += 1;
        }
    }
    assert!(tried >= 8, "only {tried} lines");
}

#[test]
fn every_template_that_the_help_names_is_there() {
    let help = read("provisioner/src/cli/examples.rs");
    let named: Vec<&str> = help.split_whitespace().filter(|word| word.starts_with("templates/")).collect();
    assert!(!named.is_empty());
    for path in named {
        assert!(workspace().join(path).is_file(), "{path}");
    }
}

#[test]
fn every_provision_command_that_the_sources_name_is_there() {
    let mut tried = 0;
    for folder in ["shared/src", "function/src", "provisioner/src"] {
        for file in rust_files(&workspace().join(folder)) {
            let text = std::fs::read_to_string(&file).unwrap();
            for line in text.split("`provision ").skip(1).filter_map(|rest| rest.split_once('`')).map(|(line, _)| line)
            {
                let words = std::iter::once("provision").chain(line.split_whitespace());
                let kind = Cli::try_parse_from(words).err().map(|error| error.kind());
                let unknown = [ErrorKind::InvalidSubcommand, ErrorKind::UnknownArgument];
                assert!(!kind.is_some_and(|kind| unknown.contains(&kind)), "{}: provision {line}", file.display());
                tried += 1;
            }
        }
    }
    assert!(tried >= 30, "only {tried} commands");
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let (folders, files): (Vec<_>, Vec<_>) = entries.into_iter().partition(|path| path.is_dir());
    let files = files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.chain(folders.iter().flat_map(|folder| rust_files(folder))).collect()
}

#[test]
fn every_make_target_in_the_documents_is_in_the_makefile() {
    let makefile = read("Makefile");
    let targets: BTreeSet<_> = makefile.lines().filter_map(|line| Some(line.split_once(':')?.0)).collect();
    let mut named = 0;
    for (path, page) in pages() {
        for rest in page.split("`make ").skip(1).chain(page.split("\nmake ").skip(1)) {
            let target = rest.split(|c: char| !c.is_ascii_lowercase()).next().unwrap();
            assert!(targets.contains(target), "{}: make {target}", path.display());
            named += 1;
        }
    }
    assert!(named >= 2, "only {named} targets");
}

#[test]
fn the_make_targets_call_the_commands_of_their_names_for_the_given_stack() {
    for (target, command) in [("package", "package"), ("deploy", "up"), ("destroy", "down"), ("status", "status")] {
        let dry = ["--no-print-directory", "--dry-run", target, "STACK=films"];
        let shown = Command::new("make").args(dry).current_dir(workspace()).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        let line = shown.lines().rfind(|line| line.contains("/provision ")).unwrap_or_else(|| panic!("{shown}"));
        let words = line.split_whitespace().collect::<Vec<_>>();
        assert_eq!(words[1], command, "{line}");
        let parsed = Cli::try_parse_from(words).unwrap();
        assert_eq!(parsed.global.stack.is_some(), target != "package", "a zip is no stack's: {line}");
    }
}

#[test]
fn every_command_has_its_page_and_its_line_in_the_readme() {
    let readme = read("README.md");
    let mut missing = Vec::new();
    for command in Cli::command().get_subcommands().filter(|command| command.get_name() != "help") {
        let name = command.get_name();
        let page = with_linked_pages(&format!("docs/commands/{name}.md"));
        let mut rows = readme.lines().filter(|line| line.starts_with("| `"));
        assert!(rows.any(|row| row.split('|').nth(1).is_some_and(|cell| names(cell, name))), "README: {name}");
        assert!(page.contains("`--json`") || name == "policy", "docs/commands/{name}.md does not tell its document");
        for flag in command.get_arguments().filter(|flag| !flag.is_global_set() && !flag.is_hide_set()) {
            let Some(long) = flag.get_long().filter(|long| *long != "help") else { continue };
            if !page.contains(&format!("--{long}")) {
                missing.push(format!("docs/commands/{name}.md: --{long}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// Whether a table's cell has this command: "`pause`, `resume`", "`secret set`".
fn names(cell: &str, command: &str) -> bool {
    cell.split('`').skip(1).step_by(2).any(|quoted| quoted.split(' ').next() == Some(command))
}

#[test]
fn every_example_in_the_help_is_understood() {
    let mut tried = 0;
    for command in Cli::command().get_subcommands() {
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        // What is said of a line stands apart from it.
        let lines = examples.lines().skip(1).filter_map(|line| line.trim().split("   ").next());
        for line in lines.flat_map(|line| line.split(['|', '&', '>'])).filter_map(|part| part.split_once("provision "))
        {
            let unquoted = line.1.split('"').step_by(2).collect::<Vec<_>>().join("quoted");
            let words = std::iter::once("provision").chain(unquoted.split_whitespace());
            let parsed = Cli::try_parse_from(words);
            assert!(parsed.is_ok(), "provision {}\n{}", line.1, parsed.unwrap_err());
            tried += 1;
        }
    }
    assert!(tried >= 30, "only {tried} examples");
}

#[test]
fn every_local_link_in_the_documents_leads_somewhere() {
    for (path, page) in pages() {
        for link in local_links(&page) {
            assert!(path.parent().unwrap().join(link).exists(), "{}: {link}", path.display());
        }
        for (file, place) in local_places(&page) {
            let linked = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let text = std::fs::read_to_string(linked).unwrap();
            let mut headings = text.lines().filter(|line| line.starts_with('#')).map(place_of);
            assert!(headings.any(|heading| heading == place), "{}: {file}#{place}", path.display());
        }
    }
}

/// Places in files that a page links to: the file, and the heading.
fn local_places(page: &str) -> impl Iterator<Item = (&str, &str)> {
    let links = page.split("](").skip(1).filter_map(|rest| rest.split(')').next()?.split_once('#'));
    links.filter(|(file, _)| !file.contains("://"))
}

/// A heading as a link names it.
fn place_of(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    words.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

#[test]
fn there_is_one_http_stack_and_one_tls_stack() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--offline", "--prefix", "none", "--edges", "normal,build"])
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let versions = |name: &str| -> BTreeSet<String> {
        let rows = tree.lines().filter_map(|line| line.split_once(" v"));
        rows.filter(|(found, _)| *found == name)
            .filter_map(|(_, rest)| rest.split_whitespace().next().map(str::to_owned))
            .collect()
    };
    for name in ["hyper", "hyper-rustls", "hyper-util", "rustls", "tokio-rustls", "http", "h2"] {
        assert_eq!(versions(name).len(), 1, "{name}: {:?}", versions(name));
    }
    for other in ["native-tls", "openssl", "curl", "ureq", "isahc"] {
        assert_eq!(versions(other).len(), 0, "{other} is a second stack");
    }
}
