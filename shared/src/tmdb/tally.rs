//! What is asked of TMDb, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was asked so far, for a job's marker.
#[derive(Debug, Default)]
pub struct Tally {
    pub(super) requests: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) too_many: AtomicU64,
    pub(super) answers: AtomicU64,
}

impl Tally {
    /// Requests that were sent, repeated ones among them.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests that were repeated.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Usable answers.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Answers 429.
    pub fn too_many(&self) -> u64 {
        self.too_many.load(Ordering::Relaxed)
    }
}
