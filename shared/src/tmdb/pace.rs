//! The pace of asking: this process's share of the fleet's rate, lower for a while after a 429, and still while TMDb asks for it.
//!
//! Knows no request and no answer; it is told of both.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

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
/// How late a turn may be taken without moving those after it: timers are not exact where requests are dense.
const LATE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Pace {
    share: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rate: f64,
    /// When the next request may be sent.
    next: Instant,
    /// How often the turns that were given out were taken back: with each lowering and pause.
    calls_back: u64,
    paused_until: Instant,
    changed: Instant,
}

impl Pace {
    /// At most `share` requests a second.
    pub fn new(share: f64) -> Self {
        let share = if share.is_finite() { (share * USED).clamp(0.01, 1e6) } else { 1.0 };
        let now = Instant::now();
        Self {
            share,
            state: Mutex::new(State { rate: share, next: now, calls_back: 0, paused_until: now, changed: now }),
        }
    }

    /// Waits until one more request may be sent.
    pub async fn turn(&self) {
        loop {
            let (turn, given) = self.state().give();
            sleep_until(turn).await;
            // Who waited when the rate was lowered waits for a turn at the lower one, or both rates would be used together.
            if self.state().calls_back == given {
                return;
            }
        }
    }

    /// Too many requests: nobody asks for `pause`, and then fewer do.
    pub fn slow_down(&self, pause: Duration) {
        let now = Instant::now();
        let mut state = self.state();
        if state.rate == self.share || now.duration_since(state.changed) > ONE_EVENT {
            state.rate = (state.rate * LOWERED).max(self.share * LOWEST);
            state.changed = now;
        }
        state.call_back(now + pause.min(LONGEST_PAUSE));
    }

    /// TMDb asks for a pause, and not for fewer requests after it.
    pub fn pause(&self, pause: Duration) {
        self.state().call_back(Instant::now() + pause.min(LONGEST_PAUSE));
    }

    /// An answer came: after a quiet span a little of the share comes back.
    pub fn speed_up(&self) {
        let now = Instant::now();
        let mut state = self.state();
        if state.rate < self.share && now.duration_since(state.changed) > QUIET {
            state.rate = (state.rate + self.share * RAISED).min(self.share);
            state.changed = now;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next turn, evenly spaced, and how often turns were taken back until now.
    fn give(&mut self) -> (Instant, u64) {
        let turn = self.next.max(Instant::now().checked_sub(LATE).unwrap_or(self.next));
        self.next = turn + self.period();
        (turn, self.calls_back)
    }

    /// Takes all turns back; the first new one is after `pause_ends`, or after the pause before.
    fn call_back(&mut self, pause_ends: Instant) {
        self.calls_back += 1;
        self.next = self.paused_until.max(pause_ends) + self.period();
        self.paused_until = self.paused_until.max(pause_ends);
    }

    fn period(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate)
    }
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

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_while_the_rate_changes_never_ask_faster_together() {
        let pace = Pace::new(5.0);
        let sent = Mutex::new(Vec::new());
        let ask = || async {
            loop {
                pace.turn().await;
                let count = {
                    let mut sent = sent.lock().unwrap();
                    sent.push(Instant::now());
                    sent.len()
                };
                match count {
                    200.. => return,
                    // A 429 now and then, the answers between quiet.
                    _ if count % 60 == 20 => pace.slow_down(Duration::from_millis(500)),
                    _ => pace.speed_up(),
                }
            }
        };
        futures::future::join_all((0..10).map(|_| ask())).await;
        let sent = sent.into_inner().unwrap();
        let within =
            |from: &Instant| sent.iter().filter(|at| (*from..*from + Duration::from_secs(5)).contains(at)).count();
        let most = sent.iter().map(within).max().unwrap();
        assert!(most <= 25, "{most} within 5 s");
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
