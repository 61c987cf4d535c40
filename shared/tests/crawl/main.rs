//! One job and many, against the stand-in for TMDb, over HTTP, with real titles.
//!
//! `jobs`: from titles to marker. `twice`: two deliveries at once, and one that is killed. `refresh`: what is asked again. `index`: a newer
//! index under a crawl. `merged`: `compact` beside a refresh. `outage`: TMDb fails in part.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod index;
mod jobs;
mod merged;
mod outage;
mod refresh;
mod stage;
mod twice;
