//! The proof of a lake: it holds after a crawl, and whatever is taken from the lake or put into it is found.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    collections::HashSet,
    fmt,
    io::Write as _,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use crawler_core::{
    Crawler, Job, Lake, Secret,
    compact::{CompactError, Compacted, Format, compact},
    imdb::{IndexOptions, Manifest, Selection, Source, build_index},
    lake::{
        Entry, LakeError, LocalLake, MemoryLake, Put, PutMode, layout,
        layout::{Kind, Layout},
    },
    tmdb::{Client, FetchMode, Settings},
    verify::{Fault, Report, verify},
};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use futures::{TryStreamExt as _, stream::BoxStream};
use jiff::{Timestamp, civil::Date};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use testkit::{StandIn, stand_in, titles};
use tokio::time::Instant;

/// The day on which everything is fetched.
const TODAY: i64 = 1_795_000_000;

/// Crawls the films of 1990, and no others.
async fn crawl(lake: Arc<dyn Lake>) -> Manifest {
    crawl_as(Layout::default(), lake).await
}

async fn crawl_as(layout: Layout, lake: Arc<dyn Lake>) -> Manifest {
    let options = IndexOptions { job_titles: 50, ..IndexOptions::default() };
    let manifest = build_index(&*lake, &Source::File(titles::sample()), &options, |_| {}).await.unwrap();
    let selection = Selection { years: Some("1990".parse().unwrap()), initials: None };
    run(layout, lake, &manifest, manifest.jobs_of(&selection)).await;
    manifest
}

/// Does these jobs.
async fn run(layout: Layout, lake: Arc<dyn Lake>, manifest: &Manifest, jobs: impl IntoIterator<Item = &Job>) {
    let stand_in = StandIn::start(stand_in::Options::default()).unwrap();
    let settings = Settings {
        base_url: stand_in.url(),
        key: Secret::new("0123456789abcdef0123456789abcdef"),
        requests_per_second: 100_000.0,
        connections: 10,
        append: Vec::new(),
    };
    let clock = || Timestamp::from_second(TODAY).unwrap();
    let crawler =
        Crawler::new(lake, Client::new(settings).unwrap(), FetchMode::Find).with_layout(layout).with_clock(clock);
    for job in jobs {
        crawler.run(job, &manifest.dataset, Instant::now() + Duration::from_secs(60)).await.unwrap();
    }
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

/// The keys of a JSON object as they stand there, twice if they do.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        from.deserialize_map(Object)
    }
}

/// Both take a column for a key in whatever case; Redshift's COPY takes no longer line.
#[tokio::test]
async fn each_line_is_one_that_athena_and_redshift_take() {
    const LONGEST: usize = 4 << 20;
    let lake = MemoryLake::new();
    crawl(Arc::new(lake.clone())).await;
    let mut lines = 0;
    for kind in Kind::ALL {
        let entries: Vec<_> = lake.list(&layout::folder(kind)).try_collect().await.unwrap();
        for Entry { key, .. } in entries {
            let packed = lake.get(&key).await.unwrap().unwrap();
            for line in std::io::read_to_string(MultiGzDecoder::new(&packed[..])).unwrap().lines() {
                let Keys(keys) = serde_json::from_str(line).unwrap();
                let columns: HashSet<String> = keys.iter().map(|key| key.to_lowercase()).collect();
                assert_eq!(columns.len(), keys.len(), "a key stands twice in {line}");
                assert!(line.len() < LONGEST && !line.contains('\r'), "{key}");
                lines += 1;
            }
        }
    }
    assert!(lines > 200, "{lines} lines");
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
    let nameless = [&films[1..], &[films[0].replacen("\"id\":", "\"was_id\":", 1)]].concat();
    let found = stage.faults_with(&movies, Some(&nameless)).await;
    assert_eq!(found[..2], [Fault::Unreadable, Fault::NoPlace], "a film has no id");
    let elsewhere = [&films[1..], &[films[0].replace("\"initial\":\"TH\"", "\"initial\":\"AD\"")]].concat();
    let found = stage.faults_with(&movies, Some(&elsewhere)).await;
    assert_eq!(found[..2], [Fault::Unreadable, Fault::NoPlace], "a film says another initial");
    let of_no_film = [&all_reviews[1..], &[all_reviews[0].replace("\"id_imdb\":\"tt", "\"id_imdb\":\"tt9")]].concat();
    let found = stage.faults_with(&reviews, Some(&of_no_film)).await;
    assert_eq!(found, [Fault::NoFilm], "a review of another job's film stands in the place of one of this job");
    let own_of_others = r#"{"kind":5,"movie_id":"x","content":{},"#;
    let of_tmdbs = [&films[1..], &[films[0].replacen('{', own_of_others, 1)]].concat();
    assert_eq!(stage.faults_with(&movies, Some(&of_tmdbs)).await, [], "a film with keys that are ours elsewhere");
    let total = r#"{"kind":null,"total_reviews":"x","#;
    let of_tmdbs = [&all_reviews[1..], &[all_reviews[0].replacen('{', total, 1)]].concat();
    assert_eq!(stage.faults_with(&reviews, Some(&of_tmdbs)).await, [], "a review with such keys");
    let nobodys = layout::records(Kind::Failed, &job);
    assert_eq!(stage.faults_with(&nobodys, Some(&films[..1])).await, [Fault::Unnamed], "an object of nobody");
    assert!(proof(&stage.lake).await.holds(), "all was put back");
}

#[tokio::test]
async fn a_job_whose_place_in_the_index_is_beyond_all_numbers_is_a_fault_and_no_panic() {
    let lake = MemoryLake::new();
    let mut manifest = crawl(Arc::new(lake.clone())).await;
    let job = manifest.jobs.iter_mut().find(|job| job.year == Some(1990)).unwrap();
    job.offset = u64::MAX;
    let key = layout::manifest(&manifest.dataset);
    put_back(&lake, &key, Some(&serde_json::to_vec(&manifest).unwrap())).await;
    let faults: Vec<Fault> = proof(&lake).await.problems.iter().map(|problem| problem.fault).collect();
    assert_eq!(faults, [Fault::Index, Fault::Counts]);
}

/// Takes a job out of the manifest, and all that the lake has of it: then nothing but the count of titles tells that it was there.
#[tokio::test]
async fn a_job_that_is_gone_from_index_and_lake_is_missed() {
    let lake = MemoryLake::new();
    let mut manifest = crawl(Arc::new(lake.clone())).await;
    let at = manifest.jobs.iter().position(|job| job.year == Some(1990)).unwrap();
    let job = manifest.jobs.remove(at);
    let all: Vec<_> = lake.list("tmdb/").try_collect().await.unwrap();
    for entry in all.iter().filter(|entry| entry.key.contains(&format!("/{}.", job.name()))) {
        lake.delete(&entry.key).await.unwrap();
    }
    put_back(&lake, &layout::manifest(&manifest.dataset), Some(&serde_json::to_vec(&manifest).unwrap())).await;
    let faults: Vec<Fault> = proof(&lake).await.problems.iter().map(|problem| problem.fault).collect();
    assert_eq!(faults, [Fault::Titles]);
}

#[tokio::test]
async fn two_objects_of_one_job_that_changed_places_are_found() {
    let lake = MemoryLake::new();
    let crawled = crawl_as(Layout::Objects, Arc::new(lake.clone())).await;
    assert!(proof(&lake).await.holds() && crawled.titles > 0);
    for kind in [Kind::Movies, Kind::Reviews] {
        let folder = format!("{}year-1990/initial-TH/", layout::folder(kind));
        let keys: Vec<_> = lake.list(&folder).try_collect::<Vec<_>>().await.unwrap();
        let (one, other) = (&keys[0].key, &keys[1].key);
        let [first, second] = [lake.get(one).await.unwrap().unwrap(), lake.get(other).await.unwrap().unwrap()];
        put_back(&lake, one, Some(&second)).await;
        put_back(&lake, other, Some(&first)).await;
        let faults: Vec<Fault> = proof(&lake).await.problems.iter().map(|problem| problem.fault).collect();
        assert_eq!(faults, [Fault::Misplaced; 2], "{kind:?}");
        put_back(&lake, one, Some(&first)).await;
        put_back(&lake, other, Some(&second)).await;
    }
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

/// The first large file of a kind.
async fn file(lake: &MemoryLake, compacted: &Compacted, kind: Kind) -> (String, Bytes) {
    let file = compacted.files.iter().find(|file| file.kind == kind).unwrap();
    (file.key.clone(), lake.get(&file.key).await.unwrap().unwrap())
}

#[tokio::test]
async fn the_large_files_of_either_format_are_held_against_the_jobs_objects() {
    let lake = MemoryLake::new();
    let manifest = crawl(Arc::new(lake.clone())).await;
    for format in ["ndjson", "parquet"].iter().filter_map(|format| format.parse::<Format>().ok()) {
        let compacted = compact(&lake, format, |_, _| {}).await.unwrap();
        let report = proof(&lake).await;
        assert!(report.holds(), "{format}: {:?}", report.problems);
        let found = report.compacted.unwrap();
        let records: u64 = compacted.files.iter().map(|file| file.rows).sum();
        assert_eq!((found.version, found.records, found.stale), (compacted.version.clone(), records, false));

        let ((movies, films), (misses, no_films)) =
            (file(&lake, &compacted, Kind::Movies).await, file(&lake, &compacted, Kind::Misses).await);
        let faults = async |key: &str, bytes: Option<&[u8]>| {
            let before = lake.get(key).await.unwrap();
            put_back(&lake, key, bytes).await;
            let report = proof(&lake).await;
            put_back(&lake, key, before.as_deref()).await;
            let mut faults: Vec<Fault> = report.problems.iter().map(|problem| problem.fault).collect();
            faults.dedup();
            faults
        };
        let half = &films[..films.len() / 2];
        assert_eq!(faults(&movies, Some(half)).await, [Fault::Unreadable, Fault::Compacted], "{format}: a file is cut");
        assert_eq!(faults(&movies, None).await, [Fault::Missing, Fault::Compacted], "{format}: a file is lost");
        assert_eq!(faults(&movies, Some(&no_films)).await, [Fault::Compacted], "{format}: a file has others' records");
        let another = misses.replace("part-000", "part-001");
        assert_eq!(faults(&another, Some(&no_films)).await, [Fault::Stray], "{format}: a file of nobody");
        assert_eq!(faults(layout::COMPACT_CURRENT, Some(b"{")).await, [Fault::Unreadable], "{format}");
        let key = layout::compact_manifest(&compacted.version);
        assert_eq!(faults(&key, None).await, [Fault::Unreadable], "{format}: the version is not whole");

        // What is damaged is made anew, and what is beneath it and not of it goes.
        put_back(&lake, &movies, Some(half)).await;
        put_back(&lake, &another, Some(&no_films)).await;
        assert_eq!(compact(&lake, format, |_, _| {}).await.unwrap().version, compacted.version);
        assert!(proof(&lake).await.holds(), "{format}: it was made anew");
    }
    let done = manifest.jobs.iter().filter(|job| job.year == Some(1990)).count();
    let more = manifest.jobs.iter().find(|job| job.year == Some(1991)).unwrap();
    run(Layout::default(), Arc::new(lake.clone()), &manifest, [more]).await;
    let report = proof(&lake).await;
    assert!(report.holds(), "stale is no fault: {:?}", report.problems);
    let stale = report.compacted.unwrap();
    assert_eq!((stale.jobs, stale.stale, stale.jobs_since), (done, true, 1));
}

/// A lake whose large files another `compact` makes anew while they are read: the first look finds the version before.
#[derive(Debug)]
struct Overtaken {
    lake: MemoryLake,
    looks: AtomicUsize,
    before: Bytes,
}

#[async_trait]
impl Lake for Overtaken {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, LakeError> {
        let is_early = key == layout::COMPACT_CURRENT && self.looks.fetch_add(1, Ordering::Relaxed) < 3;
        if is_early { Ok(Some(self.before.clone())) } else { self.lake.get(key).await }
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Bytes>, LakeError> {
        self.lake.get_range(key, range).await
    }

    async fn put(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<Put, LakeError> {
        self.lake.put(key, bytes, mode).await
    }

    async fn delete(&self, key: &str) -> Result<(), LakeError> {
        self.lake.delete(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Entry, LakeError>> {
        self.lake.list(prefix)
    }

    fn uri(&self) -> String {
        self.lake.uri()
    }
}

#[tokio::test]
async fn large_files_that_are_replaced_while_they_are_read_are_no_fault() {
    let lake = MemoryLake::new();
    crawl(Arc::new(lake.clone())).await;
    compact(&lake, Format::Ndjson, |_, _| {}).await.unwrap();
    let before = lake.get(layout::COMPACT_CURRENT).await.unwrap().unwrap();
    let newer = compact(&lake, Format::Parquet, |_, _| {}).await.unwrap();
    let overtaken = Overtaken { lake, looks: AtomicUsize::new(0), before };
    let report = proof(&overtaken).await;
    assert!(report.holds(), "{:?}", report.problems);
    assert_eq!(report.compacted.unwrap().version, newer.version);
}

#[tokio::test]
async fn a_fault_of_a_job_that_is_being_ended_says_so() {
    let lake = MemoryLake::new();
    let manifest = crawl(Arc::new(lake.clone())).await;
    let job = manifest.jobs.iter().find(|job| job.year == Some(1990)).unwrap();
    let key = layout::records(Kind::Movies, job);
    put_back(&lake, &key, None).await;
    let told = async || proof(&lake).await.problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(told().await.iter().all(|problem| !problem.contains("being ended")));
    put_back(&lake, &layout::settled(job, Some("1795000000")), Some(b"answers")).await;
    let ended = told().await;
    assert!(!ended.is_empty() && ended.iter().all(|problem| problem.contains("its delivery mends it")), "{ended:?}");
    // What is older than the job's marker was given up.
    let marker: Vec<_> = lake.list(&layout::done_prefix(job)).try_collect().await.unwrap();
    let bytes = lake.get(&marker[0].key).await.unwrap().unwrap();
    put_back(&lake, &marker[0].key, Some(&bytes)).await;
    assert!(told().await.iter().all(|problem| !problem.contains("being ended")));
}

#[tokio::test]
async fn a_record_that_stands_twice_in_the_large_files_is_found_though_they_are_stale() {
    let lake = MemoryLake::new();
    let manifest = crawl(Arc::new(lake.clone())).await;
    let compacted = compact(&lake, Format::Ndjson, |_, _| {}).await.unwrap();
    let more = manifest.jobs.iter().find(|job| job.year == Some(1991)).unwrap();
    run(Layout::default(), Arc::new(lake.clone()), &manifest, [more]).await;
    let (movies, films) = file(&lake, &compacted, Kind::Movies).await;
    // Gzip's members follow each other: the second has the first film once more.
    let text = std::io::read_to_string(MultiGzDecoder::new(&films[..])).unwrap();
    let mut again = GzEncoder::new(films.to_vec(), Compression::fast());
    again.write_all(text.lines().next().unwrap().as_bytes()).unwrap();
    put_back(&lake, &movies, Some(&again.finish().unwrap())).await;
    let report = proof(&lake).await;
    let faults: Vec<Fault> = report.problems.iter().map(|problem| problem.fault).collect();
    assert_eq!(faults, [Fault::Twice, Fault::Compacted], "{:?}", report.problems);
}

async fn put_back(lake: &MemoryLake, key: &str, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => drop(lake.put(key, Bytes::copy_from_slice(bytes), PutMode::Overwrite).await.unwrap()),
        None => lake.delete(key).await.unwrap(),
    }
}

#[tokio::test]
async fn an_object_that_is_lost_stops_the_merging() {
    let lake = MemoryLake::new();
    let manifest = crawl(Arc::new(lake.clone())).await;
    let job = manifest.jobs.iter().find(|job| job.year == Some(1990)).unwrap();
    lake.delete(&layout::records(Kind::Movies, job)).await.unwrap();
    let error = compact(&lake, Format::Ndjson, |_, _| {}).await.unwrap_err();
    assert!(matches!(error, CompactError::Gone { .. }), "{error}");
    assert_eq!(lake.get(layout::COMPACT_CURRENT).await.unwrap(), None, "nothing became current");
}

#[tokio::test]
async fn records_that_are_no_job_s_are_a_fault_while_jobs_are_missing_too_and_a_file_of_somebody_s_is_none() {
    let lake = MemoryLake::new();
    let manifest = crawl(Arc::new(lake.clone())).await;
    let job = manifest.jobs.iter().find(|job| job.year == Some(1990)).unwrap();
    let copied = lake.get(&layout::records(Kind::Movies, job)).await.unwrap().unwrap();
    for theirs in ["tmdb/movies/_SUCCESS", "tmdb/movies/mine/a.csv"] {
        put_back(&lake, theirs, Some(b"theirs")).await;
    }
    assert!(proof(&lake).await.holds());
    for stray in ["tmdb/movies/year=2017/TH-999.ndjson.gz", "tmdb/movies/copy.ndjson.gz"] {
        put_back(&lake, stray, Some(&copied)).await;
        let report = proof(&lake).await;
        let faults: Vec<_> = report.problems.iter().map(|problem| (problem.fault, &*problem.which)).collect();
        assert_eq!(faults, [(Fault::Nobodys, stray)]);
        put_back(&lake, stray, None).await;
    }
}
