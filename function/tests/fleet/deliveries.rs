//! What becomes of each kind of message.

use std::collections::{BTreeMap, HashSet};

use crawler_core::{Job, Order, job::titles_per_job};
use serde_json::json;
use testkit::titles;

use super::stack::{KEY, Options, Stack};

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_done_and_what_is_no_job_is_a_dead_letter_with_its_reason() {
    let stack = Stack::start(60).await;
    let manifest = stack.index(40).await;
    let mut jobs: Vec<Job> = manifest.jobs.iter().filter(|job| job.year == Some(1994)).take(12).cloned().collect();
    for few in jobs.chunks(4) {
        let order = Order::Jobs { dataset: manifest.dataset.clone(), jobs: few.to_vec() };
        stack.send(&order.to_body()).await;
    }
    stack.send(r#"{"year":"2004","initial":"ma"}"#).await;
    jobs.extend(manifest.jobs_of_partition(Some(2004), "MA").cloned());
    for bad in ["no job", r#"{"year":2004,"initial":"ADA"}"#, r#"{"year":2004}"#] {
        stack.send(bad).await;
    }

    stack.until("all jobs are done", async || stack.are_done(&jobs).await).await;
    let mut dead = stack.dead_letters(3).await;
    dead.sort_unstable();
    assert!(dead[0].0 == "no job" && dead[0].1.contains("not JSON"), "{dead:?}");
    assert!(dead[1].1.contains("its initial \"ADA\""), "{dead:?}");
    assert!(dead[2].1.contains("no \"initial\""), "{dead:?}");
    stack.until("the queue is empty", async || stack.depth().await == 0).await;
    let log = stack.log().await;
    assert!(log.contains("job done") && !log.contains(KEY), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn e34_a_job_longer_than_the_timeout_is_done_in_several_deliveries_and_hardly_repeats_a_request() {
    let stack = Stack::start(5).await;
    let manifest = stack.index(400).await;
    let job = manifest.jobs.iter().max_by_key(|job| job.titles).unwrap();
    stack.tmdb.behave(|behaviour| behaviour.latency_ms = 350);
    let jobs = vec![job.clone()];
    stack.send(&Order::Jobs { dataset: manifest.dataset.clone(), jobs: jobs.clone() }.to_body()).await;
    stack.until("the job is done", async || stack.are_done(&jobs).await).await;
    stack.until("the queue is empty", async || stack.depth().await == 0).await;
    assert_eq!(stack.dead_letters(0).await, []);
    let parts = stack.log().await.matches("message handed back").count() + 1;
    assert!(parts >= 4, "{parts} parts");
    let requests: Vec<_> = stack.tmdb.requests().into_iter().map(|request| (request.path, request.page)).collect();
    let needed: HashSet<_> = requests.iter().collect();
    let (asked, needed) = (requests.len() as f64, needed.len() as f64);
    assert!(asked <= needed * 1.05, "{asked} requests, {needed} are needed, in {parts} parts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_takes_many_deliveries_gets_further_with_each_and_pauses_nobody() {
    let stack = Stack::start_with(Options { timeout: 10, visibility: 60, fleet: 8, rate: 60, append: None }).await;
    let manifest = stack.index(10).await;
    let partition = manifest.jobs_of_partition(Some(1994), "TH").cloned().collect::<Vec<Job>>();
    assert!(partition.len() >= 4, "{}", partition.len());
    stack.send(r#"{"year":1994,"initial":"TH"}"#).await;
    stack.until("the partition is done", async || stack.are_done(&partition).await).await;
    assert_eq!(stack.dead_letters(0).await, []);
    let log = stack.log().await;
    assert!(log.contains("message handed back") && !log.contains("the fleet has paused itself"), "{log}");
}

/// An index of these films of one year and initial.
async fn index_of(stack: &Stack, films: &[String]) -> crawler_core::imdb::Manifest {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("title.basics.tsv");
    let mut rows =
        "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres\n"
            .to_owned();
    for film in films {
        rows += &format!("{film}\tmovie\tThe Film\tThe Film\t0\t2017\t\\N\t90\tDrama\n");
    }
    std::fs::write(&file, rows).unwrap();
    stack.index_of(file, films.len() as u32).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_sent_before_a_newer_index_is_done_as_that_has_it() {
    let stack = Stack::start(60).await;
    let films = movies(9);
    let old = index_of(&stack, &films[..8]).await;
    let new = index_of(&stack, &films).await;
    assert!(old.dataset != new.dataset && old.jobs[0].digest != new.jobs[0].digest);
    stack.send(&Order::Jobs { dataset: old.dataset, jobs: old.jobs }.to_body()).await;
    stack.until("the job is done", async || stack.are_done(&new.jobs).await).await;
    assert_eq!(stack.dead_letters(0).await, []);
}

/// The most memory that a function took, in kB, which did a job of as many films as these in one go.
async fn most_memory(stack: &Stack, films: &[String]) -> u32 {
    let manifest = index_of(stack, films).await;
    assert_eq!((manifest.jobs.len(), manifest.jobs[0].titles as usize), (1, films.len()));
    stack.send(r#"{"year":2017,"initial":"TH"}"#).await;
    stack.until("the job is done", async || stack.are_done(&manifest.jobs).await).await;
    let peak = |process: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
        line.strip_suffix(" kB").unwrap().parse::<u32>().unwrap()
    };
    stack.emulator.function_processes().iter().map(peak).max().unwrap()
}

fn movies(most: u32) -> Vec<String> {
    let films = titles::read(&titles::sample()).unwrap().into_iter().filter(|film| film.title_type == "movie");
    films.map(|film| film.tconst).take(most as usize).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_job_takes_at_most_64_mebibytes() {
    let stack = Stack::start(300).await;
    let titles = titles_per_job(100.0, 900, false).unwrap();
    let most = most_memory(&stack, &movies(titles)).await;
    assert!(most <= 64 * 1024, "{most} kB");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_job_with_all_credits_takes_at_most_64_mebibytes() {
    let options = Options { timeout: 300, visibility: 1_800, fleet: 2, rate: 4_000, append: Some("credits") };
    let stack = Stack::start_with(options).await;
    let films = movies(titles_per_job(100.0, 900, true).unwrap());
    // A film with a cast of four hundred has some 100 kB.
    let cast: Vec<_> = (0..400).map(|n| json!({
        "adult": false, "gender": 1, "id": 100_000 + n, "known_for_department": "Acting", "name": format!("Ann {n} Example"),
        "original_name": format!("Ann {n} Example"), "popularity": 0.1, "character": format!("Person {n}"),
        "credit_id": format!("52fe4{n:019x}"), "order": n, "profile_path": null,
    })).collect();
    let details = |n: usize, film: &String| {
        json!({
        "id": n + 1, "imdb_id": film, "title": "The Film", "release_date": "2017-01-01", "credits": { "cast": cast, "crew": [] },
        "reviews": { "page": 1, "results": [], "total_pages": 0, "total_results": 0 },
    }).to_string()
    };
    let scripted = films.iter().enumerate().map(|(n, film)| (format!("/3/movie/{film}"), details(n, film)));
    let scripted: BTreeMap<_, _> = scripted.collect();
    assert!(scripted.values().all(|film| film.len() > 90_000));
    stack.tmdb.behave(|behaviour| behaviour.scripted = scripted);
    let most = most_memory(&stack, &films).await;
    assert!(most <= 64 * 1024, "{most} kB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_progress_is_a_dead_letter_after_two_receives() {
    let stack = Stack::start(3).await;
    stack.index(400).await;
    // TMDb answers, but the reviews of one film have no end.
    let films = titles::read(&titles::sample()).unwrap().into_iter();
    let films = films.filter(|film| film.start_year == Some(1994) && film.primary_title.starts_with("The "));
    let ids: Vec<String> = films.map(|film| film.tconst).collect();
    let known = stack.tmdb.expected(ids.iter().map(String::as_str));
    let endless = known.iter().find(|film| !film.reviews.is_empty()).unwrap().tmdb_ids[0];
    let page = r#"{"page":1,"results":[],"total_pages":500,"total_results":10000}"#;
    stack.tmdb.behave(|behaviour| {
        behaviour.latency_ms = 100;
        behaviour.scripted = [(format!("/3/movie/{endless}/reviews"), page.to_owned())].into();
    });
    let body = r#"{"year":1994,"initial":"TH"}"#;
    stack.send(body).await;
    let dead = stack.dead_letters(1).await;
    assert_eq!(dead[0].0, body);
    assert!(dead[0].1.contains("2 deliveries in a row got no further"), "{dead:?}");
}
