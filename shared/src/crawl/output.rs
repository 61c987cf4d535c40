//! The objects of a job: gzipped NDJSON, one a kind, in the order of the job's titles, or an object a record; and reading them back.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    io::{Read as _, Write},
};

use bytes::Bytes;
use flate2::{Compression, GzBuilder, read::MultiGzDecoder};
use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use serde_json::Value;

use super::{Answer, CrawlError, objects};
use crate::{
    Job, Lake,
    imdb::ImdbId,
    lake::{
        PutMode, layout,
        layout::{Kind, Layout},
    },
};

/// Objects that are read or written at once.
pub(super) const WIDTH: usize = 32;

/// Gzip of what is written, which never stands in memory whole. Without a time and a name, so that the same text is the same bytes.
pub(super) fn gzip(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<Bytes> {
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    write(&mut gzip)?;
    gzip.finish().map(Bytes::from)
}

/// The text of the object at `key`, inflated where its name says so.
pub(crate) fn text_of(key: &str, bytes: &[u8]) -> std::io::Result<String> {
    if !key.ends_with(".gz") {
        return String::from_utf8(bytes.to_vec()).map_err(std::io::Error::other);
    }
    let mut text = String::new();
    MultiGzDecoder::new(bytes).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes the job's objects, in the place of `earlier` ones. The keys that were written.
pub(super) async fn write(
    lake: &dyn Lake,
    layout: Layout,
    job: &Job,
    answers: &[&Answer],
    earlier: &BTreeSet<String>,
) -> Result<Vec<String>, CrawlError> {
    let one_an_object: &[Kind] = match layout {
        Layout::Ndjson => &[],
        Layout::Objects => &[Kind::Movies, Kind::Reviews],
    };
    let in_lines = Kind::ALL.into_iter().filter(|kind| !one_an_object.contains(kind));
    let lines = try_join_all(in_lines.map(|kind| write_kind(lake, job, kind, answers)));
    let mut keys: Vec<String> = lines.await?.into_iter().flatten().collect();
    if layout == Layout::Objects {
        keys.extend(objects::write(lake, job, answers).await?);
    }
    let written: HashSet<&String> = keys.iter().collect();
    for key in earlier.iter().filter(|key| !written.contains(key)) {
        remove(lake, key, answers).await?;
    }
    Ok(keys)
}

/// Removes what an earlier run of the job wrote. A record alone in its object may be of a title that another job has now, and that job
/// has written it anew: it stays, and `prune` removes it if nobody has it.
async fn remove(lake: &dyn Lake, key: &str, answers: &[&Answer]) -> Result<(), CrawlError> {
    if layout::job_of(key).is_none() {
        let (there, _) = read(lake, &BTreeSet::from([key.to_owned()])).await?;
        if there.keys().any(|id| answers.iter().all(|answer| answer.id != *id)) {
            return Ok(());
        }
    }
    lake.delete(key).await?;
    Ok(())
}

/// Where a kind has no lines there is no object.
async fn write_kind(lake: &dyn Lake, job: &Job, kind: Kind, answers: &[&Answer]) -> Result<Option<String>, CrawlError> {
    let key = layout::records(kind, job);
    let Some(packed) = lines_of(kind, answers).map_err(|error| damaged(lake, &key, &error))? else {
        // An earlier run may have left one.
        lake.delete(&key).await?;
        return Ok(None);
    };
    lake.put(&key, packed, PutMode::Overwrite).await?;
    Ok(Some(key))
}

/// The lines of one kind as they are stored; none where there are none.
fn lines_of(kind: Kind, answers: &[&Answer]) -> std::io::Result<Option<Bytes>> {
    let lines = answers.iter().flat_map(|answer| &answer.lines).filter(|(of, _)| *of == kind);
    let mut lines = lines.map(|(_, line)| line).peekable();
    if lines.peek().is_none() {
        return Ok(None);
    }
    gzip(|text| lines.try_for_each(|line| writeln!(text, "{line}"))).map(Some)
}

/// The answers in `objects`, by title, and whether each of these is there.
pub(super) async fn read(
    lake: &dyn Lake,
    objects: &BTreeSet<String>,
) -> Result<(HashMap<ImdbId, Answer>, bool), CrawlError> {
    let (mut answers, mut whole) = (HashMap::new(), true);
    let reads: Vec<_> = objects.iter().map(|key| read_object(lake, key)).collect();
    let mut texts = stream::iter(reads).buffered(WIDTH);
    while let Some((kind, key, text)) = texts.try_next().await? {
        whole &= text.is_some();
        for line in text.iter().flat_map(|text| text.lines()) {
            let record: Value = serde_json::from_str(line).map_err(|error| damaged(lake, key, &error))?;
            let id = record["id_imdb"].as_str().and_then(|id| ImdbId::parse(id.as_bytes()));
            let id = id.filter(|_| kind != Kind::Movies || record["id"].is_u64());
            let id = id.ok_or_else(|| damaged(lake, key, &"a record has no id"))?;
            let answer = answers.entry(id).or_insert_with(|| Answer { id, lines: Vec::new() });
            answer.lines.push((kind, line.to_owned()));
        }
    }
    Ok((answers, whole))
}

/// What an object tells about, its key, and its text where it is there.
pub(crate) async fn read_object<'k>(
    lake: &dyn Lake,
    key: &'k str,
) -> Result<(Kind, &'k str, Option<String>), CrawlError> {
    let kind = layout::kind_of(key).ok_or_else(|| damaged(lake, key, &"it is no object of records".to_owned()))?;
    let text = lake.get(key).await?.map(|bytes| text_of(key, &bytes)).transpose();
    let text = text.map_err(|error| damaged(lake, key, &error))?;
    Ok((kind, key, text))
}

pub(super) fn damaged(lake: &dyn Lake, key: &str, cause: &dyn std::fmt::Display) -> CrawlError {
    CrawlError::Damaged { uri: lake.uri(), key: key.to_owned(), cause: cause.to_string() }
}
