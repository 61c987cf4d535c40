//! How fast a whole fleet asks.

use std::{collections::HashSet, time::Duration};

use crawler_core::{Job, Order};
use testkit::stand_in::Request;

use super::stack::{Options, Stack};

const FLEET: i32 = 8;
const RATE: u32 = 40;

/// When the first and the last of these films was asked for, in milliseconds.
fn span(requests: &[Request], films: &HashSet<String>) -> (u64, u64) {
    let mut times = requests.iter().filter(|asked| asked.film().is_some_and(|film| films.contains(film)));
    let first = times.next().unwrap().at_ms;
    (first, times.next_back().map_or(first, |last| last.at_ms))
}

/// Lets eight functions do a job each; what part of the rate they used while all had work.
async fn used(stack: &Stack, dataset: &str, jobs: &[Job]) -> f64 {
    stack.tmdb.forget();
    for job in jobs {
        stack.send(&Order::Jobs { dataset: dataset.to_owned(), jobs: vec![job.clone()] }.to_body()).await;
    }
    stack.until("all jobs are done", async || stack.are_done(jobs).await).await;

    let requests = stack.tmdb.requests();
    let too_many = requests.iter().filter(|request| request.status == 429).count();
    assert!(too_many * 200 < requests.len(), "{too_many} of {} answers are 429", requests.len());
    let busiest = stack.tmdb.busiest(Duration::from_secs(5));
    assert!(busiest <= RATE as usize * 5, "{busiest} within 5 s");
    // While the last to begin has begun and the first to end has not ended, all eight have work.
    let (mut begin, mut end) = (0, u64::MAX);
    for job in jobs {
        let films = stack.titles_of(dataset, job).await.into_iter().collect();
        let (first, last) = span(&requests, &films);
        (begin, end) = (begin.max(first), end.min(last));
    }
    let seconds = end.saturating_sub(begin) as f64 / 1_000.0;
    assert!(seconds >= 10.0, "all eight have had work for {seconds} s only");
    let asked = requests.iter().filter(|request| (begin..end).contains(&request.at_ms)).count() as f64;
    asked / seconds / f64::from(RATE)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_of_eight_uses_the_rate_that_is_allowed_and_is_hardly_ever_refused() {
    let stack =
        Stack::start_with(Options { timeout: 120, visibility: 720, fleet: FLEET, rate: RATE, append: None }).await;
    stack.tmdb.behave(|behaviour| (behaviour.rate, behaviour.latency_ms) = (Some(RATE), 40));
    let manifest = stack.index(45).await;
    let jobs: Vec<Job> = manifest.jobs.iter().filter(|job| job.titles >= 40).cloned().collect();
    let mut parts = Vec::new();
    // A machine that is busy with other things wakes nobody in time: such a round says nothing of the functions.
    for eight in jobs.chunks_exact(FLEET as usize).take(4) {
        parts.push(used(&stack, &manifest.dataset, eight).await);
        if parts.last().is_some_and(|part| *part >= 0.97) {
            return;
        }
    }
    panic!("of the rate were used {parts:?}");
}
