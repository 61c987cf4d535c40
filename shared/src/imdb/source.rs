//! Where a title.basics comes from: a file, a URL, an object of a lake, standard input. Opened as a stream, with what names its version.

use std::{
    fmt,
    io::{self, Read},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use reqwest::{StatusCode, header};
use tokio_util::io::{StreamReader, SyncIoBridge};
use url::Url;

use super::{IndexError, SourceVersion};
use crate::lake::{Entry, Lake, LakeError};

/// Bytes of an object that are read at once.
const BLOCK: u64 = 8 << 20;

/// A title.basics file, gzipped or plain.
#[derive(Clone, Debug)]
pub enum Source {
    /// A local file.
    File(PathBuf),
    /// An https (or http) URL.
    Url(Url),
    /// An object in a bucket.
    Object {
        /// The bucket.
        lake: Arc<dyn Lake>,
        /// The object's key.
        key: String,
    },
    /// Standard input; it has no version but its content's hash.
    Stdin,
}

/// IMDb's own file, which is made anew every day.
pub const IMDB: &str = "https://datasets.imdbws.com/title.basics.tsv.gz";

/// What opening a source gives.
pub(super) enum Opened {
    /// It is as it was.
    Unchanged,
    /// A stream of its bytes, to be read where it may block.
    Stream { version: SourceVersion, bytes: Box<dyn Read + Send> },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            // A presigned URL's query is a secret, and so is who asks.
            Self::Url(url) => write!(f, "{}", without_userinfo(url)),
            Self::Object { lake, key } => write!(f, "{}/{key}", lake.uri()),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

impl Source {
    /// IMDb's own file.
    pub fn imdb() -> Self {
        Url::parse(IMDB).map_or(Self::Stdin, Self::Url)
    }

    /// Opens the source, unless it is still what `known` says; that of another source says nothing of this one.
    pub(super) async fn open(&self, known: Option<&SourceVersion>) -> Result<Opened, IndexError> {
        let known = known.filter(|known| known.uri == self.to_string());
        let (version, bytes) = match self {
            Self::File(path) => {
                let file = std::fs::File::open(path).map_err(|error| self.unreadable(error))?;
                let metadata = file.metadata().map_err(|error| self.unreadable(error))?;
                let modified = metadata.modified().ok();
                let version = SourceVersion {
                    last_modified: modified
                        .and_then(|time| jiff::Timestamp::try_from(time).ok())
                        .map(|time| time.to_string()),
                    size: Some(metadata.len()),
                    ..self.unversioned()
                };
                (version, Box::new(file) as Box<dyn Read + Send>)
            }
            Self::Url(url) => match self.get(url, known).await? {
                None => return Ok(Opened::Unchanged),
                Some(answer) => {
                    let version = SourceVersion {
                        etag: text(&answer, header::ETAG),
                        last_modified: text(&answer, header::LAST_MODIFIED),
                        size: answer.content_length(),
                        ..self.unversioned()
                    };
                    (
                        version,
                        blocking(answer.bytes_stream().map_err(|error| io::Error::other(error.without_url())).boxed()),
                    )
                }
            },
            Self::Object { lake, key } => {
                let entry = entry(&**lake, key).await?;
                let entry = entry.ok_or_else(|| self.unreadable(io::ErrorKind::NotFound.into()))?;
                let version = SourceVersion {
                    etag: entry.etag.clone(),
                    last_modified: Some(entry.modified.to_string()),
                    size: Some(entry.size),
                    ..self.unversioned()
                };
                (version, blocking(blocks(Arc::clone(lake), entry)))
            }
            Self::Stdin => (self.unversioned(), Box::new(io::stdin()) as Box<dyn Read + Send>),
        };
        let versioned = version.etag.is_some() || version.last_modified.is_some();
        if versioned && known == Some(&version) {
            return Ok(Opened::Unchanged);
        }
        Ok(Opened::Stream { version, bytes })
    }

    /// Asks for the file. By a date the server is not asked whether it changed: to that one with an older date did not.
    async fn get(&self, url: &Url, known: Option<&SourceVersion>) -> Result<Option<reqwest::Response>, IndexError> {
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(60))
            .gzip(false)
            .user_agent(crate::tmdb::USER_AGENT)
            .build();
        let failed = |error: reqwest::Error| self.unreadable(io::Error::other(error.without_url()));
        let mut request = client.map_err(failed)?.get(url.clone());
        if let Some(etag) = known.and_then(|known| known.etag.as_deref()) {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let answer = request.send().await.map_err(failed)?;
        match answer.status() {
            StatusCode::NOT_MODIFIED => Ok(None),
            status if status.is_success() => Ok(Some(answer)),
            status => Err(self.unreadable(io::Error::other(format!("the server answered {status}")))),
        }
    }

    fn unversioned(&self) -> SourceVersion {
        SourceVersion { uri: self.to_string(), ..SourceVersion::default() }
    }

    /// The error for a source that cannot be opened or read to its end.
    pub(super) fn unreadable(&self, source: io::Error) -> IndexError {
        IndexError::Unreadable { uri: self.to_string(), source }
    }
}

/// A URL's scheme, host and path.
fn without_userinfo(url: &Url) -> String {
    format!("{}://{}", url.scheme(), &url[url::Position::BeforeHost..url::Position::AfterPath])
}

fn text(answer: &reqwest::Response, name: header::HeaderName) -> Option<String> {
    Some(answer.headers().get(name)?.to_str().ok()?.to_owned())
}

/// The object at `key`, if it is there.
async fn entry(lake: &dyn Lake, key: &str) -> Result<Option<Entry>, LakeError> {
    Ok(lake.list(key).try_next().await?.filter(|entry| entry.key == key))
}

/// An object in blocks, the next one on its way while one is read. Blocks of two versions are no title.basics: at its end the object
/// must be the one that it was.
fn blocks(lake: Arc<dyn Lake>, object: Entry) -> BoxStream<'static, io::Result<Bytes>> {
    let (at_end, before) = (Arc::clone(&lake), object.clone());
    let unchanged = async move {
        match entry(&*at_end, &before.key).await.map_err(io::Error::other)? {
            Some(now) if now == before => Ok(Bytes::new()),
            _ => Err(io::Error::other("it was changed while it was read")),
        }
    };
    let starts = (0..object.size).step_by(BLOCK as usize);
    stream::iter(starts)
        .map(move |start| {
            let (lake, key) = (Arc::clone(&lake), object.key.clone());
            let range = start..(start + BLOCK).min(object.size);
            async move {
                let block = lake.get_range(&key, range).await.map_err(io::Error::other)?;
                block.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
        })
        .buffered(2)
        .chain(stream::once(unchanged))
        .boxed()
}

/// A stream as a reader for a thread that may block.
fn blocking(stream: BoxStream<'static, io::Result<Bytes>>) -> Box<dyn Read + Send> {
    Box::new(SyncIoBridge::new(StreamReader::new(stream)))
}
