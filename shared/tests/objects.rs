//! `layout = "objects"`: one object a film and one a review, at the keys that an older warehouse reads.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use crawler_core::{
    Crawler, Job, Lake, Secret,
    crawl::prune,
    imdb::{IndexOptions, Manifest, Source, build_index},
    lake::{
        MemoryLake, PutMode, layout,
        layout::{Kind, Layout},
    },
    tmdb::{Client, FetchMode, Settings},
    verify::verify,
};
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use testkit::{StandIn, stand_in, titles};
use tokio::time::Instant;

const HEADER: &str =
    "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres\n";

struct Stage {
    lake: MemoryLake,
    stand_in: StandIn,
    folder: tempfile::TempDir,
}

impl Stage {
    /// TMDb has one film for `tt0000001` and `tt0000002`, another for `tt0000004` and `tt0000005`, and nothing for `tt0000003`.
    fn new() -> Self {
        let options = stand_in::Options { titles: titles::odd(), ..stand_in::Options::default() };
        let stand_in = StandIn::start(options).unwrap();
        let find = |film: u64| json!({"movie_results": [{"id": film, "title": "Ad"}]}).to_string();
        let reviews = |reviews: Value| json!({"results": reviews, "total_pages": 1, "total_results": 1}).to_string();
        stand_in.behave(|behaviour| {
            behaviour.scripted.extend([
                ("/3/find/tt0000001".to_owned(), find(550)),
                ("/3/find/tt0000002".to_owned(), find(550)),
                ("/3/find/tt0000003".to_owned(), json!({"movie_results": []}).to_string()),
                ("/3/find/tt0000004".to_owned(), find(77)),
                ("/3/find/tt0000005".to_owned(), find(77)),
                ("/3/movie/550/reviews".to_owned(), reviews(json!([{"id": "5b1c13b9c3a36848f2026384"}]))),
                ("/3/movie/77/reviews".to_owned(), reviews(json!([{"id": "a/../b"}]))),
            ]);
        });
        Self { lake: MemoryLake::new(), stand_in, folder: tempfile::tempdir().unwrap() }
    }

    /// The index of these films: title, then the last digit of its id.
    async fn index(&self, films: &[(u8, &str, &str)], job_titles: u32) -> Manifest {
        let path: &Path = &self.folder.path().join("title.basics.tsv");
        let row = |(id, title, year): &(u8, &str, &str)| {
            format!("tt000000{id}\tmovie\t{title}\t{title}\t0\t{year}\t\\N\t90\tDrama\n")
        };
        std::fs::write(path, format!("{HEADER}{}", films.iter().map(row).collect::<String>())).unwrap();
        let options = IndexOptions { job_titles, ..IndexOptions::default() };
        build_index(&self.lake, &Source::File(path.to_owned()), &options, |_| {}).await.unwrap()
    }

    fn crawler(&self, layout: Layout) -> Crawler {
        let settings = Settings {
            base_url: self.stand_in.url(),
            key: Secret::new("0123456789abcdef0123456789abcdef"),
            requests_per_second: 1_000.0,
            connections: 10,
            append: Vec::new(),
        };
        let tmdb = Client::new(settings).unwrap();
        Crawler::new(Arc::new(self.lake.clone()), tmdb, FetchMode::Find).with_layout(layout)
    }

    async fn crawl(&self, manifest: &Manifest, layout: Layout) {
        let crawler = self.crawler(layout);
        for job in &manifest.jobs {
            self.run(&crawler, job, manifest).await;
        }
        prune(&self.lake, manifest).await.unwrap();
        self.holds().await;
    }

    /// All is done, and nothing is wrong.
    async fn holds(&self) {
        let report = verify(&self.lake, "2026-01-01".parse().unwrap(), |_, _| {}).await.unwrap();
        assert!(report.holds() && report.counts.not_done == 0, "{report:?}");
    }

    async fn run(&self, crawler: &Crawler, job: &Job, manifest: &Manifest) {
        crawler.run(job, &manifest.dataset, Instant::now() + Duration::from_secs(60)).await.unwrap();
    }

    /// All keys of films, reviews and misses.
    async fn listing(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for folder in ["tmdb/misses/", "tmdb/movies/", "tmdb/reviews/"] {
            let entries: Vec<_> = self.lake.list(folder).try_collect().await.unwrap();
            keys.extend(entries.into_iter().map(|entry| entry.key));
        }
        keys
    }

    async fn object(&self, key: &str) -> Value {
        serde_json::from_slice(&self.lake.get(key).await.unwrap().unwrap()).unwrap()
    }
}

/// Two ids of one film in one job, two of another in two jobs, and a film without a year.
const FILMS: [(u8, &str, &str); 5] =
    [(1, "Ad one", "2004"), (2, "Ad two", "2004"), (3, "Ad three", "2004"), (4, "8½", "\\N"), (5, "8¾", "\\N")];

const LISTING: [&str; 9] = [
    "tmdb/misses/year=2004/AD-000.ndjson.gz",
    "tmdb/movies/year-2004/initial-AD/tmdb-movie-550-tt0000002.json",
    "tmdb/movies/year-2004/initial-AD/tmdb-movie-550.json",
    "tmdb/movies/year-none/initial-8_/tmdb-movie-77-tt0000005.json",
    "tmdb/movies/year-none/initial-8_/tmdb-movie-77.json",
    "tmdb/reviews/year-2004/initial-AD/tmdb-movie-550-review-5b1c13b9c3a36848f2026384.json",
    "tmdb/reviews/year-2004/initial-AD/tmdb-movie-550-tt0000002-review-5b1c13b9c3a36848f2026384.json",
    "tmdb/reviews/year-none/initial-8_/tmdb-movie-77-review-0.json",
    "tmdb/reviews/year-none/initial-8_/tmdb-movie-77-tt0000005-review-0.json",
];

#[tokio::test]
async fn films_and_reviews_stand_at_the_keys_of_old_with_the_fields_that_were_added() {
    let stage = Stage::new();
    let manifest = stage.index(&FILMS, 3).await;
    stage.crawl(&manifest, Layout::Objects).await;
    let mut listing = LISTING;
    listing.sort_unstable();
    let mut found = stage.listing().await;
    found.sort_unstable();
    assert_eq!(found, listing);
    let film = stage.object("tmdb/movies/year-2004/initial-AD/tmdb-movie-550.json").await;
    let keys: Vec<&str> = film.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["id", "title", "total_reviews", "id_imdb", "initial", "fetched_on"]);
    assert_eq!((&film["id_imdb"], &film["initial"]), (&json!("tt0000001"), &json!("AD")));
    let review = stage.object(LISTING[6]).await;
    assert_eq!((&review["id_imdb"], &review["movie_id"]), (&json!("tt0000002"), &json!(550)));
}

#[tokio::test]
async fn an_id_of_a_later_job_does_not_overwrite_the_film_of_an_earlier_one() {
    let stage = Stage::new();
    // A film a job: the ids of one film meet in the lake only.
    let manifest = stage.index(&FILMS, 1).await;
    stage.crawl(&manifest, Layout::Objects).await;
    let whose = |key: &'static str| async { stage.object(key).await["id_imdb"].clone() };
    assert_eq!(whose("tmdb/movies/year-none/initial-8_/tmdb-movie-77.json").await, "tt0000004");
    assert_eq!(whose("tmdb/movies/year-none/initial-8_/tmdb-movie-77-tt0000005.json").await, "tt0000005");
}

#[tokio::test]
async fn a_changed_index_asks_only_for_what_is_new_and_removes_what_is_gone() {
    let stage = Stage::new();
    let manifest = stage.index(&FILMS[..3], 3).await;
    stage.crawl(&manifest, Layout::Objects).await;
    stage.stand_in.forget();
    let manifest = stage.index(&FILMS[1..], 3).await;
    stage.crawl(&manifest, Layout::Objects).await;
    let asked = stage.stand_in.requests().iter().filter(|request| request.path.contains("/find/")).count();
    assert_eq!(asked, 2, "the films without a year are new, the others are kept");
    let found = stage.listing().await;
    assert_eq!(found.iter().filter(|key| key.contains("tmdb-movie-550")).count(), 2, "{found:?}");

    stage.stand_in.forget();
    let manifest = stage.index(&FILMS[2..], 3).await;
    stage.crawl(&manifest, Layout::Ndjson).await;
    assert_eq!(stage.stand_in.requests(), [], "nothing is new");
    assert!(stage.listing().await.iter().all(|key| !key.contains("550")), "{:?}", stage.listing().await);
}

#[tokio::test]
async fn a_film_that_another_part_has_now_is_not_removed_by_the_part_that_it_left() {
    let stage = Stage::new();
    let manifest = stage.index(&FILMS[..3], 3).await;
    stage.crawl(&manifest, Layout::Objects).await;
    // Smaller jobs: the second and the third film are other parts' now, which happen to be done before the first.
    let manifest = stage.index(&FILMS[..3], 1).await;
    let crawler = stage.crawler(Layout::Objects);
    for job in manifest.jobs.iter().rev() {
        stage.run(&crawler, job, &manifest).await;
    }
    stage.holds().await;
    assert_eq!(stage.listing().await.iter().filter(|key| key.contains("tmdb-movie-550")).count(), 4);
}

#[tokio::test]
async fn records_of_a_part_that_is_gone_go_with_the_last_job_they_wait_for_but_for_those_that_another_part_has() {
    let stage = Stage::new();
    let crawler = stage.crawler(Layout::Objects);
    let run = async |manifest: &Manifest| {
        assert_eq!(prune(&stage.lake, manifest).await.unwrap(), [""; 0], "a job is waited for");
        for job in &manifest.jobs {
            stage.run(&crawler, job, manifest).await;
        }
        stage.holds().await;
        let found = stage.listing().await.into_iter().filter(|key| key.contains("/movies/"));
        found.map(|key| key["tmdb/movies/year-".len()..].to_owned()).collect::<Vec<_>>()
    };
    let (one, two, moved) = ((1, "Ad one", "2004"), (4, "Ad four", "2004"), (4, "Ad four", "1999"));
    let here = ["2004/initial-AD/tmdb-movie-550.json", "2004/initial-AD/tmdb-movie-77.json"];
    assert_eq!(run(&stage.index(&[one, two], 1).await).await, here);
    let there = ["1999/initial-AD/tmdb-movie-77.json", "2004/initial-AD/tmdb-movie-550.json"];
    assert_eq!(run(&stage.index(&[one, moved], 1).await).await, there);

    assert_eq!(run(&stage.index(&[one, two], 1).await).await, here);
    // It leaves the index and comes back, into another part than its records are of.
    stage.index(&[one], 2).await;
    let manifest = stage.index(&[one, two], 2).await;
    assert_eq!(manifest.jobs.len(), 1);
    assert_eq!(run(&manifest).await, here);
}

#[tokio::test]
async fn records_whose_job_is_ending_are_not_taken_for_left_over() {
    let stage = Stage::new();
    let manifest = stage.index(&FILMS, 3).await;
    stage.crawl(&manifest, Layout::Objects).await;
    let put = async |key: &str| {
        stage.lake.put(key, Bytes::from_static(b"{}"), PutMode::Overwrite).await.unwrap();
    };
    // As a refresh has it between its first record and its marker.
    let (record, settled) = (
        layout::object(Kind::Movies, &manifest.jobs[0], "4711"),
        layout::settled(&manifest.jobs[0], Some("1795000000")),
    );
    put(&record).await;
    put(&settled).await;
    prune(&stage.lake, &manifest).await.unwrap();
    assert!(stage.listing().await.contains(&record));
    // One that was given up is older than the marker of the next.
    let marker = &stage.lake.list(&layout::done_prefix(&manifest.jobs[0])).try_collect::<Vec<_>>().await.unwrap()[0];
    let bytes = stage.lake.get(&marker.key).await.unwrap().unwrap();
    stage.lake.put(&marker.key, bytes, PutMode::Overwrite).await.unwrap();
    assert_eq!(prune(&stage.lake, &manifest).await.unwrap(), [settled, record]);
}
