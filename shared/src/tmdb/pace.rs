//! The pace of asking: this process's share of the fleet's rate, lower for a while after a 429, and still while TMDb asks for it.
//!
//! Knows no request and no answer; it is told of both.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::{Instant, sleep_until};

/// What is used of the share: a fleet at exactly the rate that is allowed is refused whenever two requests meet on their way.
const USED: f64 = 0.99;
/// What is kept of the rate after a 429.
const LOWERED: f64 = 0.8;
/// The lowest rate, as part of the share.
const LOWEST: f64 = 0.1;
/// What of the share comes back after each quiet span.
const RAISED: f64 = 0.05;
/// A span without a 429.
const QUIET: Duration = Duration::from_secs(2);
/// A burst of 429s is one event.
const ONE_EVENT: Duration = Duration::from_millis(500);
/// The longest that TMDb may ask to wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(super) struct Pace {
    share: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rate: f64,
    limiter: Arc<DefaultDirectRateLimiter>,
    changed: Instant,
    paused_until: Instant,
}

impl Pace {
    /// At most `share` requests a second.
    pub fn new(share: f64) -> Self {
        let share = if share.is_finite() { (share * USED).clamp(0.01, 1e6) } else { 1.0 };
        let now = Instant::now();
        let state = State { rate: share, limiter: limiter(share), changed: now, paused_until: now };
        Self { share, state: Mutex::new(state) }
    }

    /// Waits until one more request may be sent.
    pub async fn turn(&self) {
        loop {
            let (limiter, until) = {
                let state = self.state();
                (Arc::clone(&state.limiter), state.paused_until)
            };
            if until > Instant::now() {
                sleep_until(until).await;
                continue;
            }
            limiter.until_ready().await;
            // A pause that began while this one waited holds for it too.
            if self.state().paused_until <= Instant::now() {
                return;
            }
        }
    }

    /// Too many requests: nobody asks for `pause`, and then fewer do.
    pub fn slow_down(&self, pause: Duration) {
        let now = Instant::now();
        let mut state = self.state();
        state.paused_until = state.paused_until.max(now + pause.min(LONGEST_PAUSE));
        if state.rate == self.share || now.duration_since(state.changed) > ONE_EVENT {
            let rate = (state.rate * LOWERED).max(self.share * LOWEST);
            state.set(rate, now);
        }
    }

    /// An answer came: after a quiet span a little of the share comes back.
    pub fn speed_up(&self) {
        let now = Instant::now();
        let mut state = self.state();
        if state.rate < self.share && now.duration_since(state.changed) > QUIET {
            let rate = (state.rate + self.share * RAISED).min(self.share);
            state.set(rate, now);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn set(&mut self, rate: f64, now: Instant) {
        self.rate = rate;
        self.limiter = limiter(rate);
        self.changed = now;
    }
}

/// Evenly spaced; only where requests are denser than timers are exact may a few come together.
fn limiter(rate: f64) -> Arc<DefaultDirectRateLimiter> {
    let together = NonZeroU32::new((rate / 10.0) as u32).unwrap_or(NonZeroU32::MIN);
    let period = Duration::from_secs_f64(1.0 / rate);
    let quota = Quota::with_period(period).unwrap_or(Quota::per_second(NonZeroU32::MIN));
    let limiter = RateLimiter::direct(quota.allow_burst(together));
    // A lowered limiter must not begin with a burst of its own.
    let _ = limiter.check_n(together);
    Arc::new(limiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn turns(pace: &Pace, count: u32) -> f64 {
        let start = Instant::now();
        for _ in 0..count {
            pace.turn().await;
        }
        f64::from(count) / start.elapsed().as_secs_f64()
    }

    #[tokio::test]
    async fn the_share_is_kept_and_used() {
        let rate = turns(&Pace::new(100.0), 50).await;
        assert!((90.0..=101.0).contains(&rate), "{rate} a second");
    }

    #[tokio::test]
    async fn a_pause_holds_for_all_and_the_rate_is_lower_after_it() {
        let pace = Pace::new(1_000.0);
        let start = Instant::now();
        pace.slow_down(Duration::from_millis(200));
        pace.turn().await;
        assert!(start.elapsed() >= Duration::from_millis(200));
        assert!((791.0..=793.0).contains(&pace.state().rate));
        pace.slow_down(Duration::ZERO);
        assert!(pace.state().rate > 791.0, "one burst of 429s is one event");
    }
}
