//! A stand-in for TMDb: the endpoints that the crawler asks, over HTTP, answered from a title.basics file and a seed.
//!
//! It knows what it answered: every request is counted with its time, path and status, and `expected` tells the truth about each
//! IMDb id, so that a test can check a lake against it. It keeps no key and logs none.

mod answers;
mod behaviour;
mod catalogue;
mod routes;

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use self::{behaviour::Bucket, catalogue::Catalogue};
pub use self::{
    behaviour::{Behaviour, Faults},
    catalogue::{Expected, Kind},
};
use crate::{
    server::Server,
    titles::{self, Title},
};

/// How the stand-in is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The title.basics file (plain or gzip) whose titles it knows.
    pub titles: PathBuf,
    /// What the answers follow from, beside the titles.
    pub seed: u64,
    /// How it behaves at first.
    pub behaviour: Behaviour,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 0, titles: titles::sample(), seed: 1, behaviour: Behaviour::default() }
    }
}

/// One request that the stand-in got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Milliseconds since the stand-in started.
    pub at_ms: u64,
    /// The path, without the query.
    pub path: String,
    /// The page that was asked for, where one was.
    pub page: Option<u64>,
    /// The HTTP status of the answer; 0 where the connection was cut.
    pub status: u16,
}

impl Request {
    /// The film that was asked for: an IMDb id or TMDb id, as the path has it.
    pub fn film(&self) -> Option<&str> {
        let mut parts = self.path.strip_prefix("/3/")?.split('/');
        let of_film = matches!(parts.next(), Some("find" | "movie"));
        parts.next().filter(|_| of_film)
    }
}

/// What the routes share.
struct State {
    catalogue: Catalogue,
    started: Instant,
    behaviour: Mutex<Behaviour>,
    bucket: Mutex<Bucket>,
    requests: Mutex<Vec<Request>>,
    attempts: Mutex<HashMap<String, u32>>,
    in_flight: Mutex<InFlight>,
}

/// How many requests wait for their answer, now and at most.
#[derive(Default)]
struct InFlight {
    now: usize,
    most: usize,
}

/// One request that waits for its answer.
struct Waiting(Arc<State>);

impl Waiting {
    fn begin(state: &Arc<State>) -> Self {
        let mut in_flight = lock(&state.in_flight);
        in_flight.now += 1;
        in_flight.most = in_flight.most.max(in_flight.now);
        Self(Arc::clone(state))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        lock(&self.0.in_flight).now -= 1;
    }
}

/// A test that panics while it holds a lock has not broken what the lock guards.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running stand-in for TMDb; stops when dropped.
pub struct StandIn {
    server: Server,
    state: Arc<State>,
}

impl StandIn {
    /// Reads the titles and starts to answer.
    pub fn start(options: Options) -> io::Result<Self> {
        let titles = titles::read(&options.titles)?;
        Self::serve(options, titles)
    }

    /// Starts to answer for these titles; `options.titles` is not read.
    pub fn serve(options: Options, titles: Vec<Title>) -> io::Result<Self> {
        let state = Arc::new(State {
            catalogue: Catalogue::new(titles, options.seed),
            started: Instant::now(),
            behaviour: Mutex::new(options.behaviour),
            bucket: Mutex::default(),
            requests: Mutex::default(),
            attempts: Mutex::default(),
            in_flight: Mutex::default(),
        });
        let server = Server::start(options.port, routes::router(Arc::clone(&state)))?;
        Ok(Self { server, state })
    }

    /// The base URL, for `TMDB_API_URL`: without `/3` and without a slash at its end.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Changes how it behaves from the next request on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut lock(&self.state.behaviour));
    }

    /// Every request since the start or the last `forget`, in order; those of the control endpoints are not among them.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.state.requests).clone()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        lock(&self.state.requests).clear();
    }

    /// The most requests that came within any span of this length.
    pub fn busiest(&self, span: Duration) -> usize {
        busiest(&self.requests(), span)
    }

    /// The most requests that ever waited for their answers together.
    pub fn most_in_flight(&self) -> usize {
        lock(&self.state.in_flight).most
    }

    /// The truth about these IMDb ids.
    pub fn expected<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Vec<Expected> {
        ids.into_iter().map(|id| self.state.catalogue.expected(id)).collect()
    }

    /// The truth about every title of the input, sorted by IMDb id as text.
    pub fn expected_of_all(&self) -> Vec<Expected> {
        self.state.catalogue.imdb_ids().iter().map(|id| self.state.catalogue.expected(id)).collect()
    }
}

/// The most requests (which are in the order of their time) within any span of this length.
fn busiest(requests: &[Request], span: Duration) -> usize {
    let mut first = 0;
    let within = requests.iter().enumerate().map(|(last, request)| {
        while u128::from(request.at_ms - requests[first].at_ms) >= span.as_millis() {
            first += 1;
        }
        last + 1 - first
    });
    within.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_span_is_counted_across_its_edges() {
        let at = |at_ms| Request { at_ms, path: "/3/configuration".into(), page: None, status: 200 };
        let requests: Vec<Request> = [0, 900, 950, 1_100, 1_899, 1_900, 5_000].map(at).into();
        assert_eq!(busiest(&requests, Duration::from_secs(1)), 4);
        assert_eq!(busiest(&[], Duration::from_secs(1)), 0);
    }
}
