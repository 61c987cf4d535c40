//! A fleet that stands still: by a person's word, or by its own when TMDb or the key fails for all.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::titles;

use super::stage::{KEY, LAKE, Stage, words};

/// Functions that run side by side, as the template has it.
const FLEET: usize = 8;

/// The fleet's mapping, and its tags.
fn mapping(stage: &Stage) -> (Value, Value) {
    let read = |line: &str| -> Value { serde_json::from_slice(&stage.aws(line).stdout).unwrap() };
    let mut listed = read("lambda list-event-source-mappings");
    let mut mapping = listed["EventSourceMappings"][0].take();
    let arn =
        format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{}", mapping["UUID"].as_str().unwrap());
    mapping["LastModified"] = json!(null);
    (mapping, read(&format!("lambda list-tags --resource {arn}")))
}

fn wait_for(stage: &Stage, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let status = stage.user.run(["status", "--json"]).succeeds().json();
        if holds(&status) {
            return status;
        }
        assert!(Instant::now() < end, "not in time: {what}: {status}");
    }
}

#[test]
fn e41_pause_and_resume_keep_everything_else_unchanged() {
    let stage = Stage::new();
    stage.user.run(["up", "--yes"]).succeeds();
    let before = mapping(&stage);
    stage.user.run(["pause", "--reason", "until Monday (TMDb)"]).succeeds().says("The fleet is paused: until Monday");
    let paused = mapping(&stage);
    assert_eq!(
        (&paused.0["State"], &paused.1["Tags"]["provision:paused"]),
        (&json!("Disabled"), &json!("until Monday  TMDb "))
    );
    stage.user.run(["pause", "--reason", "another"]).succeeds().says("paused already: until Monday (TMDb)");

    stage.user.run(["status", "--exit-code"]).exits(3).says("until Monday (TMDb)").says("provision resume");
    stage.user.run(["plan", "--exit-code"]).succeeds();
    stage.user.run(["up", "--yes"]).succeeds().complains("until Monday").complains("provision resume");
    assert_eq!(mapping(&stage), paused);
    stage.user.run(["secret", "set"]).succeeds();
    stage
        .user
        .run(["run", "--yes"])
        .exits(1)
        .complains("the fleet is paused: until Monday")
        .complains("provision resume");

    let resumed = stage.user.run(["resume", "--json"]).succeeds().json();
    assert_eq!((&resumed["changed"], &resumed["was"]["reason"]), (&json!(true), &json!("until Monday (TMDb)")));
    stage.user.run(["resume"]).succeeds().says("was not paused");
    assert_eq!(mapping(&stage), before);
    stage.user.run(["status", "--exit-code"]).succeeds();

    stage.user.run(["pause"]).succeeds();
    stage.user.run(["down", "--yes", "--no-wait"]).succeeds();
    stage.user.run(["pause"]).exits(1).complains("no mapping").complains("provision up");
    stage.user.run(["up", "--yes"]).succeeds();
    assert_eq!(stage.user.run(["status", "--json"]).succeeds().json()["paused"], json!(null));
}

#[test]
fn e37_an_outage_and_a_refused_key_lose_nothing_and_the_same_processes_go_on() {
    let stage = Stage::new();
    stage.user.run(["secret", "set"]).succeeds();
    let parameters = "--param TmdbRate=400 --param FunctionTimeout=60";
    stage.user.run(words(&format!("up --yes {parameters}"))).succeeds();
    stage.tmdb.behave(|behaviour| behaviour.all = Some(503));
    let source = titles::sample().display().to_string();
    stage.user.run(words(&format!("launch --years 2013..2014 --titles-source {source} {parameters}"))).succeeds();
    let status = wait_for(&stage, "paused for the outage", |status| !status["paused"].is_null());
    assert!(status["paused"]["reason"].as_str().unwrap().contains("TMDb does not answer"), "{status}");
    let spent = stage.tmdb.requests().len();
    assert!(spent <= FLEET * 20, "{spent} requests");
    let processes = stage.emulator.function_processes();

    stage.tmdb.forget();
    stage.tmdb.behave(|behaviour| behaviour.all = Some(401));
    stage.user.run(["resume"]).succeeds().says("TMDb does not answer");
    let status = wait_for(&stage, "paused for the key", |status| match status["paused"]["reason"].as_str() {
        // A function that was about to pause the fleet before it was resumed has done so.
        Some(reason) if reason.contains("TMDb does not answer") => {
            stage.user.run(["resume"]).succeeds();
            false
        }
        reason => reason.is_some(),
    });
    assert!(status["paused"]["reason"].as_str().unwrap().contains("provision secret set"), "{status}");
    assert_eq!(status["dead_letters"], json!({"visible": 0, "in_flight": 0, "delayed": 0}));
    let spent = stage.tmdb.requests().len();
    assert!(spent <= FLEET * 20, "{spent} requests");
    let again = format!("run --yes --years 2013..2014 --titles-source {source} {parameters}");
    stage.user.run(words(&again)).exits(1).complains("refuses the key").complains("provision resume");

    let renewed = "0".repeat(32);
    stage.tmdb.behave(|behaviour| (behaviour.all, behaviour.key) = (None, Some(renewed.clone())));
    let user = super::stage::user(&stage.proxy.url(), &stage.tmdb.url()).env("TMDB_API_KEY", renewed);
    user.run(["secret", "set"]).succeeds().never_says(KEY);
    stage.user.run(["resume"]).succeeds();
    wait_for(&stage, "all jobs are done", |status| status["jobs"]["done"] == status["jobs"]["total"]);
    assert!(processes.iter().all(|id| stage.emulator.function_processes().contains(id)), "a function was started anew");
    assert_eq!(stage.check_lake(LAKE, 2013..=2014)["failed"], 0);
}
