//! From anywhere to what the template says, and back to nothing.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::fault_proxy::Rule;
use testkit::{Emulator, titles};

use super::stage::{Stage, light_user, words};

#[test]
fn a_second_up_changes_nothing() {
    let stage = Stage::new();
    stage.user.run(["up", "--yes"]).succeeds();
    stage.proxy.forget();
    stage.user.run(["plan", "--exit-code"]).succeeds();
    stage.user.run(["up", "--yes"]).succeeds().says("Nothing to change");
    assert_eq!(stage.changes(), Vec::<String>::new());
}

#[test]
fn up_after_kill_finishes() {
    let stage = Stage::new();
    let killer = stage.user.killer();
    // Killed in the middle: the call is performed, its answer never comes.
    stage.proxy.rule(Rule::on("lambda", "CreateFunction").notify(move || killer.kill()).lose_answer());
    let killed = stage.user.run(["up", "--yes"]);
    assert_ne!(killed.status.code(), Some(0));
    stage.proxy.behave();
    stage.user.run(["up", "--yes"]).succeeds();
    stage.user.run(["plan", "--exit-code"]).succeeds();
    let account = stage.account();
    for (kind, count) in
        [("queues", 2), ("roles", 1), ("functions", 1), ("mappings", 1), ("log_groups", 1), ("buckets", 1)]
    {
        assert_eq!(account[kind].as_array().map(Vec::len), Some(count), "{kind}: {account}");
    }
}

#[test]
fn down_with_delete_data_leaves_nothing() {
    let stage = Stage::new();
    stage.user.run(["secret", "set"]).succeeds();
    stage.user.run(["up", "--yes"]).succeeds();
    stage.user.run(words("down --yes --delete-data")).succeeds();
    let account = stage.account();
    for (kind, names) in account.as_object().unwrap() {
        assert_eq!(*names, json!([]), "{kind} are left");
    }
    stage.proxy.forget();
    stage.user.run(words("down --yes --delete-data")).succeeds().says("Nothing to delete");
    assert_eq!(stage.changes(), Vec::<String>::new());
}

#[test]
fn e62_down_with_delete_data_waits_for_running_functions_and_not_one_late_line_is_left() {
    let stage = Stage::new();
    let source = titles::sample().display().to_string();
    stage.user.run(["secret", "set"]).succeeds();
    stage.user.run(words("up --yes --param TmdbRate=800")).succeeds();
    // Seconds for a job: there is one in hand when `down` looks.
    stage.tmdb.behave(|behaviour| behaviour.latency_ms = 200);
    let launch = format!("launch --years 2014 --initials TH --titles-source {source} --param TmdbRate=800");
    stage.user.run(words(&launch)).succeeds();
    let deadline = Instant::now() + Duration::from_secs(60);
    while stage.tmdb.requests().len() < 10 {
        assert!(Instant::now() < deadline, "the crawl does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    stage.user.run(words("down --yes --delete-data")).succeeds().complains("waiting for the functions that run");
    for (kind, names) in stage.account().as_object().unwrap() {
        assert_eq!(*names, json!([]), "{kind} are left");
    }
}

#[test]
fn e35_a_raised_timeout_changes_the_queue_first_and_a_lowered_one_the_function() {
    let (_emulator, proxy) = Emulator::start_behind_proxy(&Default::default()).unwrap();
    let user = light_user(&proxy.url());
    let order_of = |seconds: u32| {
        proxy.forget();
        user.run(words(&format!("up --yes --param FunctionTimeout={seconds}"))).succeeds();
        proxy.mutating_calls().into_iter().map(|call| call.operation).collect::<Vec<_>>()
    };
    order_of(60);
    assert_eq!(order_of(300), ["SetQueueAttributes", "UpdateFunctionConfiguration"]);
    assert_eq!(order_of(60), ["UpdateFunctionConfiguration", "SetQueueAttributes"]);
    user.run(words("plan --exit-code --param FunctionTimeout=60")).succeeds();
}

#[test]
fn drift_shows_in_plan_and_up_puts_it_back() {
    let stage = Stage::new();
    stage.user.run(["up", "--yes"]).succeeds();
    let changed = words("up --yes --param LogRetentionInDays=30");
    let plan = stage.user.run(words("plan --json --param LogRetentionInDays=30")).succeeds().json();
    let change =
        plan["changes"].as_array().unwrap().iter().find(|change| change["logical_id"] == "CrawlerLogGroup").unwrap();
    assert_eq!(change["action"], "update");
    assert_eq!(change["properties"][0]["path"], "RetentionInDays");
    assert_eq!((&change["properties"][0]["before"], &change["properties"][0]["after"]), (&json!(14), &json!(30)));
    stage.user.run(changed).succeeds();
    stage.user.run(words("plan --exit-code")).exits(3);
    stage.user.run(["up", "--yes"]).succeeds();
    stage.user.run(words("plan --exit-code")).succeeds();
}
