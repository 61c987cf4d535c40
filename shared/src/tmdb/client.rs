//! One request to TMDb: its key, its turn, its retries, its answer told apart.
//!
//! Guarantees: at most `connections` requests in flight, at most `requests_per_second` of them; a 429 holds up all requests, not one;
//! after a refused key, or when nothing gets an answer, no further request is sent until [`Client::try_again`], and then one at a time.
//! Assumes: asking twice does no harm (all requests are reads). Errors: [`TmdbError`], none with a URL's query in it.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable as _};
use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{StatusCode, header, redirect};
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};
use url::Url;

use super::{
    Tally, TmdbError, error,
    outage::{Health, Kind, may_be_systemic},
    pace::Pace,
};
use crate::{Secret, with_causes};

/// What we say we are.
pub const USER_AGENT: &str = concat!("provision-crawler/", env!("CARGO_PKG_VERSION"));

/// Times that a request without a usable answer is repeated.
const REPEATS: usize = 5;
/// Times that a request whose answer cannot be read is repeated: what comes whole and wrong once more is meant so.
const REPEATS_OF_MALFORMED: usize = 2;
/// Times that a request is repeated because there were too many.
const PATIENCE: usize = 40;
/// Far above any answer of TMDb; a wrong server must not fill the memory.
const LARGEST_BODY: usize = 16 << 20;

/// How TMDb is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the API is, without `/3`; [`super::API`].
    pub base_url: String,
    /// A v3 key (32 hexadecimal digits), or a v4 read access token.
    pub key: Secret,
    /// This process's share of the fleet's rate.
    pub requests_per_second: f64,
    /// Requests that may be in flight at once; more than [`MOST_CONNECTIONS`] are as many.
    pub connections: usize,
    /// What [`super::FetchMode::Details`] appends to a film beside its reviews: `credits`, `external_ids`, at most [`MOST_APPENDED`].
    pub append: Vec<String>,
}

/// What one process may ask of TMDb side by side.
pub const MOST_CONNECTIONS: usize = 10;

/// TMDb takes twenty sub-requests in one call, and the reviews are one.
pub const MOST_APPENDED: usize = 19;

/// TMDb's API. Clones share connections, rate and key.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    tally: Arc<Tally>,
}

struct Shared {
    http: reqwest::Client,
    base: Url,
    key: RwLock<Secret>,
    pace: Pace,
    connections: usize,
    /// As `append_to_response` has it.
    append: String,
    in_flight: Semaphore,
    /// Held by the one request that may be in flight while it is doubtful that any is answered.
    doubt: Mutex<()>,
    /// How it stands with the answers.
    health: Health,
    /// Usable answers to all clients that share this.
    answers: AtomicU64,
    /// The refusal, once the key was refused.
    refused: RwLock<Option<TmdbError>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.shared.base.as_str()).finish_non_exhaustive()
    }
}

/// What is asked, and who reads the answer.
struct Question<'q> {
    path: &'q [&'q str],
    query: &'q [(&'q str, &'q str)],
    read: &'q (dyn Fn(&[u8]) -> Result<(), serde_json::Error> + Sync),
}

impl Question<'_> {
    fn kind(&self) -> Kind {
        Kind::of(self.path)
    }
}

impl Client {
    /// A client; asks nothing yet.
    pub fn new(settings: Settings) -> Result<Self, TmdbError> {
        let setup = |cause: String| TmdbError::Setup { base_url: settings.base_url.clone(), cause: cause.into() };
        let base = Url::parse(&settings.base_url).map_err(|error| setup(error.to_string()))?;
        if base.cannot_be_a_base() || !matches!(base.scheme(), "http" | "https") {
            return Err(setup("it is no http or https URL".to_owned()));
        }
        if settings.key.is_empty() {
            return Err(setup("the key is empty".to_owned()));
        }
        if let Some(cause) = unfit(&settings.append) {
            return Err(setup(cause));
        }
        let connections = settings.connections.clamp(1, MOST_CONNECTIONS);
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(15))
            .timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(connections)
            // A key in the query must not follow anybody elsewhere.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| setup(cause(error)))?;
        let shared = Shared {
            http,
            base,
            key: RwLock::new(settings.key),
            pace: Pace::new(settings.requests_per_second),
            connections,
            append: std::iter::once("reviews")
                .chain(settings.append.iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join(","),
            in_flight: Semaphore::new(connections),
            doubt: Mutex::new(()),
            health: Health::default(),
            answers: AtomicU64::new(0),
            refused: RwLock::new(None),
        };
        Ok(Self { shared: Arc::new(shared), tally: Arc::default() })
    }

    /// Another try, if it had given up.
    pub fn try_again(&self) {
        let was_refused = write(&self.shared.refused).take().is_some();
        self.shared.health.try_again(was_refused);
    }

    /// The same client with a tally of its own.
    pub fn begin(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), tally: Arc::default() }
    }

    /// What was asked through this clone and those made of it.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Usable answers to this client and all that share its connections.
    pub fn answers(&self) -> u64 {
        self.shared.answers.load(Ordering::Relaxed)
    }

    /// Requests that may be in flight at once.
    pub fn connections(&self) -> usize {
        self.shared.connections
    }

    /// Requests that may be sent a second, as it is now.
    pub fn rate(&self) -> f64 {
        self.shared.pace.rate()
    }

    /// What is appended to a film in one request.
    pub(super) fn append(&self) -> &str {
        &self.shared.append
    }

    /// Takes this key from now on; whether it is another one.
    pub fn set_key(&self, key: &Secret) -> bool {
        let another = *read(&self.shared.key) != *key;
        if another {
            *write(&self.shared.key) = key.clone();
            *write(&self.shared.refused) = None;
        }
        another
    }

    /// Asks for `/3/{path}` until there is an answer or no hope. An error is of this path alone, or it is systemic.
    pub(super) async fn get<T: DeserializeOwned + Send>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, TmdbError> {
        let answer = std::sync::Mutex::new(None);
        let read = |body: &[u8]| {
            let read = serde_json::from_slice(body)?;
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
            Ok(())
        };
        self.answered(&Question { path, query, read: &read }).await?;
        let answer = answer.into_inner().unwrap_or_else(PoisonError::into_inner);
        answer.ok_or_else(|| malformed(&path.join("/"), "it is empty"))
    }

    async fn answered(&self, question: &Question<'_>) -> Result<(), TmdbError> {
        let kind = question.kind();
        let heard = self.health().heard(kind);
        match self.repeated(question).await {
            Err(error) if self.health().heard(kind) == heard && may_be_systemic(kind, &error) => {
                Err(self.whose_fault(kind, heard, error).await)
            }
            result => result,
        }
    }

    async fn repeated(&self, question: &Question<'_>) -> Result<(), TmdbError> {
        let delays = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(10))
            .with_max_times(PATIENCE);
        let mut repeats = 0;
        (|| self.once(question))
            .retry(delays)
            .when(|error| match error {
                TmdbError::RateLimited { .. } => true,
                TmdbError::Unavailable { systemic: false, .. } => {
                    repeats += 1;
                    repeats <= REPEATS
                }
                TmdbError::Malformed { .. } => {
                    repeats += 1;
                    repeats <= REPEATS_OF_MALFORMED
                }
                _ => false,
            })
            // Who was too fast waits with all the others for their turn.
            .adjust(|error, delay| match error {
                TmdbError::RateLimited { .. } => delay.map(|_| Duration::from_millis(10)),
                _ => delay,
            })
            .notify(|_, _| {
                self.tally.retries.fetch_add(1, Ordering::Relaxed);
            })
            .await
    }

    /// Sends one request, when it is its turn.
    async fn once(&self, question: &Question<'_>) -> Result<(), TmdbError> {
        let (shared, kind) = (&self.shared, question.kind());
        let _permit = self.permit().await;
        let _alone = loop {
            self.hope(kind).await?;
            let alone = if shared.health.is_in_doubt(kind) { Some(self.alone().await) } else { None };
            shared.pace.turn().await;
            // Others may have had no answer while this one waited.
            if self.refusal().is_none() && !shared.health.is_out(kind) {
                break alone;
            }
        };
        let result = self.sent(question).await;
        if result.is_ok() {
            self.tally.answers.fetch_add(1, Ordering::Relaxed);
            shared.answers.fetch_add(1, Ordering::Relaxed);
            shared.health.answers(kind);
        }
        result
    }

    /// Sends a question of our own when it is its turn, by one who holds a permit.
    pub(super) async fn asks(&self, path: &[&str], query: &[(&str, &str)]) -> Result<(), TmdbError> {
        self.shared.pace.turn().await;
        let read = |body: &[u8]| serde_json::from_slice::<IgnoredAny>(body).map(drop);
        match self.refusal() {
            Some(refused) => Err(refused),
            None => self.sent(&Question { path, query, read: &read }).await,
        }
    }

    /// Sends a request whose turn it is, and learns from its answer what is to be known of TMDb.
    async fn sent(&self, question: &Question<'_>) -> Result<(), TmdbError> {
        self.tally.requests.fetch_add(1, Ordering::Relaxed);
        let result = self.send(question).await;
        self.learn(question.kind(), &result);
        result
    }

    pub(super) fn health(&self) -> &Health {
        &self.shared.health
    }

    /// Room for one more request in flight.
    pub(super) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.shared.in_flight.acquire().await.ok()
    }

    /// While this is held, no other request is sent of which it is doubtful that it has an answer.
    pub(super) async fn alone(&self) -> MutexGuard<'_, ()> {
        self.shared.doubt.lock().await
    }

    /// Where the API is, as set.
    pub(super) fn base_url(&self) -> String {
        self.shared.base.to_string()
    }

    /// For how long TMDb has asked for nothing to be sent, from now on.
    pub(crate) fn asked_to_wait(&self) -> Duration {
        self.shared.pace.asked_to_wait()
    }

    pub(super) fn refusal(&self) -> Option<TmdbError> {
        read(&self.shared.refused).clone()
    }

    /// What an answer means for the requests after it.
    fn learn(&self, kind: Kind, result: &Result<(), TmdbError>) {
        let shared = &self.shared;
        match result {
            Err(TmdbError::RateLimited { retry_after }) => {
                self.tally.too_many.fetch_add(1, Ordering::Relaxed);
                let pause = retry_after.unwrap_or(Duration::from_millis(500));
                shared.pace.slow_down(pause);
            }
            Err(TmdbError::Unavailable { retry_after, .. }) => {
                shared.health.fails(kind);
                if let Some(pause) = retry_after {
                    shared.pace.pause(*pause);
                }
            }
            Err(TmdbError::Malformed { .. }) => shared.health.fails(kind),
            Err(error @ TmdbError::Unauthorized { .. }) => {
                *write(&shared.refused) = Some(error.clone());
            }
            // Not a word about the film: nothing is known of TMDb either.
            Err(TmdbError::NotFound { .. } | TmdbError::Rejected { .. } | TmdbError::Setup { .. }) => {}
            Ok(()) => shared.pace.speed_up(),
        }
    }

    async fn send(&self, question: &Question<'_>) -> Result<(), TmdbError> {
        let mut url = self.shared.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("3").extend(question.path);
        }
        let shown = url.path().to_owned();
        let broken = |error: reqwest::Error| TmdbError::Unavailable {
            status: None,
            cause: cause(error).into(),
            retry_after: None,
            systemic: false,
        };
        let request = self.shared.http.get(url).query(question.query);
        let mut answer = self.authorised(request).send().await.map_err(broken)?;
        let status = answer.status();
        let asked_to_wait = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = asked_to_wait.and_then(|value| retry_after(value, Timestamp::now()));
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST_BODY {
                return Err(malformed(&shown, "it is larger than 16 MB"));
            }
        }
        if status != StatusCode::OK {
            return Err(error::of_status(&shown, status.as_u16(), retry_after, &body));
        }
        (question.read)(&body).map_err(|error| malformed(&shown, &error.to_string()))
    }

    /// A v3 key goes into the query, a v4 token into the header; neither is good in the other's place.
    fn authorised(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let key = read(&self.shared.key);
        let text = key.reveal();
        if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            request.query(&[("api_key", text)])
        } else {
            request.bearer_auth(text)
        }
    }
}

/// What is wrong with a list of what is to be appended.
fn unfit(append: &[String]) -> Option<String> {
    let is_name =
        |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if append.len() > MOST_APPENDED {
        return Some(format!(
            "{} things are to be appended to a film, TMDb takes {MOST_APPENDED} beside the reviews",
            append.len()
        ));
    }
    append.iter().find(|name| !is_name(name)).map(|name| format!("{name:?} can not be appended to a film"))
}

pub(super) fn malformed(path: &str, cause: &str) -> TmdbError {
    TmdbError::Malformed { path: path.to_owned(), cause: cause.into() }
}

/// How long an answer asks to wait: a number of seconds, or the date until which.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    static DATE: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new();
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DATE.parse_timestamp(value.trim()).ok()?;
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

/// What went wrong, without the URL, whose query may hold the key.
fn cause(error: reqwest::Error) -> String {
    with_causes(&error.without_url())
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2026-11-18T10:00:00Z".parse().unwrap();
        for (value, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Wed, 18 Nov 2026 10:00:30 GMT", Some(30)),
            ("Wed, 18 Nov 2026 09:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value:?}");
        }
    }

    #[test]
    fn what_cannot_be_appended_is_told_before_anything_is_asked() {
        let told = |append: &[&str]| {
            let settings = Settings {
                base_url: "http://127.0.0.1:1".to_owned(),
                key: Secret::new("0123456789abcdef0123456789abcdef"),
                requests_per_second: 1.0,
                connections: 1,
                append: append.iter().map(|&name| name.to_owned()).collect(),
            };
            Client::new(settings).map(|client| client.append().to_owned()).map_err(|error| error.to_string())
        };
        assert_eq!(told(&[]).as_deref(), Ok("reviews"));
        assert_eq!(told(&["credits", "external_ids"]).as_deref(), Ok("reviews,credits,external_ids"));
        assert!(told(&["credits&x"]).is_err_and(|told| told.contains("credits&x")));
        assert!(told(&["credits"; 20]).is_err_and(|told| told.contains("20 things")));
    }
}
