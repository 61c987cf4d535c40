//! A job from its titles to its marker, and what stops it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use crawler_core::{
    CrawlError, Crawler, Job, Lake as _,
    crawl::done,
    imdb::Selection,
    lake::layout::Kind,
    tmdb::{FetchMode, TmdbError},
};
use futures::{StreamExt as _, TryStreamExt as _};
use testkit::stand_in::{self, Expected};
use tokio::time::Instant;

use super::stage::{KEY, Killed, Stage, soon, texts};

#[tokio::test]
async fn every_film_of_a_year_is_in_exactly_one_place_and_every_review_once() {
    let stage = Stage::new(100).await;
    let crawler = stage.crawler();
    let selection = Selection { years: Some("1990..1993".parse().unwrap()), initials: None };
    let mut seen = 0;
    for job in stage.manifest.jobs_of(&selection) {
        let marker = stage.run(&crawler, job).await.unwrap();
        let ids = stage.ids(job).await;
        let expected = stage.stand_in.expected(ids.iter().map(String::as_str));
        let of = |kinds: &[stand_in::Kind]| -> Vec<&Expected> {
            expected.iter().filter(|one| kinds.contains(&one.kind)).collect()
        };

        let movies = stage.records(Kind::Movies, job).await;
        let linked: Vec<(&str, u64)> = of(&[stand_in::Kind::Movie])
            .iter()
            .flat_map(|one| one.tmdb_ids.iter().map(|id| (one.id.as_str(), *id)))
            .collect();
        let written: Vec<(&str, u64)> =
            movies.iter().map(|movie| (movie["id_imdb"].as_str().unwrap(), movie["id"].as_u64().unwrap())).collect();
        assert_eq!(written, linked, "films of {}", job.name());

        let reviews = stage.records(Kind::Reviews, job).await;
        let expected_reviews: Vec<&str> =
            expected.iter().flat_map(|one| one.reviews.iter().map(String::as_str)).collect();
        assert_eq!(texts(&reviews, "id"), expected_reviews, "reviews of {}", job.name());

        let misses = stage.records(Kind::Misses, job).await;
        let unknown: Vec<&str> = of(&[stand_in::Kind::Unknown]).iter().map(|one| one.id.as_str()).collect();
        assert_eq!(texts(&misses, "id_imdb"), unknown);

        let others = stage.records(Kind::Others, job).await;
        let elsewhere = of(&[stand_in::Kind::Tv, stand_in::Kind::TvEpisode, stand_in::Kind::Person]);
        assert_eq!(texts(&others, "id_imdb"), elsewhere.iter().map(|one| one.id.as_str()).collect::<Vec<_>>());

        assert_eq!(marker.titles, marker.linked + marker.missed + marker.others + marker.failed);
        assert_eq!((marker.movies, marker.reviews), (movies.len() as u64, reviews.len() as u64));
        seen += marker.titles;
    }
    assert!(seen > 500, "{seen} films are too few to prove anything");
    let markers: Vec<_> = done(&stage.lake).try_collect().await.unwrap();
    assert_eq!(markers.iter().map(|done| done.titles).sum::<u32>(), seen);
}

#[tokio::test]
async fn a_done_job_answers_from_its_marker_without_a_request() {
    let stage = Stage::new(50).await;
    let (crawler, job) = (stage.crawler(), stage.job(20));
    let marker = stage.run(&crawler, &job).await.unwrap();
    let answers = crawler.answers();
    assert!(answers >= 20, "{answers}");
    stage.stand_in.forget();
    assert_eq!(stage.run(&crawler, &job).await.unwrap(), marker);
    assert_eq!((stage.stand_in.requests(), crawler.answers()), (vec![], answers));
}

#[tokio::test]
async fn the_same_answers_give_the_same_bytes() {
    let (one, other) = (Stage::new(50).await, Stage::new(50).await);
    let job = one.job(40);
    one.run(&one.crawler(), &job).await.unwrap();
    // Another order of answers, another history: half of it in a delivery that had no time.
    other.stand_in.behave(|behaviour| behaviour.latency_ms = 20);
    let deadline = Instant::now() + Duration::from_millis(60);
    let early = other.crawler().run(&job, &other.manifest.dataset, deadline).await;
    assert!(matches!(early, Err(CrawlError::OutOfTime { .. })), "{early:?}");
    other.run(&other.crawler(), &job).await.unwrap();
    for kind in Kind::ALL {
        let prefix = format!("tmdb/{}/", kind.folder());
        assert_eq!(one.objects(&prefix).await, other.objects(&prefix).await, "{kind:?}");
    }
}

#[tokio::test]
async fn the_same_job_twice_at_once_leaves_what_one_delivery_leaves() {
    let (one, other) = (Stage::new(50).await, Stage::new(50).await);
    let job = one.job(40);
    one.run(&one.crawler(), &job).await.unwrap();
    other.stand_in.behave(|behaviour| behaviour.latency_ms = 5);
    let (first, second) = (other.crawler(), other.crawler());
    let (first, second) = tokio::join!(other.run(&first, &job), other.run(&second, &job));
    assert_eq!(first.unwrap().done(), second.unwrap().done());
    for kind in Kind::ALL {
        let prefix = format!("tmdb/{}/", kind.folder());
        assert_eq!(one.objects(&prefix).await, other.objects(&prefix).await, "{kind:?}");
    }
    assert_eq!(done(&other.lake).count().await, 1);
    assert_eq!(other.objects("tmdb/_checkpoints/").await.len(), 0);
}

#[tokio::test]
async fn what_was_done_before_the_deadline_is_not_asked_again() {
    let stage = Stage::new(100).await;
    stage.stand_in.behave(|behaviour| behaviour.latency_ms = 30);
    let (crawler, job) = (stage.crawler(), stage.job(90));
    let deadline = Instant::now() + Duration::from_millis(200);
    let error = crawler.run(&job, &stage.manifest.dataset, deadline).await.unwrap_err();
    let CrawlError::OutOfTime { done, idle: 0, .. } = error else { panic!("{error}") };
    assert!(done > 0 && done < job.titles, "{done} of {}", job.titles);
    let marker = stage.run(&crawler, &job).await.unwrap();
    // Only films that were under way at the deadline, as many as there are connections, may be asked twice.
    let asked = stage.stand_in.requests().len() as u64;
    assert!(asked <= marker.requests, "the marker counts the requests of all deliveries");
    let finds: Vec<String> = stage
        .stand_in
        .requests()
        .into_iter()
        .filter(|request| request.path.contains("/find/"))
        .map(|request| request.path)
        .collect();
    let distinct: BTreeSet<&String> = finds.iter().collect();
    assert_eq!(distinct.len() as u32, job.titles);
    assert!(finds.len() - distinct.len() <= 10, "{} asked twice", finds.len() - distinct.len());
    assert_eq!(stage.objects("tmdb/_checkpoints/").await.len(), 0);
}

/// Of every film of a job the reviews have no end.
fn endless(stage: &Stage, ids: &[String]) {
    let page = r#"{"page":1,"results":[],"total_pages":500,"total_results":10000}"#;
    let films = stage.stand_in.expected(ids.iter().map(String::as_str)).into_iter().flat_map(|film| film.tmdb_ids);
    let scripted = films.map(|film| (format!("/3/movie/{film}/reviews"), page.to_owned())).collect();
    stage.stand_in.behave(|behaviour| {
        behaviour.latency_ms = 20;
        behaviour.scripted = scripted;
    });
}

#[tokio::test]
async fn where_the_rate_is_the_limit_short_deliveries_ask_hardly_more_than_a_long_one() {
    let stage = Stage::new(120).await;
    let job = stage.job(100);
    let whole = Stage::new(120).await;
    whole.run(&whole.crawler(), &job).await.unwrap();
    // A function's share of the fleet's 35 a second and a timeout of ten seconds, eight times as fast.
    let slow = Crawler::new(Arc::new(stage.lake.clone()), stage.client(KEY, 35.0), FetchMode::Find);
    let mut deliveries = 1;
    while slow.run(&job, &stage.manifest.dataset, Instant::now() + Duration::from_secs(1)).await.is_err() {
        deliveries += 1;
    }
    let (asked, needed) = (stage.stand_in.requests().len(), whole.stand_in.requests().len());
    assert!(deliveries >= 4, "{deliveries} deliveries");
    assert!(asked as f64 <= needed as f64 * 1.05, "{asked} requests, {needed} needed");
}

#[tokio::test]
async fn a_partition_s_later_jobs_are_not_blamed_for_the_time_that_the_first_took() {
    let stage = Stage::new(100).await;
    let job = stage.job(10);
    let slow = Crawler::new(Arc::new(stage.lake.clone()), stage.client(KEY, 1.0), FetchMode::Find);
    for deliveries in 1..8 {
        let late = slow.clone().with_deliveries(deliveries).with_judged_until(Instant::now());
        let stopped = late.run(&job, &stage.manifest.dataset, Instant::now() + Duration::from_millis(50)).await;
        assert!(matches!(stopped, Err(CrawlError::OutOfTime { idle: 0, .. })), "{stopped:?}");
    }
}

#[tokio::test]
async fn an_outage_in_late_deliveries_is_no_job_s_fault() {
    let stage = Stage::new(100).await;
    let job = stage.job(10);
    stage.stand_in.behave(|behaviour| behaviour.all = Some(503));
    for deliveries in 1..8 {
        let crawler = stage.crawler().with_deliveries(deliveries);
        let stopped = stage.run(&crawler, &job).await.unwrap_err();
        assert!(matches!(stopped, CrawlError::Tmdb(_)), "{stopped}");
    }
}

#[tokio::test]
async fn a_404_of_find_is_a_miss() {
    let stage = Stage::new(100).await;
    let job = stage.job(10);
    let film = stage.ids(&job).await[0].clone();
    stage.stand_in.behave(|behaviour| behaviour.broken = [(film, 404)].into());
    let marker = stage.run(&stage.crawler(), &job).await.unwrap();
    assert_eq!((marker.failed, marker.linked + marker.missed + marker.others), (0, marker.titles));
}

#[tokio::test]
async fn a_job_that_gets_no_further_though_tmdb_answers_says_how_often() {
    let stage = Stage::new(50).await;
    let job = stage.job(20);
    endless(&stage, &stage.ids(&job).await);
    let mut idle = Vec::new();
    // What is no film is done at first. Sent anew, the job is not blamed for what was before.
    for deliveries in [1, 2, 2, 1] {
        let crawler = stage.crawler().with_deliveries(deliveries);
        let run = crawler.run(&job, &stage.manifest.dataset, Instant::now() + Duration::from_millis(1_500));
        match run.await.unwrap_err() {
            CrawlError::OutOfTime { idle: deliveries, .. } => idle.push(deliveries),
            error => panic!("{error:?}"),
        }
    }
    assert_eq!(idle[1..], [idle[0] + 1, idle[0] + 2, 1]);
}

#[tokio::test]
async fn a_film_that_has_no_answer_while_tmdb_answers_is_set_aside_after_two_deliveries_however_short() {
    let stage = Stage::new(100).await;
    let job = stage.manifest.jobs.iter().find(|job| job.titles == 1).cloned().unwrap();
    let id = stage.ids(&job).await.remove(0);
    stage.stand_in.behave(|behaviour| behaviour.broken = [(id, 500)].into());
    let run = async |deliveries: u32| {
        let crawler = stage.crawler().with_deliveries(deliveries);
        crawler.run(&job, &stage.manifest.dataset, Instant::now() + Duration::from_millis(2_200)).await
    };
    assert!(matches!(run(1).await, Err(CrawlError::OutOfTime { idle: 1, done: 0, .. })), "TMDb answers");
    assert!(matches!(run(2).await, Err(CrawlError::OutOfTime { idle: 0, done: 1, .. })), "it is set aside");
    assert_eq!(run(3).await.unwrap().failed, 1);
}

#[tokio::test]
async fn answers_that_a_delivery_had_all_of_are_not_asked_for_again_though_it_did_not_end() {
    let stage = Stage::new(100).await;
    let job = stage.job(50);
    let failing = Killed::after(1, &stage.lake);
    let failing = Crawler::new(Arc::new(failing), stage.client(KEY, 100_000.0), FetchMode::Find);
    let error = failing.run(&job, &stage.manifest.dataset, soon()).await.unwrap_err();
    assert!(matches!(error, CrawlError::Lake(_)), "{error:?}");
    stage.stand_in.forget();
    stage.run(&stage.crawler(), &job).await.unwrap();
    assert_eq!(stage.stand_in.requests(), []);
}

#[tokio::test]
async fn a_fleet_that_gets_nothing_but_too_many_requests_says_so() {
    let stage = Stage::new(50).await;
    stage.stand_in.behave(|behaviour| behaviour.all = Some(429));
    let deadline = Instant::now() + Duration::from_millis(2_200);
    let error = stage.crawler().run(&stage.job(20), &stage.manifest.dataset, deadline).await.unwrap_err();
    assert!(matches!(error, CrawlError::Tmdb(TmdbError::RateLimited { .. })), "{error:?}");
}

#[tokio::test]
async fn a_tmdb_that_does_not_answer_is_no_job_s_fault() {
    let stage = Stage::new(50).await;
    stage.stand_in.behave(|behaviour| behaviour.latency_ms = 10_000);
    let (crawler, job) = (stage.crawler(), stage.job(20));
    let deadline = Instant::now() + Duration::from_millis(2_200);
    let error = crawler.run(&job, &stage.manifest.dataset, deadline).await.unwrap_err();
    assert!(matches!(error, CrawlError::Tmdb(TmdbError::Unavailable { systemic: true, .. })), "{error:?}");
}

#[tokio::test]
async fn an_outage_or_a_wrong_address_sets_no_film_aside_not_even_of_a_job_with_one() {
    let stage = Stage::new(100).await;
    let job = stage.manifest.jobs.iter().find(|job| job.titles == 1).cloned().unwrap();
    let crawler = stage.crawler();
    stage.stand_in.behave(|behaviour| behaviour.all = Some(503));
    let error = stage.run(&crawler, &job).await.unwrap_err();
    assert!(matches!(error, CrawlError::Tmdb(TmdbError::Unavailable { systemic: true, .. })), "{error:?}");
    // A redirect, and a page of somebody else's in the place of an answer.
    for status in [301, 200] {
        stage.stand_in.behave(|behaviour| behaviour.all = Some(status));
        let error = stage.run(&stage.crawler(), &job).await.unwrap_err();
        assert!(matches!(error, CrawlError::Tmdb(TmdbError::Setup { .. })), "{status}: {error:?}");
    }
    stage.stand_in.behave(|behaviour| behaviour.all = None);
    let wrong = Stage::client_of(format!("{}/elsewhere", stage.stand_in.url()), KEY, 1_000.0);
    let wrong = Crawler::new(Arc::new(stage.lake.clone()), wrong, FetchMode::Find);
    let error = stage.run(&wrong, &job).await.unwrap_err();
    assert!(matches!(error, CrawlError::Tmdb(TmdbError::Setup { .. })), "{error:?}");
    assert!(error.to_string().contains("/elsewhere") && !error.to_string().contains(KEY), "{error}");
    assert_eq!(stage.objects("tmdb/").await.len(), 0);
    stage.run(&crawler, &job).await.unwrap();
}

#[tokio::test]
async fn a_film_that_fails_while_tmdb_answers_is_set_aside_though_it_is_alone() {
    let stage = Stage::new(100).await;
    let job = stage.manifest.jobs.iter().find(|job| job.titles == 1).cloned().unwrap();
    let id = stage.ids(&job).await.remove(0);
    stage.stand_in.behave(|behaviour| behaviour.broken = [(id, 500)].into());
    assert_eq!(stage.run(&stage.crawler(), &job).await.unwrap().failed, 1);
}

#[tokio::test]
async fn films_that_fail_are_set_aside_though_no_other_is_asked_for() {
    let stage = Stage::new(100).await;
    for (titles, status) in [(2, 500), (4, 200), (2, 403)] {
        let job = stage.manifest.jobs.iter().find(|job| job.titles == titles).cloned().unwrap();
        let ids = stage.ids(&job).await;
        stage.stand_in.behave(|behaviour| behaviour.broken = ids.into_iter().map(|id| (id, status)).collect());
        let marker = stage.run(&stage.crawler(), &job).await.unwrap();
        assert_eq!(marker.failed, titles, "{titles} films of status {status}");
        stage.lake.delete(&marker.done().key()).await.unwrap();
    }
}

#[tokio::test]
async fn a_job_whose_deliveries_die_is_given_up_after_some_of_them() {
    let stage = Stage::new(100).await;
    let job = stage.job(90);
    stage.stand_in.behave(|behaviour| behaviour.latency_ms = 60_000);
    for delivery in 1..=4 {
        let crawler = stage.crawler().with_deliveries(delivery);
        let asked = stage.stand_in.requests().len();
        tokio::select! {
            ended = stage.run(&crawler, &job) => panic!("delivery {delivery}: {ended:?}"),
            () = async { while stage.stand_in.requests().len() == asked { tokio::task::yield_now().await } } => {}
        }
    }
    let error = stage.run(&stage.crawler().with_deliveries(5), &job).await.unwrap_err();
    assert!(matches!(error, CrawlError::OutOfTime { idle: 2, done: 0, .. }), "{error:?}");
    // Sent anew it is tried again, and what gets further is no such job.
    stage.stand_in.behave(|behaviour| behaviour.latency_ms = 0);
    stage.run(&stage.crawler().with_deliveries(4), &stage.job(90)).await.unwrap_err();
    stage.run(&stage.crawler(), &job).await.unwrap();
}

#[tokio::test]
async fn a_refused_key_stops_the_job_within_a_few_requests_and_says_what_to_do() {
    let stage = Stage::new(100).await;
    let tmdb = stage.client("ffffffffffffffffffffffffffffffff", 1_000.0);
    let crawler = Crawler::new(Arc::new(stage.lake.clone()), tmdb.clone(), FetchMode::Find);
    let error = stage.run(&crawler, &stage.job(90)).await.unwrap_err();
    assert!(matches!(error, CrawlError::Tmdb(TmdbError::Unauthorized { status: 401, .. })), "{error:?}");
    assert!(error.to_string().contains("provision secret set"), "{error}");
    assert!(!format!("{error:?} {error} {crawler:?}").contains("ffffffff"), "the key is shown");
    let first = stage.stand_in.requests().len();
    assert!(first <= 10, "{first} requests");
    stage.run(&crawler, &stage.job(90)).await.unwrap_err();
    assert_eq!(stage.stand_in.requests().len(), first, "it was asked again unbidden");
    tmdb.try_again();
    stage.run(&crawler, &stage.job(90)).await.unwrap_err();
    assert_eq!(stage.stand_in.requests().len(), first + 1, "more than one asked what the key is worth");
    assert_eq!(stage.objects("tmdb/").await.len(), 0);
}

#[tokio::test]
async fn an_outage_stops_the_job_within_a_few_requests() {
    let stage = Stage::new(100).await;
    stage.stand_in.behave(|behaviour| behaviour.all = Some(503));
    let tmdb = stage.client(KEY, 100_000.0);
    let crawler = Crawler::new(Arc::new(stage.lake.clone()), tmdb.clone(), FetchMode::Find);
    let job = stage.job(90);
    let error = stage.run(&crawler, &job).await.unwrap_err();
    assert!(matches!(error, CrawlError::Tmdb(TmdbError::Unavailable { systemic: true, .. })), "{error:?}");
    let first = stage.stand_in.requests().len();
    assert!(first <= 13, "{first} requests");
    tmdb.try_again();
    stage.run(&crawler, &job).await.unwrap_err();
    let second = stage.stand_in.requests().len() - first;
    assert!(second <= 3, "{second} requests the second time");
    stage.stand_in.behave(|behaviour| behaviour.all = None);
    tmdb.try_again();
    stage.run(&crawler, &job).await.unwrap();
}

#[tokio::test]
async fn broken_slow_and_refused_requests_lose_and_repeat_nothing() {
    let stage = Stage::new(200).await;
    stage.stand_in.behave(|behaviour| {
        behaviour.faults.too_many = 0.05;
        behaviour.faults.failed = 0.05;
        behaviour.faults.cut = 0.05;
        behaviour.faults.slow = 0.05;
        behaviour.faults.slow_ms = 50;
    });
    let job = stage.job(100);
    let marker = stage.run(&stage.crawler(), &job).await.unwrap();
    assert_eq!(marker.failed, 0);
    assert!(marker.retries > 0 && marker.too_many > 0, "{marker:?}");
    let requests = stage.stand_in.requests();
    let answered: Vec<_> =
        requests.iter().filter(|request| request.status == 200).map(|request| (&request.path, request.page)).collect();
    assert_eq!(answered.iter().collect::<BTreeSet<_>>().len(), answered.len(), "an answer was asked for again");
    assert_eq!(requests.len() as u64, marker.requests);
}

#[tokio::test]
async fn a_film_that_always_fails_is_set_aside_and_holds_up_no_other() {
    let stage = Stage::new(100).await;
    let job = stage.job(90);
    let ids = stage.ids(&job).await;
    stage.stand_in.behave(|behaviour| {
        behaviour.broken.insert(ids[0].clone(), 200);
        behaviour.broken.insert(ids[1].clone(), 422);
    });
    let marker = stage.run(&stage.crawler(), &job).await.unwrap();
    assert_eq!(marker.failed, 2);
    let failed = stage.records(Kind::Failed, &job).await;
    assert_eq!(texts(&failed, "id_imdb"), [&ids[0], &ids[1]]);
    assert_eq!(failed[1]["status"], 422);
}

#[tokio::test]
async fn details_find_the_same_films_and_reviews_in_fewer_requests() {
    let (by_find, by_details) = (Stage::new(100).await, Stage::new(100).await);
    let job = by_find.job(90);
    let find = by_find.run(&by_find.crawler(), &job).await.unwrap();
    let details = by_details.run(&by_details.crawler_by(FetchMode::Details), &job).await.unwrap();
    assert!(details.requests < find.requests, "{} and {}", details.requests, find.requests);
    assert_eq!((details.linked, details.missed, details.others), (find.linked, find.missed, find.others));
    assert_eq!(by_details.records(Kind::Reviews, &job).await.len(), by_find.records(Kind::Reviews, &job).await.len());
}

#[tokio::test]
async fn details_ask_hardly_more_than_once_a_linked_film_and_twice_for_another() {
    let stage = Stage::new(1_000).await;
    let crawler = stage.crawler_by(FetchMode::Details);
    let selection = Selection { years: Some("2012".parse().unwrap()), initials: None };
    let (mut requests, mut linked, mut others) = (0, 0, 0);
    for job in stage.manifest.jobs_of(&selection) {
        let marker = stage.run(&crawler, job).await.unwrap();
        requests += marker.requests;
        linked += marker.linked;
        others += marker.missed + marker.others;
    }
    let most = f64::from(linked) * 1.02 + f64::from(others) * 2.0;
    assert!(linked > 100 && requests as f64 <= most, "{requests} for {linked} linked films and {others} others");
}

#[tokio::test]
async fn other_titles_than_the_job_s_are_refused() {
    let stage = Stage::new(100).await;
    let job = Job { offset: stage.job(20).offset + 1, ..stage.job(20) };
    let error = stage.run(&stage.crawler(), &job).await.unwrap_err();
    assert!(matches!(error, CrawlError::NotInIndex { .. }), "{error:?}");
    assert_eq!(stage.stand_in.requests(), []);
}
