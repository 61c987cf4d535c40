//! How the stand-in behaves: how fast, how strict, how broken. Changeable while it runs.

use std::{collections::BTreeMap, time::Instant};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::seed::share;

/// How the stand-in behaves. As JSON at `/_control/behaviour`; what is left out is as in the default: quick, free, whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// The one good key: 32 hexadecimal digits as `api_key`, any other as bearer token. None: each key of the right form is good.
    pub key: Option<String>,
    /// Milliseconds that each answer takes.
    pub latency_ms: u64,
    /// Requests a second of all clients together; above it they are answered 429.
    pub rate: Option<u32>,
    /// Requests that may come at once under `rate`; a quarter of `rate`, at least 10, by default.
    pub burst: Option<u32>,
    /// The seconds that a 429's Retry-After names; none (as TMDb today) leaves the header out.
    pub retry_after: Option<u64>,
    /// The HTTP status that every request is answered with: 503 plays an outage, 401 a revoked key.
    pub all: Option<u16>,
    /// Parts of paths (`find`, `movie`, `reviews`) whose every request has this status: an outage of some of TMDb's servers.
    pub down: BTreeMap<String, u16>,
    /// Films (by IMDb id or TMDb id) whose every request has this status; 200 is an answer cut off in mid-JSON.
    pub broken: BTreeMap<String, u16>,
    /// Paths, without their query, that are answered with 200 and this body, whatever it is.
    pub scripted: BTreeMap<String, String>,
    /// The TMDb ids that `/3/movie/changes` lists, by the day on which they changed.
    pub changed: BTreeMap<Date, Vec<u64>>,
    /// What goes wrong now and then.
    pub faults: Faults,
}

/// Shares (0.0 to 1.0) of requests that go wrong. Rolled by seed, path and try: a retry has a fresh chance, and each run is the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Which requests they are.
    pub seed: u64,
    /// Answered 429.
    pub too_many: f64,
    /// Answered 500, 502, 503 or 504, some of them as HTML.
    pub failed: f64,
    /// The connection is closed without an answer.
    pub cut: f64,
    /// Answered after `slow_ms` more.
    pub slow: f64,
    /// Milliseconds that a slow answer takes more.
    pub slow_ms: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self { seed: 1, too_many: 0.0, failed: 0.0, cut: 0.0, slow: 0.0, slow_ms: 2_000 }
    }
}

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    TooMany,
    /// With the HTTP status, and whether the edge says it in HTML.
    Failed(u16, bool),
    Cut,
    Slow(u64),
}

impl Faults {
    /// What goes wrong with the `attempt`-th request for `path`.
    pub(crate) fn of(&self, path: &str, attempt: u32) -> Option<Fault> {
        let mut at = share(self.seed, &["fault", path, &attempt.to_string()]);
        let which = (at * 4_096.0) as usize;
        let status = [500, 502, 503, 504][which % 4];
        let faults = [
            (self.too_many, Fault::TooMany),
            (self.failed, Fault::Failed(status, which.is_multiple_of(3))),
            (self.cut, Fault::Cut),
            (self.slow, Fault::Slow(self.slow_ms)),
        ];
        for (share, fault) in faults {
            if at < share {
                return Some(fault);
            }
            at -= share;
        }
        None
    }
}

/// A leaky bucket, as the servers before TMDb have: it holds `burst` requests and loses `rate` of them a second.
#[derive(Default)]
pub(crate) struct Bucket {
    filled: f64,
    at: Option<Instant>,
}

impl Bucket {
    /// Whether there is room for one more request at `now`; takes it.
    pub(crate) fn admit(&mut self, behaviour: &Behaviour, now: Instant) -> bool {
        let Some(rate) = behaviour.rate else {
            return true;
        };
        let burst = f64::from(behaviour.burst.unwrap_or_else(|| (rate / 4).max(10)));
        let elapsed = self.at.map_or(f64::MAX, |at| now.saturating_duration_since(at).as_secs_f64());
        self.filled = (self.filled - elapsed * f64::from(rate)).max(0.0);
        self.at = Some(now);
        let room = self.filled + 1.0 <= burst;
        self.filled += if room { 1.0 } else { 0.0 };
        room
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_bucket_lets_its_rate_through_and_no_more() {
        let behaviour = Behaviour { rate: Some(50), burst: Some(10), ..Behaviour::default() };
        let (mut bucket, start) = (Bucket::default(), Instant::now());
        let admitted = (0..1_000).filter(|ms| bucket.admit(&behaviour, start + Duration::from_millis(*ms))).count();
        assert!((58..=60).contains(&admitted), "{admitted} of a burst of 10 and 50 in a second");
    }

    #[test]
    fn a_retry_has_a_fresh_chance_and_shares_are_kept() {
        let faults = Faults { too_many: 0.1, failed: 0.1, cut: 0.1, slow: 0.1, ..Faults::default() };
        let all: Vec<_> = (0..10_000).map(|attempt| faults.of("/3/find/tt0000001", attempt)).collect();
        for wanted in [Fault::TooMany, Fault::Cut, Fault::Slow(2_000)] {
            let count = all.iter().filter(|fault| **fault == Some(wanted)).count();
            assert!((850..1_150).contains(&count), "{count} of {wanted:?}");
        }
        assert!(all.iter().filter(|fault| fault.is_none()).count() > 5_700);
        assert_eq!(faults.of("/x", 3), faults.of("/x", 3));
    }
}
