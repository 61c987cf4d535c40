//! `compact` beside a refresh: what becomes current has each film in one place, and is no fault to `verify`.

use std::collections::BTreeMap;

use crawler_core::{
    Lake as _,
    compact::{CompactError, Compacted, Format, compact},
    lake::{MemoryLake, PutMode, layout, layout::Kind, layout::Layout},
    verify::Fault,
};
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::{
    stage::{Killed, Meanwhile, proof},
    twice::Pair,
};

/// How often each film stands in the large files.
async fn places(lake: &MemoryLake, compacted: &Compacted) -> BTreeMap<String, usize> {
    let mut places = BTreeMap::new();
    for file in compacted.files.iter().filter(|file| file.kind != Kind::Reviews) {
        let packed = lake.get(&file.key).await.unwrap().unwrap();
        for line in std::io::read_to_string(MultiGzDecoder::new(&packed[..])).unwrap().lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            *places.entry(record["id_imdb"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    places
}

/// The refresh has other films among those that failed.
#[tokio::test]
async fn a_job_that_is_refreshed_while_it_is_merged_becomes_current_whole_or_not_at_all() {
    let pair = Pair::new(Layout::Ndjson).await;
    let mut refused = 0;
    for writes in 0.. {
        let lake = pair.lake().await;
        pair.first(Killed::never(&lake), false).await.unwrap();
        let (told, mut ends) = tokio::sync::oneshot::channel();
        let refreshed = async {
            let ended = pair.refreshed(Killed::after(writes, &lake), true).await.is_ok();
            told.send(ended).unwrap();
        };
        let beside = Meanwhile::new(&lake, "tmdb/movies/", refreshed);
        match compact(&beside, Format::Ndjson, |_, _| {}).await {
            Ok(compacted) => {
                let places = places(&lake, &compacted).await;
                assert!(places.len() == 3 && places.values().all(|films| *films == 1), "{writes} writes: {places:?}");
            }
            Err(CompactError::Changed { .. } | CompactError::Gone { .. }) => refused += 1,
            Err(error) => panic!("{writes} writes: {error}"),
        }
        pair.refreshed(Killed::never(&lake), false).await.unwrap();
        compact(&lake, Format::Ndjson, |_, _| {}).await.unwrap();
        assert!(proof(&lake).await.holds(), "{writes} writes");
        if ends.try_recv().unwrap() {
            assert!(refused > 4 && writes > 4, "{refused} of {writes}");
            break;
        }
    }
}

#[tokio::test]
async fn large_files_are_no_fault_where_a_job_is_refreshed_while_it_is_proved() {
    let pair = Pair::new(Layout::Ndjson).await;
    let mut stale = 0;
    for writes in 0.. {
        let lake = pair.lake().await;
        pair.first(Killed::never(&lake), false).await.unwrap();
        compact(&lake, Format::Ndjson, |_, _| {}).await.unwrap();
        let (told, mut ends) = tokio::sync::oneshot::channel();
        let refreshed = async {
            let ended = pair.refreshed(Killed::after(writes, &lake), true).await.is_ok();
            told.send(ended).unwrap();
        };
        let report = proof(&Meanwhile::new(&lake, "tmdb/movies/", refreshed)).await;
        let faults: Vec<Fault> = report.problems.iter().map(|problem| problem.fault).collect();
        assert!(!faults.contains(&Fault::Compacted), "{writes} writes: {faults:?}");
        stale += u32::from(report.compacted.unwrap().stale);
        if ends.try_recv().unwrap() {
            assert!(stale > 4 && writes > 4, "{stale} of {writes}");
            break;
        }
    }
}

#[tokio::test]
async fn what_a_delivery_of_the_crawl_itself_has_not_removed_yet_keeps_no_job_from_being_merged() {
    let pair = Pair::new(Layout::Ndjson).await;
    let lake = pair.lake().await;
    pair.first(Killed::never(&lake), false).await.unwrap();
    let put = async |refresh| {
        let key = layout::settled(&pair.job, refresh);
        lake.put(&key, "{}".into(), PutMode::Overwrite).await.unwrap();
        compact(&lake, Format::Ndjson, |_, _| {}).await
    };
    let refreshed = put(Some("1795000000")).await;
    assert!(
        matches!(&refreshed, Err(CompactError::Changed { key, .. }) if key.contains("1795000000")),
        "{refreshed:?}"
    );
    lake.delete(&layout::settled(&pair.job, Some("1795000000"))).await.unwrap();
    put(None).await.unwrap();
}
