//! The README's own commands, line by line, as a newcomer types them.

use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use flate2::{Compression, write::GzEncoder};
use testkit::titles;

use super::stage::{KEY, LAKE, Stage, words, workspace};

/// How many films the lines are tried on.
const FILMS: usize = 60;

#[test]
fn the_readmes_commands_do_what_they_say_in_their_order() {
    let stage = Stage::new();
    let films = stage.user.folder().join("title.basics.tsv.gz");
    std::fs::write(&films, few_films()).unwrap();
    let user = super::stage::user(&stage.proxy.url(), &stage.tmdb.url())
        .env("PROVISION_TITLES_SOURCE", films.display().to_string());
    copy(&workspace().join("templates/examples"), &user.folder().join("templates/examples"));
    let lines = readme_lines();
    assert!(lines.len() >= 8, "{lines:?}");
    for line in &lines {
        // A person at a terminal answers what a test cannot.
        user.run(words(line).into_iter().skip(1).chain(["--yes"])).succeeds().never_says(KEY);
    }
    let left = stage.account();
    assert_eq!(left["buckets"], serde_json::json!([LAKE]));
    assert_eq!(left["functions"], serde_json::json!([]));
    assert_eq!(stage.tmdb.requests().iter().filter(|request| request.path.contains("/find/")).count(), FILMS);
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(path, to).unwrap();
        }
    }
}

/// The `provision` lines of the README's shell blocks, without their comments.
fn readme_lines() -> Vec<String> {
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    blocks
        .flat_map(str::lines)
        .map(|line| line.split('#').next().unwrap_or_default().trim().to_owned())
        .filter(|line| line.starts_with("provision "))
        .collect()
}

/// title.basics with the sample's header and its first films of the README's years.
fn few_films() -> Vec<u8> {
    let mut text = String::new();
    MultiGzDecoder::new(std::fs::File::open(titles::sample()).unwrap()).read_to_string(&mut text).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let rows = rows.lines().filter(|row| row.split('\t').nth(5) == Some("2004")).take(FILMS);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    for line in std::iter::once(header).chain(rows) {
        writeln!(gzip, "{line}").unwrap();
    }
    gzip.finish().unwrap()
}
