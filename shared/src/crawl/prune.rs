//! What a newer index leaves over: objects and markers of parts that no longer exist.

use std::collections::HashSet;

use futures::TryStreamExt as _;

use crate::{
    Job, Lake,
    imdb::Manifest,
    lake::{LakeError, layout, layout::Kind},
};

/// Deletes the objects and markers of jobs that `manifest` does not have: to be called when all its jobs are done, so that no film is
/// missing in between. The keys that were deleted.
pub async fn prune(lake: &dyn Lake, manifest: &Manifest) -> Result<Vec<String>, LakeError> {
    let jobs: HashSet<String> = manifest.jobs.iter().map(Job::name).collect();
    let folders = Kind::ALL.map(|kind| format!("tmdb/{}/", kind.folder()));
    let folders = folders.iter().map(String::as_str).chain([layout::CHECKPOINTS, layout::DONE]);
    let mut deleted = Vec::new();
    for folder in folders {
        let mut entries = lake.list(folder);
        while let Some(entry) = entries.try_next().await? {
            // A job's name has no dot in it; what follows the first one is ours to choose.
            let name = entry.key[folder.len()..].split('.').next().unwrap_or_default();
            if name.starts_with("year=") && !jobs.contains(name) {
                lake.delete(&entry.key).await?;
                deleted.push(entry.key);
            }
        }
    }
    Ok(deleted)
}
