//! Launching again: only what failed, only what is old, with what it takes told before.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use crawler_core::imdb::Manifest;
use crawler_core::lake::layout::Done;
use crawler_core::lake::{PutMode, S3Lake};
use crawler_core::{Job, Lake};
use futures::{StreamExt, stream};
use serde_json::json;
use testkit::fault_proxy::Rule;
use testkit::{Provision, titles};

use super::stage::{LAKE, Stage, template, until, user, words};

const FAST: &str = "--param TmdbRate=800 --param FunctionTimeout=60";

#[test]
fn failed_films_alone_are_asked_again_and_old_jobs_whole() {
    let stage = Stage::new();
    let source = titles::sample().display().to_string();
    let launch = |flags: &str| {
        stage.user.run(words(&format!("launch --json --years 2004 --titles-source {source} {FAST} {flags}"))).succeeds()
    };
    let films = titles::read(&titles::sample()).unwrap();
    let films: Vec<_> =
        films.iter().filter(|film| film.title_type == "movie" && film.start_year == Some(2004)).collect();
    let broken = films[films.len() / 2].tconst.clone();
    stage.tmdb.behave(|behaviour| behaviour.broken = [(broken.clone(), 422)].into());
    stage.user.run(["secret", "set"]).succeeds();
    stage.user.run(words(&format!("up --yes {FAST}"))).succeeds();
    let status = || stage.user.run(["status", "--json"]).succeeds().json();

    let sent = launch("").complains("429").complains("Estimate:").json();
    assert_eq!(sent["estimate"]["requests"], json!(films.len() * 2));
    assert!(sent["estimate"]["usd"]["total"].as_f64() > Some(0.0), "{sent}");
    until("all jobs are done", || status()["jobs"]["done"] == sent["jobs"]);
    assert_eq!(status()["titles"]["failed"], 1);
    stage.user.run(["status"]).succeeds().says("provision launch --failed");

    stage.tmdb.behave(|behaviour| behaviour.broken.clear());
    stage.tmdb.forget();
    assert_eq!(launch("--failed").json()["jobs"], 1);
    until("the failed film has its answer", || status()["titles"]["failed"] == 0);
    let asked = || -> BTreeSet<String> {
        let requests = stage.tmdb.requests();
        requests
            .iter()
            .filter(|one| one.path.contains("/find/"))
            .filter_map(|one| Some(one.film()?.to_owned()))
            .collect()
    };
    assert_eq!(asked(), BTreeSet::from([broken]));
    assert_eq!(launch("--failed").json()["jobs"], 0);

    assert_eq!(launch("--refresh older-than=30d").json()["jobs"], 0);
    assert_eq!(launch("--refresh older-than=0d").json()["jobs"], sent["jobs"]);
    until("every film is asked again", || asked().len() == films.len());
    until("the queue is empty", || status()["queue"] == json!({"visible": 0, "in_flight": 0, "delayed": 0}));
    assert_eq!(stage.check_lake(LAKE, 2004..=2004)["failed"], 0);
}

/// So slow a fleet that each title is a job, and each job a message.
const SLOW: &str = "--param TmdbRate=1 --param MaximumConcurrency=2 --param FunctionTimeout=10";
const MESSAGES: usize = 2_500;

/// The most calls of this operation that were under way at once.
fn width(stage: &Stage, operation: &str) -> usize {
    let calls = stage.proxy.calls();
    let calls: Vec<_> = calls.iter().filter(|call| call.operation == operation).collect();
    let at_once = |at| calls.iter().filter(|call| call.begin <= at && call.end.is_none_or(|end| end > at)).count();
    calls.iter().map(|call| at_once(call.begin)).max().unwrap_or(0)
}

fn count(stage: &Stage, operation: &str) -> usize {
    stage.proxy.calls().iter().filter(|call| call.operation == operation).count()
}

/// What a killed launch may leave that SQS accepted and nobody wrote down.
const UNKNOWN: usize = 640;

/// title.basics of so many films.
fn write_titles(user: &Provision, films: usize) {
    let header =
        "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres\n";
    let row = |n| format!("tt{n:07}\tmovie\tThe Film\tThe Film\t0\t2017\t\\N\t90\tDrama\n");
    let rows: String = (1..=films).map(row).collect();
    std::fs::write(user.folder().join("titles.tsv"), header.to_owned() + &rows).unwrap();
}

#[test]
fn e47_a_launch_goes_in_full_batches_side_by_side_and_stopped_goes_on_and_status_reads_no_marker() {
    let stage = Stage::new();
    write_titles(&stage.user, MESSAGES);
    let hopeless = "launch --titles-source titles.tsv --param TmdbRate=1 --param FunctionTimeout=10";
    stage.user.run(words(hopeless)).exits(2).complains("no film would be done").complains("FunctionTimeout");
    assert_eq!(count(&stage, "PutObject"), 0, "nothing is begun that cannot end");
    // Of a template that does not say how many share the rate, as many as the function then goes by.
    let unsaid = template().replace("          FLEET_SIZE: !Ref MaximumConcurrency\n", "");
    let unsaid = user(&stage.proxy.url(), &stage.tmdb.url()).file("templates/crawler.yaml", unsaid);
    write_titles(&unsaid, 1);
    unsaid.run(words(hopeless)).exits(2).complains("a function may ask 0.12 a second");
    stage.user.run(["secret", "set"]).succeeds();
    stage.user.run(words(&format!("up --yes {SLOW}"))).succeeds();
    stage.user.run(["pause"]).succeeds();
    let line = format!("launch --json --titles-source titles.tsv {SLOW}");
    stage.proxy.rule(Rule::on("sqs", "SendMessageBatch").answer(403, "AccessDenied", "no"));
    stage.user.run(words(&line)).exits(4).complains("sqs:SendMessage");
    assert!(count(&stage, "SendMessageBatch") <= 32, "what fails is tried on and on");
    stage.proxy.behave();
    stage.proxy.forget();
    stage.proxy.rule(Rule::on("sqs", "SendMessageBatch").latency(Duration::from_millis(40)));
    let launch = stage.user.spawn(words(&line));
    let id = launch.id().to_string();
    until("a part of it is sent", || count(&stage, "SendMessageBatch") > 20);
    Command::new("kill").args(["-INT", &id]).status().unwrap();
    launch.wait().exits(130).complains("goes on from here");
    let before = count(&stage, "SendMessageBatch") * 10;
    assert!(before < MESSAGES, "it was not interrupted");
    let dry = stage.user.run(words(&format!("{line} --dry-run"))).succeeds().json();
    assert_eq!(dry["queued"], json!(before), "an interrupted launch writes all of it down");

    let killer = stage.user.killer();
    stage.proxy.rule(Rule::on("sqs", "SendMessageBatch").nth(70).notify(move || killer.kill()).cut());
    assert_eq!(stage.user.run(words(&line)).status.signal(), Some(9));
    let status = || stage.user.run(["status", "--json"]).succeeds().json();
    let visible = || status()["queue"]["visible"].as_u64().unwrap() as usize;
    until("what was under way has arrived", || visible() == visible());
    let accepted = visible();
    stage.proxy.forget();

    let sent = stage.user.run(words(&line)).succeeds().complains("the fleet is paused").json();
    let known = sent["queued"].as_u64().unwrap() as usize;
    assert!(before < known && known < accepted && accepted <= known + UNKNOWN, "{before}, {known}, {accepted}");
    assert_eq!(sent["messages"], json!(MESSAGES - known));
    assert_eq!(count(&stage, "SendMessageBatch"), (MESSAGES - known) / 10, "each batch is full");
    assert!(
        (8..=16).contains(&width(&stage, "SendMessageBatch")),
        "{} side by side",
        width(&stage, "SendMessageBatch")
    );

    let films = MESSAGES + 10;
    write_titles(&stage.user, films);
    let sent = stage.user.run(words(&format!("{line} --new-index"))).succeeds().json();
    assert_eq!(
        (&sent["queued"], &sent["messages"]),
        (&json!(MESSAGES), &json!(10)),
        "what waits is good for any index"
    );

    let done = mark_as_done(&stage, 1_500);
    until("a second has passed, so that there is a pace", || !status()["pace"].is_null());
    stage.proxy.forget();
    let status = status();
    let jobs = &status["jobs"];
    assert_eq!((&jobs["done"], &jobs["total"], &jobs["indexed"]), (&json!(done), &json!(films), &json!(films)));
    assert_eq!(status["queue"]["visible"], json!(films + accepted - known));
    assert!(!jobs["oldest"].is_null() && !status["pace"].is_null(), "{status}");
    assert!(count(&stage, "GetObject") <= 10, "{} objects are read", count(&stage, "GetObject"));
}

#[test]
fn a_launch_is_interrupted_while_it_looks_for_what_an_earlier_index_left_over() {
    let stage = Stage::new();
    write_titles(&stage.user, 10);
    stage.user.run(["secret", "set"]).succeeds();
    stage.user.run(words(&format!("up --yes {FAST}"))).succeeds();
    stage.user.run(["pause"]).succeeds();
    let line = format!("launch --titles-source titles.tsv {FAST}");
    stage.user.run(words(&line)).succeeds();
    stage.proxy.forget();
    // Of the jobs that are done and of those that were sent; then of the first again, and there is no hurry.
    let (planned, list) = (2, "ListObjectsV2");
    stage.proxy.rule(Rule::on("s3", list).after(planned).latency(Duration::from_secs(5)));
    let launch = stage.user.spawn(words(&line));
    until("it looks", || count(&stage, list) > planned);
    Command::new("kill").args(["-INT", &launch.id().to_string()]).status().unwrap();
    launch.wait().exits(130).complains("goes on from here");
    assert_eq!(stage.proxy.calls().last().unwrap().operation, list, "it goes on looking");
}

#[test]
fn a_new_index_takes_the_place_of_a_damaged_one_and_not_of_one_that_cannot_be_read() {
    let stage = Stage::new();
    write_titles(&stage.user, 10);
    stage.user.run(["up", "--yes"]).succeeds();
    let line = "launch --dry-run --titles-source titles.tsv --title-types movie,short";
    stage.user.run(words(line)).succeeds();
    stage.proxy.forget();
    stage.proxy.rule(Rule::on("s3", "GetObject").nth(1).answer(403, "AccessDenied", "no"));
    let anew = "launch --dry-run --titles-source titles.tsv --new-index";
    stage.user.run(words(anew)).exits(4).complains("imdb/current.json");
    assert_eq!(count(&stage, "PutObject"), 0);

    let damaged = stage.aws(&format!("s3api put-object --bucket {LAKE} --key imdb/current.json"));
    assert!(damaged.status.success());
    stage.user.run(words(line)).exits(1).complains("is damaged").complains("--new-index");
    stage.user.run(words(anew)).succeeds();
}

/// Puts markers of so many jobs into the lake, with nothing in them.
fn mark_as_done(stage: &Stage, jobs: usize) -> usize {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version_latest()
            .endpoint_url(stage.emulator.endpoint())
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_s3::config::Credentials::new("test", "test", None, None, "test"))
            .force_path_style(true)
            .build();
        let lake = S3Lake::new(aws_sdk_s3::Client::from_conf(config), LAKE);
        let manifest = Manifest::current(&lake).await.unwrap().unwrap();
        let puts = manifest.jobs.iter().take(jobs).map(|job| {
            let Job { year, initial, part, digest, titles, .. } = job.clone();
            let done = Done {
                year,
                initial,
                part,
                digest,
                titles,
                linked: titles,
                missed: 0,
                others: 0,
                failed: 0,
                oldest: None,
            };
            let lake = &lake;
            async move { lake.put(&done.key(), Bytes::new(), PutMode::CreateOnly).await.unwrap() }
        });
        stream::iter(puts).buffer_unordered(16).count().await
    })
}
