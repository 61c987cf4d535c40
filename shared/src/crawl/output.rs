//! The objects of a job: gzipped NDJSON, one a kind, in the order of the job's titles; and reading them back.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
};

use bytes::Bytes;
use flate2::{Compression, GzBuilder, read::MultiGzDecoder};
use futures::future::try_join_all;
use serde::Deserialize;

use super::{Answer, CrawlError};
use crate::{
    Job, Lake,
    imdb::ImdbId,
    lake::{PutMode, layout, layout::Kind},
};

/// Gzip without a time and without a name, so that the same lines are the same bytes.
pub(super) fn gzip(plain: &[u8]) -> std::io::Result<Bytes> {
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    gzip.write_all(plain)?;
    gzip.finish().map(Bytes::from)
}

/// The text of the object at `key`, inflated where its name says so.
pub(crate) fn text_of(key: &str, bytes: &[u8]) -> std::io::Result<String> {
    if key.ends_with(".gz") { gunzip(bytes) } else { String::from_utf8(bytes.to_vec()).map_err(std::io::Error::other) }
}

pub(super) fn gunzip(packed: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    MultiGzDecoder::new(packed).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes the job's objects; where a kind has no lines there is no object. The keys that were written.
pub(super) async fn write(lake: &dyn Lake, job: &Job, answers: &[&Answer]) -> Result<Vec<String>, CrawlError> {
    let writes = Kind::ALL.map(|kind| write_kind(lake, job, kind, answers));
    let keys = try_join_all(writes).await?;
    Ok(keys.into_iter().flatten().collect())
}

async fn write_kind(lake: &dyn Lake, job: &Job, kind: Kind, answers: &[&Answer]) -> Result<Option<String>, CrawlError> {
    let key = layout::records(kind, job);
    let mut text = String::new();
    let lines = answers.iter().flat_map(|answer| &answer.lines);
    for (_, line) in lines.filter(|(of, _)| *of == kind) {
        text.push_str(line);
        text.push('\n');
    }
    if text.is_empty() {
        // An earlier run may have left one.
        lake.delete(&key).await?;
        return Ok(None);
    }
    let packed = gzip(text.as_bytes()).map_err(|error| damaged(lake, &key, &error))?;
    lake.put(&key, packed, PutMode::Overwrite).await?;
    Ok(Some(key))
}

/// The answers in the job's objects, by title.
pub(super) async fn read(lake: &dyn Lake, job: &Job) -> Result<HashMap<ImdbId, Answer>, CrawlError> {
    /// What tells whose a line is.
    #[derive(Deserialize)]
    struct Own {
        id_imdb: String,
    }
    let mut answers = HashMap::new();
    for kind in Kind::ALL {
        let key = layout::records(kind, job);
        let Some(packed) = lake.get(&key).await? else {
            continue;
        };
        let text = gunzip(&packed).map_err(|error| damaged(lake, &key, &error))?;
        for line in text.lines() {
            let own: Own = serde_json::from_str(line).map_err(|error| damaged(lake, &key, &error))?;
            let id: ImdbId = own.id_imdb.parse().map_err(|error| damaged(lake, &key, &error))?;
            let answer = answers.entry(id).or_insert_with(|| Answer { id, lines: Vec::new() });
            answer.lines.push((kind, line.to_owned()));
        }
    }
    Ok(answers)
}

pub(super) fn damaged(lake: &dyn Lake, key: &str, cause: &dyn std::error::Error) -> CrawlError {
    CrawlError::Damaged { uri: lake.uri(), key: key.to_owned(), cause: cause.to_string() }
}
