//! Where the data lives: few operations over keys, behind one trait, on memory, a local folder or S3.
//!
//! Knows bytes and keys; what stands at which key is [`layout`]'s to say, what is in it the writer's.

pub mod layout;
mod local;
mod memory;
mod pause;
#[cfg(feature = "s3")]
mod s3;
#[cfg(any(test, feature = "suite"))]
pub mod suite;

use std::{error::Error, fmt, ops::Range, path::Path};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;

pub use local::LocalLake;
pub use memory::MemoryLake;
pub use pause::Pause;
#[cfg(feature = "s3")]
pub use s3::S3Lake;

/// How an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// Whatever stands there is replaced, whole.
    Overwrite,
    /// Only where nothing stands yet.
    CreateOnly,
}

/// What a write found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The object is written.
    Written,
    /// Something stood there already, and still does ([`PutMode::CreateOnly`]).
    Exists,
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: Timestamp,
    /// What names its content, where the store has such a thing.
    pub etag: Option<String>,
}

/// A store of objects. A reader sees an object whole or not at all, and the newest once a write has returned.
#[async_trait]
pub trait Lake: fmt::Debug + Send + Sync {
    /// The object at `key`; none if there is none.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, LakeError>;

    /// The bytes `range` of the object at `key`, fewer where it ends before; none if there is no object or it ends before the range.
    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Bytes>, LakeError>;

    /// Writes the object at `key`.
    async fn put(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<Put, LakeError>;

    /// Writes the object at `key`, whatever stood there, with a file's content; a store on disk or S3 never holds it in memory.
    async fn put_file(&self, key: &str, file: &Path) -> Result<(), LakeError> {
        let bytes = tokio::fs::read(file).await.map_err(|error| LakeError {
            operation: "write",
            uri: self.uri(),
            key: key.to_owned(),
            hint: "check the folder for temporary files",
            denied: false,
            is_no_lake: false,
            source: error.into(),
        })?;
        self.put(key, bytes.into(), PutMode::Overwrite).await.map(|_| ())
    }

    /// Deletes the object at `key`; it is no error if there is none.
    async fn delete(&self, key: &str) -> Result<(), LakeError>;

    /// All objects whose key begins with `prefix`, sorted by key.
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Entry, LakeError>>;

    /// Removes what writers that were killed have left half-written. Only a folder keeps such.
    async fn tidy(&self) -> Result<(), LakeError> {
        Ok(())
    }

    /// Where the lake is, as people write it: `s3://bucket`, `./lake`.
    fn uri(&self) -> String;
}

/// The lake could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {uri}/{key}; {hint}")]
pub struct LakeError {
    /// What was tried: `read`, `write`, `delete`, `list`.
    pub operation: &'static str,
    /// Where the lake is.
    pub uri: String,
    /// The key or prefix.
    pub key: String,
    /// What to do.
    pub hint: &'static str,
    /// Whether credentials or a permission are missing.
    pub denied: bool,
    /// Whether there is no lake at all.
    pub is_no_lake: bool,
    /// What the store said.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}
