//! The rate of a whole fleet: eight clients, each with its share, at a stand-in that allows no more than that and punishes what is above.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::time::Duration;

use crawler_core::{
    Secret,
    tmdb::{Client, FetchMode, Settings},
};
use futures::{StreamExt as _, future::join_all, stream};
use testkit::{
    StandIn, stand_in,
    titles::{self, Title},
};
use tokio::time::Instant;

const RATE: u32 = 40;
const FLEET: u32 = 8;
const SPAN: Duration = Duration::from_secs(12);

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

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_uses_the_rate_that_is_allowed_and_is_hardly_ever_refused() {
    let stand_in = StandIn::start(stand_in::Options::default()).unwrap();
    stand_in.behave(|behaviour| {
        behaviour.rate = Some(RATE);
        behaviour.latency_ms = 40;
    });
    let settings = Settings {
        base_url: stand_in.url(),
        key: Secret::new("0123456789abcdef0123456789abcdef"),
        requests_per_second: f64::from(RATE) / f64::from(FLEET),
        connections: 10,
        append: Vec::new(),
    };
    let titles = titles::read(&titles::sample()).unwrap();
    let until = Instant::now() + SPAN;
    let fleet = titles.chunks(titles.len().div_ceil(FLEET as usize));
    join_all(fleet.map(|titles| ask(Client::new(settings.clone()).unwrap(), titles, until))).await;

    let requests = stand_in.requests();
    let too_many = requests.iter().filter(|request| request.status == 429).count();
    assert!(too_many * 200 < requests.len(), "{too_many} of {} answers are 429", requests.len());
    // Both ends are left out: not all clients begin and end at once.
    let (first, last) = (1_000, SPAN.as_millis() as u64 - 1_000);
    let within = requests.iter().filter(|request| (first..last).contains(&request.at_ms)).count() as f64;
    let rate = within / ((last - first) as f64 / 1_000.0);
    assert!(rate >= f64::from(RATE) * 0.97, "{rate} a second of {RATE}");
    let busiest = stand_in.busiest(Duration::from_secs(5));
    assert!(busiest <= RATE as usize * 5 + FLEET as usize, "{busiest} within 5 s");
}
