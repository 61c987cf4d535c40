//! The stand-in for TMDb, asked over HTTP as a crawler asks it.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use testkit::{
    StandIn,
    stand_in::{Expected, Faults, Kind, Options},
};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn stand_in() -> StandIn {
    StandIn::start(Options::default()).unwrap()
}

async fn get(stand_in: &StandIn, path_and_query: &str) -> reqwest::Result<(StatusCode, Value)> {
    let joint = if path_and_query.contains('?') { '&' } else { '?' };
    let url = format!("{}{path_and_query}{joint}api_key={KEY}", stand_in.url());
    let response = Client::new().get(url).send().await?;
    Ok((response.status(), response.json().await?))
}

fn first(stand_in: &StandIn, wanted: impl Fn(&Expected) -> bool) -> Expected {
    stand_in.expected_of_all().into_iter().find(wanted).unwrap()
}

#[tokio::test]
async fn find_puts_each_kind_in_its_array() {
    let stand_in = stand_in();
    for (kind, array) in [
        (Kind::Movie, "movie_results"),
        (Kind::Tv, "tv_results"),
        (Kind::TvEpisode, "tv_episode_results"),
        (Kind::Person, "person_results"),
    ] {
        let expected = first(&stand_in, |one| one.kind == kind);
        let (status, answer) =
            get(&stand_in, &format!("/3/find/{}?external_source=imdb_id", expected.id)).await.unwrap();
        assert_eq!(status, 200);
        let ids: Vec<u64> = answer[array].as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap()).collect();
        assert_eq!(ids, expected.tmdb_ids);
        let results: usize =
            answer.as_object().unwrap().values().map(|results| results.as_array().unwrap().len()).sum();
        assert_eq!(results, ids.len(), "all other arrays are empty: {answer}");
    }
    let (status, nothing) = get(&stand_in, "/3/find/tt9999999?external_source=imdb_id").await.unwrap();
    assert_eq!((status.as_u16(), nothing["movie_results"].clone()), (200, json!([])));
    assert_eq!(get(&stand_in, "/3/find/tt9999999").await.unwrap().0, 422);
}

#[tokio::test]
async fn reviews_follow_their_pages_and_none_are_zero_pages() {
    let stand_in = stand_in();
    for (count, pages) in [(0, 0), (1, 1), (20, 1), (21, 2), (100, 5)] {
        let expected =
            first(&stand_in, |one| one.tmdb_ids.len() == 1 && one.kind == Kind::Movie && one.reviews.len() == count);
        let mut ids = Vec::new();
        for page in 1..=pages + 1 {
            let (_, answer) =
                get(&stand_in, &format!("/3/movie/{}/reviews?page={page}", expected.tmdb_ids[0])).await.unwrap();
            assert_eq!((&answer["total_pages"], &answer["total_results"]), (&json!(pages), &json!(count)));
            ids.extend(answer["results"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        }
        assert_eq!(ids, expected.reviews);
    }
}

#[tokio::test]
async fn changes_are_listed_a_hundred_a_page_by_at_most_fourteen_days() {
    let stand_in = stand_in();
    let days = ["2026-11-09", "2026-11-10"].map(|day| day.parse().unwrap());
    stand_in.behave(|behaviour| behaviour.changed = [(days[0], (1..=100).collect()), (days[1], vec![101])].into());
    let (_, answer) = get(&stand_in, "/3/movie/changes?page=2").await.unwrap();
    assert_eq!(answer["results"], json!([{"id": 101, "adult": false}]));
    assert_eq!((&answer["total_pages"], &answer["total_results"]), (&json!(2), &json!(101)));
    assert_eq!(get(&stand_in, "/3/movie/changes?page=501").await.unwrap().0, 400);
    let (_, answer) = get(&stand_in, "/3/movie/changes?start_date=2026-11-10&end_date=2026-11-24").await.unwrap();
    assert_eq!(answer["total_results"], 1);
    let (status, answer) = get(&stand_in, "/3/movie/changes?start_date=2026-11-10&end_date=2026-11-25").await.unwrap();
    assert_eq!((status.as_u16(), &answer["status_code"]), (422, &json!(20)));
}

#[tokio::test]
async fn details_append_what_is_asked_for_by_either_id() {
    let stand_in = stand_in();
    let film = first(&stand_in, |one| one.tmdb_ids.len() == 1 && one.reviews.len() == 3);
    for id in [&film.id, &film.tmdb_ids[0].to_string()] {
        let (_, answer) =
            get(&stand_in, &format!("/3/movie/{id}?append_to_response=reviews,external_ids,nonsense")).await.unwrap();
        assert_eq!(answer["reviews"]["total_results"], 3);
        assert!(answer["reviews"].get("id").is_none(), "appended reviews do not repeat the id");
        assert_eq!(answer["external_ids"]["imdb_id"], answer["imdb_id"]);
        assert!(answer.get("credits").is_none() && answer.get("nonsense").is_none());
    }
    let series = first(&stand_in, |one| one.kind == Kind::Tv);
    let (status, answer) = get(&stand_in, &format!("/3/movie/{}", series.id)).await.unwrap();
    assert_eq!((status.as_u16(), &answer["status_code"]), (404, &json!(34)));
    let many = vec!["reviews"; 21].join(",");
    let (status, answer) = get(&stand_in, &format!("/3/movie/{}?append_to_response={many}", film.id)).await.unwrap();
    assert_eq!((status.as_u16(), &answer["status_code"]), (400, &json!(27)));
}

#[tokio::test]
async fn a_key_is_good_in_its_own_place_only() {
    let stand_in = stand_in();
    let url = format!("{}/3/authentication", stand_in.url());
    let query =
        async |key: &str| Client::new().get(format!("{url}?api_key={key}")).send().await.unwrap().status().as_u16();
    let bearer = async |key: &str| Client::new().get(&url).bearer_auth(key).send().await.unwrap().status().as_u16();
    assert_eq!((query(KEY).await, bearer("a.v4.token").await), (200, 200));
    assert_eq!((query("a.v4.token").await, bearer(KEY).await), (401, 401));
    assert_eq!(Client::new().get(&url).send().await.unwrap().status(), 401);
    stand_in.behave(|behaviour| behaviour.key = Some("rotated".into()));
    assert_eq!((query(KEY).await, bearer("rotated").await), (401, 200));
}

#[tokio::test]
async fn above_the_rate_it_answers_429_with_retry_after_where_asked() {
    let stand_in = stand_in();
    stand_in.behave(|behaviour| (behaviour.rate, behaviour.burst, behaviour.retry_after) = (Some(1), Some(2), Some(7)));
    let client = Client::new();
    let mut last = None;
    for _ in 0..3 {
        last = Some(client.get(format!("{}/3/configuration?api_key={KEY}", stand_in.url())).send().await.unwrap());
    }
    let last = last.unwrap();
    assert_eq!((last.status().as_u16(), last.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    let statuses: Vec<u16> = stand_in.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(stand_in.busiest(Duration::from_secs(60)), 3);
}

#[tokio::test]
async fn scripted_faults_come_and_go() {
    let stand_in = stand_in();
    let film = first(&stand_in, |one| one.kind == Kind::Movie);
    let path = format!("/3/find/{}?external_source=imdb_id", film.id);
    stand_in.behave(|behaviour| behaviour.all = Some(503));
    let (status, answer) = get(&stand_in, &path).await.unwrap();
    assert_eq!((status.as_u16(), &answer["status_code"]), (503, &json!(9)));
    stand_in.behave(|behaviour| (behaviour.all, behaviour.faults) = (None, Faults { cut: 1.0, ..Faults::default() }));
    assert!(get(&stand_in, &path).await.unwrap_err().is_request());
    stand_in.behave(|behaviour| {
        behaviour.faults = Faults::default();
        behaviour.broken.insert(film.id.clone(), 200);
    });
    assert!(get(&stand_in, &path).await.unwrap_err().is_decode());
    stand_in.behave(|behaviour| behaviour.broken.clear());
    assert_eq!(get(&stand_in, &path).await.unwrap().0, 200);
    let seen: Vec<(u16, Option<String>)> =
        stand_in.requests().iter().map(|one| (one.status, one.film().map(str::to_owned))).collect();
    assert_eq!(seen, [503, 0, 200, 200].map(|status| (status, Some(film.id.clone()))));
}

#[tokio::test]
async fn the_control_endpoints_tell_and_change_the_same_from_outside() {
    let stand_in = stand_in();
    let control = |path: &str| format!("{}/_control/{path}", stand_in.url());
    let client = Client::new();
    let set = client.put(control("behaviour")).json(&json!({"all": 401, "latency_ms": 1})).send().await.unwrap();
    assert_eq!(set.status(), 204);
    assert_eq!(get(&stand_in, "/3/configuration").await.unwrap().0, 401);
    let requests: Vec<Value> = client.get(control("requests")).send().await.unwrap().json().await.unwrap();
    assert_eq!((requests.len(), &requests[0]["path"]), (1, &json!("/3/configuration")));
    assert!(!requests[0].to_string().contains(KEY), "no key is written down");
    let summary: Value = client.get(control("summary")).send().await.unwrap().json().await.unwrap();
    assert_eq!(summary, json!({"requests": 1, "by_status": {"401": 1}}));
    let asked = client.post(control("expected")).json(&["tt0029284", "tt9999999"]).send().await.unwrap();
    let expected: Vec<Value> = asked.json().await.unwrap();
    assert_eq!((&expected[0]["id"], &expected[1]["kind"]), (&json!("tt0029284"), &json!("unknown")));
}

#[tokio::test]
async fn answers_are_compressed_where_the_client_takes_gzip() {
    let stand_in = stand_in();
    let url = format!("{}/3/configuration?api_key={KEY}", stand_in.url());
    let client = Client::builder().no_gzip().build().unwrap();
    let asked = client.get(&url).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(asked.headers()["content-encoding"], "gzip");
    assert!(client.get(&url).send().await.unwrap().headers().get("content-encoding").is_none());
}
