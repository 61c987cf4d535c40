//! What the tests stand on: an emulator behind the fault proxy, a stand-in for TMDb, a user of the binary, and readers in Python.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::emulator::{self, aws_env, tool};
use testkit::provision::Provision;
use testkit::stand_in::{self, StandIn};
use testkit::{Emulator, FaultProxy, reader, titles};

pub const KEY: &str = "0123456789abcdef0123456789abcdef";
/// The name that every test's stack has: each has an account of its own.
pub const STACK: &str = "films";

/// An account of its own for one test.
pub struct Stage {
    pub emulator: Emulator,
    pub proxy: FaultProxy,
    pub tmdb: StandIn,
    pub user: Provision,
}

pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// The crawler's template with its zip named outright: no test builds the function again.
pub fn template() -> String {
    let zip = workspace().join("target/lambda/crawler.zip");
    assert!(zip.exists(), "{} is missing: make package", zip.display());
    let text = std::fs::read_to_string(workspace().join("templates/crawler.yaml")).unwrap();
    let built = "    Metadata:\n      BuildMethod: rust-cargolambda\n      BuildProperties:\n        Binary: crawler\n";
    assert!(text.contains(built) && text.contains("Code: ../target/lambda/crawler.zip"));
    text.replace(built, "").replace("../target/lambda/crawler.zip", &zip.display().to_string())
}

/// The crawler's template with code that weighs nothing, for runs that are counted, killed or raced and never invoked.
pub fn light_template() -> String {
    let real = workspace().join("target/lambda/crawler.zip").display().to_string();
    template().replace(&real, "light.zip")
}

/// Puts the code of [`light_template`] beside it.
pub fn write_code(user: &Provision, text: &str) {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("bootstrap", zip::write::SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    std::io::Write::write_all(&mut zip, format!("#!/bin/sh\n# {text}\n").as_bytes()).unwrap();
    std::fs::write(user.folder().join("templates/light.zip"), zip.finish().unwrap().into_inner()).unwrap();
}

/// A user of the crawler's template with light code.
pub fn light_user(aws: &str) -> Provision {
    let user = user(aws, "http://127.0.0.1:9").file("templates/crawler.yaml", light_template());
    write_code(&user, "one");
    user
}

impl Stage {
    pub fn new() -> Self {
        Self::with(&emulator::Options::default())
    }

    /// The same with an emulator of these options.
    pub fn with(options: &emulator::Options) -> Self {
        let (emulator, proxy) = Emulator::start_behind_proxy(options).unwrap();
        let tmdb = StandIn::start(stand_in::Options::default()).unwrap();
        let user = user(&proxy.url(), &tmdb.url());
        Self { emulator, proxy, tmdb, user }
    }

    /// The calls that change something, since the last time.
    pub fn changes(&self) -> Vec<String> {
        self.proxy.mutating_calls().iter().map(|call| format!("{}:{}", call.service, call.operation)).collect()
    }

    /// All that the account holds.
    pub fn account(&self) -> Value {
        reader::account(&self.emulator.endpoint())
    }

    /// Counts of a lake's records, once they are what the stand-in knows of the sample's films of these years.
    pub fn check_lake(&self, bucket: &str, years: std::ops::RangeInclusive<u16>) -> Value {
        let films = titles::read(&titles::sample()).unwrap();
        let ids: Vec<_> = films
            .iter()
            .filter(|film| film.start_year.is_some_and(|year| years.contains(&year)))
            .map(|film| film.tconst.as_str())
            .collect();
        reader::check_lake(&self.emulator.endpoint(), bucket, &self.tmdb.expected(ids))
    }

    /// AWS's own command line, straight to the emulator.
    pub fn aws(&self, line: &str) -> std::process::Output {
        aws(&self.emulator.endpoint(), line)
    }
}

/// AWS's own command line, straight to an emulator.
pub fn aws(endpoint: &str, line: &str) -> std::process::Output {
    let mut command = Command::new(tool("aws"));
    let command = command.args(["--endpoint-url", endpoint]).args(words(line));
    command.envs(aws_env(endpoint)).output().unwrap()
}

/// A user whose AWS and TMDb are these, with the crawler's template in the working folder.
pub fn user(aws: &str, tmdb: &str) -> Provision {
    Provision::new(env!("CARGO_BIN_EXE_provision"))
        .endpoint(aws)
        .env("TMDB_API_URL", tmdb)
        .env("TMDB_API_KEY", KEY)
        .env("PROVISION_STACK", STACK)
        .file("templates/crawler.yaml", template())
}

/// Waits for a condition, for as long as anything takes on a busy machine.
#[track_caller]
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
    }
}

/// A command line's words.
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// The lake's bucket.
pub const LAKE: &str = "films-lake-000000000000-us-east-1";
