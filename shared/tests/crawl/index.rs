//! A newer index under a crawl that is done or half done.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    sync::Arc,
    time::Duration,
};

use crawler_core::{
    CrawlError, Crawler, Lake, Marker,
    crawl::{done, prune},
    imdb::{IndexOptions, Manifest, Source, build_index},
    lake::{MemoryLake, PutMode, layout},
    tmdb::FetchMode,
};
use flate2::read::MultiGzDecoder;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use testkit::{StandIn, stand_in};
use tokio::time::Instant;

use super::stage::{KEY, Killed, Meanwhile, Stage, proof, soon};

const HEADER: &str =
    "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres\n";

pub fn row(id: u32, year: u16) -> String {
    format!("tt{id:07}\tmovie\tAda {id}\tAda\t0\t{year}\t\\N\t90\tDrama\n")
}

/// The index of these rows, ten titles a job.
pub async fn index(lake: &dyn Lake, rows: String) -> Manifest {
    index_by(lake, rows, 10).await
}

async fn index_by(lake: &dyn Lake, rows: String, job_titles: u32) -> Manifest {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("title.basics.tsv");
    std::fs::write(&path, format!("{HEADER}{rows}")).unwrap();
    let options = IndexOptions { job_titles, ..IndexOptions::default() };
    build_index(lake, &Source::File(path), &options, |_| {}).await.unwrap()
}

#[tokio::test]
async fn a_newer_index_under_a_half_done_crawl_asks_only_for_what_has_no_answer() {
    let stage = Stage::new(100).await;
    let crawler = stage.crawler();
    let index = async |rows: String| index(&stage.lake, rows).await;
    let proof = async || {
        let report = proof(&stage.lake).await;
        assert!(report.holds(), "{:?}", report.problems);
        report
    };
    let old = index((1..=25).map(|id| row(id, 2004)).collect()).await;
    // The films 1 to 10 are done, the others are not.
    crawler.run(&old.jobs[0], &old.dataset, soon()).await.unwrap();
    assert_eq!(proof().await.counts.not_done, 15);
    stage.stand_in.forget();
    // 3 is gone, 7 moved to another year, 30 is new.
    let kept = (1..=25).filter(|id| ![3, 7].contains(id)).map(|id| row(id, 2004));
    let new = index(kept.chain([row(7, 2005), row(30, 2004)]).collect()).await;
    proof().await;
    for job in &new.jobs {
        crawler.run(job, &new.dataset, soon()).await.unwrap();
        proof().await;
    }
    prune(&stage.lake, &new).await.unwrap();
    let report = proof().await;
    assert_eq!((report.counts.titles, report.counts.not_done, report.left_over_objects), (25, 0, 0));
    let without_answer = (11..=25).chain([7, 30]).map(|id| format!("tt{id:07}"));
    assert_eq!(stage.asked(), without_answer.collect());
}

#[tokio::test]
async fn a_newer_index_asks_only_for_what_is_new_and_leaves_no_film_twice() {
    let stage = Stage::new(100).await;
    let crawler = stage.crawler();
    let index = async |rows: String| index(&stage.lake, rows).await;
    let crawl = async |manifest: &Manifest| {
        for job in &manifest.jobs {
            crawler.run(job, &manifest.dataset, soon()).await.unwrap();
        }
        prune(&stage.lake, manifest).await.unwrap();
    };
    let old = index((1..=25).map(|id| row(id, 2004)).chain([row(90, 1999)]).collect()).await;
    crawl(&old).await;
    stage.stand_in.forget();
    // 3 is gone, 7 moved to another year, 90 left its year empty, 30 is new.
    let kept = (1..=25).filter(|id| ![3, 7].contains(id)).map(|id| row(id, 2004));
    let new = index(kept.chain([row(7, 2005), row(90, 2004), row(30, 2004)]).collect()).await;
    assert_ne!(new.dataset, old.dataset);
    crawl(&new).await;
    let mut asked: Vec<String> = stage
        .stand_in
        .requests()
        .into_iter()
        .map(|request| request.path)
        .filter(|path| path.contains("/find/"))
        .collect();
    asked.sort_unstable();
    assert_eq!(asked, ["/3/find/tt0000007", "/3/find/tt0000030", "/3/find/tt0000090"]);

    let mut places = BTreeMap::<String, BTreeSet<String>>::new();
    for (key, packed) in stage.objects("tmdb/").await {
        if key.ends_with(".ndjson.gz") {
            let mut text = String::new();
            MultiGzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
            for line in text.lines().filter(|_| !key.contains("/reviews/")) {
                let record: Value = serde_json::from_str(line).unwrap();
                places.entry(record["id_imdb"].as_str().unwrap().to_owned()).or_default().insert(key.clone());
            }
        }
    }
    assert_eq!(places.len(), 26);
    assert!(places.values().all(|keys| keys.len() == 1), "{places:?}");
    assert_eq!(done(&stage.lake).count().await, new.jobs.len());
}

#[tokio::test]
async fn a_film_in_two_places_is_told_while_only_some_jobs_of_a_newer_index_are_done() {
    let stage = Stage::new(100).await;
    let crawler = stage.crawler();
    let lake = &stage.lake;
    let old = index(lake, (1..=9).map(|id| row(id, 2004)).chain([row(90, 1999), row(91, 1998)]).collect()).await;
    for job in &old.jobs {
        crawler.run(job, &old.dataset, soon()).await.unwrap();
    }
    // 7 moved to another year, and the only films of two years moved there and to a third.
    let kept = (1..=9).filter(|id| *id != 7).map(|id| row(id, 2004));
    let new = index(lake, kept.chain([row(7, 2005), row(90, 2005), row(91, 2006)]).collect()).await;
    let of = |year| new.jobs.iter().find(|job| job.year == Some(year)).unwrap();
    assert!(proof(lake).await.holds(), "nothing of the new index is done yet");
    crawler.run(of(2005), &new.dataset, soon()).await.unwrap();
    let told: Vec<String> = proof(lake).await.problems.iter().map(ToString::to_string).collect();
    let also = |film: &str, job: &str| {
        format!("{film} (also in {job} as an earlier index had it; `provision launch` mends it) is in two places")
    };
    assert_eq!(told, [also("tt0000007", "year=2004/AD-000"), also("tt0000090", "year=1999/AD-000")]);

    // What no job has any more goes, unless its film has no other place yet.
    let pruned = prune(lake, &new).await.unwrap();
    assert_eq!(pruned.len(), 2, "{pruned:?}");
    assert!(pruned.iter().all(|key| key.contains("year=1999")), "{pruned:?}");
    assert_eq!(prune(lake, &new).await.unwrap(), [""; 0]);
    let told: Vec<String> = proof(lake).await.problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, [also("tt0000007", "year=2004/AD-000")]);
    // The others go with the jobs that they wait for.
    for year in [2004, 2006] {
        crawler.run(of(year), &new.dataset, soon()).await.unwrap();
    }
    assert!(stage.objects("tmdb/_left_over/").await.is_empty());
    let report = proof(lake).await;
    assert!(report.holds(), "{:?}", report.problems);
    assert_eq!((report.counts.titles, report.counts.not_done, report.left_over_objects), (11, 0, 0));
}

#[tokio::test]
async fn what_waits_for_several_jobs_goes_with_the_last_of_them_and_not_for_an_index_that_has_it_again() {
    let stage = Stage::new(100).await;
    let crawler = stage.crawler();
    let lake = &stage.lake;
    let rows = || [row(1, 1999), row(2, 1999)];
    let old = index(lake, rows().concat()).await;
    crawler.run(&old.jobs[0], &old.dataset, soon()).await.unwrap();
    let new = index(lake, [row(1, 2004), row(2, 2005)].concat()).await;
    let (first, last) = (&new.jobs[0], &new.jobs[1]);
    assert_eq!(prune(lake, &new).await.unwrap(), [""; 0]);
    // A delivery that dies before it has looked what waited for it leaves that to the next.
    let note = layout::left_over(first);
    let waits = lake.get(&note).await.unwrap().unwrap();
    crawler.run(first, &new.dataset, soon()).await.unwrap();
    assert_eq!(lake.get(&note).await.unwrap(), None);
    lake.put(&note, waits.clone(), PutMode::Overwrite).await.unwrap();
    let old_marker = || stage.objects("tmdb/_done/year=1999");
    assert_eq!(old_marker().await.len(), 1, "the other film has no other place yet");
    crawler.run(last, &new.dataset, soon()).await.unwrap();
    assert!(old_marker().await.is_empty());
    assert!(proof(lake).await.holds());

    let again = index(lake, rows().concat()).await;
    crawler.run(&again.jobs[0], &again.dataset, soon()).await.unwrap();
    crawler.run(first, &new.dataset, soon()).await.unwrap();
    assert_eq!(lake.get(&note).await.unwrap(), None);
    assert_eq!(old_marker().await.len(), 1, "an older index's note says nothing of a newer one's jobs");
}

#[tokio::test]
async fn smaller_jobs_under_a_half_done_crawl_ask_for_nothing_that_has_an_answer() {
    let stage = Stage::new(100).await;
    let rows: String = (1..=25).map(|id| row(id, 2004)).collect();
    let old = index(&stage.lake, rows.clone()).await;
    stage.crawler().run(&old.jobs[0], &old.dataset, soon()).await.unwrap();
    let tmdb = Stage::client_of(stage.stand_in.url(), KEY, 10.0);
    let slow = Crawler::new(Arc::new(stage.lake.clone()), tmdb, FetchMode::Find);
    let stopped = slow.run(&old.jobs[1], &old.dataset, Instant::now() + Duration::from_millis(700)).await.unwrap_err();
    let CrawlError::OutOfTime { done, .. } = stopped else { panic!("{stopped:?}") };
    assert!((1..10).contains(&done), "{done} films of ten are done");
    stage.stand_in.forget();

    let new = index_by(&stage.lake, rows, 4).await;
    assert_eq!(new.jobs.iter().map(|job| job.titles).collect::<Vec<_>>(), [10, 10, 4, 1]);
    let report = proof(&stage.lake).await;
    assert!(report.holds(), "{:?}", report.problems);
    for job in &new.jobs {
        stage.crawler().run(job, &new.dataset, soon()).await.unwrap();
    }
    prune(&stage.lake, &new).await.unwrap();
    let report = proof(&stage.lake).await;
    assert!(report.holds(), "{:?}", report.problems);
    assert_eq!((report.counts.titles, report.counts.not_done, report.left_over_objects), (25, 0, 0));
    assert_eq!(stage.asked().len(), 15 - done as usize);
}

/// A newer index with one title more is taken while a slow delivery has the job in hand, and its job is done then, if it is to be `done`.
async fn superseded(stage: &Stage, done: bool) -> Manifest {
    let slow = StandIn::start(stand_in::Options::default()).unwrap();
    slow.behave(|behaviour| behaviour.latency_ms = 1_500);
    let tmdb = Stage::client_of(slow.url(), KEY, 100_000.0);
    let slow_crawler = Crawler::new(Arc::new(stage.lake.clone()), tmdb, FetchMode::Find);
    let old = index(&stage.lake, (1..=8).map(|id| row(id, 2004)).collect()).await;
    let in_hand = slow_crawler.run(&old.jobs[0], &old.dataset, soon());
    let newer = async {
        let new = index(&stage.lake, (1..=9).map(|id| row(id, 2004)).collect()).await;
        if done {
            stage.crawler().run(&new.jobs[0], &new.dataset, soon()).await.unwrap();
        }
        new
    };
    let (ended, new) = tokio::join!(in_hand, newer);
    assert!(matches!(ended, Err(CrawlError::Superseded { .. })), "{ended:?}");
    new
}

#[tokio::test]
async fn a_job_that_was_in_hand_when_a_newer_index_came_does_not_overwrite_what_that_has_done() {
    let stage = Stage::new(100).await;
    let new = superseded(&stage, true).await;
    let report = proof(&stage.lake).await;
    assert!(report.holds(), "{:?}", report.problems);
    assert_eq!((report.counts.titles, report.counts.not_done), (9, 0));
    let nobodys = layout::checkpoint(&new.jobs[0], None);
    assert_eq!(prune(&stage.lake, &new).await.unwrap(), [nobodys], "what it was told");
}

#[tokio::test]
async fn what_a_job_was_told_when_a_newer_index_came_is_not_asked_again() {
    let stage = Stage::new(100).await;
    let new = superseded(&stage, false).await;
    stage.crawler().run(&new.jobs[0], &new.dataset, soon()).await.unwrap();
    assert_eq!(stage.asked(), ["tt0000009".to_owned()].into());
    let report = proof(&stage.lake).await;
    assert!(report.holds() && report.counts.not_done == 0, "{:?}", report.problems);
    assert_eq!(stage.objects("tmdb/_checkpoints/").await.len(), 0);
}

#[tokio::test]
async fn what_a_newer_index_left_over_goes_whole_wherever_the_tidying_is_killed() {
    let stage = Stage::new(100).await;
    let crawler = stage.crawler();
    let crawl = async |manifest: &Manifest| {
        for job in &manifest.jobs {
            crawler.run(job, &manifest.dataset, soon()).await.unwrap();
        }
    };
    let old = index(&stage.lake, (1..=12).map(|id| row(id, 2003)).collect()).await;
    crawl(&old).await;
    let new = index(&stage.lake, (1..=12).map(|id| row(id, 2004)).collect()).await;
    // Who still holds the old index for the crawl's has nothing to say of what the new one's jobs write.
    assert_eq!(prune(&stage.lake, &old).await.unwrap(), [""; 0]);
    crawl(&new).await;
    assert_eq!(prune(&stage.lake, &old).await.unwrap(), [""; 0]);
    let markers: usize = old.jobs.len() + new.jobs.len();
    assert_eq!(done(&stage.lake).count().await, markers);
    for writes in 0.. {
        let lake = copy(&stage.lake).await;
        let tidied = prune(&Killed::after(writes, &lake), &new).await;
        let markers: Vec<_> = done(&lake).try_collect().await.unwrap();
        for marker in markers {
            for key in Marker::read(&lake, &marker.key()).await.unwrap().unwrap().objects {
                assert_eq!(objects(&lake, &key).await, 1, "{key} has a marker and is gone after {writes} writes");
            }
        }
        if tidied.is_ok() {
            assert!(proof(&lake).await.holds());
            assert_eq!(objects(&lake, "tmdb/movies/year=2003/").await, 0);
            assert!(writes > 2);
            return;
        }
    }
}

async fn objects(lake: &dyn Lake, prefix: &str) -> usize {
    lake.list(prefix).count().await
}

/// A lake of its own with the same objects.
pub async fn copy(lake: &MemoryLake) -> MemoryLake {
    let copy = MemoryLake::new();
    let entries: Vec<_> = lake.list("").try_collect().await.unwrap();
    for entry in entries {
        let bytes = lake.get(&entry.key).await.unwrap().unwrap();
        copy.put(&entry.key, bytes, PutMode::Overwrite).await.unwrap();
    }
    copy
}

#[tokio::test]
async fn a_marker_of_other_titles_that_was_left_standing_does_not_speak_for_a_later_index() {
    let stage = Stage::new(100).await;
    let of = async |films: u32| index(&stage.lake, (1..=films).map(|id| row(id, 2004)).collect()).await;
    let at = |second: i64| match second {
        1 => stage.crawler(),
        _ => stage.crawler().with_clock(|| jiff::Timestamp::from_second(1_795_000_100).unwrap()),
    };
    let first = of(8).await;
    let left = at(1).run(&first.jobs[0], &first.dataset, soon()).await.unwrap();
    let second = of(9).await;
    at(2).run(&second.jobs[0], &second.dataset, soon()).await.unwrap();
    // A delivery that was killed at its last write leaves the earlier one.
    let bytes = serde_json::to_vec(&left).unwrap().into();
    stage.lake.put(&left.done().key(), bytes, PutMode::Overwrite).await.unwrap();
    let third = of(8).await;
    assert_eq!(third.jobs[0].digest, first.jobs[0].digest);
    at(2).run(&third.jobs[0], &third.dataset, soon()).await.unwrap();
    let report = proof(&stage.lake).await;
    assert!(report.holds(), "{:?}", report.problems);
    assert_eq!((report.counts.titles, report.counts.not_done), (8, 0));
}

#[tokio::test]
async fn what_a_newer_index_has_is_not_removed_by_a_tidying_that_began_before_it_was_taken() {
    let stage = Stage::new(100).await;
    let crawler = stage.crawler();
    let of = async |year| index(&stage.lake, (1..=12).map(|id| row(id, year)).collect()).await;
    let crawl = async |manifest: &Manifest, jobs: usize| {
        for job in &manifest.jobs[..jobs] {
            crawler.run(job, &manifest.dataset, soon()).await.unwrap();
        }
    };
    let old = of(2003).await;
    crawl(&old, 2).await;
    // With all jobs done, and with one that is not: of that index the year 2003 is gone.
    for jobs in [2, 1] {
        let manifest = of(2004).await;
        crawl(&manifest, jobs).await;
        let newer = async {
            let newer = of(2003).await;
            crawl(&newer, 2).await;
        };
        let beside = Meanwhile::new(&stage.lake, layout::CURRENT, newer);
        assert_eq!(prune(&beside, &manifest).await.unwrap(), [""; 0], "{jobs} jobs are done");
        assert_eq!(objects(&stage.lake, "tmdb/_done/year=2003/").await, 2, "{jobs} jobs are done");
        prune(&stage.lake, &Manifest::current(&stage.lake).await.unwrap().unwrap()).await.unwrap();
        assert!(proof(&stage.lake).await.holds());
    }
}

#[tokio::test]
async fn what_somebody_else_keeps_among_the_records_is_never_tidied_away() {
    let lake = MemoryLake::new();
    let stage = Stage::new(100).await;
    let manifest = index(&lake, row(1, 2004)).await;
    let crawler = Crawler::new(Arc::new(lake.clone()), stage.client(KEY, 100_000.0), FetchMode::Find);
    crawler.run(&manifest.jobs[0], &manifest.dataset, soon()).await.unwrap();
    let theirs = ["tmdb/movies/_SUCCESS", "tmdb/movies/mine/a.csv", "tmdb/movies/year=2004/notes.md"];
    let ours =
        ["tmdb/movies/year=2017/TH-001.ndjson.gz", "tmdb/reviews/year-2017/initial-TH/tmdb-movie-1-review-2.json"];
    for key in theirs.iter().chain(&ours) {
        lake.put(key, "x".into(), PutMode::Overwrite).await.unwrap();
    }
    let mut tidied = prune(&lake, &manifest).await.unwrap();
    tidied.sort();
    assert_eq!(tidied, ours);
}
