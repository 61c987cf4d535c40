//! TMDb's API: find by IMDb id, details, reviews, changes; with its key, its rate, its retries and its errors.
//!
//! Knows nothing of jobs and of the lake. The key is in no error, no log and no `Debug` output.

mod changes;
mod check;
mod client;
mod details;
mod error;
mod film;
mod find;
mod outage;
mod pace;
mod reviews;
mod tally;

pub use changes::Changes;
pub use client::{Client, MOST_APPENDED, MOST_CONNECTIONS, Settings, USER_AGENT};
pub use details::appended;
pub use error::TmdbError;
pub use film::{Fetch, FetchMode, Film, Movie, Object, Other, OtherKind};
pub use reviews::Reviews;
pub use tally::Tally;

/// Where TMDb's API is.
pub const API: &str = "https://api.themoviedb.org";

/// Requests a second of all functions together, where nothing says otherwise: TMDb's limit is somewhere near 40.
pub const RATE: f64 = 35.0;

/// Functions that share these, where nothing says otherwise.
pub const FLEET: f64 = 8.0;
