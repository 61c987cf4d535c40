//! What holds for one client of TMDb's: its connections, its pauses, the place of its key.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::time::Duration;

use crawler_core::{
    Secret,
    tmdb::{Client, FetchMode, Settings, TmdbError},
};
use futures::{StreamExt as _, future::join_all, stream};
use testkit::{
    StandIn, stand_in,
    titles::{self, Title},
};
use tokio::time::Instant;

/// Asks for films until the time is over, as many at once as there are connections.
async fn ask(client: Client, titles: &[Title], until: Instant) {
    let films = stream::iter(titles).map(|title| {
        let client = client.clone();
        async move { FetchMode::Find.fetch().film(&client, title.tconst.parse().unwrap()).await }
    });
    let mut films = films.buffer_unordered(client.connections());
    while let Ok(Some(film)) = tokio::time::timeout_at(until, films.next()).await {
        film.unwrap();
    }
}

fn settings(stand_in: &StandIn, key: &str, requests_per_second: f64) -> Settings {
    let key = Secret::new(key);
    Settings { base_url: stand_in.url(), key, requests_per_second, connections: 10, append: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_requests_of_one_client_are_in_flight_and_never_more() {
    let stand_in = StandIn::start(stand_in::Options::default()).unwrap();
    stand_in.behave(|behaviour| behaviour.latency_ms = 300);
    let client = Client::new(settings(&stand_in, "0123456789abcdef0123456789abcdef", 10_000.0)).unwrap();
    let titles = titles::read(&titles::sample()).unwrap();
    let until = Instant::now() + Duration::from_millis(1_500);
    // Two jobs of one message share the client.
    join_all(titles.chunks(titles.len().div_ceil(2)).map(|titles| ask(client.clone(), titles, until))).await;
    assert_eq!(stand_in.most_in_flight(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_stops_all_that_a_client_asks() {
    let stand_in = StandIn::start(stand_in::Options::default()).unwrap();
    stand_in
        .behave(|behaviour| (behaviour.rate, behaviour.burst, behaviour.retry_after) = (Some(1), Some(15), Some(2)));
    let client = Client::new(settings(&stand_in, "0123456789abcdef0123456789abcdef", 200.0)).unwrap();
    let titles = titles::read(&titles::sample()).unwrap();
    ask(client, &titles, Instant::now() + Duration::from_millis(4_000)).await;
    let requests = stand_in.requests();
    let refused = requests.iter().find(|request| request.status == 429).unwrap().at_ms;
    let later = |from, to| requests.iter().filter(|one| (refused + from..refused + to).contains(&one.at_ms)).count();
    // Those that were on their way already, and then nobody until the two seconds are over.
    assert!(later(1, 200) < 10);
    assert_eq!(later(200, 1_990), 0);
    assert!(later(1_990, 4_000) > 0);
}

#[tokio::test]
async fn a_v4_token_goes_into_the_header_and_never_into_the_query() {
    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzY29wZXMiOlsiYXBpX3JlYWQiXX0.c2lnbmF0dXJl";
    // The stand-in takes a token in the header alone, and no key beside it.
    let stand_in = StandIn::start(stand_in::Options::default()).unwrap();
    stand_in.behave(|behaviour| behaviour.key = Some(TOKEN.to_owned()));
    Client::new(settings(&stand_in, TOKEN, 100.0)).unwrap().check_key().await.unwrap();
    let other = Client::new(settings(&stand_in, "eyJhbGciOiJIUzI1NiJ9.e30.b3RoZXI", 100.0)).unwrap();
    assert!(matches!(other.check_key().await, Err(TmdbError::Unauthorized { .. })));
}
