//! One job by two deliveries: at once, or after one that was killed, and TMDb tells each something else.

use std::sync::Arc;

use crawler_core::{
    CrawlError, Crawler, Job, Lake, Marker,
    crawl::{Films, Refresh, done},
    lake::{MemoryLake, PutMode, layout::Layout},
    tmdb::{Client, FetchMode},
};
use futures::StreamExt as _;
use jiff::Timestamp;
use testkit::{StandIn, stand_in};

use super::{
    index::{copy, index, row},
    stage::{KEY, Killed, Stage, proof, soon},
};

/// When the job is done at first, and when it is refreshed.
const FIRST: i64 = 1_795_000_000;
const LATER: i64 = FIRST + 40 * 24 * 3600;

/// A job of three films, and two TMDbs that differ: of the first the job's last film has no usable answer, of the other its first.
pub struct Pair {
    _stand_ins: [StandIn; 2],
    tmdb: [Client; 2],
    index: MemoryLake,
    dataset: String,
    pub job: Job,
    layout: Layout,
}

impl Pair {
    pub async fn new(layout: Layout) -> Self {
        let stand_ins = [(); 2].map(|()| StandIn::start(stand_in::Options::default()).unwrap());
        let films = stand_ins[0].expected_of_all().into_iter().filter(|film| film.reviews.len() == 1).take(3);
        let ids: Vec<String> = films.map(|film| film.id).collect();
        stand_ins[0].behave(|behaviour| behaviour.broken = [(ids[2].clone(), 422)].into());
        stand_ins[1].behave(|behaviour| behaviour.broken = [(ids[0].clone(), 422)].into());
        let tmdb = [0, 1].map(|which| Stage::client_of(stand_ins[which].url(), KEY, 100_000.0));
        let lake = MemoryLake::new();
        let rows = ids.iter().map(|id| row(id[2..].parse().unwrap(), 2004)).collect();
        let manifest = index(&lake, rows).await;
        let job = manifest.jobs[0].clone();
        Self { _stand_ins: stand_ins, tmdb, index: lake, dataset: manifest.dataset, job, layout }
    }

    /// Who asks the first TMDb, or the other.
    fn crawler(&self, lake: Killed, other: bool) -> Crawler {
        Crawler::new(Arc::new(lake), self.tmdb[usize::from(other)].clone(), FetchMode::Find).with_layout(self.layout)
    }

    pub async fn first(&self, lake: Killed, other: bool) -> Result<Marker, CrawlError> {
        let crawler = self.crawler(lake, other).with_clock(|| Timestamp::from_second(FIRST).unwrap());
        crawler.run(&self.job, &self.dataset, soon()).await
    }

    pub async fn refreshed(&self, lake: Killed, other: bool) -> Result<Marker, CrawlError> {
        let crawler = self.crawler(lake, other).with_clock(|| Timestamp::from_second(LATER).unwrap());
        let refresh = Refresh { before: Timestamp::from_second(LATER).unwrap(), films: Films::All };
        crawler.refresh(&self.job, &self.dataset, &refresh, soon()).await
    }

    /// The job is done once, and nothing of it is left but what its marker names.
    async fn holds(&self, lake: &MemoryLake, what: &str) {
        let report = proof(lake).await;
        assert!(report.holds(), "{what}: {:?}", report.problems);
        assert_eq!((report.jobs_done, report.left_over_objects, report.counts.failed), (1, 0, 1), "{what}");
        assert_eq!(done(lake).count().await, 1, "{what}");
        assert_eq!(lake.list("tmdb/_checkpoints/").count().await, 0, "{what}");
    }

    /// A lake with the index alone.
    pub async fn lake(&self) -> MemoryLake {
        copy(&self.index).await
    }
}

#[tokio::test]
async fn two_deliveries_at_once_that_are_told_different_things_write_the_same() {
    for layout in [Layout::Ndjson, Layout::Objects] {
        let pair = Pair::new(layout).await;
        let lake = pair.lake().await;
        let (one, other) =
            tokio::join!(pair.first(Killed::never(&lake), false), pair.first(Killed::never(&lake), true));
        assert_eq!(one.unwrap().done(), other.unwrap().done());
        pair.holds(&lake, "done at once").await;
        let (one, other) =
            tokio::join!(pair.refreshed(Killed::never(&lake), false), pair.refreshed(Killed::never(&lake), true));
        assert_eq!(one.unwrap().done(), other.unwrap().done());
        pair.holds(&lake, "refreshed at once").await;
    }
}

#[tokio::test]
async fn a_delivery_that_is_killed_at_any_write_is_ended_by_the_next_whatever_that_is_told() {
    for layout in [Layout::Ndjson, Layout::Objects] {
        let pair = Pair::new(layout).await;
        for writes in 0.. {
            let lake = pair.lake().await;
            let ended = pair.first(Killed::after(writes, &lake), false).await.is_ok();
            pair.first(Killed::never(&lake), true).await.unwrap();
            pair.holds(&lake, &format!("{layout} killed at write {writes}")).await;
            let refreshed = pair.refreshed(Killed::after(writes, &lake), true).await.is_ok();
            pair.refreshed(Killed::never(&lake), false).await.unwrap();
            pair.holds(&lake, &format!("{layout} refresh killed at write {writes}")).await;
            if ended && refreshed {
                assert!(writes > 4, "{writes}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn of_two_markers_of_a_job_the_newer_is_the_job_s() {
    let pair = Pair::new(Layout::Ndjson).await;
    let lake = pair.lake().await;
    let old = pair.first(Killed::never(&lake), false).await.unwrap();
    let key = old.done().key();
    let bytes = lake.get(&key).await.unwrap().unwrap();
    let new = pair.refreshed(Killed::never(&lake), true).await.unwrap();
    assert_ne!(new.done(), old.done());
    lake.put(&key, bytes, PutMode::Overwrite).await.unwrap();
    assert_eq!(pair.first(Killed::never(&lake), false).await.unwrap(), new);
    pair.holds(&lake, "the older is gone").await;
}

#[tokio::test]
async fn what_a_refresh_has_written_when_it_is_killed_is_told_as_such() {
    for layout in [Layout::Ndjson, Layout::Objects] {
        let pair = Pair::new(layout).await;
        let (mut told, mut writes) = (0, 1);
        loop {
            let lake = pair.lake().await;
            pair.first(Killed::never(&lake), false).await.unwrap();
            let refreshed = pair.refreshed(Killed::after(writes, &lake), true).await;
            let problems = proof(&lake).await.problems;
            told += problems.len();
            for problem in problems.iter().map(ToString::to_string) {
                assert!(problem.contains("is being ended"), "{layout}, {writes} writes: {problem}");
            }
            if refreshed.is_ok() {
                break;
            }
            writes += 1;
        }
        assert!(told > 0, "{layout}");
    }
}
