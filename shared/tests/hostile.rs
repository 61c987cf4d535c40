//! What messages, rows and answers may hold, however odd, and what each of them does. None stops the others, none is lost.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{collections::BTreeMap, io::Write as _, sync::Arc, time::Duration};

use crawler_core::{
    Crawler, Lake, Order, Secret,
    imdb::{IndexOptions, Manifest, Source, build_index},
    lake::{MemoryLake, layout, layout::Kind},
    tmdb::{Client, FetchMode, Settings},
    verify::verify,
};
use flate2::read::MultiGzDecoder;
use futures::future::join_all;
use serde_json::{Value, json};
use testkit::{StandIn, stand_in, titles};
use tokio::time::Instant;

const HEADER: &str =
    "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres\n";

#[test]
fn messages_are_read_for_what_they_mean_or_refused_with_a_reason() {
    let partition = |year, initial: &str| Order::Partition { year, initial: initial.into() };
    let cases: [(&str, Result<Order, &str>); 12] = [
        (r#"{"year":2017,"initial":"TH"}"#, Ok(partition(Some(2017), "TH"))),
        (r#"{"year":2017,"initial":"A "}"#, Ok(partition(Some(2017), "A_"))),
        (r#"{"year":2017,"initial":"th"}"#, Ok(partition(Some(2017), "TH"))),
        (r#"{"year":"2017","initial":10}"#, Ok(partition(Some(2017), "10"))),
        (r#"{"year":null,"initial":"TH"}"#, Ok(partition(None, "TH"))),
        (r#"{"year":2017,"initial":"TH","extra":[{}]}"#, Ok(partition(Some(2017), "TH"))),
        ("", Err("not JSON")),
        ("\u{0}\u{feff}{}", Err("not JSON")),
        (r#"{"year":"<script>","initial":"TH"}"#, Err("is no year")),
        (r#"{"year":2017,"initial":"../../x"}"#, Err("not two letters")),
        (r#"{"dataset":"../..","jobs":[]}"#, Err("no name of a dataset")),
        (r#"{"dataset":"d","jobs":[{"year":1}]}"#, Err("cannot be read")),
    ];
    for (body, expected) in cases {
        match (Order::parse(body), expected) {
            (found, Ok(order)) => assert_eq!(found, Ok(order), "{body}"),
            (found, Err(reason)) => assert!(found.unwrap_err().to_string().contains(reason), "{body}"),
        }
    }
}

#[tokio::test]
async fn rows_are_kept_as_they_are_or_skipped_with_their_line() {
    let cases: [(&str, Result<&str, &str>); 10] = [
        ("tt1000001\tmovie\t\"Giliap\t\"Giliap\"\t0\t2004\t\\N\t\\N\t\\N", Ok("GI")),
        ("tt1000002\tmovie\tNA\tNA\t0\t2004\t\\N\t\\N\t\\N", Ok("NA")),
        ("tt1000003\tmovie\t\u{0}\u{202e}...\t\t0\t2004\t\\N\t\\N\t\\N", Ok("__")),
        ("tt1000004\tmovie\t8½\t8½\t0\t2004\t\\N\t\\N\t\\N\r", Ok("8_")),
        ("tt1000005\tmovie\tÀçoures\tx\t0\t2004\t\\N\t\\N\t\\N", Ok("AC")),
        ("tt1000006\tmovie\tX\tX\t0\t2004\t\\N\t\\N", Err("wrong number of columns")),
        ("tt1000007\tmovie\tX\tX\t0\t20O4\t\\N\t\\N\t\\N", Err("no year in startYear")),
        ("../../etc\tmovie\tX\tX\t0\t2004\t\\N\t\\N\t\\N", Err("no IMDb id in tconst")),
        ("", Err("wrong number of columns")),
        ("\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t", Err("wrong number of columns")),
    ];
    let (lake, folder) = (MemoryLake::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("title.basics.tsv");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(HEADER.as_bytes()).unwrap();
    for (row, _) in cases {
        file.write_all(format!("{row}\n").as_bytes()).unwrap();
    }
    // And a row that is no text.
    file.write_all(b"tt1000008\tmovie\t\xff\xfeAb\tX\t0\t2004\t\\N\t\\N\t\\N\n").unwrap();
    let manifest = build_index(&lake, &Source::File(path), &IndexOptions::default(), |_| {}).await.unwrap();

    let text = lake.get(&layout::titles(&manifest.dataset)).await.unwrap().unwrap();
    let kept: BTreeMap<&str, &str> = std::str::from_utf8(&text)
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| (line.split('\t').next().unwrap(), line.split('\t').nth(2).unwrap()))
        .collect();
    for (line, (row, expected)) in cases.iter().enumerate() {
        let skipped = manifest.skipped_rows.iter().find(|row| row.line == line as u64 + 2);
        let skipped = skipped.map(|row| row.reason.as_str());
        let initial = row.split('\t').next().and_then(|id| kept.get(id)).copied();
        assert_eq!((initial, skipped), (expected.ok(), expected.err()), "{row:?}");
    }
    assert_eq!(kept["tt1000008"], "AB");
    assert_eq!((manifest.rows, manifest.skipped), (11, 5));
}

/// Where one film ends, and what its first record there must hold.
struct Ends(Kind, Value);

/// What it is, the paths with their bodies, and where the film ends.
type Case = (&'static str, Vec<(&'static str, String)>, Ends);

/// Odd answers of TMDb. `ID` is the film's IMDb id.
fn answers() -> Vec<Case> {
    const FIND: &str = "/3/find/ID";
    const REVIEWS: &str = "/3/movie/7/reviews";
    let movie = json!({"movie_results": [{"id": 7, "title": "Ad"}]}).to_string();
    let none = json!({"id": 7, "page": 1, "results": [], "total_pages": 0, "total_results": 0}).to_string();
    let found = |object: Value| json!({"movie_results": [object]}).to_string();
    let linked = |name, object: Value, holds: Value| {
        (name, vec![(FIND, found(object)), (REVIEWS, none.clone())], Ends(Kind::Movies, holds))
    };
    let reviewed = |name, reviews: Value, holds: Value| {
        (name, vec![(FIND, movie.clone()), (REVIEWS, reviews.to_string())], Ends(Kind::Reviews, holds))
    };
    let failed = |name, body: String| (name, vec![(FIND, body)], Ends(Kind::Failed, json!({"status": 200})));
    let other = |name, kind: &'static str| {
        let body = json!({"movie_results": [], format!("{kind}_results"): [{"id": 5}]}).to_string();
        (name, vec![(FIND, body)], Ends(Kind::Others, json!({"kind": kind, "id": 5})))
    };
    let empty = json!({"movie_results": [], "person_results": [], "tv_results": [], "tv_episode_results": [], "tv_season_results": []});
    vec![
        ("five empty arrays are a miss", vec![(FIND, empty.to_string())], Ends(Kind::Misses, json!({}))),
        ("arrays of old are enough", vec![(FIND, r#"{"movie_results":[]}"#.into())], Ends(Kind::Misses, json!({}))),
        other("a person", "person"),
        other("a series", "tv"),
        other("an episode", "tv_episode"),
        other("a season", "tv_season"),
        linked("no pages of reviews", json!({"id": 7}), json!({"total_reviews": 0})),
        linked("a blank date", json!({"id": 7, "release_date": ""}), json!({"release_date": ""})),
        linked("unknown keys", json!({"id": 7, "x": {"y": [1.50, null]}}), json!({"x": {"y": [1.5, null]}})),
        linked("nulls", json!({"id": 7, "title": null}), json!({"title": null})),
        linked("keys of ours", json!({"id": 7, "id_imdb": "no", "initial": "no"}), json!({"initial": "AD"})),
        linked("a series besides", json!({"id": 7, "media_type": "tv"}), json!({"media_type": "tv"})),
        (
            "two films",
            vec![
                (FIND, json!({"movie_results": [{"id": 7}, {"id": 8}]}).to_string()),
                (REVIEWS, none.clone()),
                ("/3/movie/8/reviews", none.clone()),
            ],
            Ends(Kind::Movies, json!({"id": 7})),
        ),
        (
            "the same film twice",
            vec![(FIND, json!({"movie_results": [{"id": 7}, {"id": 7}]}).to_string()), (REVIEWS, none.clone())],
            Ends(Kind::Movies, json!({"id": 7})),
        ),
        reviewed(
            "a review without an id",
            json!({"results": [{"author": "a"}], "total_pages": 1, "total_results": 1}),
            json!({"author": "a", "movie_id": 7}),
        ),
        reviewed(
            "a review that comes twice",
            json!({"results": [{"id": "r"}, {"id": "r"}], "total_pages": 1, "total_results": 1}),
            json!({"id": "r"}),
        ),
        reviewed(
            "any text in a review",
            json!({"results": [{"id": "r", "content": "a\u{0}\r\n\u{2028}🎬\"}"}], "total_pages": 1, "total_results": 1}),
            json!({"content": "a\u{0}\r\n\u{2028}🎬\"}"}),
        ),
        failed("a page of HTML", "<html>An error occurred</html>".into()),
        failed("nothing", String::new()),
        failed("JSON that is cut off", r#"{"movie_results":[{"id":7"#.into()),
        failed("another type", r#"{"movie_results":{"id":7}}"#.into()),
        failed("a list", "[]".into()),
        failed("a film without an id", r#"{"movie_results":[{"title":"Ad"}]}"#.into()),
        failed("an id that is a text", r#"{"movie_results":[{"id":"../7"}]}"#.into()),
        failed("a negative id", r#"{"movie_results":[{"id":-7}]}"#.into()),
        failed("half a letter", r#"{"movie_results":[{"id":7,"title":"\ud800"}]}"#.into()),
        failed("a thousand brackets", "[".repeat(1_000)),
        failed("more than 16 MB", format!(r#"{{"movie_results":[{{"id":7,"title":"{}"}}]}}"#, "x".repeat(17 << 20))),
    ]
}

#[tokio::test]
async fn each_odd_answer_has_its_place_and_none_stops_the_crawl() {
    let lake = MemoryLake::new();
    let cases = answers();
    let manifest = index(&lake, cases.len()).await;
    let crawls = cases.iter().zip(&manifest.jobs).map(async |((name, answers, ends), job)| {
        // A stand-in each: in one place the same film has several faces.
        let options = stand_in::Options { titles: titles::odd(), ..stand_in::Options::default() };
        let stand_in = StandIn::start(options).unwrap();
        let id = format!("tt10000{:02}", job.part + 1);
        stand_in.behave(|behaviour| {
            let answers = answers.iter().map(|(path, body)| (path.replace("ID", &id), body.clone()));
            behaviour.scripted = answers.collect();
        });
        let crawler = Crawler::new(Arc::new(lake.clone()), client(&stand_in), FetchMode::Find);
        let marker = crawler.run(job, &manifest.dataset, Instant::now() + Duration::from_secs(60)).await;
        let marker = marker.unwrap_or_else(|error| panic!("{name}: {error}"));
        let Ends(kind, holds) = ends;
        let records = records(&lake, &layout::records(*kind, job)).await;
        assert!(!records.is_empty(), "{name}: {marker:?}");
        for (key, value) in holds.as_object().unwrap() {
            assert_eq!(&records[0][key], value, "{name}: {key} of {}", records[0]);
        }
        assert_eq!(records[0]["id_imdb"], id.as_str(), "{name}");
        assert_eq!(records.len(), if *name == "two films" { 2 } else { 1 }, "{name}");
    });
    join_all(crawls).await;
    let report = verify(&lake, "2026-01-01".parse().unwrap(), |_, _| {}).await.unwrap();
    assert!(report.holds(), "{:?}", report.problems);
    assert_eq!(report.counts.not_done, 0);
}

/// An index of films `tt1000001` and so on, a job each.
async fn index(lake: &MemoryLake, films: usize) -> Manifest {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("title.basics.tsv");
    let rows = (1..=films).map(|n| format!("tt10000{n:02}\tmovie\tAd\tAd\t0\t2004\t\\N\t90\tDrama\n"));
    std::fs::write(&path, format!("{HEADER}{}", rows.collect::<String>())).unwrap();
    let options = IndexOptions { job_titles: 1, ..IndexOptions::default() };
    build_index(lake, &Source::File(path), &options, |_| {}).await.unwrap()
}

fn client(stand_in: &StandIn) -> Client {
    let settings = Settings {
        base_url: stand_in.url(),
        key: Secret::new("0123456789abcdef0123456789abcdef"),
        requests_per_second: 1_000.0,
        connections: 10,
        append: Vec::new(),
    };
    Client::new(settings).unwrap()
}

async fn records(lake: &dyn Lake, key: &str) -> Vec<Value> {
    let Some(packed) = lake.get(key).await.unwrap() else {
        return Vec::new();
    };
    let text = std::io::read_to_string(MultiGzDecoder::new(&packed[..])).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
