//! TMDb's key stands in SSM and nowhere else.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use testkit::titles;

use super::stage::{KEY, LAKE, Stage, words};

#[test]
fn the_key_is_in_no_log_no_object_and_no_configuration() {
    let stage = Stage::new();
    let source = titles::sample().display().to_string();
    for line in ["secret set -vv", "secret check -vv", "up --yes -vv --param TmdbRate=800"] {
        stage.user.run(words(line)).succeeds().never_says(KEY);
    }
    // Answers that fail, whose errors name the request.
    stage.tmdb.behave(|behaviour| behaviour.faults.failed = 0.1);
    let launch = format!("launch -vv --years 2014 --initials TH --titles-source {source} --param TmdbRate=800");
    stage.user.run(words(&launch)).succeeds().never_says(KEY);
    wait_until_done(&stage);

    let function = stage.aws("lambda get-function-configuration --function-name films-crawler");
    assert!(function.status.success() && !holds(&function.stdout), "the function's configuration has the key");
    assert!(!stage.emulator.log().contains(KEY), "a function's log has the key");
    let lake = stage.user.folder().join("copy");
    assert!(stage.aws(&format!("s3 sync s3://{LAKE} {}", lake.display())).status.success());
    assert!(objects_without_the_key(&lake) > 3, "the lake is empty");
}

fn wait_until_done(stage: &Stage) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let status = stage.user.run(words("status --json")).succeeds().never_says(KEY).json();
        if status["jobs"]["done"] == status["jobs"]["total"] {
            return;
        }
        assert!(Instant::now() < deadline, "the job does not end: {status}");
    }
}

/// How many files there are; none has the key, unpacked or not.
fn objects_without_the_key(folder: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += objects_without_the_key(&path);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let mut text = Vec::new();
        // What is not packed is read as it is.
        if MultiGzDecoder::new(&*bytes).read_to_end(&mut text).is_err() {
            text.clone_from(&bytes);
        }
        assert!(!holds(&text), "{} has the key", path.display());
        count += 1;
    }
    count
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes())
}
