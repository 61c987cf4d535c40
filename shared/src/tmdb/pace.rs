//! The pace of asking: this process's share of the fleet's rate, lower for a while after a 429, and still while TMDb asks for it.
//!
//! Knows no request and no answer; it is told of both.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Mutex as Line;
use tokio::time::{Instant, sleep_until};

/// What is used of the share: a fleet at exactly the rate that is allowed is refused whenever two requests meet on their way.
const USED: f64 = 0.98;
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
/// How late a turn may be taken without moving those after it, as timers are not exact. Together with what requests need longer on their
/// way now and then, it is less than what is left unused of five seconds: nobody sees more than the share in them.
const LATE: Duration = Duration::from_millis(40);

#[derive(Debug)]
pub(super) struct Pace {
    share: f64,
    /// One waits for the next turn, the others stand in line in the order in which they came.
    line: Line<()>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rate: f64,
    /// When the next request may be sent.
    next: Instant,
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
            line: Line::default(),
            state: Mutex::new(State { rate: share, next: now, paused_until: now, changed: now }),
        }
    }

    /// Requests a second, as it is now.
    pub fn rate(&self) -> f64 {
        self.state().rate
    }

    /// Waits until one more request may be sent.
    pub async fn turn(&self) {
        let _first = self.line.lock().await;
        loop {
            let next = self.state().next;
            sleep_until(next).await;
            // A 429 or a pause while it was waited for puts the turn off.
            if self.state().take() {
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
        state.put_off(now + pause.min(LONGEST_PAUSE));
    }

    /// TMDb asks for a pause, and not for fewer requests after it.
    pub fn pause(&self, pause: Duration) {
        self.state().put_off(Instant::now() + pause.min(LONGEST_PAUSE));
    }

    /// For how long nobody may ask, from now on, because TMDb said so.
    pub fn asked_to_wait(&self) -> Duration {
        self.state().paused_until.saturating_duration_since(Instant::now())
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
    /// Takes the turn, if it has come.
    fn take(&mut self) -> bool {
        let now = Instant::now();
        let has_come = self.next <= now;
        if has_come {
            self.next = self.next.max(now.checked_sub(LATE).unwrap_or(now)) + self.period();
        }
        has_come
    }

    /// The next turn is after `pause_ends`, or after the pause before.
    fn put_off(&mut self, pause_ends: Instant) {
        self.paused_until = self.paused_until.max(pause_ends);
        self.next = self.paused_until + self.period();
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

    /// The most turns within five seconds, of 200 that ten take; `between` is told after each how many they were.
    async fn most(pace: &Pace, between: impl AsyncFn(usize)) -> usize {
        let taken = Mutex::new(Vec::new());
        let ask = || async {
            loop {
                pace.turn().await;
                let count = {
                    let mut taken = taken.lock().unwrap();
                    taken.push(Instant::now());
                    taken.len()
                };
                if count >= 200 {
                    return;
                }
                between(count).await;
            }
        };
        futures::future::join_all((0..10).map(|_| ask())).await;
        let taken = taken.into_inner().unwrap();
        let within =
            |from: &Instant| taken.iter().filter(|at| (*from..*from + Duration::from_secs(5)).contains(at)).count();
        taken.iter().map(within).max().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_while_the_rate_changes_never_ask_faster_together() {
        let pace = Pace::new(5.0);
        // A 429 now and then, the answers between quiet.
        let most = most(&pace, async |count| match count % 60 {
            20 => pace.slow_down(Duration::from_millis(500)),
            _ => pace.speed_up(),
        });
        assert_eq!(most.await, 25, "within 5 s");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_missed_while_nobody_was_woken_is_not_made_up_for() {
        let held_up = async |count| {
            if count % 20 == 10 {
                tokio::time::advance(Duration::from_secs(3)).await;
            }
        };
        let most = most(&Pace::new(5.0), held_up).await;
        assert!((20..=25).contains(&most), "{most} within 5 s");
    }

    #[tokio::test]
    async fn a_pause_holds_for_all_and_the_rate_is_lower_after_it() {
        let pace = Pace::new(1_000.0);
        let start = Instant::now();
        pace.slow_down(Duration::from_millis(200));
        pace.turn().await;
        assert!(start.elapsed() >= Duration::from_millis(200));
        assert!((783.0..=785.0).contains(&pace.state().rate));
        pace.slow_down(Duration::ZERO);
        assert!(pace.state().rate > 783.0, "one burst of 429s is one event");
    }
}
