//! Ctrl-C, two runs at once, and somebody else's change in the middle of ours.

use std::process::Command;
use std::time::{Duration, Instant};

use testkit::fault_proxy::{Edge, Rule};
use testkit::provision::Running;
use testkit::{Emulator, FaultProxy};

use super::listing::{is_empty, listing};
use super::stage::{light_user, words, write_code};

/// Long enough that a signal comes while the call that was waited for is under way.
const SLOW: Duration = Duration::from_millis(300);

fn account() -> (Emulator, FaultProxy) {
    let emulator = Emulator::start().unwrap();
    let proxy = FaultProxy::start(&emulator.endpoint()).unwrap();
    (emulator, proxy)
}

fn until_called(proxy: &FaultProxy, operation: &str, times: usize) {
    let start = Instant::now();
    while proxy.calls().iter().filter(|call| call.operation == operation).count() < times {
        assert!(start.elapsed() < Duration::from_secs(60), "{operation} is not called");
        std::thread::yield_now();
    }
}

fn interrupt(running: &Running) {
    let sent = Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Presses Ctrl-C as soon as an operation is under way.
fn interrupt_at(proxy: &FaultProxy, running: &Running, operation: &str, times: usize) {
    until_called(proxy, operation, 1);
    for _ in 0..times {
        interrupt(running);
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn an_interrupted_up_and_down_end_what_is_begun_and_the_next_ones_go_on() {
    let (emulator, proxy) = account();
    let user = light_user(&proxy.url());
    proxy.rule(Rule::on("*", "*").latency(SLOW));

    let plan = user.spawn(words("plan"));
    interrupt_at(&proxy, &plan, "GetRole", 1);
    plan.wait().exits(130).complains("cut off");

    proxy.forget();
    let up = user.spawn(words("up --yes"));
    interrupt_at(&proxy, &up, "CreateRole", 1);
    let cut = up.wait().exits(130).complains("interrupted").says("not tried").says("goes on from here");
    cut.says("CrawlerRole created").says("Left: CrawlerFunction, not begun");
    assert!(proxy.calls().iter().all(|call| call.status != 0), "calls in flight are finished");
    let half = listing(&emulator.endpoint(), "us-east-1");
    assert_eq!((half["roles"].len(), half["functions"].len()), (1, 0), "{half:?}");
    user.run(words("up --yes")).succeeds();
    user.run(words("plan --exit-code")).succeeds();

    proxy.forget();
    let down = user.spawn(words("down --yes --delete-data"));
    interrupt_at(&proxy, &down, "DeleteFunction", 1);
    let cut = down.wait().exits(130).complains("interrupted").says("not tried").says("CrawlerFunction deleted");
    cut.says("Still there, run `down` again: AWS::Logs::LogGroup").says("not begun");

    proxy.behave();
    let denied = "User: ada is not authorized to perform: logs:DeleteLogGroup";
    proxy.rule(Rule::on("logs", "DeleteLogGroup").answer(403, "AccessDeniedException", denied));
    let failed = user.run(words("down --yes --delete-data")).exits(4);
    failed.says("Still there, run `down` again: AWS::Logs::LogGroup").says("logs:DeleteLogGroup is not allowed");
    proxy.behave();
    user.run(words("down --yes --delete-data")).succeeds();
    let left = listing(&emulator.endpoint(), "us-east-1");
    assert!(is_empty(&left), "{left:?}");
}

#[test]
fn what_is_done_is_told_when_the_closing_look_is_cut_off() {
    let (_emulator, proxy) = account();
    let user = light_user(&proxy.url());
    for (line, done) in [("up --yes", "JobsMapping created"), ("down --yes --delete-data", "LakeBucket deleted")] {
        proxy.behave();
        proxy.forget();
        // Once before the changes, and once after them.
        proxy.rule(Rule::on("s3", "GetBucketTagging").nth(2).latency(10 * SLOW));
        let running = user.spawn(words(line));
        until_called(&proxy, "GetBucketTagging", 2);
        interrupt(&running);
        running.wait().exits(130).complains("interrupted").says(done).says("before the last look");
    }
}

#[test]
fn what_was_done_is_told_when_the_closing_look_fails() {
    let (_emulator, proxy) = account();
    let user = light_user(&proxy.url());
    let expired = "The provided token has expired.";
    // Once before the changes, and once after them.
    proxy.rule(Rule::on("s3", "GetBucketTagging").nth(2).answer(400, "ExpiredToken", expired));
    let told = user.run(words("up --yes")).exits(4).says("is done").says(" created in ");
    told.complains(expired).complains("aws sso login");
    proxy.behave();
    user.run(words("plan --exit-code")).succeeds();
    user.run(words("down --yes --delete-data")).succeeds();
    proxy.rule(Rule::on("s3", "GetBucketTagging").nth(2).answer(400, "ExpiredToken", expired));
    let told = user.run(words("up --yes --json")).exits(4).complains(expired).json();
    let done = told["report"]["done"].as_array().unwrap();
    assert!(done.iter().any(|one| one["logical_id"] == "JobsMapping"), "{told}");
    assert_eq!(told["report"]["failed"], serde_json::json!([]), "{told}");
}

#[test]
fn a_second_interruption_ends_at_once() {
    let (_emulator, proxy) = account();
    let user = light_user(&proxy.url());
    proxy.rule(Rule::on("iam", "CreateRole").latency(Duration::from_secs(30)));
    let up = user.spawn(words("up --yes"));
    interrupt_at(&proxy, &up, "CreateRole", 2);
    let asked = Instant::now();
    up.wait().exits(130);
    assert!(asked.elapsed() < Duration::from_secs(10), "it waited for the call");
}

#[test]
fn e14_runs_side_by_side_end_in_the_same_place() {
    let (emulator, proxy) = account();
    // The emulator itself would make three mappings of one pair.
    proxy.play(Edge::DuplicateMappingRefused);
    let users: Vec<_> = (0..3).map(|_| light_user(&proxy.url())).collect();
    let running: Vec<_> = users.iter().map(|user| user.spawn(words("up --yes"))).collect();
    running.into_iter().for_each(|run| drop(run.wait().succeeds()));
    let made = listing(&emulator.endpoint(), "us-east-1");
    for (kind, count) in [("queues", 2), ("roles", 1), ("functions", 1), ("mappings", 1), ("log groups", 1)] {
        assert_eq!(made[kind].len(), count, "{kind}: {made:?}");
    }
    users[0].run(words("plan --exit-code")).succeeds();
}

#[test]
fn e18_a_change_of_somebody_else_in_between_is_read_again() {
    let (_emulator, proxy) = account();
    let user = light_user(&proxy.url());
    user.run(words("up --yes")).succeeds();
    write_code(&user, "two");
    let outdated = "The Revision Id provided does not match the latest Revision Id.";
    // As three runs beside this one do, each in its turn.
    proxy.rule(Rule::on("lambda", "UpdateFunctionCode").times(3).answer(412, "PreconditionFailedException", outdated));
    proxy.forget();
    user.run(words("up --yes")).succeeds();
    let updates = proxy.calls().iter().filter(|call| call.operation == "UpdateFunctionCode").count();
    assert_eq!(updates, 4);
    user.run(words("plan --exit-code")).succeeds();
}

#[test]
fn e42_a_mapping_whose_queue_was_deleted_by_hand_is_there_again_after_up() {
    let (emulator, proxy) = account();
    let user = light_user(&proxy.url());
    user.run(words("up --yes")).succeeds();
    let queue = format!("{}/000000000000/films-jobs", emulator.endpoint());
    let mut aws = Command::new(testkit::emulator::tool("aws"));
    aws.args(["--endpoint-url", &emulator.endpoint(), "sqs", "delete-queue", "--queue-url", &queue]);
    assert!(aws.envs(emulator.env()).status().unwrap().success());
    user.run(words("up --yes")).succeeds();
    let made = listing(&emulator.endpoint(), "us-east-1");
    assert_eq!((made["queues"].len(), made["mappings"].len()), (2, 1), "{made:?}");
    user.run(words("plan --exit-code")).succeeds();
}
