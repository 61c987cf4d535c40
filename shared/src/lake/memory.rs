//! A lake in memory, for tests and trial runs.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};
use jiff::Timestamp;

use super::{Entry, Lake, LakeError, Put, PutMode};

/// A lake in memory; clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryLake {
    objects: Arc<Mutex<BTreeMap<String, (Bytes, Timestamp)>>>,
}

impl MemoryLake {
    /// An empty lake.
    pub fn new() -> Self {
        Self::default()
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, (Bytes, Timestamp)>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Lake for MemoryLake {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, LakeError> {
        Ok(self.objects().get(key).map(|(bytes, _)| bytes.clone()))
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Bytes>, LakeError> {
        let objects = self.objects();
        Ok(objects.get(key).and_then(|(bytes, _)| {
            let start = usize::try_from(range.start).ok()?;
            let end = usize::try_from(range.end).map_or(bytes.len(), |end| end.min(bytes.len()));
            (start < end).then(|| bytes.slice(start..end))
        }))
    }

    async fn put(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<Put, LakeError> {
        let mut objects = self.objects();
        if mode == PutMode::CreateOnly && objects.contains_key(key) {
            return Ok(Put::Exists);
        }
        objects.insert(key.to_owned(), (bytes, Timestamp::now()));
        Ok(Put::Written)
    }

    async fn delete(&self, key: &str) -> Result<(), LakeError> {
        self.objects().remove(key);
        Ok(())
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Entry, LakeError>> {
        let objects = self.objects();
        let from_prefix = objects.range(prefix.to_owned()..);
        let entries: Vec<_> = from_prefix
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, (bytes, modified))| {
                Ok(Entry { key: key.clone(), size: bytes.len() as u64, modified: *modified, etag: None })
            })
            .collect();
        stream::iter(entries).boxed()
    }

    fn uri(&self) -> String {
        "memory:".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_passes_the_suite() {
        super::super::suite::all(&MemoryLake::new()).await.unwrap();
    }
}
