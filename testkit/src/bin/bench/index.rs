//! Twelve million rows of title.basics into the index of a crawl, beside Polars, gzip and the csv module.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Result,
    script::{self, numbers},
    table::Table,
};

pub const ABOUT: &str = "One generated title.basics of 12,000,000 rows, gzipped, read by each in turn, by the release build. Polars counts the same
partitions by a lazy scan and writes nothing; `gzip -dc` only inflates; Python's csv module needs a pass
for each partition, of which one is timed. The default keeps movies; every title type keeps all rows, again beside the index that there
is by then. Time is relative to `provision`, memory is the most that was resident. The script is
`bench/index.py`.";

const ROWS: &str = "12000000";

pub fn measure(root: &Path) -> Result<Table> {
    let folder = root.join("target/bench");
    std::fs::create_dir_all(&folder)?;
    let titles = titles(root, &folder)?;
    let example = ["build", "--release", "--package", "crawler-core", "--example", "index"];
    script::prepare(Command::new("cargo").args(example).current_dir(root))?;
    let index = root.join("target/release/examples/index");
    let measured = script::run(
        root,
        &python(root, &folder)?,
        "index.py",
        &[&titles.display().to_string(), &index.display().to_string()],
    )?;
    let mut table = Table::new(&["by", "time", "MiB"]);
    for (by, ratio) in numbers(&measured["ratios"]) {
        table.row([by.to_owned(), format!("{ratio:.2}"), measured["mebibytes"][by].to_string()]);
    }
    Ok(table)
}

/// The file, made once.
fn titles(root: &Path, folder: &Path) -> Result<PathBuf> {
    let path = folder.join(format!("titles-{ROWS}.tsv.gz"));
    if !path.exists() {
        let partial = folder.join("partial.tsv.gz");
        let words = ["run", "--release", "--package", "testkit", "--bin", "generate-titles", "--", "--rows", ROWS];
        let mut generate = Command::new("cargo");
        generate.args(words).arg("--output").arg(&partial).current_dir(root);
        script::prepare(&mut generate)?;
        std::fs::rename(partial, &path)?;
    }
    Ok(path)
}

/// A Python that has what only the bench needs.
fn python(root: &Path, folder: &Path) -> Result<PathBuf> {
    let python = folder.join("venv/bin/python");
    if !python.exists() {
        script::prepare(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
    }
    let mut install = Command::new(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "--requirement",
    ]);
    script::prepare(install.arg(root.join("bench/requirements.txt")))?;
    Ok(python)
}
