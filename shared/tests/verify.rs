//! The proof of a lake: it holds after a crawl, and whatever is taken from the lake or put into it is found.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{io::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use crawler_core::{
    Crawler, Job, Lake, Secret,
    imdb::{IndexOptions, Manifest, Selection, Source, build_index},
    lake::{LocalLake, MemoryLake, PutMode, layout, layout::Kind},
    tmdb::{Client, FetchMode, Settings},
    verify::{Fault, Report, verify},
};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use futures::TryStreamExt as _;
use jiff::{Timestamp, civil::Date};
use testkit::{StandIn, stand_in, titles};
use tokio::time::Instant;

/// The day on which everything is fetched.
const TODAY: i64 = 1_795_000_000;

/// Crawls the films of 1990, and no others.
async fn crawl(lake: Arc<dyn Lake>) -> Manifest {
    let stand_in = StandIn::start(stand_in::Options::default()).unwrap();
    let options = IndexOptions { job_titles: 50, ..IndexOptions::default() };
    let manifest = build_index(&*lake, &Source::File(titles::sample()), &options, |_| {}).await.unwrap();
    let settings = Settings {
        base_url: stand_in.url(),
        key: Secret::new("0123456789abcdef0123456789abcdef"),
        requests_per_second: 100_000.0,
        connections: 10,
        append: Vec::new(),
    };
    let clock = || Timestamp::from_second(TODAY).unwrap();
    let crawler = Crawler::new(lake, Client::new(settings).unwrap(), FetchMode::Find).with_clock(clock);
    let selection = Selection { years: Some("1990".parse().unwrap()), initials: None };
    for job in manifest.jobs_of(&selection) {
        crawler.run(job, &manifest.dataset, Instant::now() + Duration::from_secs(60)).await.unwrap();
    }
    manifest
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

async fn proof(lake: &dyn Lake) -> Report {
    verify(lake, day("2026-05-18"), |_, _| {}).await.unwrap()
}

/// The faults that a damage makes, and the lake is as before when this ends.
struct Damaged {
    lake: MemoryLake,
    job: Job,
}

impl Damaged {
    async fn lines(&self, kind: Kind) -> Vec<String> {
        let packed = self.lake.get(&layout::records(kind, &self.job)).await.unwrap().unwrap();
        std::io::read_to_string(MultiGzDecoder::new(&packed[..])).unwrap().lines().map(str::to_owned).collect()
    }

    async fn put(&self, key: &str, lines: &[String]) {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(lines.concat().as_bytes()).unwrap();
        self.lake.put(key, Bytes::from(gzip.finish().unwrap()), PutMode::Overwrite).await.unwrap();
    }

    /// What is found once `key` has other lines; then it gets its own again.
    async fn faults_with(&self, key: &str, lines: Option<&[String]>) -> Vec<Fault> {
        let before = self.lake.get(key).await.unwrap();
        match lines {
            Some(lines) => self.put(key, &lines.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>()).await,
            None => self.lake.delete(key).await.unwrap(),
        }
        let report = proof(&self.lake).await;
        assert_eq!(report.holds(), report.wrong == 0);
        match before {
            Some(bytes) => drop(self.lake.put(key, bytes, PutMode::Overwrite).await.unwrap()),
            None => self.lake.delete(key).await.unwrap(),
        }
        let mut faults: Vec<Fault> = report.problems.iter().map(|problem| problem.fault).collect();
        faults.dedup();
        faults
    }
}

#[tokio::test]
async fn a_crawled_lake_holds_by_partition_and_in_all() {
    let lake = Arc::new(MemoryLake::new());
    let manifest = crawl(lake.clone()).await;
    let report = proof(&*lake).await;
    assert!(report.holds(), "{:?}", report.problems);
    assert_eq!(report.counts.titles, manifest.titles);
    let not_done: u64 = report.partitions.iter().map(|partition| partition.counts.not_done).sum();
    assert_eq!(report.counts.not_done, not_done);
    let counts = report.counts;
    assert!(counts.linked > 100 && counts.missed > 10 && counts.others > 0, "{counts:?}");
    assert_eq!((report.reviews.found, report.reviews.films_that_differ), (report.reviews.promised, 0));
    assert!(report.reviews.found > 20, "{:?}", report.reviews);
    assert_eq!((report.age.old, report.age.oldest), (0, Some(day("2026-11-18"))));
    let in_a_year = verify(&*lake, day("2027-11-18"), |_, _| {}).await.unwrap();
    assert_eq!(in_a_year.age.old, manifest.titles - report.counts.not_done);
}

#[tokio::test]
async fn whatever_is_done_to_a_lake_is_found() {
    let lake = MemoryLake::new();
    let manifest = crawl(Arc::new(lake.clone())).await;
    let selection = Selection { years: Some("1990".parse().unwrap()), initials: Some(vec!["TH".into()]) };
    let job = manifest.jobs_of(&selection).next().cloned().unwrap();
    let stage = Damaged { lake, job: job.clone() };
    let (movies, reviews) = (layout::records(Kind::Movies, &job), layout::records(Kind::Reviews, &job));
    let films = stage.lines(Kind::Movies).await;
    let all_reviews = stage.lines(Kind::Reviews).await;
    let twice = [&films[..], &films[..1]].concat();
    let foreign = [&films[..], &[films[0].replace("\"id_imdb\":\"tt", "\"id_imdb\":\"tt9")]].concat();
    let cut = [&films[1..], &["{".to_owned()]].concat();

    let found = stage.faults_with(&movies, Some(&films[1..])).await;
    assert_eq!(found, [Fault::NoPlace, Fault::Counts], "a film is lost");
    assert_eq!(stage.faults_with(&movies, Some(&twice)).await, [Fault::Twice, Fault::Counts], "a film stands twice");
    let found = stage.faults_with(&movies, Some(&foreign)).await;
    assert_eq!(found, [Fault::TwoPlaces, Fault::Counts], "a film of another job");
    let found = stage.faults_with(&movies, Some(&cut)).await;
    assert_eq!(found, [Fault::Unreadable, Fault::NoPlace, Fault::Counts], "a line is cut");
    let found = stage.faults_with(&reviews, Some(&all_reviews[1..])).await;
    assert_eq!(found, [Fault::Counts], "a review is lost");
    let found = stage.faults_with(&reviews, None).await;
    assert_eq!(found, [Fault::Missing, Fault::Counts], "an object is lost");
    let misses = stage.lines(Kind::Misses).await;
    let also = [&misses[..], &[films[0].clone()]].concat();
    let found = stage.faults_with(&layout::records(Kind::Misses, &job), Some(&also)).await;
    assert_eq!(found, [Fault::TwoPlaces, Fault::Counts], "a film is a miss as well");
    let nobodys = layout::records(Kind::Failed, &job);
    assert_eq!(stage.faults_with(&nobodys, Some(&films[..1])).await, [Fault::Unnamed], "an object of nobody");
    assert!(proof(&stage.lake).await.holds(), "all was put back");
}

#[tokio::test]
async fn a_local_lake_holds_too_and_one_without_an_index_cannot_be_judged() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(LocalLake::new(folder.path()));
    assert!(verify(&*lake, day("2026-05-18"), |_, _| {}).await.is_err());
    crawl(lake.clone()).await;
    let report = proof(&*lake).await;
    assert!(report.holds() && report.jobs_done > 0, "{:?}", report.problems);
    let keys: Vec<_> = lake.list("tmdb/_done/").try_collect().await.unwrap();
    assert_eq!(keys.len(), report.jobs_done);
}
