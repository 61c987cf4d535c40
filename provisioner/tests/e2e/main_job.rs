//! The whole story, read back by tools that are not ours.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::titles;

use super::stage::{KEY, LAKE, Stage, words};

#[test]
fn run_crawls_every_film_once_and_leaves_only_the_lake() {
    let stage = Stage::new();
    let source = titles::sample().display().to_string();
    stage.user.run(["secret", "set"]).succeeds().never_says(KEY);
    let line = format!("run --yes --years 2013..2014 --titles-source {source} --param TmdbRate=800");
    stage.user.run(words(&line)).succeeds().never_says(KEY);

    let counts = stage.check_lake(LAKE, 2013..=2014);
    assert_eq!(counts["failed"], 0);
    assert!(counts["movies"].as_u64() > Some(1000) && counts["reviews"].as_u64() > Some(100), "{counts}");
    let proof = stage.user.run(["verify", "--json"]).succeeds().json();
    assert_eq!((&proof["holds"], &proof["missed"]), (&json!(true), &counts["misses"]), "{proof}");
    let left = stage.account();
    let nothing = json!([]);
    assert_eq!(left["buckets"], json!([LAKE]));
    for kind in ["queues", "roles", "functions", "mappings", "log_groups", "parameters"] {
        assert_eq!(left[kind], nothing, "{kind} are left");
    }
    let asked: Vec<_> = stage.tmdb.requests().into_iter().filter(|request| request.path.contains("/find/")).collect();
    let mut films: Vec<_> = asked.iter().filter_map(|request| request.film()).collect();
    films.sort_unstable();
    films.dedup();
    assert_eq!(films.len(), asked.len(), "a film was asked for twice");

    // Interrupted in its `down` it goes on, though the key has gone by then.
    stage.user.run(words(&line)).succeeds();
    assert_eq!(stage.account()["queues"], nothing);

    stage.user.run(["down", "--yes"]).succeeds().says("Nothing to delete").says(LAKE);
}

#[test]
fn run_interrupted_and_run_again_goes_on() {
    let stage = Stage::new();
    let source = titles::sample().display().to_string();
    stage.user.run(["secret", "set"]).succeeds();
    let line = format!("run --yes --years 2014 --titles-source {source} --param TmdbRate=200");
    let running = stage.user.spawn(words(&line));
    let deadline = Instant::now() + Duration::from_secs(120);
    while stage.tmdb.requests().len() < 20 {
        assert!(Instant::now() < deadline, "the crawl does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap().success());
    running.wait().exits(130).complains("interrupted").complains("run the same command again");

    stage.user.run(words(&line)).succeeds();
    assert_eq!(stage.check_lake(LAKE, 2014..=2014)["failed"], 0);
    assert_eq!(stage.account()["functions"], json!([]));
}

#[test]
fn a_message_of_year_and_initial_alone_does_its_partition() {
    let stage = Stage::new();
    let source = titles::sample().display().to_string();
    stage.user.run(["secret", "set"]).succeeds();
    stage.user.run(["up", "--yes"]).succeeds();
    stage.user.run(words(&format!("simulate --year 2004 --initial TH --titles-source {source}"))).succeeds();
    let done = || stage.user.run(["status", "--json"]).succeeds().json();
    let deadline = Instant::now() + Duration::from_secs(60);
    let status = loop {
        let status = done();
        if status["jobs"]["done"] == 1 || Instant::now() > deadline {
            break status;
        }
    };
    assert_eq!(status["jobs"]["done"], 1, "{status}");
    for key in ["stack", "region", "resources", "queue", "dead_letters", "jobs", "titles"] {
        assert!(!status[key].is_null(), "status has no {key}: {status}");
    }
    assert_eq!(status["titles"]["done"], status["titles"]["total"]);
    assert_eq!(status["dead_letters"]["visible"], 0);
}

#[test]
fn a_partition_that_is_too_large_for_the_deliveries_of_one_message_is_not_sent_as_one() {
    let stage = Stage::new();
    let source = titles::sample().display().to_string();
    let short = "--param FunctionTimeout=10 --param MaxReceiveCount=5 --param TmdbRate=2 --param MaximumConcurrency=2";
    stage.user.run(["secret", "set"]).succeeds();
    stage.user.run(words(&format!("up --yes {short}"))).succeeds();
    let line = format!("simulate --year 2004 --initial TH --titles-source {source} {short}");
    let refused = stage.user.run(words(&line)).exits(2).complains("a dead letter after 5");
    refused.complains("provision launch --years 2004 --initials TH");
    let depth = stage.user.run(["status", "--json"]).succeeds().json()["queue"].clone();
    assert_eq!(depth, json!({"visible": 0, "in_flight": 0, "delayed": 0}));
}

#[test]
fn a_dry_run_sends_nothing_and_names_the_jobs() {
    let stage = Stage::new();
    let source = titles::sample().display().to_string();
    stage.user.run(["up", "--yes"]).succeeds();
    let line = format!("launch --dry-run --json --years 2004 --initials th,sh --titles-source {source}");
    let jobs = stage.user.run(words(&line)).succeeds().json();
    let initials: Vec<_> = jobs["jobs"].as_array().unwrap().iter().map(|job| job["initial"].clone()).collect();
    assert_eq!(initials, [json!("SH"), json!("TH")]);
    assert!(
        jobs["jobs"][0]["titles"].as_u64() > Some(0) && jobs["jobs"][0]["year"] == 2004 && jobs["jobs"][0]["part"] == 0
    );
    let titles = jobs["jobs"].as_array().unwrap().iter().filter_map(|job| job["titles"].as_u64()).sum::<u64>();
    assert_eq!((&jobs["titles"], jobs["messages"].as_u64() > Some(0)), (&json!(titles), true), "{jobs}");
    let sent = stage.proxy.calls().iter().filter(|call| call.operation.starts_with("SendMessage")).count();
    assert_eq!(sent, 0);
}

#[test]
fn download_does_a_job_without_aws() {
    let stage = Stage::new();
    let source = titles::sample().display().to_string();
    let user = super::stage::user(&stage.proxy.url(), &stage.tmdb.url()).without("AWS_ACCESS_KEY_ID");
    let line = format!("download --year 2004 --initial TH --lake ./lake --titles-source {source} --json");
    let first = user.run(words(&line)).succeeds().never_says(KEY).json();
    assert!(first["titles"].as_u64() > Some(20) && first["reviews"].as_u64() > Some(0), "{first}");
    let before = stage.tmdb.requests().len();
    user.run(words(&line)).succeeds();
    assert_eq!(stage.tmdb.requests().len(), before, "a done job asks nothing");
    assert!(user.folder().join("lake/tmdb/movies/year=2004/TH-000.ndjson.gz").exists());
    assert_eq!(stage.proxy.calls().len(), 0);
}
