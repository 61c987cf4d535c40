//! IMDb's title.basics: read once, as a stream, into an index of titles and a manifest of jobs.
//!
//! Knows the file's columns and what an index is; asks TMDb nothing.

mod earlier;
mod id;
mod index;
mod manifest;
mod plan;
mod rows;
mod selection;
mod source;

pub use id::{BadImdbId, ImdbId};
pub use index::{IndexError, IndexOptions, NewIndex, Progress, build_index, write_index};
pub use manifest::{Manifest, ManifestError, Skipped, SourceVersion};
pub use selection::{BadSelection, Selection, Years};
pub use source::{IMDB, Source};

pub(crate) use plan::{hex, read_titles};
