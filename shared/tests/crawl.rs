//! One job and many, against the stand-in for TMDb, over HTTP, with real titles.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    sync::Arc,
    time::Duration,
};

use crawler_core::{
    CrawlError, Crawler, Job, Lake, Marker, Secret,
    crawl::{Refresh, done, prune_when_complete},
    imdb::{IndexOptions, Manifest, Selection, Source, build_index},
    lake::{MemoryLake, layout, layout::Kind},
    tmdb::{Client, FetchMode, Settings, TmdbError},
    verify::verify,
};
use flate2::read::MultiGzDecoder;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use serde_json::Value;
use testkit::{
    StandIn,
    stand_in::{self, Expected},
    titles,
};
use tokio::time::Instant;

const KEY: &str = "0123456789abcdef0123456789abcdef";

struct Bench {
    stand_in: StandIn,
    lake: MemoryLake,
    manifest: Manifest,
}

impl Bench {
    /// An index of the sample, and a stand-in that knows its films.
    async fn new(job_titles: u32) -> Self {
        let stand_in = StandIn::start(stand_in::Options::default()).unwrap();
        stand_in.behave(|behaviour| behaviour.key = Some(KEY.to_owned()));
        let lake = MemoryLake::new();
        let options = IndexOptions { job_titles, ..IndexOptions::default() };
        let source = Source::File(titles::sample());
        let manifest = build_index(&lake, &source, &options, |_| {}).await.unwrap();
        Self { stand_in, lake, manifest }
    }

    fn client(&self, key: &str, rate: f64) -> Client {
        let settings = Settings {
            base_url: self.stand_in.url(),
            key: Secret::new(key),
            requests_per_second: rate,
            connections: 10,
            append: Vec::new(),
        };
        Client::new(settings).unwrap()
    }

    fn crawler(&self) -> Crawler {
        self.crawler_by(FetchMode::Find)
    }

    fn crawler_by(&self, fetch: FetchMode) -> Crawler {
        let lake = Arc::new(self.lake.clone());
        let clock = || Timestamp::from_second(1_795_000_000).unwrap();
        Crawler::new(lake, self.client(KEY, 100_000.0), fetch).with_clock(clock)
    }

    async fn run(&self, crawler: &Crawler, job: &Job) -> Result<Marker, CrawlError> {
        crawler.run(job, &self.manifest.dataset, Instant::now() + Duration::from_secs(60)).await
    }

    /// A job with some titles in it.
    fn job(&self, titles: u32) -> Job {
        self.manifest.jobs.iter().find(|job| job.titles >= titles).cloned().unwrap()
    }

    /// The ids of a job, as its range of the index says.
    async fn ids(&self, job: &Job) -> Vec<String> {
        let range = job.offset..job.offset + job.length;
        let bytes = self.lake.get_range(&layout::titles(&self.manifest.dataset), range).await.unwrap().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    }

    async fn records(&self, kind: Kind, job: &Job) -> Vec<Value> {
        let Some(packed) = self.lake.get(&layout::records(kind, job)).await.unwrap() else {
            return Vec::new();
        };
        let mut text = String::new();
        MultiGzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Everything that stands under `prefix`, byte for byte.
    async fn objects(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let mut objects = BTreeMap::new();
        let mut entries = self.lake.list(prefix);
        while let Some(entry) = entries.next().await {
            let key = entry.unwrap().key;
            let bytes = self.lake.get(&key).await.unwrap().unwrap();
            objects.insert(key, bytes.to_vec());
        }
        objects
    }
}

fn texts<'a>(records: &'a [Value], field: &str) -> Vec<&'a str> {
    records.iter().map(|record| record[field].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_film_of_a_year_is_in_exactly_one_place_and_every_review_once() {
    let bench = Bench::new(100).await;
    let crawler = bench.crawler();
    let selection = Selection { years: Some("1990..1993".parse().unwrap()), initials: None };
    let mut seen = 0;
    for job in bench.manifest.jobs_of(&selection) {
        let marker = bench.run(&crawler, job).await.unwrap();
        let ids = bench.ids(job).await;
        let expected = bench.stand_in.expected(ids.iter().map(String::as_str));
        let of = |kinds: &[stand_in::Kind]| -> Vec<&Expected> {
            expected.iter().filter(|one| kinds.contains(&one.kind)).collect()
        };

        let movies = bench.records(Kind::Movies, job).await;
        let linked: Vec<(&str, u64)> = of(&[stand_in::Kind::Movie])
            .iter()
            .flat_map(|one| one.tmdb_ids.iter().map(|id| (one.id.as_str(), *id)))
            .collect();
        let written: Vec<(&str, u64)> =
            movies.iter().map(|movie| (movie["id_imdb"].as_str().unwrap(), movie["id"].as_u64().unwrap())).collect();
        assert_eq!(written, linked, "films of {}", job.name());

        let reviews = bench.records(Kind::Reviews, job).await;
        let expected_reviews: Vec<&str> =
            expected.iter().flat_map(|one| one.reviews.iter().map(String::as_str)).collect();
        assert_eq!(texts(&reviews, "id"), expected_reviews, "reviews of {}", job.name());

        let misses = bench.records(Kind::Misses, job).await;
        let unknown: Vec<&str> = of(&[stand_in::Kind::Unknown]).iter().map(|one| one.id.as_str()).collect();
        assert_eq!(texts(&misses, "id_imdb"), unknown);

        let others = bench.records(Kind::Others, job).await;
        let elsewhere = of(&[stand_in::Kind::Tv, stand_in::Kind::TvEpisode, stand_in::Kind::Person]);
        assert_eq!(texts(&others, "id_imdb"), elsewhere.iter().map(|one| one.id.as_str()).collect::<Vec<_>>());

        assert_eq!(marker.titles, marker.linked + marker.missed + marker.others + marker.failed);
        assert_eq!((marker.movies, marker.reviews), (movies.len() as u64, reviews.len() as u64));
        seen += marker.titles;
    }
    assert!(seen > 500, "{seen} films are too few to prove anything");
    let markers: Vec<_> = done(&bench.lake).try_collect().await.unwrap();
    assert_eq!(markers.iter().map(|done| done.titles).sum::<u32>(), seen);
}

#[tokio::test]
async fn a_done_job_answers_from_its_marker_without_a_request() {
    let bench = Bench::new(50).await;
    let (crawler, job) = (bench.crawler(), bench.job(20));
    let marker = bench.run(&crawler, &job).await.unwrap();
    bench.stand_in.forget();
    assert_eq!(bench.run(&crawler, &job).await.unwrap(), marker);
    assert_eq!(bench.stand_in.requests(), []);
}

#[tokio::test]
async fn the_same_answers_give_the_same_bytes() {
    let (one, other) = (Bench::new(50).await, Bench::new(50).await);
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
    let (one, other) = (Bench::new(50).await, Bench::new(50).await);
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
    let bench = Bench::new(100).await;
    bench.stand_in.behave(|behaviour| behaviour.latency_ms = 30);
    let (crawler, job) = (bench.crawler(), bench.job(90));
    let deadline = Instant::now() + Duration::from_millis(200);
    let error = crawler.run(&job, &bench.manifest.dataset, deadline).await.unwrap_err();
    let CrawlError::OutOfTime { done, idle: 0, .. } = error else { panic!("{error}") };
    assert!(done > 0 && done < job.titles, "{done} of {}", job.titles);
    let marker = bench.run(&crawler, &job).await.unwrap();
    // Only films that were under way at the deadline, as many as there are connections, may be asked twice.
    let asked = bench.stand_in.requests().len() as u64;
    assert!(asked <= marker.requests, "the marker counts the requests of all deliveries");
    let finds: Vec<String> = bench
        .stand_in
        .requests()
        .into_iter()
        .filter(|request| request.path.contains("/find/"))
        .map(|request| request.path)
        .collect();
    let distinct: BTreeSet<&String> = finds.iter().collect();
    assert_eq!(distinct.len() as u32, job.titles);
    assert!(finds.len() - distinct.len() <= 10, "{} asked twice", finds.len() - distinct.len());
    assert_eq!(bench.objects("tmdb/_checkpoints/").await.len(), 0);
}

#[tokio::test]
async fn a_job_that_gets_no_further_says_how_often() {
    let bench = Bench::new(50).await;
    bench.stand_in.behave(|behaviour| behaviour.latency_ms = 10_000);
    let (crawler, job) = (bench.crawler(), bench.job(20));
    for expected in 1..=2 {
        let deadline = Instant::now() + Duration::from_millis(50);
        let error = crawler.run(&job, &bench.manifest.dataset, deadline).await.unwrap_err();
        assert!(matches!(error, CrawlError::OutOfTime { idle, .. } if idle == expected), "{error:?}");
    }
}

#[tokio::test]
async fn a_refused_key_stops_the_job_within_a_few_requests_and_says_what_to_do() {
    let bench = Bench::new(100).await;
    let crawler = Crawler::new(
        Arc::new(bench.lake.clone()),
        bench.client("ffffffffffffffffffffffffffffffff", 1_000.0),
        FetchMode::Find,
    );
    let error = bench.run(&crawler, &bench.job(90)).await.unwrap_err();
    assert!(matches!(error, CrawlError::Tmdb(TmdbError::Unauthorized { status: 401, .. })), "{error:?}");
    assert!(error.to_string().contains("provision secret set"), "{error}");
    assert!(!format!("{error:?} {error} {crawler:?}").contains("ffffffff"), "the key is shown");
    assert!(bench.stand_in.requests().len() <= 10, "{} requests", bench.stand_in.requests().len());
    assert_eq!(bench.objects("tmdb/").await.len(), 0);
}

#[tokio::test]
async fn an_outage_stops_the_job_within_a_few_requests() {
    let bench = Bench::new(100).await;
    bench.stand_in.behave(|behaviour| behaviour.all = Some(503));
    let (crawler, job) = (bench.crawler(), bench.job(90));
    let error = bench.run(&crawler, &job).await.unwrap_err();
    assert!(matches!(error, CrawlError::Tmdb(TmdbError::Unavailable { systemic: true, .. })), "{error:?}");
    let first = bench.stand_in.requests().len();
    assert!(first <= 20, "{first} requests");
    bench.run(&crawler, &job).await.unwrap_err();
    let second = bench.stand_in.requests().len() - first;
    assert!(second <= 12, "{second} requests the second time");
    bench.stand_in.behave(|behaviour| behaviour.all = None);
    bench.run(&crawler, &job).await.unwrap();
}

#[tokio::test]
async fn broken_slow_and_refused_requests_lose_and_repeat_nothing() {
    let bench = Bench::new(200).await;
    bench.stand_in.behave(|behaviour| {
        behaviour.faults.too_many = 0.05;
        behaviour.faults.failed = 0.05;
        behaviour.faults.cut = 0.05;
        behaviour.faults.slow = 0.05;
        behaviour.faults.slow_ms = 50;
    });
    let job = bench.job(100);
    let marker = bench.run(&bench.crawler(), &job).await.unwrap();
    assert_eq!(marker.failed, 0);
    assert!(marker.retries > 0 && marker.too_many > 0, "{marker:?}");
    let requests = bench.stand_in.requests();
    let answered: Vec<_> =
        requests.iter().filter(|request| request.status == 200).map(|request| (&request.path, request.page)).collect();
    assert_eq!(answered.iter().collect::<BTreeSet<_>>().len(), answered.len(), "an answer was asked for again");
    assert_eq!(requests.len() as u64, marker.requests);
}

#[tokio::test]
async fn a_film_that_always_fails_is_set_aside_and_holds_up_no_other() {
    let bench = Bench::new(100).await;
    let job = bench.job(90);
    let ids = bench.ids(&job).await;
    bench.stand_in.behave(|behaviour| {
        behaviour.broken.insert(ids[0].clone(), 200);
        behaviour.broken.insert(ids[1].clone(), 422);
    });
    let marker = bench.run(&bench.crawler(), &job).await.unwrap();
    assert_eq!(marker.failed, 2);
    let failed = bench.records(Kind::Failed, &job).await;
    assert_eq!(texts(&failed, "id_imdb"), [&ids[0], &ids[1]]);
    assert_eq!(failed[1]["status"], 422);
}

#[tokio::test]
async fn details_find_the_same_films_and_reviews_in_fewer_requests() {
    let (by_find, by_details) = (Bench::new(100).await, Bench::new(100).await);
    let job = by_find.job(90);
    let find = by_find.run(&by_find.crawler(), &job).await.unwrap();
    let details = by_details.run(&by_details.crawler_by(FetchMode::Details), &job).await.unwrap();
    assert!(details.requests < find.requests, "{} and {}", details.requests, find.requests);
    assert_eq!((details.linked, details.missed, details.others), (find.linked, find.missed, find.others));
    assert_eq!(by_details.records(Kind::Reviews, &job).await.len(), by_find.records(Kind::Reviews, &job).await.len());
}

#[tokio::test]
async fn other_titles_than_the_job_s_are_refused() {
    let bench = Bench::new(100).await;
    let job = Job { offset: bench.job(20).offset + 1, ..bench.job(20) };
    let error = bench.run(&bench.crawler(), &job).await.unwrap_err();
    assert!(matches!(error, CrawlError::NotInIndex { .. }), "{error:?}");
    assert_eq!(bench.stand_in.requests(), []);
}

#[tokio::test]
async fn a_refresh_asks_again_once_and_a_failed_one_only_for_what_failed() {
    let bench = Bench::new(100).await;
    let (crawler, job) = (bench.crawler(), bench.job(50));
    let ids = bench.ids(&job).await;
    bench.stand_in.behave(|behaviour| {
        behaviour.broken.insert(ids[0].clone(), 422);
    });
    assert_eq!(bench.run(&crawler, &job).await.unwrap().failed, 1);
    bench.stand_in.behave(|behaviour| behaviour.broken.clear());
    let soon = Instant::now() + Duration::from_secs(60);

    bench.stand_in.forget();
    let later = Timestamp::from_second(1_795_000_001).unwrap();
    let refresh = Refresh { before: later, failed: true };
    let marker = crawler.refresh(&job, &bench.manifest.dataset, &refresh, soon).await.unwrap();
    assert_eq!(marker.failed, 0);
    let finds = bench.stand_in.requests().into_iter().filter(|request| request.path.contains("/find/"));
    assert_eq!(finds.map(|request| request.path).collect::<Vec<_>>(), [format!("/3/find/{}", ids[0])]);
    let markers: Vec<_> = done(&bench.lake).try_collect().await.unwrap();
    assert_eq!(markers, [marker.done()], "the old marker is gone");

    bench.stand_in.forget();
    let refresh = Refresh { before: later, failed: false };
    crawler.refresh(&job, &bench.manifest.dataset, &refresh, soon).await.unwrap();
    assert!(bench.stand_in.requests().len() >= ids.len(), "all are asked again");
    bench.stand_in.forget();
    let earlier = Timestamp::from_second(1_794_999_999).unwrap();
    let refresh = Refresh { before: earlier, failed: false };
    crawler.refresh(&job, &bench.manifest.dataset, &refresh, soon).await.unwrap();
    assert_eq!(bench.stand_in.requests(), [], "it is younger than that");
}

#[tokio::test]
async fn a_newer_index_under_a_half_done_crawl_asks_only_for_what_has_no_answer() {
    const HEADER: &str =
        "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres\n";
    let row = |id: u32, year: u16| format!("tt{id:07}\tmovie\tAda {id}\tAda\t0\t{year}\t\\N\t90\tDrama\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("title.basics.tsv");
    let bench = Bench::new(100).await;
    let crawler = bench.crawler();
    let index = async |rows: String| {
        std::fs::write(&path, format!("{HEADER}{rows}")).unwrap();
        let options = IndexOptions { job_titles: 10, ..IndexOptions::default() };
        build_index(&bench.lake, &Source::File(path.clone()), &options, |_| {}).await.unwrap()
    };
    let proof = async || {
        let report = verify(&bench.lake, "2026-01-01".parse().unwrap(), |_, _| {}).await.unwrap();
        assert!(report.holds(), "{:?}", report.problems);
        report
    };
    let old = index((1..=25).map(|id| row(id, 2004)).collect()).await;
    // The films 1 to 10 are done, the others are not.
    crawler.run(&old.jobs[0], &old.dataset, Instant::now() + Duration::from_secs(60)).await.unwrap();
    assert_eq!(proof().await.counts.not_done, 15);
    bench.stand_in.forget();
    // 3 is gone, 7 moved to another year, 30 is new.
    let kept = (1..=25).filter(|id| ![3, 7].contains(id)).map(|id| row(id, 2004));
    let new = index(kept.chain([row(7, 2005), row(30, 2004)]).collect()).await;
    proof().await;
    for job in &new.jobs {
        crawler.run(job, &new.dataset, Instant::now() + Duration::from_secs(60)).await.unwrap();
        proof().await;
    }
    prune_when_complete(&bench.lake, &new).await.unwrap();
    let report = proof().await;
    assert_eq!((report.counts.titles, report.counts.not_done, report.left_over_objects), (25, 0, 0));
    let finds = bench.stand_in.requests().into_iter().filter(|request| request.path.contains("/find/"));
    let asked: BTreeSet<String> = finds.map(|request| request.path).collect();
    let without_answer = (11..=25).chain([7, 30]).map(|id| format!("/3/find/tt{id:07}"));
    assert_eq!(asked, without_answer.collect());
}

#[tokio::test]
async fn a_newer_index_asks_only_for_what_is_new_and_leaves_no_film_twice() {
    const HEADER: &str =
        "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres\n";
    let row = |id: u32, year: u16| format!("tt{id:07}\tmovie\tAda {id}\tAda\t0\t{year}\t\\N\t90\tDrama\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("title.basics.tsv");
    let bench = Bench::new(100).await;
    let crawler = bench.crawler();
    let index = async |rows: String| {
        std::fs::write(&path, format!("{HEADER}{rows}")).unwrap();
        let options = IndexOptions { job_titles: 10, ..IndexOptions::default() };
        build_index(&bench.lake, &Source::File(path.clone()), &options, |_| {}).await.unwrap()
    };
    let crawl = async |manifest: &Manifest| {
        for job in &manifest.jobs {
            crawler.run(job, &manifest.dataset, Instant::now() + Duration::from_secs(60)).await.unwrap();
        }
        prune_when_complete(&bench.lake, manifest).await.unwrap();
    };
    let old = index((1..=25).map(|id| row(id, 2004)).chain([row(90, 1999)]).collect()).await;
    crawl(&old).await;
    bench.stand_in.forget();
    // 3 is gone, 7 moved to another year, 90 left its year empty, 30 is new.
    let kept = (1..=25).filter(|id| ![3, 7].contains(id)).map(|id| row(id, 2004));
    let new = index(kept.chain([row(7, 2005), row(90, 2004), row(30, 2004)]).collect()).await;
    assert_ne!(new.dataset, old.dataset);
    crawl(&new).await;
    let mut asked: Vec<String> = bench
        .stand_in
        .requests()
        .into_iter()
        .map(|request| request.path)
        .filter(|path| path.contains("/find/"))
        .collect();
    asked.sort_unstable();
    assert_eq!(asked, ["/3/find/tt0000007", "/3/find/tt0000030", "/3/find/tt0000090"]);

    let mut places = BTreeMap::<String, BTreeSet<String>>::new();
    for (key, packed) in bench.objects("tmdb/").await {
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
    assert_eq!(done(&bench.lake).count().await, new.jobs.len());
}
