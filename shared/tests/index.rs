//! The index of titles: what is read, what is skipped, what stays when a source is broken.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{io::Write as _, ops::Range, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use crawler_core::{
    Job, Lake,
    imdb::{IndexError, IndexOptions, Manifest, Source, build_index, write_index},
    lake::{Entry, LakeError, MemoryLake, Put, PutMode, layout},
};
use flate2::{Compression, write::GzEncoder};
use futures::{TryStreamExt as _, stream::BoxStream};
use testkit::{
    file_server::{FileServer, Served},
    titles,
};

const HEADER: &str =
    "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres\n";

fn row(id: u32, title: &str, year: &str) -> String {
    format!("tt{id:07}\tmovie\t{title}\t{title}\t0\t{year}\t\\N\t90\tDrama\n")
}

/// Title.basics of so many films.
fn films(films: u32) -> String {
    format!("{HEADER}{}", (1..=films).map(|id| row(id, "One", "2001")).collect::<String>())
}

fn gzip(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

/// A file in a folder that is gone with it.
fn file(bytes: &[u8]) -> (tempfile::TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("title.basics.tsv.gz");
    std::fs::write(&path, bytes).unwrap();
    (folder, Source::File(path))
}

async fn build(lake: &MemoryLake, source: &Source) -> Result<Manifest, IndexError> {
    build_index(lake, source, &IndexOptions::default(), |_| {}).await
}

#[tokio::test]
async fn every_film_of_the_sample_is_in_one_job() {
    let lake = MemoryLake::new();
    let manifest = build(&lake, &Source::File(titles::sample())).await.unwrap();
    let films =
        titles::read(&titles::sample()).unwrap().into_iter().filter(|title| title.title_type == "movie").count();
    assert_eq!(manifest.titles, films as u64);
    assert_eq!(manifest.jobs.iter().map(|job| u64::from(job.titles)).sum::<u64>(), manifest.titles);
    let text = lake.get(&layout::titles(&manifest.dataset)).await.unwrap().unwrap();
    let last = manifest.jobs.last().unwrap();
    assert_eq!(last.offset + last.length, text.len() as u64);
    assert_eq!(Manifest::current(&lake).await.unwrap(), Some(manifest));
}

#[tokio::test]
async fn an_index_whose_manifest_is_gone_is_no_lake_without_an_index() {
    let lake = MemoryLake::new();
    let source = Source::File(titles::sample());
    let manifest = build(&lake, &source).await.unwrap();
    lake.delete(&layout::manifest(&manifest.dataset)).await.unwrap();
    let told = Manifest::current(&lake).await.unwrap_err().to_string();
    assert!(told.contains("manifest.json is gone") && told.contains("--new-index"), "{told}");
    assert_eq!(build(&lake, &source).await.unwrap().jobs, manifest.jobs);
    assert!(Manifest::current(&lake).await.unwrap().is_some());
}

#[tokio::test]
async fn gzip_of_several_members_is_read_to_its_end() {
    let lake = MemoryLake::new();
    let mut bytes = gzip(&format!("{HEADER}{}", row(1, "One", "2001")));
    bytes.extend(gzip(&row(2, "Two", "2002")));
    let (_folder, source) = file(&bytes);
    assert_eq!(build(&lake, &source).await.unwrap().titles, 2);
}

#[tokio::test]
async fn plain_text_without_a_last_line_end_is_read() {
    let lake = MemoryLake::new();
    let (_folder, source) = file(format!("{HEADER}{}", row(1, "One", "2001").trim_end()).as_bytes());
    assert_eq!(build(&lake, &source).await.unwrap().titles, 1);
}

#[tokio::test]
async fn bad_rows_are_skipped_and_told_by_line() {
    let lake = MemoryLake::new();
    let text = format!("{HEADER}{}short\n{}{}", row(1, "One", "2001"), row(2, "A\tB", "2001"), row(3, "Three", "20O3"));
    let (_folder, source) = file(text.as_bytes());
    let manifest = build(&lake, &source).await.unwrap();
    assert_eq!((manifest.titles, manifest.rows, manifest.skipped), (1, 4, 3));
    let lines: Vec<(u64, &str)> = manifest.skipped_rows.iter().map(|row| (row.line, row.reason.as_str())).collect();
    assert_eq!(lines, [(3, "wrong number of columns"), (4, "wrong number of columns"), (5, "no year in startYear")]);
}

#[tokio::test]
async fn a_broken_source_leaves_the_old_index_in_place() {
    let lake = MemoryLake::new();
    let (_folder, good) = file(&gzip(&format!("{HEADER}{}", row(1, "One", "2001"))));
    let old = build(&lake, &good).await.unwrap();
    let whole = gzip(&format!("{HEADER}{}", (0..5_000).map(|id| row(id, "One", "2001")).collect::<String>()));
    let mut corrupt = whole.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle] ^= 0xff;
    for (case, bytes) in [
        ("cut off", &whole[..whole.len() / 2]),
        ("corrupt", &corrupt[..]),
        ("a page of HTML", b"<html><body>Not found</body></html>"),
        ("empty", b""),
        ("no films", HEADER.as_bytes()),
        ("without line ends", &vec![b'x'; 20 << 20]),
    ] {
        let (_folder, source) = file(bytes);
        let error = build(&lake, &source).await.expect_err(case);
        assert!(!error.to_string().is_empty());
        assert_eq!(Manifest::current(&lake).await.unwrap().as_ref(), Some(&old), "{case}");
    }
}

#[tokio::test]
async fn an_unchanged_source_is_not_read_again() {
    let lake = MemoryLake::new();
    let (folder, source) = file(&gzip(&format!("{HEADER}{}", row(1, "One", "2001"))));
    let first = build(&lake, &source).await.unwrap();
    // Its content is now wrong, but neither size nor time say so.
    let path = folder.path().join("title.basics.tsv.gz");
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    (&file).write_all(&vec![0; size as usize]).unwrap();
    file.set_modified(modified).unwrap();
    assert_eq!(build(&lake, &source).await.unwrap(), first);
}

#[tokio::test]
async fn a_url_is_read_again_only_when_its_etag_says_that_it_changed() {
    let etag = |etag: &str| Some(format!("\"{etag}\""));
    let served = Served { body: gzip(&films(1)), etag: etag("v1"), ..Served::default() };
    let server = FileServer::start(served).unwrap();
    let lake = MemoryLake::new();
    let source = Source::Url(server.url().parse().unwrap());
    let first = build(&lake, &source).await.unwrap();
    assert_eq!(build(&lake, &source).await.unwrap(), first);
    assert_eq!(server.answers(), [200, 304]);
    server.serve(|served| (served.body, served.etag) = (gzip(&films(2)), etag("v2")));
    let second = build(&lake, &source).await.unwrap();
    assert_eq!((second.titles, server.answers().len()), (2, 3));
    assert_ne!(second.dataset, first.dataset);
    // Other options are not what was read: the file is read again, though it is unchanged.
    let options = IndexOptions { job_titles: 1, ..IndexOptions::default() };
    build_index(&lake, &source, &options, |_| {}).await.unwrap();
    assert_eq!(server.answers(), [200, 304, 200, 200]);
}

#[tokio::test]
async fn a_url_with_a_date_alone_is_read_again_also_where_that_is_older_or_the_file_has_another_size() {
    let date = |day: &str| Some(format!("{day} Nov 2026 10:00:00 GMT"));
    let served = Served { body: gzip(&films(1)), last_modified: date("Wed, 18"), ..Served::default() };
    let server = FileServer::start(served).unwrap();
    let lake = MemoryLake::new();
    let source = Source::Url(server.url().parse().unwrap());
    let first = build(&lake, &source).await.unwrap();
    // Its content is now wrong, but neither size nor date say so.
    server.serve(|served| served.body.fill(0));
    assert_eq!(build(&lake, &source).await.unwrap(), first);
    for (titles, day) in [(2, "Tue, 17"), (3, "Tue, 17"), (4, "Thu, 19")] {
        server.serve(|served| (served.body, served.last_modified) = (gzip(&films(titles)), date(day)));
        assert_eq!(build(&lake, &source).await.unwrap().titles, u64::from(titles), "{day} November");
    }
}

#[tokio::test]
async fn a_file_with_an_older_date_or_another_size_is_read_again() {
    let lake = MemoryLake::new();
    let (folder, source) = file(films(1).as_bytes());
    build(&lake, &source).await.unwrap();
    for titles in [2, 3] {
        let path = folder.path().join("title.basics.tsv.gz");
        std::fs::write(&path, films(titles)).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(build(&lake, &source).await.unwrap().titles, u64::from(titles));
    }
}

#[tokio::test]
async fn a_url_that_fails_leaves_the_old_index_in_place() {
    let whole = gzip(&format!("{HEADER}{}", row(1, "One", "2001")));
    let server = FileServer::start(Served { body: whole.clone(), ..Served::default() }).unwrap();
    let lake = MemoryLake::new();
    let mut url: url::Url = server.url().parse().unwrap();
    url.set_query(Some("signature=secret"));
    url.set_username("who").unwrap();
    url.set_password(Some("secret")).unwrap();
    let source = Source::Url(url);
    let old = build(&lake, &source).await.unwrap();
    assert!(!format!("{old:?} {source}").contains("secret"), "{old:?}");
    for (case, served) in [
        ("gone", Served { status: 404, ..Served::default() }),
        ("forbidden", Served { status: 403, body: b"<Error/>".to_vec(), ..Served::default() }),
        ("a page", Served { body: b"<html>Try later</html>".to_vec(), ..Served::default() }),
        ("cut off", Served { body: whole[..whole.len() / 2].to_vec(), ..Served::default() }),
        ("no answer", Served { cut: true, ..Served::default() }),
    ] {
        server.serve(|now| *now = served);
        let error = build(&lake, &source).await.expect_err(case);
        let told = format!("{error} {error:?}");
        assert!(!told.contains("secret"), "{case}: {told}");
        assert_eq!(Manifest::current(&lake).await.unwrap().as_ref(), Some(&old), "{case}");
    }
}

#[tokio::test]
async fn an_object_is_read_in_blocks_and_only_when_it_changed() {
    let (lake, bucket) = (MemoryLake::new(), MemoryLake::new());
    let key = "in/title.basics.tsv".to_owned();
    // More than one block of eight megabytes.
    let rows: String = (1..160_000).map(|id| row(id, "One of them", "2001")).collect();
    bucket.put(&key, format!("{HEADER}{rows}").into(), PutMode::Overwrite).await.unwrap();
    bucket.put("in/title.basics.tsv.old", "no".into(), PutMode::Overwrite).await.unwrap();
    let source = Source::Object { lake: Arc::new(bucket.clone()), key: key.clone() };
    let first = build(&lake, &source).await.unwrap();
    assert_eq!(first.titles, 159_999);
    assert_eq!(build(&lake, &source).await.unwrap(), first);
    bucket.put(&key, format!("{HEADER}{}", row(1, "One", "2001")).into(), PutMode::Overwrite).await.unwrap();
    assert_eq!(build(&lake, &source).await.unwrap().titles, 1);
    let missing = Source::Object { lake: Arc::new(bucket), key: "in/title.basics".to_owned() };
    assert!(build(&lake, &missing).await.is_err());
}

/// A bucket in which the object is replaced while it is read.
#[derive(Debug)]
struct Replaced {
    bucket: MemoryLake,
    by: Bytes,
}

#[async_trait]
impl Lake for Replaced {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, LakeError> {
        self.bucket.get(key).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Bytes>, LakeError> {
        let block = self.bucket.get_range(key, range).await;
        self.bucket.put(key, self.by.clone(), PutMode::Overwrite).await?;
        block
    }

    async fn put(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<Put, LakeError> {
        self.bucket.put(key, bytes, mode).await
    }

    async fn delete(&self, key: &str) -> Result<(), LakeError> {
        self.bucket.delete(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Entry, LakeError>> {
        self.bucket.list(prefix)
    }

    fn uri(&self) -> String {
        self.bucket.uri()
    }
}

#[tokio::test]
async fn an_object_that_is_replaced_while_it_is_read_leaves_the_old_index_in_place() {
    let (lake, bucket) = (MemoryLake::new(), MemoryLake::new());
    let key = "title.basics.tsv".to_owned();
    let (_folder, good) = file(&gzip(&format!("{HEADER}{}", row(1, "One", "2001"))));
    let old = build(&lake, &good).await.unwrap();
    let whole = format!("{HEADER}{}", (0..200_000).map(|id| row(id, "One of them", "2001")).collect::<String>());
    bucket.put(&key, whole.clone().into(), PutMode::Overwrite).await.unwrap();
    // As many bytes, so that only its time tells.
    let by = whole.replace("One of them", "One of more").into();
    let source = Source::Object { lake: Arc::new(Replaced { bucket, by }), key };
    let error = build(&lake, &source).await.unwrap_err();
    assert!(format!("{error:?}").contains("it was changed while it was read"), "{error:?}");
    assert_eq!(Manifest::current(&lake).await.unwrap(), Some(old));
}

#[tokio::test]
async fn types_and_adult_films_are_chosen_and_pinned() {
    let text = [
        row(1, "One", "2001"),
        row(2, "Two", "2001").replace("\tmovie\t", "\ttvMovie\t"),
        row(3, "Three", "2001").replace("\tmovie\t", "\tshort\t"),
        row(4, "Four", "2001").replace("\t0\t", "\t1\t"),
    ];
    let (_folder, source) = file(format!("{HEADER}{}", text.concat()).as_bytes());
    for (types, adult, titles) in [
        (&["movie"][..], true, 2),
        (&["movie"], false, 1),
        (&["movie", "tvMovie"], true, 3),
        (&["movie", "short", "tvMovie"], false, 3),
    ] {
        let lake = MemoryLake::new();
        let types = types.iter().map(|&name| name.to_owned()).collect();
        let options = IndexOptions { types, adult, ..IndexOptions::default() };
        let manifest = build_index(&lake, &source, &options, |_| {}).await.unwrap();
        assert_eq!((manifest.titles, &manifest.options), (titles, &options));
        assert_eq!(Manifest::current(&lake).await.unwrap().map(|pinned| pinned.options), Some(options));
    }
}

#[tokio::test]
async fn every_title_of_a_large_index_stays_in_its_part() {
    // The earlier index is read in several blocks, and jobs lie across their ends.
    let years = ["1999", "2004"];
    let rows = |gone: Range<u32>| {
        let ids = (1..500_000).filter(|id| !gone.contains(id));
        let rows = ids.map(|id| row(id, ["The Sea", "Adam", "Zebra"][id as usize % 3], years[id as usize % 2]));
        HEADER.to_owned() + &rows.collect::<String>()
    };
    let lake = MemoryLake::new();
    let (_folder, source) = file(rows(0..0).as_bytes());
    let first = build(&lake, &source).await.unwrap();
    let length = lake.get(&layout::titles(&first.dataset)).await.unwrap().unwrap().len();
    assert!(length > 8 << 20, "{length} bytes are one block");
    // A title of each of the six partitions is gone: those behind it do not move up.
    let (_folder, source) = file(rows(450_000..450_006).as_bytes());
    let second = build(&lake, &source).await.unwrap();
    let same = |job: &&Job| first.jobs.iter().any(|old| old.digest == job.digest);
    assert_eq!(second.jobs.iter().filter(same).count(), first.jobs.len() - 6);
}

#[tokio::test]
async fn other_options_are_another_dataset() {
    let lake = MemoryLake::new();
    let source = Source::File(titles::sample());
    let small = IndexOptions { job_titles: 10, ..IndexOptions::default() };
    let first = build(&lake, &source).await.unwrap();
    let second = build_index(&lake, &source, &small, |_| {}).await.unwrap();
    assert_ne!(first.dataset, second.dataset);
    assert!(second.jobs.len() > first.jobs.len());
    assert!(second.jobs.iter().all(|job| job.titles <= 10));
}

#[tokio::test]
async fn the_odd_rows_are_read_as_they_are() {
    let lake = MemoryLake::new();
    let manifest = build(&lake, &Source::File(titles::odd())).await.unwrap();
    assert_eq!(manifest.rows, manifest.skipped + rows_kept_or_passed_over());
    assert!(manifest.jobs.iter().any(|job| job.year.is_none()), "a film without a year is lost");
}

/// Rows of the hand-written file that have nine columns, an id and a year or none.
fn rows_kept_or_passed_over() -> u64 {
    let bytes = std::fs::read(titles::odd()).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let good = |line: &&str| {
        let columns: Vec<&str> = line.split('\t').collect();
        columns.len() == 9
            && (columns[1] != "movie"
                || (titles::is_imdb_id(columns[0])
                    && (columns[5] == "\\N" || (columns[5].len() == 4 && columns[5].parse::<u16>().is_ok()))))
    };
    text.split('\n').skip(1).filter(|line| !line.is_empty()).filter(good).count() as u64
}

#[tokio::test]
async fn titles_that_were_cut_are_written_again_from_the_same_source() {
    let lake = MemoryLake::new();
    let text = format!("{HEADER}{}", (1..=40).map(|id| row(id, "One", "2001")).collect::<String>());
    let (_folder, source) = file(&gzip(&text));
    let first = build(&lake, &source).await.unwrap();
    let mut dataset = first.dataset.clone();
    let whole = lake.get(&layout::titles(&dataset)).await.unwrap().unwrap();
    for damaged in [Some(whole.slice(..100)), None] {
        let key = layout::titles(&dataset);
        match damaged {
            Some(cut) => drop(lake.put(&key, cut, PutMode::Overwrite).await.unwrap()),
            None => lake.delete(&key).await.unwrap(),
        }
        let again = build(&lake, &source).await.unwrap();
        assert_eq!(lake.get(&layout::titles(&again.dataset)).await.unwrap(), Some(whole.clone()));
        assert_eq!(again.jobs, first.jobs, "what is done stays done");
        dataset = again.dataset;
    }
}

#[tokio::test]
async fn an_index_that_is_not_taken_leaves_the_one_before_and_nothing_of_its_own() {
    let lake = MemoryLake::new();
    let (_one, first) = file(&gzip(&format!("{HEADER}{}{}", row(1, "One", "2001"), row(2, "Two", "2001"))));
    let (_two, second) = file(&gzip(&format!("{HEADER}{}", row(1, "One", "2001"))));
    let before = build(&lake, &first).await.unwrap();
    let keys = async || -> Vec<String> { lake.list("").map_ok(|entry| entry.key).try_collect().await.unwrap() };
    let stood = keys().await;
    let new = write_index(&lake, &second, &IndexOptions::default(), |_| {}).await.unwrap();
    assert_eq!(new.manifest.titles, 1);
    new.discard(&lake).await.unwrap();
    assert_eq!(Manifest::current(&lake).await.unwrap(), Some(before));
    assert_eq!(keys().await, stood);
    // Somebody else takes the very same while the question stands.
    let new = write_index(&lake, &second, &IndexOptions::default(), |_| {}).await.unwrap();
    let taken = build(&lake, &second).await.unwrap();
    new.discard(&lake).await.unwrap();
    assert!(lake.get(&layout::titles(&taken.dataset)).await.unwrap().is_some());
}
