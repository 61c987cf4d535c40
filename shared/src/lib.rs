//! The crawler: IMDb titles in, TMDb films and reviews out, into a lake.
//!
//! The way of the data, a module a step: [`imdb`] reads title.basics once and cuts it into [`job`]s; an [`order`] is what a message
//! says about them; [`crawl`] does one job by asking [`tmdb`] and writing to the [`lake`]; [`verify`] proves what came of it, [`compact`] merges it into few large files. This crate knows nothing of Lambda or SQS.

#![deny(missing_docs)]

mod causes;
pub mod compact;
pub mod crawl;
pub mod imdb;
pub mod job;
pub mod lake;
pub mod order;
pub mod partition;
pub mod secret;
pub mod tmdb;
pub mod verify;

pub use causes::with_causes;
pub use crawl::{CrawlError, Crawler, Marker};
pub use job::Job;
pub use lake::Lake;
pub use order::Order;
pub use secret::Secret;
