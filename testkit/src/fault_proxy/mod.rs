//! A proxy between an AWS client and the emulator that records every call and makes go wrong what a test says.
//!
//! Rules script single faults; edges play what AWS does and the emulator forgives. What neither touches passes unchanged, with the
//! client's own Host header, so that signatures stay good.

mod calls;
mod edge;
mod forward;
mod operation;
mod refusal;
mod rule;

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use axum::Router;

pub use self::{calls::Call, edge::Edge, rule::Rule};
use crate::server::Server;

/// What the proxy's calls share.
struct State {
    /// The emulator's URL, without a slash at its end.
    target: String,
    client: reqwest::Client,
    started: Instant,
    says_https: AtomicBool,
    calls: Mutex<Vec<Call>>,
    rules: Mutex<Vec<Rule>>,
    edges: Mutex<edge::Edges>,
    /// Held from an edge's questions to the answer of the call that they decide on.
    deciding: tokio::sync::Mutex<()>,
}

/// A test that panics while it holds a lock has not broken what the lock guards.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running fault proxy; stops when dropped.
pub struct FaultProxy {
    server: Server,
    state: Arc<State>,
}

impl FaultProxy {
    /// Starts a proxy on a free port for the emulator at `endpoint`.
    pub fn start(endpoint: &str) -> io::Result<Self> {
        Self::start_on(0, endpoint)
    }

    /// Starts a proxy on this port.
    pub fn start_on(port: u16, endpoint: &str) -> io::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().no_gzip().redirect(reqwest::redirect::Policy::none());
        let state = Arc::new(State {
            target: endpoint.trim_end_matches('/').to_owned(),
            client: client.build().map_err(io::Error::other)?,
            started: Instant::now(),
            says_https: AtomicBool::new(false),
            calls: Mutex::default(),
            rules: Mutex::default(),
            edges: Mutex::default(),
            deciding: tokio::sync::Mutex::default(),
        });
        let router = Router::new().fallback(forward::call).with_state(Arc::clone(&state));
        Ok(Self { server: Server::start(port, router)?, state })
    }

    /// The proxy's URL, for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Tells the emulator from now on that calls came by https, which a bucket that allows TLS only asks for (with IAM enforced).
    pub fn say_https(&self) {
        self.state.says_https.store(true, Ordering::Relaxed);
    }

    /// Adds a rule. Of several that apply to a call the delays add up, and the first that refuses, cuts or loses it decides.
    pub fn rule(&self, rule: Rule) {
        lock(&self.state.rules).push(rule);
    }

    /// Plays an edge from now on.
    pub fn play(&self, edge: Edge) {
        lock(&self.state.edges).play(edge);
    }

    /// Ends all rules and edges.
    pub fn behave(&self) {
        lock(&self.state.rules).clear();
        *lock(&self.state.edges) = edge::Edges::default();
    }

    /// Every call since the start or the last `forget`, in the order they came.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state.calls).clone()
    }

    /// Forgets the calls so far, so that the next are counted from none.
    pub fn forget(&self) {
        lock(&self.state.calls).clear();
    }

    /// The calls that change something, answered well or not.
    pub fn mutating_calls(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.mutating).collect()
    }

    /// The longest chain of calls of which each began after the one before had ended. Polling counts once: asking the very same again
    /// while nothing of its service was changed. Calls that just happen to follow each other count too: add latency to tell them apart.
    pub fn longest_chain(&self) -> Vec<Call> {
        self.longest_chain_of(|_| true)
    }

    /// The longest chain of the calls that `counts` picks.
    pub fn longest_chain_of(&self, counts: impl Fn(&Call) -> bool) -> Vec<Call> {
        let calls: Vec<Call> = self.calls().into_iter().filter(counts).collect();
        calls::longest_chain(&calls).into_iter().cloned().collect()
    }
}
