//! Dead letters, from their reason to their way back, over the real function and queues.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::fault_proxy::{Edge, Rule};
use testkit::titles;

use super::stage::{LAKE, Stage, aws, until, words};

const FAST: &str = "--param TmdbRate=800 --param FunctionTimeout=10";

/// A stack without jobs, and what sends a message to one of its queues.
fn up() -> (Stage, impl Fn(&str, &str) + Send + Sync + 'static) {
    let stage = Stage::new();
    stage.user.run(["secret", "set"]).succeeds();
    stage.user.run(words(&format!("up --yes {FAST}"))).succeeds();
    let endpoint = stage.emulator.endpoint();
    let send = move |queue: &str, body: &str| {
        let queue = format!("{endpoint}/000000000000/films-{queue}");
        let sent = aws(&endpoint, &format!("sqs send-message --queue-url {queue} --message-body {body}"));
        assert!(sent.status.success(), "{sent:?}");
    };
    (stage, send)
}

/// A stack in which three messages have died: two partitions, for want of an index, and one that is no job.
fn stage() -> Stage {
    let (stage, send) = up();
    for body in [r#"{"year":2004,"initial":"TH"}"#, r#"{"year":2003,"initial":"SH"}"#, "no-job"] {
        send("jobs", body);
    }
    until("all three are dead", || letters(&stage).len() == 3);
    stage
}

fn letters(stage: &Stage) -> Vec<Value> {
    stage.user.run(["dead-letters", "--json"]).succeeds().json()["dead_letters"].as_array().unwrap().clone()
}

fn done(stage: &Stage) -> Value {
    stage.user.run(["status", "--json"]).succeeds().json()["jobs"]["done"].clone()
}

#[test]
fn e52_dead_letters_are_listed_with_their_reasons_and_redriven_in_part() {
    let stage = stage();
    let listed = stage.user.run(["dead-letters"]).succeeds().says("year=2004/TH").says("year=2003/SH").says("3 of 3");
    assert_eq!(stage.user.run(["dead-letters"]).stdout, listed.stdout, "looking changes nothing");
    let reasons: Vec<_> = letters(&stage).iter().map(|letter| letter["reason"].to_string()).collect();
    assert_eq!(
        reasons.iter().filter(|reason| reason.contains("there is no index of titles")).count(),
        2,
        "{reasons:?}"
    );
    stage.user.run(["status", "--exit-code"]).exits(3);

    let source = titles::sample().display().to_string();
    stage.user.run(words(&format!("launch --years 1950 --initials TH --titles-source {source} {FAST}"))).succeeds();
    until("the launched job is done", || done(&stage) == json!(1));
    stage.user.run(["redrive", "--years", "1900"]).succeeds().says("None of the 3");
    stage
        .user
        .run(["redrive", "--years", "2004", "--initials", "th"])
        .succeeds()
        .says("1 dead letters")
        .says("2 are left");
    until("the redriven job is done", || done(&stage) == json!(2));
    stage.user.run(["redrive"]).succeeds().says("2 dead letters are in the jobs queue again");
    until("the other too, and what is no job is dead again", || done(&stage) == json!(3) && letters(&stage).len() == 1);
    let line = format!("run --yes --years 2004 --initials TH --titles-source {source} {FAST}");
    stage.user.run(words(&line)).exits(1).complains("1 dead letters").complains("provision dead-letters");
    assert_eq!(letters(&stage)[0]["body"], "no-job");
}

#[test]
fn e51_a_redrive_waits_for_sqs_s_own_task_and_without_one_loses_nothing_when_it_is_killed() {
    let stage = stage();
    stage.user.run(["pause"]).succeeds();
    stage.proxy.play(Edge::MoveTasks(3));
    let moved = stage.user.run(["redrive", "--json"]).succeeds().complains("the fleet is paused").json();
    assert_eq!((&moved["redriven"], &moved["by_task"]), (&json!(3), &json!(true)), "SQS's own task is waited for");
    let looks = stage.proxy.calls().iter().filter(|call| call.operation == "ListMessageMoveTasks").count();
    assert_eq!(looks, 4, "one before the start, three until its end");
    stage.proxy.behave();

    let killer = stage.user.killer();
    let rule = Rule::on("sqs", "DeleteMessageBatch").of("films-dead-letters").nth(1);
    stage.proxy.rule(rule.notify(move || killer.kill()).cut());
    assert!(!stage.user.run(["redrive"]).status.success());
    let depth = stage.user.run(["status", "--json"]).succeeds().json();
    assert_eq!(depth["queue"]["visible"], 3, "sent before the kill: {depth}");
    let dead =
        depth["dead_letters"]["visible"].as_u64().unwrap() + depth["dead_letters"]["in_flight"].as_u64().unwrap();
    assert_eq!(dead, 3, "not deleted yet: {depth}");
}

#[test]
fn a_dead_letter_that_comes_after_down_has_looked_is_saved_into_the_lake_all_the_same() {
    let (stage, send) = up();
    // The lake stays, and its policy, which has its name, goes.
    let template = stage.user.folder().join("templates/crawler.yaml");
    let text = std::fs::read_to_string(&template).unwrap();
    let retained = "    Condition: MakeLakeBucket\n    DeletionPolicy: Retain\n    UpdateReplacePolicy: Retain\n    Properties:\n      Bucket: !Ref";
    assert!(text.contains(retained));
    let goes = retained.replace("    DeletionPolicy: Retain\n", "");
    std::fs::write(&template, text.replace(retained, &goes)).unwrap();
    stage.user.run(words(&format!("up --yes {FAST}"))).succeeds();
    let looked = Rule::on("lambda", "ListEventSourceMappings").nth(1).latency(Duration::from_millis(500));
    stage.proxy.rule(looked.notify(move || send("dead-letters", "no-job")));
    stage.user.run(["down", "--yes", "--no-wait"]).succeeds().complains("saved 1 dead letters");
    stage.user.run(["down", "--yes", "--no-wait"]).succeeds().says("Nothing to delete");
    let listed = stage.aws(&format!("s3 ls --recursive s3://{LAKE}/tmdb/_dead_letters/"));
    assert_eq!(String::from_utf8(listed.stdout).unwrap().lines().count(), 1);
}
