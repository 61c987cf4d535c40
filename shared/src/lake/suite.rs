//! What every lake must do, as one suite that is run on each of them: `suite::all(&lake)` on an empty one.
//!
//! Each case panics where the lake behaves otherwise, and returns the lake's own error where it failed.

use bytes::Bytes;
use futures::TryStreamExt as _;

use super::{Entry, Lake, LakeError, Put, PutMode};

/// Runs every case. The lake must be empty; it is left empty.
pub async fn all(lake: &dyn Lake) -> Result<(), LakeError> {
    what_is_missing_is_none(lake).await?;
    what_was_written_is_read(lake).await?;
    a_file_is_written_whole(lake).await?;
    ranges_are_cut_at_the_end(lake).await?;
    create_only_keeps_what_is_there(lake).await?;
    one_of_many_creators_wins(lake).await?;
    listings_are_whole_and_sorted(lake).await?;
    keys_may_hold_what_partitions_need(lake).await
}

async fn put(lake: &dyn Lake, key: &str, text: &'static str) -> Result<(), LakeError> {
    let put = lake.put(key, Bytes::from(text), PutMode::Overwrite).await?;
    assert_eq!(put, Put::Written);
    Ok(())
}

async fn keys(lake: &dyn Lake, prefix: &str) -> Result<Vec<String>, LakeError> {
    let entries: Vec<Entry> = lake.list(prefix).try_collect().await?;
    Ok(entries.into_iter().map(|entry| entry.key).collect())
}

async fn what_is_missing_is_none(lake: &dyn Lake) -> Result<(), LakeError> {
    assert_eq!(lake.get("a/missing").await?, None);
    assert_eq!(lake.get_range("a/missing", 0..10).await?, None);
    assert!(keys(lake, "a/").await?.is_empty());
    lake.delete("a/missing").await
}

async fn what_was_written_is_read(lake: &dyn Lake) -> Result<(), LakeError> {
    put(lake, "a/b", "first").await?;
    assert_eq!(lake.get("a/b").await?, Some(Bytes::from("first")));
    put(lake, "a/b", "second, and longer").await?;
    assert_eq!(lake.get("a/b").await?, Some(Bytes::from("second, and longer")));
    put(lake, "a/b", "").await?;
    assert_eq!(lake.get("a/b").await?, Some(Bytes::new()));
    lake.delete("a/b").await?;
    assert_eq!(lake.get("a/b").await?, None);
    Ok(())
}

async fn a_file_is_written_whole(lake: &dyn Lake) -> Result<(), LakeError> {
    put(lake, "file", "what stood there").await?;
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let text: String = (0..100_000).map(|number| format!("{number}\n")).collect();
    std::fs::write(file.path(), &text).expect("room for it");
    lake.put_file("file", file.path()).await?;
    assert_eq!(lake.get("file").await?, Some(Bytes::from(text)));
    lake.delete("file").await
}

async fn ranges_are_cut_at_the_end(lake: &dyn Lake) -> Result<(), LakeError> {
    put(lake, "range", "0123456789").await?;
    assert_eq!(lake.get_range("range", 0..4).await?, Some(Bytes::from("0123")));
    assert_eq!(lake.get_range("range", 7..10).await?, Some(Bytes::from("789")));
    assert_eq!(lake.get_range("range", 7..99).await?, Some(Bytes::from("789")));
    assert_eq!(lake.get_range("range", 10..12).await?, None);
    lake.delete("range").await
}

async fn create_only_keeps_what_is_there(lake: &dyn Lake) -> Result<(), LakeError> {
    let create = |text| lake.put("once", Bytes::from_static(text), PutMode::CreateOnly);
    assert_eq!(create(b"mine").await?, Put::Written);
    assert_eq!(create(b"yours").await?, Put::Exists);
    assert_eq!(lake.get("once").await?, Some(Bytes::from("mine")));
    lake.delete("once").await
}

async fn one_of_many_creators_wins(lake: &dyn Lake) -> Result<(), LakeError> {
    let create = |_| lake.put("race", Bytes::from("x"), PutMode::CreateOnly);
    let puts = futures::future::try_join_all((0..8).map(create)).await?;
    assert_eq!(puts.iter().filter(|put| **put == Put::Written).count(), 1);
    lake.delete("race").await
}

async fn listings_are_whole_and_sorted(lake: &dyn Lake) -> Result<(), LakeError> {
    for key in ["l/b/2", "l/a", "l/b/1", "l/bc", "m"] {
        put(lake, key, "four").await?;
    }
    assert_eq!(keys(lake, "l/").await?, ["l/a", "l/b/1", "l/b/2", "l/bc"]);
    assert_eq!(keys(lake, "l/b").await?, ["l/b/1", "l/b/2", "l/bc"]);
    assert_eq!(keys(lake, "l/b/").await?, ["l/b/1", "l/b/2"]);
    let first: Vec<Entry> = lake.list("l/a").try_collect().await?;
    assert_eq!(first.first().map(|entry| entry.size), Some(4));
    for key in ["l/b/2", "l/a", "l/b/1", "l/bc", "m"] {
        lake.delete(key).await?;
    }
    assert!(keys(lake, "").await?.is_empty());
    Ok(())
}

async fn keys_may_hold_what_partitions_need(lake: &dyn Lake) -> Result<(), LakeError> {
    let key = "tmdb/_done/year=__HIVE_DEFAULT_PARTITION__/A_-000.0f.1t-0l.json";
    put(lake, key, "x").await?;
    assert_eq!(keys(lake, "tmdb/_done/year=").await?, [key]);
    assert_eq!(lake.get(key).await?, Some(Bytes::from("x")));
    lake.delete(key).await
}
