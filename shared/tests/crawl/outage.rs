//! Outages that are hard to tell from odd films: of one kind of question, of a pause that outlives a delivery, of a rate that is low.

use std::sync::Arc;
use std::time::Duration;

use crawler_core::{
    CrawlError, Crawler,
    tmdb::{FetchMode, TmdbError},
};
use tokio::time::Instant;

use super::stage::{KEY, Stage};

#[tokio::test]
async fn an_outage_of_one_kind_of_question_sets_no_film_aside() {
    for (fetch, down) in [(FetchMode::Find, "find"), (FetchMode::Find, "reviews"), (FetchMode::Details, "movie")] {
        let stage = Stage::new(100).await;
        for titles in [90, 5] {
            stage.stand_in.behave(|behaviour| behaviour.down = [(down.to_owned(), 503)].into());
            stage.stand_in.forget();
            let tmdb = stage.client(KEY, 100_000.0);
            let crawler = Crawler::new(Arc::new(stage.lake.clone()), tmdb.clone(), fetch);
            let job =
                stage.manifest.jobs.iter().find(|job| (titles..titles + 5).contains(&job.titles)).cloned().unwrap();
            let error = stage.run(&crawler, &job).await.unwrap_err();
            let is_outage = matches!(error, CrawlError::Tmdb(TmdbError::Unavailable { systemic: true, .. }));
            assert!(is_outage, "{down}, {titles}: {error:?}");
            let spent = stage.stand_in.requests().iter().filter(|request| request.status == 503).count();
            assert!(spent <= 20, "{down}, {titles}: {spent} requests were in vain");
            stage.stand_in.behave(|behaviour| behaviour.down.clear());
            tmdb.try_again();
            assert_eq!(stage.run(&crawler, &job).await.unwrap().failed, 0, "{down}, {titles}");
        }
    }
}

#[tokio::test]
async fn what_is_answered_wrongly_though_the_key_is_taken_is_an_outage_and_no_wrong_address() {
    let stage = Stage::new(100).await;
    let job = stage.manifest.jobs.iter().find(|job| job.titles == 1).cloned().unwrap();
    // Refused by the edge, and a page in the place of an answer.
    for status in [403, 200, 404] {
        stage.stand_in.behave(|behaviour| behaviour.down = [("find".to_owned(), status)].into());
        let error = stage.run(&stage.crawler(), &job).await.unwrap_err();
        let is_outage = matches!(error, CrawlError::Tmdb(TmdbError::Unavailable { systemic: true, .. }));
        assert!(is_outage, "{status}: {error:?}");
    }
}

#[tokio::test]
async fn a_delivery_that_may_send_nothing_as_tmdb_asks_to_wait_is_no_evidence() {
    let stage = Stage::new(100).await;
    let job = stage.job(90);
    let run = async |crawler: &Crawler| {
        let deadline = Instant::now() + Duration::from_millis(2_200);
        crawler.run(&job, &stage.manifest.dataset, deadline).await.unwrap_err()
    };
    stage
        .stand_in
        .behave(|behaviour| (behaviour.rate, behaviour.burst, behaviour.retry_after) = (Some(1), Some(0), Some(30)));
    let crawler = stage.crawler();
    let told = run(&crawler).await;
    assert!(matches!(told, CrawlError::Tmdb(TmdbError::RateLimited { .. })), "{told:?}");
    stage.stand_in.forget();
    let told = run(&crawler).await;
    assert!(matches!(told, CrawlError::AskedToWait { seconds: 20..=30, .. }), "{told:?}");
    assert_eq!(stage.stand_in.requests(), []);
}

#[tokio::test]
async fn whether_tmdb_answers_is_asked_though_films_hold_every_connection() {
    let stage = Stage::new(100).await;
    let job = stage.job(90);
    let ids = stage.ids(&job).await;
    stage.stand_in.behave(|behaviour| behaviour.broken = ids.into_iter().map(|id| (id, 503)).collect());
    // So low that no film has had all its tries, nor ten requests in a row failed, when the time is over.
    let crawler = Crawler::new(Arc::new(stage.lake.clone()), stage.client(KEY, 2.0), FetchMode::Find);
    let deadline = Instant::now() + Duration::from_millis(3_000);
    let error = crawler.run(&job, &stage.manifest.dataset, deadline).await.unwrap_err();
    assert!(matches!(error, CrawlError::OutOfTime { done: 0, idle: 1, .. }), "{error:?}");
}
