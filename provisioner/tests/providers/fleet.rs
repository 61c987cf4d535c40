//! What a crawl's commands read of its queues and of its log, where AWS answers approximately, in part, or twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use crawler_core::Job;
use crawler_core::crawl::{Films, Refresh};
use crawler_core::imdb::{IndexOptions, Manifest, Selection, SourceVersion};
use crawler_core::lake::{LocalLake, MemoryLake, PutMode};
use futures::TryStreamExt;
use jiff::Timestamp;
use provisioner::fleet::{Ended, Fleet, LaunchPlan, Waiting, Wanted};
use serde_json::{Value, json};
use testkit::fault_proxy::{Edge, FaultProxy, Rule};
use tokio_util::sync::CancellationToken;

use crate::stage::{Stage, endpoint};

/// A crawl of this name: its two queues are there, its function never was, its lake is in memory.
async fn fleet(name: &str) -> (FaultProxy, Stage, Fleet) {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at(name, &proxy.url()).await;
    let mut urls = Vec::new();
    for queue in ["jobs", "dead-letters"] {
        let queue = stage.resource("AWS::SQS::Queue", queue, json!({})).await;
        stage.create(&queue).await;
        urls.push(queue.attributes["Ref"].clone());
    }
    let outputs = [("JobsQueueUrl", urls[0].clone()), ("DeadLetterQueueUrl", urls[1].clone())];
    let others = [("FunctionName", json!(name)), ("LakeBucketName", json!("none"))];
    let outputs = outputs.into_iter().chain(others).map(|(name, value)| (name.to_owned(), value)).collect();
    let fleet = Fleet::open(&stage.config, &outputs).unwrap();
    (proxy, stage, Fleet { lake: Arc::new(MemoryLake::default()), ..fleet })
}

fn without_jobs() -> Manifest {
    Manifest {
        dataset: "d".into(),
        source: SourceVersion::default(),
        options: IndexOptions::default(),
        rows: 0,
        titles: 0,
        duplicates: 0,
        skipped: 0,
        skipped_rows: vec![],
        jobs: vec![],
    }
}

#[tokio::test]
async fn e46_a_queue_that_only_seems_empty_is_not_drained() {
    let (proxy, _stage, fleet) = fleet("fleet-depth").await;
    let (looks, depths) = (AtomicUsize::new(0), [0, 7, 0, 0, 0]);
    proxy.rule(Rule::on("sqs", "GetQueueAttributes").of("fleet-depth-jobs").rewrite(move |json| {
        let depth = depths.get(looks.fetch_add(1, Ordering::Relaxed)).unwrap_or(&0);
        json["Attributes"]["ApproximateNumberOfMessages"] = depth.to_string().into();
    }));
    let pace = Waiting { every: Duration::from_millis(20), settled: Duration::from_millis(400), ..Waiting::default() };
    let mut seen = Vec::new();
    let ended = fleet
        .wait(&without_jobs(), &Selection::default(), pace, |look| {
            seen.push((look.unwrap().queue.visible, Instant::now()))
        })
        .await
        .unwrap();
    assert!(matches!(ended, Ended::Incomplete(_)), "{ended:?}");
    let depths: Vec<u64> = seen.iter().take(5).map(|(depth, _)| *depth).collect();
    assert_eq!(depths, [0, 7, 0, 0, 0]);
    let (last, full) = (seen.last().unwrap().1, seen[1].1);
    assert!(last - full >= pace.settled, "it was empty for {:?} only", last - full);
}

fn job(year: u16) -> Job {
    Job {
        year: Some(year),
        initial: "AD".into(),
        part: 0,
        offset: 0,
        length: 1,
        titles: 1,
        digest: format!("{year:016}"),
    }
}

async fn plan(fleet: &Fleet, manifest: &Manifest) -> LaunchPlan {
    fleet.plan_launch(manifest, &Selection::default(), "all", &Wanted::default()).await.unwrap()
}

async fn launch(fleet: &Fleet, manifest: &Manifest) -> usize {
    let plan = plan(fleet, manifest).await;
    fleet.launch(&plan, &CancellationToken::new(), |_, _| {}).await.unwrap().jobs
}

#[tokio::test]
async fn a_job_is_sent_for_one_refresh_at_a_time_and_for_the_next_when_that_has_ended() {
    let (_proxy, _stage, fleet) = fleet("fleet-refresh").await;
    let manifest = Manifest { jobs: vec![job(2004)], titles: 1, ..without_jobs() };
    let ended = async || {
        let key = "tmdb/_done/year=2004/AD-000.0000000000002004.1t-0l-0m-0o-1f.json";
        fleet.lake.put(key, "{}".into(), PutMode::Overwrite).await.unwrap();
    };
    let plan = async |films| {
        let refresh = Some(Refresh { before: Timestamp::now(), films });
        let wanted = Wanted { refresh, ..Wanted::default() };
        fleet.plan_launch(&manifest, &Selection::default(), "all", &wanted).await.unwrap()
    };
    ended().await;
    let all = plan(Films::All).await;
    assert_eq!(fleet.launch(&all, &CancellationToken::new(), |_, _| {}).await.unwrap().jobs, 1);
    let failed = plan(Films::Failed).await;
    assert_eq!((failed.jobs.len(), failed.queued), (0, 1), "it would be swallowed, or undo the other");
    ended().await;
    let failed = plan(Films::Failed).await;
    assert_eq!((failed.jobs.len(), failed.queued), (1, 0));
}

#[tokio::test]
async fn e46_what_was_just_sent_is_queued_though_the_counters_are_at_zero_still() {
    let (proxy, _stage, fleet) = fleet("fleet-lag").await;
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet { lake: Arc::new(LocalLake::new(folder.path())), ..fleet };
    let manifest = Manifest { jobs: vec![job(2004), job(2005)], titles: 2, ..without_jobs() };
    assert_eq!(launch(&fleet, &manifest).await, 2);
    let says = |name: &'static str| {
        proxy.rule(Rule::on("sqs", "GetQueueAttributes").rewrite(move |json| json["Attributes"][name] = "0".into()));
    };
    says("ApproximateNumberOfMessages");
    assert_eq!(plan(&fleet, &manifest).await.queued, 2);
    let record = std::fs::read_dir(folder.path().join("tmdb/_sent/d")).unwrap().next().unwrap().unwrap().path();
    let then = SystemTime::now() - Duration::from_secs(125);
    std::fs::File::options().write(true).open(record).unwrap().set_modified(then).unwrap();
    says("CreatedTimestamp");
    let later = plan(&fleet, &manifest).await;
    assert_eq!((later.queued, later.jobs.len()), (0, 2), "an empty queue has nothing of what is older");
    proxy.behave();
    says("CreatedTimestamp");
    assert_eq!(plan(&fleet, &manifest).await.queued, 2, "and one that is not may have it");
}

#[tokio::test]
async fn what_was_sent_to_a_queue_that_is_gone_is_sent_to_the_one_that_was_made_anew() {
    let (_proxy, stage, fleet) = fleet("fleet-anew").await;
    let manifest = Manifest { jobs: vec![job(2004), job(2005)], titles: 2, ..without_jobs() };
    assert_eq!(launch(&fleet, &manifest).await, 2);
    assert_eq!(plan(&fleet, &manifest).await.queued, 2, "it waits in the queue");
    let sent = Timestamp::now().as_second();
    let queue = stage.resource("AWS::SQS::Queue", "jobs", json!({})).await;
    stage.delete(&stage.read(&queue).await.unwrap()).await;
    // SQS tells seconds; between a queue and its namesake it lets sixty go by.
    while Timestamp::now().as_second() == sent {
        tokio::task::yield_now().await;
    }
    stage.create(&queue).await;
    fleet.jobs.send("another launch's").await.unwrap();
    let plan = plan(&fleet, &manifest).await;
    assert_eq!((plan.queued, plan.jobs.len()), (0, 2));
}

#[tokio::test]
async fn a_run_of_some_years_ends_whatever_became_of_a_larger_launch_before() {
    let (_proxy, stage, fleet) = fleet("fleet-years").await;
    let manifest = Manifest { jobs: vec![job(2004), job(2005)], titles: 2, ..without_jobs() };
    assert_eq!(launch(&fleet, &manifest).await, 2);
    // The stack went, and its queue with it, when one of the years was done.
    aws_sdk_sqs::Client::new(&stage.config).purge_queue().queue_url(fleet.jobs.url()).send().await.unwrap();
    let key = "tmdb/_done/year=2004/AD-000.0000000000002004.1t-1l-0m-0o-0f.json";
    fleet.lake.put(key, "{}".into(), PutMode::Overwrite).await.unwrap();
    let pace = Waiting { every: Duration::from_millis(20), settled: Duration::from_millis(200), ..Waiting::default() };
    let of = |years: &str| Selection { years: Some(years.parse().unwrap()), initials: None };
    let ended = fleet.wait(&manifest, &of("2004"), pace, |_| {}).await.unwrap();
    assert!(matches!(&ended, Ended::Complete(progress) if progress.jobs.total == 1), "{ended:?}");
    let ended = fleet.wait(&manifest, &of("2004..2005"), pace, |_| {}).await.unwrap();
    assert!(matches!(&ended, Ended::Incomplete(progress) if progress.jobs.total == 2), "{ended:?}");
}

#[tokio::test]
async fn what_waits_is_waited_for_though_all_jobs_are_done_and_what_was_killed_in_hand_is_not_for_ever() {
    let (_proxy, stage, fleet) = fleet("fleet-others").await;
    let manifest = Manifest { jobs: vec![job(2004)], titles: 1, ..without_jobs() };
    let key = "tmdb/_done/year=2004/AD-000.0000000000002004.1t-1l-0m-0o-0f.json";
    fleet.lake.put(key, "{}".into(), PutMode::Overwrite).await.unwrap();
    fleet.jobs.send("a refresh, say").await.unwrap();
    let soon = Duration::from_millis(300);
    let pace = Waiting { every: Duration::from_millis(20), in_hand: soon, ..Waiting::default() };
    let all = Selection::default();
    let ended = tokio::time::timeout(soon * 3, fleet.wait(&manifest, &all, pace, |_| {})).await;
    assert!(ended.is_err(), "it waits: {ended:?}");
    // A function takes it and is killed.
    let sqs = aws_sdk_sqs::Client::new(&stage.config);
    sqs.receive_message().queue_url(fleet.jobs.url()).visibility_timeout(600).send().await.unwrap();
    let began = Instant::now();
    let ended = fleet.wait(&manifest, &all, pace, |_| {}).await.unwrap();
    assert!(matches!(&ended, Ended::Complete(progress) if progress.queue.in_flight == 1), "{ended:?}");
    assert!(began.elapsed() >= soon, "what is only late is waited for");
}

#[tokio::test]
async fn e63_an_empty_page_of_a_log_is_not_its_end_and_an_event_may_come_twice() {
    let (proxy, stage, fleet) = fleet("fleet-log").await;
    let sqs = aws_sdk_sqs::Client::new(&stage.config);
    let sent = sqs.send_message().queue_url(fleet.dead_letters.url()).message_body("a job").send().await.unwrap();
    let id = sent.message_id.unwrap();
    let last_error = async || fleet.dead_letters(1).await.unwrap().remove(0).last_error;
    assert_eq!(last_error().await, None, "there is no log yet");
    let logs = aws_sdk_cloudwatchlogs::Client::new(&stage.config);
    let (group, stream) = ("/aws/lambda/fleet-log", "s");
    logs.create_log_group().log_group_name(group).send().await.unwrap();
    logs.create_log_stream().log_group_name(group).log_stream_name(stream).send().await.unwrap();
    let lines = [(&*id, "first"), ("another", "another's"), (&*id, "last")];
    let events = lines.iter().zip(Timestamp::now().as_millisecond()..).map(|((id, reason), at)| {
        let line = json!({"message_id": id, "reason": reason}).to_string();
        InputLogEvent::builder().timestamp(at).message(line).build().unwrap()
    });
    let call = logs.put_log_events().log_group_name(group).log_stream_name(stream);
    call.set_log_events(Some(events.collect())).send().await.unwrap();

    proxy.play(Edge::PagesOfOne);
    proxy.rule(Rule::on("logs", "FilterLogEvents").rewrite(|json| {
        let events = json["events"].as_array().cloned().unwrap_or_default();
        json["events"] = [events.clone(), events].concat().into();
    }));
    proxy.forget();
    assert_eq!(last_error().await, Some("last".into()));
    let pages = proxy.calls().into_iter().filter(|call| call.operation == "FilterLogEvents").count();
    assert_eq!(pages, 3, "an empty page, and one for each event");
}

#[tokio::test]
async fn e52_a_dead_letter_that_another_reader_has_is_waited_for_and_saved() {
    let (_proxy, stage, fleet) = fleet("fleet-letters").await;
    fleet.dead_letters.send("a job").await.unwrap();
    let sqs = aws_sdk_sqs::Client::new(&stage.config);
    let hidden = sqs.receive_message().queue_url(fleet.dead_letters.url()).visibility_timeout(1).send().await.unwrap();
    assert_eq!(hidden.messages().len(), 1);
    assert_eq!(fleet.save_dead_letters().await.unwrap(), 1);
    let saved: Vec<_> = fleet.lake.list("tmdb/_dead_letters/").try_collect().await.unwrap();
    assert_eq!(saved.len(), 1);
}

#[tokio::test]
async fn letters_that_come_again_while_others_are_redriven_are_no_new_ones() {
    let (proxy, _stage, fleet) = fleet("fleet-redrive").await;
    for n in 0..30 {
        let year = if n < 20 { 2003 } else { 2004 };
        fleet.dead_letters.send(&json!({"year": year, "initial": "AD", "n": n}).to_string()).await.unwrap();
    }
    // SQS hides what was received for a minute, and six thousand take longer.
    let first: Arc<Mutex<Vec<Value>>> = Arc::default();
    proxy.rule(Rule::on("sqs", "ReceiveMessage").rewrite(move |json| {
        let mut first = first.lock().unwrap();
        let messages = json["Messages"].as_array().cloned().unwrap_or_default();
        json["Messages"] = [messages.clone(), first.clone()].concat().into();
        *first = messages;
    }));
    let of_2004 = Selection { years: Some("2004".parse().unwrap()), initials: None };
    let redriven = fleet.redrive(Some(&of_2004), &CancellationToken::new(), |_, _| ()).await.unwrap();
    assert_eq!((redriven.redriven, redriven.left), (10, 20));
    assert_eq!(fleet.jobs.depth().await.unwrap().visible, 10);
}

#[tokio::test]
async fn an_interrupted_redrive_ends_with_its_batch_and_leaves_sqs_s_own_task_to_go_on() {
    let (proxy, _stage, fleet) = fleet("fleet-redrive-cut").await;
    for n in 0..60 {
        fleet.dead_letters.send(&json!({"year": 2003, "initial": "AD", "n": n}).to_string()).await.unwrap();
    }
    let interrupt = CancellationToken::new();
    let heard = interrupt.clone();
    let all = Selection::default();
    proxy.rule(Rule::on("sqs", "DeleteMessageBatch").nth(1).notify(move || heard.cancel()));
    let cut = fleet.redrive(Some(&all), &interrupt, |_, _| ()).await.unwrap();
    assert!((1..60).contains(&cut.redriven), "{cut:?}");
    assert_eq!(fleet.jobs.depth().await.unwrap().visible, cut.redriven, "what was begun is told");
    assert_eq!(cut.left, 60 - cut.redriven);

    proxy.play(Edge::MoveTasks(3));
    let watched = || proxy.calls().iter().filter(|call| call.operation == "ListMessageMoveTasks").count();
    fleet.redrive(None, &interrupt, |_, _| ()).await.unwrap();
    assert_eq!(watched(), 2, "one look before the start, and none again after one at the task");
}

#[tokio::test]
async fn a_look_that_fails_is_not_the_end_of_a_crawl_but_one_that_is_not_allowed_is() {
    let (proxy, _stage, fleet) = fleet("fleet-looks").await;
    let pace = Waiting { every: Duration::from_millis(20), settled: Duration::from_millis(50), ..Waiting::default() };
    let looks = |code: u16, error: &str| {
        proxy.behave();
        proxy.rule(Rule::on("sqs", "GetQueueAttributes").answer(code, error, "not now"));
    };
    let (all, manifest) = (Selection::default(), without_jobs());
    looks(503, "ServiceUnavailable");
    let mut failed = 0;
    let ended = fleet.wait(&manifest, &all, pace, |looked| {
        if looked.is_err() {
            failed += 1;
            proxy.behave();
        }
    });
    assert!(matches!(ended.await.unwrap(), Ended::Incomplete(_)));
    assert_eq!(failed, 1);
    looks(503, "ServiceUnavailable");
    let at_once = Waiting { patience: Duration::ZERO, ..pace };
    assert!(fleet.wait(&manifest, &all, at_once, |_| {}).await.is_err(), "its patience ends");
    looks(403, "AccessDenied");
    assert!(fleet.wait(&manifest, &all, pace, |_| {}).await.is_err(), "it does not pass by itself");
}
