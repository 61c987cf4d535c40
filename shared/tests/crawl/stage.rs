//! What the tests stand on: a lake in memory, the sample's index, and a stand-in for TMDb that knows its films.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::Read as _,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use crawler_core::{
    CrawlError, Crawler, Job, Lake, Marker, Secret,
    imdb::{IndexOptions, Manifest, Source, build_index},
    lake::{Entry, LakeError, MemoryLake, Put, PutMode, layout, layout::Kind},
    tmdb::{Client, FetchMode, Settings},
    verify::{Report, verify},
};
use flate2::read::MultiGzDecoder;
use futures::{StreamExt as _, future::BoxFuture, stream::BoxStream};
use jiff::Timestamp;
use serde_json::Value;
use testkit::{StandIn, stand_in, titles};
use tokio::time::Instant;

/// The key that the stand-in takes.
pub const KEY: &str = "0123456789abcdef0123456789abcdef";

pub struct Stage {
    pub stand_in: StandIn,
    pub lake: MemoryLake,
    pub manifest: Manifest,
}

impl Stage {
    /// An index of the sample, and a stand-in that knows its films.
    pub async fn new(job_titles: u32) -> Self {
        let stand_in = StandIn::start(stand_in::Options::default()).unwrap();
        stand_in.behave(|behaviour| behaviour.key = Some(KEY.to_owned()));
        let lake = MemoryLake::new();
        let options = IndexOptions { job_titles, ..IndexOptions::default() };
        let source = Source::File(titles::sample());
        let manifest = build_index(&lake, &source, &options, |_| {}).await.unwrap();
        Self { stand_in, lake, manifest }
    }

    pub fn client(&self, key: &str, rate: f64) -> Client {
        Self::client_of(self.stand_in.url(), key, rate)
    }

    pub fn client_of(base_url: String, key: &str, rate: f64) -> Client {
        let settings = Settings {
            base_url,
            key: Secret::new(key),
            requests_per_second: rate,
            connections: 10,
            append: Vec::new(),
        };
        Client::new(settings).unwrap()
    }

    pub fn crawler(&self) -> Crawler {
        self.crawler_by(FetchMode::Find)
    }

    pub fn crawler_by(&self, fetch: FetchMode) -> Crawler {
        let lake = Arc::new(self.lake.clone());
        let clock = || Timestamp::from_second(1_795_000_000).unwrap();
        Crawler::new(lake, self.client(KEY, 100_000.0), fetch).with_clock(clock)
    }

    pub async fn run(&self, crawler: &Crawler, job: &Job) -> Result<Marker, CrawlError> {
        crawler.run(job, &self.manifest.dataset, Instant::now() + Duration::from_secs(60)).await
    }

    /// A job with some titles in it.
    pub fn job(&self, titles: u32) -> Job {
        self.manifest.jobs.iter().find(|job| job.titles >= titles).cloned().unwrap()
    }

    /// The ids of a job, as its range of the index says.
    pub async fn ids(&self, job: &Job) -> Vec<String> {
        let range = job.offset..job.offset + job.length;
        let bytes = self.lake.get_range(&layout::titles(&self.manifest.dataset), range).await.unwrap().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    }

    pub async fn records(&self, kind: Kind, job: &Job) -> Vec<Value> {
        let Some(packed) = self.lake.get(&layout::records(kind, job)).await.unwrap() else {
            return Vec::new();
        };
        let mut text = String::new();
        MultiGzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Everything that stands under `prefix`, byte for byte.
    pub async fn objects(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let mut objects = BTreeMap::new();
        let mut entries = self.lake.list(prefix);
        while let Some(entry) = entries.next().await {
            let key = entry.unwrap().key;
            let bytes = self.lake.get(&key).await.unwrap().unwrap();
            objects.insert(key, bytes.to_vec());
        }
        objects
    }

    /// The ids that were asked for since the stand-in forgot.
    pub fn asked(&self) -> BTreeSet<String> {
        let finds = self.stand_in.requests().into_iter().filter(|request| request.path.contains("/find/"));
        finds.filter_map(|request| request.film().map(str::to_owned)).collect()
    }
}

/// Long after any test has ended.
pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// What is told of a lake.
pub async fn proof(lake: &dyn Lake) -> Report {
    verify(lake, "2026-01-01".parse().unwrap(), |_, _| {}).await.unwrap()
}

pub fn texts<'a>(records: &'a [Value], field: &str) -> Vec<&'a str> {
    records.iter().map(|record| record[field].as_str().unwrap()).collect()
}

/// A lake whose writer is killed before its n-th write; between two writes others have their turn.
#[derive(Clone, Debug)]
pub struct Killed {
    lake: MemoryLake,
    writes_left: Arc<AtomicUsize>,
}

impl Killed {
    pub fn after(writes: usize, lake: &MemoryLake) -> Self {
        Self { lake: lake.clone(), writes_left: Arc::new(AtomicUsize::new(writes)) }
    }

    /// Never killed.
    pub fn never(lake: &MemoryLake) -> Self {
        Self::after(usize::MAX, lake)
    }

    async fn write(&self, key: &str) -> Result<(), LakeError> {
        tokio::task::yield_now().await;
        let left = self.writes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| LakeError {
            operation: "write",
            uri: self.uri(),
            key: key.to_owned(),
            hint: "it was killed",
            denied: false,
            is_no_lake: false,
            source: "killed".into(),
        })
    }
}

#[async_trait]
impl Lake for Killed {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, LakeError> {
        self.lake.get(key).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Bytes>, LakeError> {
        self.lake.get_range(key, range).await
    }

    async fn put(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<Put, LakeError> {
        self.write(key).await?;
        self.lake.put(key, bytes, mode).await
    }

    async fn delete(&self, key: &str) -> Result<(), LakeError> {
        self.write(key).await?;
        self.lake.delete(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Entry, LakeError>> {
        self.lake.list(prefix)
    }

    fn uri(&self) -> String {
        self.lake.uri()
    }
}

/// A lake in which something happens once the first object beneath a prefix was read.
pub struct Meanwhile<'a> {
    lake: MemoryLake,
    prefix: &'static str,
    happens: Mutex<Option<BoxFuture<'a, ()>>>,
}

impl<'a> Meanwhile<'a> {
    pub fn new(lake: &MemoryLake, prefix: &'static str, happens: impl Future<Output = ()> + Send + 'a) -> Self {
        Self { lake: lake.clone(), prefix, happens: Mutex::new(Some(Box::pin(happens))) }
    }
}

impl fmt::Debug for Meanwhile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Meanwhile({})", self.prefix)
    }
}

#[async_trait]
impl Lake for Meanwhile<'_> {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, LakeError> {
        let read = self.lake.get(key).await;
        let happens = key.starts_with(self.prefix).then(|| self.happens.lock().unwrap().take());
        if let Some(happens) = happens.flatten() {
            happens.await;
        }
        read
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Bytes>, LakeError> {
        self.lake.get_range(key, range).await
    }

    async fn put(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<Put, LakeError> {
        self.lake.put(key, bytes, mode).await
    }

    async fn delete(&self, key: &str) -> Result<(), LakeError> {
        self.lake.delete(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Entry, LakeError>> {
        self.lake.list(prefix)
    }

    fn uri(&self) -> String {
        self.lake.uri()
    }
}
