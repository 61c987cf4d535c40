//! Builds the index: the source inflated on one thread, its rows read on another, the titles sorted and cut into jobs, then written.
//!
//! Guarantees: what the lake pins stays whatever goes wrong, until the new index is whole. Errors name the source and, in it, the line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

use flate2::bufread::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::{
    Manifest, Skipped, Source, SourceVersion,
    earlier::Earlier,
    manifest::ManifestError,
    plan::{self, Packed, hex},
    rows::{BadRow, Rows, lines},
    source::Opened,
};
use crate::{
    job::Job,
    lake::{Lake, LakeError, layout},
};

/// Bytes of plain text that are handed from one thread to the other at once.
const BLOCK: usize = 1 << 20;
/// Far above any line of title.basics; a file without line ends must not fill the memory.
const LONGEST_LINE: usize = 8 << 20;
/// Skipped rows that the manifest shows.
const MOST_SHOWN: usize = 20;

/// What an index keeps of title.basics, and how it is cut into jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IndexOptions {
    /// IMDb's title types that count as films.
    pub types: Vec<String>,
    /// Whether adult films are in.
    pub adult: bool,
    /// The most titles a job may have; see [`crate::job::titles_per_job`].
    pub job_titles: u32,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self { types: vec!["movie".into()], adult: true, job_titles: 1_000 }
    }
}

/// How far the reading is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the source that were read.
    pub bytes: u64,
    /// Bytes that it has, where that is known.
    pub of: Option<u64>,
}

/// The index could not be made; what was pinned before still is.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The source cannot be opened, or breaks off.
    #[error(
        "cannot read the titles from {uri}, nothing was changed; check that it is whole and can be reached, then try again"
    )]
    Unreadable {
        /// The source.
        uri: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The first line is not that of title.basics.
    #[error(
        "this is no title.basics: its first line has no column {column:?} but is {found:?}; give IMDb's title.basics.tsv.gz as titles source"
    )]
    Header {
        /// The column that is missing.
        column: &'static str,
        /// How the line begins.
        found: String,
    },
    /// No row was kept.
    #[error(
        "no title of type {types} among the {rows} rows of {uri}, {skipped} of them malformed; check the title types and the source"
    )]
    Empty {
        /// The source.
        uri: String,
        /// The types that were looked for.
        types: String,
        /// Rows read.
        rows: u64,
        /// Rows that something is wrong with.
        skipped: u64,
    },
    /// The index has no room beside the lake, where it is made.
    #[error(
        "cannot write the index into the folder for temporary files, nothing was changed; give it room or another place with TMPDIR"
    )]
    Unwritable(#[source] io::Error),
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The manifest could not be read or written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// An index that is written, and that the crawl goes by only when it is taken.
#[derive(Debug)]
pub struct NewIndex {
    /// Its manifest.
    pub manifest: Manifest,
    is_current: bool,
}

impl NewIndex {
    /// Makes it the crawl's.
    pub async fn take(self, lake: &dyn Lake) -> Result<Manifest, IndexError> {
        if !self.is_current {
            self.manifest.publish(lake).await?;
        }
        Ok(self.manifest)
    }

    /// Removes it; one that is the crawl's stays, also where somebody else has taken the very same meanwhile.
    pub async fn discard(self, lake: &dyn Lake) -> Result<(), IndexError> {
        let current = Manifest::current_dataset(lake).await?;
        if current.is_none_or(|current| current != self.manifest.dataset) {
            lake.delete(&layout::titles(&self.manifest.dataset)).await?;
        }
        Ok(())
    }
}

/// Reads the source once, writes the index of its titles and makes it the crawl's; the manifest of the index.
pub async fn build_index(
    lake: &dyn Lake,
    source: &Source,
    options: &IndexOptions,
    progress: impl Fn(Progress) + Send + 'static,
) -> Result<Manifest, IndexError> {
    write_index(lake, source, options, progress).await?.take(lake).await
}

/// Reads the source once and writes the index of its titles.
///
/// An unchanged source with the same options is not read again. `progress` is told now and then, from another thread.
pub async fn write_index(
    lake: &dyn Lake,
    source: &Source,
    options: &IndexOptions,
    progress: impl Fn(Progress) + Send + 'static,
) -> Result<NewIndex, IndexError> {
    let current = Manifest::current_if_sound(lake).await?;
    let mut same = current.as_ref().filter(|manifest| manifest.options == *options);
    // One whose titles are cut or lost is made anew.
    if let Some(manifest) = same
        && !manifest.has_its_titles(lake).await?
    {
        same = None;
    }
    let known = same.map(|manifest| &manifest.source);
    let (version, bytes) = match (source.open(known).await?, same) {
        (Opened::Unchanged, Some(manifest)) => return Ok(NewIndex { manifest: manifest.clone(), is_current: true }),
        (Opened::Unchanged, None) => {
            return Err(source.unreadable(io::Error::other("it is said to be unchanged, but was never read")));
        }
        (Opened::Stream { version, bytes }, _) => (version, bytes),
    };
    let of = version.size;
    let kept = options.clone();
    let reading = tokio::task::spawn_blocking(move || read(bytes, &kept, &|bytes| progress(Progress { bytes, of })));
    let read = match reading.await {
        Ok(read) => read.map_err(|error| match error {
            ReadError::Io(error) => source.unreadable(error),
            ReadError::Index(error) => error,
        })?,
        Err(panic) => return Err(source.unreadable(io::Error::other(panic))),
    };
    if read.titles.is_empty() {
        return Err(IndexError::Empty {
            uri: source.to_string(),
            types: options.types.join(", "),
            rows: read.rows,
            skipped: read.skipped,
        });
    }
    let name = version_name(&version, &read.sha256);
    if let Some(same) = same.filter(|same| same.dataset.starts_with(&name)) {
        return Ok(NewIndex { manifest: same.clone(), is_current: true });
    }
    write(lake, &name, version, options, read, current.as_ref()).await
}

/// Sorts and cuts what was read, and writes its titles.
async fn write(
    lake: &dyn Lake,
    name: &str,
    version: SourceVersion,
    options: &IndexOptions,
    mut read: ReadRows,
    current: Option<&Manifest>,
) -> Result<NewIndex, IndexError> {
    let duplicates = plan::sort(&mut read.titles);
    let mut manifest = Manifest {
        dataset: dataset(name, options, current),
        source: version,
        options: options.clone(),
        rows: read.rows,
        titles: read.titles.len() as u64,
        duplicates,
        skipped: read.skipped,
        skipped_rows: read.skipped_rows,
        jobs: Vec::new(),
    };
    let text = NamedTempFile::new().map_err(IndexError::Unwritable)?;
    let mut earlier = Earlier::of(lake, current).await?;
    manifest.jobs = cut(&read.titles, options.job_titles, &mut earlier, text.as_file()).await?;
    lake.put_file(&layout::titles(&manifest.dataset), text.path()).await?;
    Ok(NewIndex { manifest, is_current: false })
}

/// Writes the index's text partition by partition: that of twelve million titles is never held whole. Its jobs.
async fn cut(
    titles: &[Packed],
    job_titles: u32,
    earlier: &mut Earlier<'_>,
    text: &File,
) -> Result<Vec<Job>, IndexError> {
    let mut text = BufWriter::with_capacity(BLOCK, text);
    text.write_all(plan::HEADER.as_bytes()).map_err(IndexError::Unwritable)?;
    let (mut jobs, mut offset) = (Vec::new(), plan::HEADER.len() as u64);
    for partition in titles.chunk_by(|a, b| a.partition() == b.partition()) {
        let parts = earlier.parts(partition[0].partition()).await?;
        let (lines, its) = plan::cut(partition, job_titles, &parts, offset);
        text.write_all(lines.as_bytes()).map_err(IndexError::Unwritable)?;
        offset += lines.len() as u64;
        jobs.extend(its);
    }
    text.flush().map_err(IndexError::Unwritable)?;
    Ok(jobs)
}

/// What names the source's version: its ETag, else its hash, as another file may have the same date.
fn version_name(version: &SourceVersion, sha256: &str) -> String {
    let name = match &version.etag {
        Some(etag) => format!("etag-{}", etag.trim_start_matches("W/")),
        None => format!("sha256-{}", &sha256[..16]),
    };
    let name = name.chars().filter_map(|c| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => Some(c),
        ' ' | ':' | '.' | '_' => Some('-'),
        _ => None,
    });
    name.take(80).chain(['-']).collect()
}

/// The dataset's name: the source's version, then what the jobs besides follow from; other options are another dataset.
fn dataset(version_name: &str, options: &IndexOptions, current: Option<&Manifest>) -> String {
    let IndexOptions { types, adult, job_titles } = options;
    let earlier = current.map_or("", |manifest| &manifest.dataset);
    let made = Sha256::digest(format!("{}|{adult}|{job_titles}|{earlier}", types.join(",")));
    format!("{version_name}{}", hex(&made[..4]))
}

/// What was read of a source.
struct ReadRows {
    titles: Vec<Packed>,
    rows: u64,
    skipped: u64,
    skipped_rows: Vec<Skipped>,
    sha256: String,
}

enum ReadError {
    Io(io::Error),
    Index(IndexError),
}

/// Inflates on a thread of its own, so that the rows of one block are read while the next is inflated. A block that was read goes back
/// to be filled again: no memory is asked for, or wiped, more than once.
fn read(bytes: impl Read + Send, options: &IndexOptions, progress: &dyn Fn(u64)) -> Result<ReadRows, ReadError> {
    let (sender, blocks) = sync_channel(4);
    let (done, used) = channel();
    let count = Arc::new(AtomicU64::new(0));
    let mut source = Hashed { inner: bytes, hash: Sha256::new(), count: Arc::clone(&count) };
    thread::scope(|scope| {
        scope.spawn(move || {
            let end = match inflate(&mut source, &sender, &used) {
                Ok(()) => Block::End(hex(&source.hash.finalize())),
                Err(error) => Block::Failed(error),
            };
            // The other side is gone when it found something wrong; then nobody wants to know.
            let _ = sender.send(end);
        });
        read_blocks(blocks, &done, options, &|| progress(count.load(Ordering::Relaxed)))
    })
}

/// What the inflating thread hands over.
enum Block {
    /// Whole lines, up to `end`; what stands behind it is not meant.
    Lines { block: Vec<u8>, end: usize },
    /// Nothing is left; the source's SHA-256.
    End(String),
    /// The source broke off.
    Failed(io::Error),
}

/// A reader that counts and hashes what passes.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Sends the source's text, inflated where it is gzip, in blocks of whole lines.
fn inflate(source: impl Read, sender: &SyncSender<Block>, used: &Receiver<Vec<u8>>) -> io::Result<()> {
    let mut raw = BufReader::with_capacity(256 << 10, source);
    if raw.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        send_lines(MultiGzDecoder::new(raw), sender, used)
    } else {
        send_lines(raw, sender, used)
    }
}

fn send_lines(mut text: impl Read, sender: &SyncSender<Block>, used: &Receiver<Vec<u8>>) -> io::Result<()> {
    let mut block = vec![0; BLOCK];
    let mut kept = 0;
    loop {
        let filled = kept + fill(&mut text, &mut block[kept..])?;
        let ended = filled < block.len();
        let whole = block[..filled].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let end = if ended { filled } else { whole };
        if end == 0 && !ended {
            if filled >= LONGEST_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of it has no end"));
            }
            block.resize(2 * filled, 0);
            kept = filled;
            continue;
        }
        // The last line is whole in the next block only.
        let mut next = used.try_recv().unwrap_or_default();
        next.resize(block.len(), 0);
        kept = filled - end;
        next[..kept].copy_from_slice(&block[end..filled]);
        if sender.send(Block::Lines { block, end }).is_err() || ended {
            return Ok(());
        }
        block = next;
    }
}

/// Reads until the buffer is full or nothing is left; how many bytes it was.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Takes the receiver, so that the sender learns when nobody reads on.
fn read_blocks(
    blocks: Receiver<Block>,
    done: &Sender<Vec<u8>>,
    options: &IndexOptions,
    progress: &dyn Fn(),
) -> Result<ReadRows, ReadError> {
    let mut rows: Option<Rows> = None;
    let mut line = 0;
    let mut read =
        ReadRows { titles: Vec::new(), rows: 0, skipped: 0, skipped_rows: Vec::new(), sha256: String::new() };
    for block in blocks {
        let (block, end) = match block {
            Block::Lines { block, end } => (block, end),
            Block::Failed(error) => return Err(ReadError::Io(error)),
            Block::End(sha256) => {
                read.sha256 = sha256;
                break;
            }
        };
        progress();
        for text in lines(&block[..end]) {
            line += 1;
            let Some(rows) = &rows else {
                rows = Some(Rows::new(text, &options.types, options.adult).map_err(ReadError::Index)?);
                continue;
            };
            read.rows += 1;
            match rows.read(text) {
                Ok(title) => read.titles.extend(title.as_ref().map(Packed::new)),
                Err(bad) => read.skip(line, bad),
            }
        }
        // Nobody takes it where all is inflated.
        let _ = done.send(block);
    }
    Ok(read)
}

impl ReadRows {
    fn skip(&mut self, line: u64, bad: BadRow) {
        self.skipped += 1;
        if self.skipped_rows.len() < MOST_SHOWN {
            self.skipped_rows.push(Skipped { line, reason: bad.reason().to_owned() });
        }
    }
}
