//! What is asked again of jobs that are done, and what stays.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
};

use crawler_core::{
    CrawlError, Crawler, Marker,
    crawl::{Films, Refresh, changed_films, done},
    imdb::Selection,
    lake::{
        Lake as _, PutMode, layout,
        layout::{Kind, Layout},
    },
    tmdb::FetchMode,
};
use flate2::{Compression, write::GzEncoder};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use testkit::stand_in;

use super::stage::{Stage, proof, soon};

#[tokio::test]
async fn a_refresh_asks_again_once_and_a_failed_one_only_for_what_failed() {
    let stage = Stage::new(100).await;
    let (crawler, job) = (stage.crawler(), stage.job(50));
    let ids = stage.ids(&job).await;
    stage.stand_in.behave(|behaviour| {
        behaviour.broken.insert(ids[0].clone(), 422);
    });
    assert_eq!(stage.run(&crawler, &job).await.unwrap().failed, 1);
    stage.stand_in.behave(|behaviour| behaviour.broken.clear());
    stage.stand_in.forget();
    let later = Timestamp::from_second(1_795_000_001).unwrap();
    let refresh = Refresh { before: later, films: Films::Failed };
    let marker = crawler.refresh(&job, &stage.manifest.dataset, &refresh, soon()).await.unwrap();
    assert_eq!(marker.failed, 0);
    assert_eq!(stage.asked(), BTreeSet::from([ids[0].clone()]));
    let markers: Vec<_> = done(&stage.lake).try_collect().await.unwrap();
    assert_eq!(markers, [marker.done()], "the old marker is gone");

    stage.stand_in.forget();
    let refresh = Refresh { before: later, films: Films::All };
    crawler.refresh(&job, &stage.manifest.dataset, &refresh, soon()).await.unwrap();
    assert!(stage.stand_in.requests().len() >= ids.len(), "all are asked again");
    stage.stand_in.forget();
    let earlier = Timestamp::from_second(1_794_999_999).unwrap();
    let refresh = Refresh { before: earlier, films: Films::All };
    crawler.refresh(&job, &stage.manifest.dataset, &refresh, soon()).await.unwrap();
    assert_eq!(stage.stand_in.requests(), [], "it is younger than that");
}

/// A crawler of `stage` on a day of November 2026.
fn on_the(day: fn() -> Timestamp, stage: &Stage) -> Crawler {
    stage.crawler_by(FetchMode::Find).with_clock(day)
}

fn the_5th() -> Timestamp {
    "2026-11-05T12:00:00Z".parse().unwrap()
}

fn the_20th() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn the_22nd() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn a_job_is_as_old_as_its_oldest_film() {
    let stage = Stage::new(100).await;
    let job = stage.job(50);
    let broken = stage.ids(&job).await[0].clone();
    stage.stand_in.behave(|behaviour| behaviour.broken = [(broken, 422)].into());
    stage.run(&on_the(the_5th, &stage), &job).await.unwrap();
    stage.stand_in.behave(|behaviour| behaviour.broken.clear());
    let refresh = async |films, before: fn() -> Timestamp| -> Marker {
        let refresh = Refresh { before: before(), films };
        let crawler = on_the(the_22nd, &stage);
        crawler.refresh(&job, &stage.manifest.dataset, &refresh, soon()).await.unwrap()
    };
    // All but one of its films are of the 5th still, though its marker is of the 22nd.
    let marker = refresh(Films::Failed, the_22nd).await;
    assert_eq!((marker.failed, marker.finished), (0, the_22nd()));
    assert_eq!(marker.done().oldest, Some("2026-11-05".parse().unwrap()));
    stage.stand_in.forget();
    let marker = refresh(Films::All, the_20th).await;
    assert_eq!(stage.asked().len() as u32, job.titles, "all are asked, for all are older but one");
    assert_eq!(marker.done().oldest, Some("2026-11-22".parse().unwrap()));
    stage.stand_in.forget();
    refresh(Films::All, the_20th).await;
    assert_eq!(stage.stand_in.requests(), [], "none is older now");
}

#[tokio::test]
async fn the_films_of_a_refresh_that_was_given_up_are_asked_again_in_the_next() {
    let stage = Stage::new(100).await;
    let job = stage.job(90);
    stage.run(&on_the(the_5th, &stage), &job).await.unwrap();
    stage.stand_in.behave(|behaviour| behaviour.latency_ms = 30);
    let refresh = |before: fn() -> Timestamp| Refresh { before: before(), films: Films::All };
    let dataset = &stage.manifest.dataset;
    let early = tokio::time::Instant::now() + std::time::Duration::from_millis(200);
    let given_up = on_the(the_20th, &stage).refresh(&job, dataset, &refresh(the_20th), early).await;
    assert!(given_up.is_err() && stage.objects("tmdb/_checkpoints/").await.len() == 1);
    stage.stand_in.behave(|behaviour| behaviour.latency_ms = 0);
    stage.stand_in.forget();
    let marker = on_the(the_22nd, &stage).refresh(&job, dataset, &refresh(the_22nd), soon()).await.unwrap();
    assert_eq!(stage.asked().len() as u32, job.titles);
    assert_eq!(marker.done().oldest, Some("2026-11-22".parse().unwrap()));
    assert_eq!(stage.objects("tmdb/_checkpoints/").await.len(), 0);
}

#[tokio::test]
async fn what_changed_is_asked_and_nothing_else_in_far_fewer_requests_than_all() {
    let stage = Stage::new(100).await;
    let selection = Selection { years: Some("1990..1991".parse().unwrap()), initials: None };
    let jobs: Vec<_> = stage.manifest.jobs_of(&selection).cloned().collect();
    let (first, later) = (on_the(the_20th, &stage), on_the(the_22nd, &stage));
    for job in &jobs {
        stage.run(&first, job).await.unwrap();
    }
    let all = stage.stand_in.requests().len();
    let films = async |job| stage.stand_in.expected(stage.ids(job).await.iter().map(String::as_str));
    let films = films(jobs.iter().max_by_key(|job| job.titles).unwrap()).await;
    let mut linked = films.iter().filter(|film| film.kind == stand_in::Kind::Movie);
    let (before, same_day, after) = (linked.next().unwrap(), linked.next().unwrap(), linked.next().unwrap());
    let changed = |day: &str, film: &stand_in::Expected| (day.parse().unwrap(), vec![film.tmdb_ids[0], 4_711]);
    let days = [changed("2026-11-18", before), changed("2026-11-20", same_day), changed("2026-11-21", after)];
    stage.stand_in.behave(|behaviour| behaviour.changed = days.into());

    stage.stand_in.forget();
    let changes = stage.client(super::stage::KEY, 100_000.0).changes("2026-11-22".parse().unwrap()).await.unwrap();
    assert_eq!(changes.len(), 4);
    let markers: Vec<_> = done(&stage.lake).try_collect().await.unwrap();
    let mut wanted = BTreeSet::new();
    for (job, marker) in jobs.iter().flat_map(|job| markers.iter().find(|done| done.is_of(job)).map(|done| (job, done)))
    {
        let films = changed_films(&stage.lake, marker, &changes).await.unwrap();
        if !films.is_empty() {
            wanted.extend(films.iter().map(ToString::to_string));
            let refresh = Refresh { before: the_22nd(), films: Films::These(films) };
            later.refresh(job, &stage.manifest.dataset, &refresh, soon()).await.unwrap();
        }
    }
    assert_eq!(wanted, BTreeSet::from([same_day.id.clone(), after.id.clone()]));
    assert_eq!(stage.asked(), wanted);
    let spent = stage.stand_in.requests().len();
    assert!(spent * 10 < all, "{spent} requests, {all} for all");
    assert!(proof(&stage.lake).await.holds());
}

#[tokio::test]
async fn the_crawl_s_own_message_that_comes_late_leaves_a_refresh_its_films() {
    let stage = Stage::new(100).await;
    let job = stage.job(90);
    stage.run(&on_the(the_5th, &stage), &job).await.unwrap();
    stage.stand_in.behave(|behaviour| behaviour.latency_ms = 30);
    let (refresh, dataset) = (Refresh { before: the_20th(), films: Films::All }, &stage.manifest.dataset);
    let early = tokio::time::Instant::now() + std::time::Duration::from_millis(200);
    let refreshing = on_the(the_20th, &stage);
    refreshing.refresh(&job, dataset, &refresh, early).await.unwrap_err();
    let asked = stage.asked();
    stage.run(&on_the(the_20th, &stage), &job).await.unwrap();
    stage.stand_in.behave(|behaviour| behaviour.latency_ms = 0);
    stage.stand_in.forget();
    refreshing.refresh(&job, dataset, &refresh, soon()).await.unwrap();
    assert!(stage.asked().len() < job.titles as usize && !asked.is_empty(), "none is asked for again");
}

#[tokio::test]
async fn films_whose_object_or_reviews_are_lost_are_asked_again_whatever_a_refresh_means() {
    for (layout, lost) in [
        (Layout::Ndjson, Kind::Movies),
        (Layout::Ndjson, Kind::Reviews),
        (Layout::Objects, Kind::Movies),
        (Layout::Objects, Kind::Reviews),
    ] {
        let stage = Stage::new(100).await;
        let (crawler, job) = (stage.crawler().with_layout(layout), stage.job(90));
        let marker = stage.run(&crawler, &job).await.unwrap();
        let whole = stage.objects("tmdb/").await;
        let key = marker.objects.iter().find(|key| layout::kind_of(key) == Some(lost)).unwrap();
        stage.lake.delete(key).await.unwrap();
        let later = Timestamp::from_second(1_795_000_001).unwrap();
        let refresh = Refresh { before: later, films: Films::These(BTreeSet::new()) };
        crawler.refresh(&job, &stage.manifest.dataset, &refresh, soon()).await.unwrap();
        let report = proof(&stage.lake).await;
        assert!(report.holds(), "{layout} without {lost:?}: {:?}", report.problems);
        let records = |all: BTreeMap<String, Vec<u8>>| {
            all.into_iter().filter(|(key, _)| layout::kind_of(key).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(records(stage.objects("tmdb/").await), records(whole), "{layout} without {lost:?}");
    }
}

#[tokio::test]
async fn a_checkpoint_or_a_film_that_is_damaged_is_an_error_that_says_what_to_do_and_no_film_lost() {
    let stage = Stage::new(100).await;
    let (crawler, job) = (stage.crawler().with_layout(Layout::Objects), stage.job(90));
    let refresh = Refresh { before: Timestamp::MAX, films: Films::These(BTreeSet::new()) };
    let marker = stage.run(&crawler, &job).await.unwrap();
    let film = marker.objects.iter().find(|key| layout::kind_of(key) == Some(Kind::Movies)).unwrap();
    let whole = stage.lake.get(film).await.unwrap().unwrap();
    let id = &stage.ids(&job).await[0];
    let stored =
        |id: &str| format!(r#"{{"asked":{{"requests":1,"retries":0,"too_many":0}},"idle":0,"films":[["{id}",[]]]}}"#);
    let damages = [
        (film.clone(), format!(r#"{{"id_imdb":"{id}","id":"550"}}"#).into_bytes()),
        (layout::checkpoint(&job, Some(&Timestamp::MAX.as_millisecond().to_string())), gzip(&stored("tt"))),
    ];
    for (key, damage) in damages {
        stage.lake.put(&key, damage.into(), PutMode::Overwrite).await.unwrap();
        let error = crawler.refresh(&job, &stage.manifest.dataset, &refresh, soon()).await.unwrap_err();
        let told = error.to_string();
        assert!(matches!(error, CrawlError::Damaged { .. }), "{told}");
        assert!(told.contains(&key) && told.contains("delete it and the job's marker"), "{told}");
        stage.lake.put(film, whole.clone(), PutMode::Overwrite).await.unwrap();
    }
    // As it is told: without them the job is done anew.
    stage.lake.delete(&layout::checkpoint(&job, Some(&Timestamp::MAX.as_millisecond().to_string()))).await.unwrap();
    stage.lake.delete(&marker.done().key()).await.unwrap();
    stage.run(&crawler, &job).await.unwrap();
    assert!(proof(&stage.lake).await.holds());
}

fn gzip(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test]
async fn a_list_of_changes_that_tmdb_does_not_give_to_its_end_is_an_error_at_its_first_page() {
    let stage = Stage::new(100).await;
    let page = r#"{"results":[{"id":1}],"page":1,"total_pages":501,"total_results":50100}"#.to_owned();
    stage.stand_in.behave(|behaviour| behaviour.scripted = [("/3/movie/changes".to_owned(), page)].into());
    let asked = stage.client(super::stage::KEY, 100_000.0).changes("2026-11-22".parse().unwrap()).await;
    let told = asked.unwrap_err().to_string();
    assert!(told.contains("501 pages") && !told.contains("title"), "{told}");
    assert_eq!(stage.stand_in.requests().len(), 1);
}
