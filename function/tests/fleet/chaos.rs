//! A fleet under all that can go wrong at once: functions killed, messages delivered twice, TMDb and S3 that fail now and then. At the end
//! every film and every review is in the lake exactly once, and little was asked in vain.

use std::collections::HashSet;
use std::time::Duration;

use crawler_core::{Job, Marker, Order, crawl::done};
use futures::TryStreamExt as _;
use serde_json::json;
use testkit::{Dice, emulator::kill_process, fault_proxy::Rule, reader, stand_in::Expected};
use tokio::time::{Instant, sleep};

use super::stack::{BUCKET, Options, PATIENCE, Stack};

const JOBS: usize = 300;
const JOB_TITLES: u32 = 8;
const KILLS: usize = 20;
const SEED: u64 = 7;

/// The most requests that these films cost when all goes well.
fn requests(films: &[Expected]) -> usize {
    films.iter().map(|film| 1 + film.tmdb_ids.len() + film.reviews.len() / 20).sum()
}

/// Kills functions at random while jobs are not done; how many it were.
async fn kill_until_done(stack: &Stack, jobs: &[Job]) -> usize {
    let (mut dice, mut killed) = (Dice::new(SEED), 0);
    let end = Instant::now() + PATIENCE;
    while !stack.are_done(jobs).await {
        let processes = stack.emulator.function_processes();
        if killed < KILLS && !processes.is_empty() && kill_process(dice.pick(&processes)) {
            killed += 1;
        }
        if Instant::now() > end {
            panic!("not in time after {killed} kills; the function says:\n{}", stack.log().await);
        }
        sleep(Duration::from_millis(400)).await;
    }
    killed
}

#[tokio::test(flavor = "multi_thread")]
async fn every_film_and_review_is_there_once_whatever_goes_wrong() {
    let stack = Stack::start_with(Options { timeout: 6, visibility: 8, fleet: 8, rate: 4_000, append: None }).await;
    stack.tmdb.behave(|behaviour| {
        let faults = &mut behaviour.faults;
        (faults.too_many, faults.failed, faults.cut, faults.slow, faults.slow_ms) = (0.05, 0.05, 0.05, 0.05, 300);
    });
    let busy = "Please reduce your request rate.";
    stack.proxy.rule(Rule::on("s3", "*").share(0.05, SEED).answer(503, "SlowDown", busy));
    let manifest = stack.index(JOB_TITLES).await;
    let mut jobs = manifest.jobs.clone();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.titles));
    jobs.truncate(JOBS);
    let (mut films, mut twice, mut largest) = (Vec::new(), 0, 0);
    for (place, job) in jobs.iter().enumerate() {
        let ids = stack.titles_of(&manifest.dataset, job).await;
        let truth = stack.tmdb.expected(ids.iter().map(String::as_str));
        let body = Order::Jobs { dataset: manifest.dataset.clone(), jobs: vec![job.clone()] }.to_body();
        stack.send(&body).await;
        if place % 3 == 0 {
            stack.send(&body).await;
            twice += requests(&truth);
        }
        largest = largest.max(requests(&truth));
        films.extend(truth);
    }

    let killed = kill_until_done(&stack, &jobs).await;
    stack.until("the queue is empty", async || stack.depth().await == 0).await;
    assert_eq!(stack.dead_letters(0).await, []);
    assert!(killed >= KILLS / 2, "only {killed} functions were killed");
    let counts = reader::check_lake(&stack.emulator.endpoint(), BUCKET, &films);
    assert_eq!(counts, markers(&stack).await, "the markers say otherwise than the lake");

    let answered: Vec<_> = stack.tmdb.requests().into_iter().filter(|request| request.status == 200).collect();
    let needed: HashSet<_> = answered.iter().map(|request| (&request.path, request.page)).collect();
    let repeated = answered.len() - needed.len();
    let handed_back = stack.proxy.calls().iter().filter(|call| call.operation == "ChangeMessageVisibility").count();
    let allowed = (killed + handed_back) * largest + twice;
    assert!(repeated <= allowed, "{repeated} of {} answers came twice, {allowed} may", answered.len());
}

/// The sums of what the markers say, as the reader counts records.
async fn markers(stack: &Stack) -> serde_json::Value {
    let done: Vec<_> = done(&*stack.lake).try_collect().await.unwrap();
    assert_eq!(done.len(), JOBS, "a job has two markers");
    let (mut movies, mut reviews, mut misses, mut others, mut failed) = (0, 0, 0, 0, 0);
    for done in done {
        let marker = Marker::read(&*stack.lake, &done.key()).await.unwrap().unwrap();
        movies += marker.movies;
        reviews += marker.reviews;
        misses += marker.missed;
        others += marker.others;
        failed += marker.failed;
    }
    json!({"movies": movies, "reviews": reviews, "misses": misses, "others": others, "failed": failed})
}
