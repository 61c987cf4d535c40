//! Waiting is written once: for a condition to come true, and for an error to pass.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::{Progress, ProviderError};

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The time after which waiting ends.
    pub total: Duration,
    /// The first pause; each next one is half as long again.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Limit {
    /// Growing pauses from 0.2 s to 5 s, for `seconds` in all.
    pub const fn seconds(seconds: u64) -> Self {
        Self { total: Duration::from_secs(seconds), first: Duration::from_millis(200), longest: Duration::from_secs(5) }
    }
}

/// What a look at a condition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Poll<T> {
    /// It has come true.
    Ready(T),
    /// Not yet: what is there instead, for example `state is Pending`.
    Pending(String),
}

/// Looks in a row that do not find what was made or changed: for so many reads may lag (E9), some 30 s; then it was deleted meanwhile.
const MOST_MISSES: usize = 12;

/// Tells a read that lags from something that somebody deletes while it is waited for.
#[derive(Default)]
pub struct Misses(AtomicUsize);

impl Misses {
    /// It is there.
    pub fn found(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// It is not there: yet, or any more.
    ///
    /// # Errors
    /// That it is gone.
    pub fn missed<T>(&self, what: &str) -> Result<Poll<T>, ProviderError> {
        match self.0.fetch_add(1, Ordering::Relaxed) < MOST_MISSES {
            true => Ok(Poll::Pending(format!("{what} is not found yet"))),
            false => Err(ProviderError::refused(
                format!("the {what} is gone: it was deleted while it was waited for"),
                "run provision up again: it makes it anew",
            )),
        }
    }
}

/// Looks until the condition is true. A failed state is the look's own error and ends the wait at once.
///
/// # Errors
/// The look's error, or [`ProviderError::TimedOut`] with what the last look said.
pub async fn poll_until<T, F, Fut>(
    condition: &str,
    limit: Limit,
    progress: &Progress,
    mut look: F,
) -> Result<T, ProviderError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Poll<T>, ProviderError>>,
{
    let mut pauses = Pauses::new(limit);
    loop {
        let last = match look().await? {
            Poll::Ready(value) => return Ok(value),
            Poll::Pending(last) => last,
        };
        progress.waiting(&last);
        pauses.next(condition, &last).await?;
    }
}

/// Tries again while `transient` gives a reason to wait; any other error is final (E1, E2).
///
/// # Errors
/// The final error, or [`ProviderError::TimedOut`] with the last one's text.
pub async fn retry_until<T, F, Fut>(
    condition: &str,
    limit: Limit,
    progress: &Progress,
    transient: impl Fn(&ProviderError) -> Option<&'static str>,
    mut attempt: F,
) -> Result<T, ProviderError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, ProviderError>>,
{
    let mut pauses = Pauses::new(limit);
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let Some(reason) = transient(&error) else {
            return Err(error);
        };
        progress.waiting(reason);
        pauses.next(condition, &error.to_string()).await?;
    }
}

struct Pauses {
    limit: Limit,
    started: Instant,
    pause: Duration,
}

impl Pauses {
    fn new(limit: Limit) -> Self {
        Self { limit, started: Instant::now(), pause: limit.first }
    }

    async fn next(&mut self, condition: &str, last: &str) -> Result<(), ProviderError> {
        let waited = self.started.elapsed();
        if waited >= self.limit.total {
            return Err(ProviderError::TimedOut { condition: condition.to_owned(), waited, last: last.to_owned() });
        }
        tokio::time::sleep(self.pause.min(self.limit.total - waited)).await;
        self.pause = (self.pause * 3 / 2).min(self.limit.longest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use super::*;

    fn silent() -> Progress {
        Progress::new("Function", Arc::new(|_| ()))
    }

    fn not_yet() -> ProviderError {
        ProviderError::Api {
            operation: "lambda:CreateFunction".into(),
            code: "InvalidParameterValueException".into(),
            message: "cannot be assumed".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_deleted_while_it_is_waited_for_ends_the_wait() {
        let wait = async |there: &dyn Fn(usize) -> bool| {
            let (misses, looks, started, progress) = (Misses::default(), Cell::new(0), Instant::now(), silent());
            let waited = poll_until("it to be ready", Limit::seconds(300), &progress, || async {
                looks.set(looks.get() + 1);
                if there(looks.get()) {
                    misses.found();
                    return Ok(Poll::Pending("it is being made".into()));
                }
                match looks.get() {
                    ..=25 => misses.missed("function"),
                    _ => Ok(Poll::Ready(())),
                }
            });
            (waited.await.map_err(|error| error.to_string()), started.elapsed())
        };
        let (waited, took) = wait(&|look| look < 3).await;
        assert_eq!(waited.unwrap_err(), "the function is gone: it was deleted while it was waited for");
        assert!(took > Duration::from_secs(20) && took < Duration::from_secs(60), "{took:?}");
        let (waited, _) = wait(&|look| look % 10 == 0).await;
        assert_eq!(waited, Ok(()), "a look that finds it begins the count anew");
    }

    #[tokio::test(start_paused = true)]
    async fn e1_a_transient_error_is_tried_again_until_it_passes() {
        let tries = Cell::new(0);
        let made = retry_until(
            "role",
            Limit::seconds(120),
            &silent(),
            |_| Some("not yet"),
            || async {
                tries.set(tries.get() + 1);
                if tries.get() < 5 { Err(not_yet()) } else { Ok("made") }
            },
        )
        .await;
        assert_eq!((made, tries.get()), (Ok("made"), 5));
    }

    #[tokio::test(start_paused = true)]
    async fn e1_the_deadline_error_names_condition_time_and_last_error() {
        let error = retry_until(
            "role to be assumable",
            Limit::seconds(10),
            &silent(),
            |_| Some("not yet"),
            || async { Err::<(), _>(not_yet()) },
        )
        .await
        .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("10 s") && text.contains("role to be assumable") && text.contains("cannot be assumed"),
            "{text}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn e2_an_unknown_error_is_final() {
        let tries = Cell::new(0);
        let result = retry_until(
            "role",
            Limit::seconds(120),
            &silent(),
            |_| None,
            || async {
                tries.set(tries.get() + 1);
                Err::<(), _>(not_yet())
            },
        )
        .await;
        assert_eq!((result, tries.get()), (Err(not_yet()), 1));
    }
}
