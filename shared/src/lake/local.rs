//! A lake in a local folder: a file an object, each written beside its place and then moved there.

use std::{
    fs, io,
    io::{Read as _, Seek as _},
    ops::Range,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::{Entry, Lake, LakeError, Put, PutMode};

/// What a file is called until it is whole; such names are in no listing.
const UNFINISHED: &str = ".unfinished-";
/// A file that is not whole after this time never will be: its writer was killed.
const STALE: Duration = Duration::from_secs(3_600);
/// Who may read and write a file, as far as the umask lets them: a lake is for other programs too.
const MODE: u32 = 0o666;

/// A lake in a folder, which is made when first written to.
#[derive(Clone, Debug)]
pub struct LocalLake {
    folder: PathBuf,
}

impl LocalLake {
    /// The lake in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Runs a file operation where it may block.
    async fn file<T: Send + 'static>(
        &self,
        operation: &'static str,
        key: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, LakeError> {
        let path = self.folder.join(key);
        spawn_blocking(move || work(&path))
            .await
            .unwrap_or_else(|panic| Err(io::Error::other(panic)))
            .map_err(|error| self.error(operation, key, error))
    }

    fn error(&self, operation: &'static str, key: &str, error: io::Error) -> LakeError {
        LakeError {
            operation,
            uri: self.uri(),
            key: key.to_owned(),
            hint: match error.kind() {
                io::ErrorKind::NotADirectory => "name a folder; a file stands in its place",
                _ => "check the folder's rights and the space on its disk",
            },
            denied: error.kind() == io::ErrorKind::PermissionDenied,
            is_no_lake: false,
            source: error.into(),
        }
    }
}

#[async_trait]
impl Lake for LocalLake {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, LakeError> {
        self.file("read", key, |path| Ok(found(fs::read(path))?.map(Bytes::from))).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Bytes>, LakeError> {
        self.file("read", key, move |path| {
            let Some(mut file) = found(fs::File::open(path))? else {
                return Ok(None);
            };
            file.seek(io::SeekFrom::Start(range.start))?;
            let mut bytes = Vec::new();
            file.take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes)?;
            Ok((!bytes.is_empty()).then(|| bytes.into()))
        })
        .await
    }

    async fn put(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<Put, LakeError> {
        self.file("write", key, move |path| write(path, &mut &*bytes, mode)).await
    }

    async fn put_file(&self, key: &str, file: &Path) -> Result<(), LakeError> {
        let file = file.to_owned();
        self.file("write", key, |path| write(path, &mut fs::File::open(file)?, PutMode::Overwrite).map(|_| ())).await
    }

    async fn delete(&self, key: &str) -> Result<(), LakeError> {
        self.file("delete", key, |path| found(fs::remove_file(path)).map(|_| ())).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Entry, LakeError>> {
        let (lake, prefix) = (self.clone(), prefix.to_owned());
        stream::once(async move {
            let (folder, wanted) = (lake.folder.clone(), prefix.clone());
            let listed = lake.file("list", &prefix, move |_| entries(&folder, &wanted)).await?;
            Ok::<_, LakeError>(stream::iter(listed.into_iter().map(Ok)))
        })
        .try_flatten()
        .boxed()
    }

    async fn tidy(&self) -> Result<(), LakeError> {
        self.file("look through", "", |folder| {
            for (path, metadata) in files(folder)? {
                let is_stale = SystemTime::now().duration_since(metadata.modified()?).is_ok_and(|age| age > STALE);
                if is_stale && is_unfinished(&path) {
                    found(fs::remove_file(path))?;
                }
            }
            Ok(())
        })
        .await
    }

    fn uri(&self) -> String {
        self.folder.display().to_string()
    }
}

/// A missing file is an answer, not an error.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, content: &mut impl io::Read, mode: PutMode) -> io::Result<Put> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .permissions(fs::Permissions::from_mode(MODE))
        .tempfile_in(folder)?;
    io::copy(content, &mut file)?;
    // A name must not outlive a crash that its content did not.
    file.as_file().sync_data()?;
    let moved = match mode {
        PutMode::Overwrite => file.persist(path),
        PutMode::CreateOnly => file.persist_noclobber(path),
    };
    match moved {
        Ok(_) => Ok(Put::Written),
        Err(error) if mode == PutMode::CreateOnly && error.error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(Put::Exists)
        }
        Err(error) => Err(error.error),
    }
}

/// The files whose key begins with `prefix`, sorted by key.
fn entries(folder: &Path, prefix: &str) -> io::Result<Vec<Entry>> {
    let deepest = prefix.rsplit_once('/').map_or("", |(deepest, _)| deepest);
    let mut entries = Vec::new();
    for (path, metadata) in files(&folder.join(deepest))? {
        if let Some(key) = key(folder, &path)
            && key.starts_with(prefix)
        {
            entries.push(Entry {
                key,
                size: metadata.len(),
                modified: Timestamp::try_from(metadata.modified()?).map_err(io::Error::other)?,
                etag: None,
            });
        }
    }
    entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    Ok(entries)
}

/// All files beneath `folder`.
fn files(folder: &Path) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for file in found(fs::read_dir(next))?.into_iter().flatten() {
            let file = file?;
            match found(file.metadata())? {
                Some(metadata) if metadata.is_dir() => folders.push(file.path()),
                Some(metadata) => files.push((file.path(), metadata)),
                None => {}
            }
        }
    }
    Ok(files)
}

fn is_unfinished(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(UNFINISHED))
}

/// The key of a file; none for what is still being written, or was not written by us.
fn key(folder: &Path, path: &Path) -> Option<String> {
    let names = path.strip_prefix(folder).ok()?.iter();
    let names: Option<Vec<&str>> = names.map(|name| name.to_str()).collect();
    names.filter(|_| !is_unfinished(path)).map(|names| names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_passes_the_suite() {
        let folder = tempfile::tempdir().unwrap();
        super::super::suite::all(&LocalLake::new(folder.path())).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_not_whole_yet_is_in_no_listing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(format!("{UNFINISHED}x")), "half").unwrap();
        let lake = LocalLake::new(folder.path());
        assert_eq!(lake.list("").count().await, 0);
    }

    #[tokio::test]
    async fn what_a_killed_writer_left_goes_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(format!("year=2004/{UNFINISHED}{name}"));
        let lake = LocalLake::new(folder.path());
        lake.put("year=2004/a", Bytes::new(), PutMode::Overwrite).await.unwrap();
        for name in ["old", "new"] {
            fs::write(place(name), "half").unwrap();
        }
        let long_ago = SystemTime::now() - 2 * STALE;
        for path in [place("old"), folder.path().join("year=2004/a")] {
            fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
        }
        lake.tidy().await.unwrap();
        assert!(!place("old").exists() && place("new").exists());
        assert!(folder.path().join("year=2004/a").exists());
    }

    #[tokio::test]
    async fn a_file_is_for_whom_the_umask_lets_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let lake = LocalLake::new(folder.path());
        lake.put("a", Bytes::new(), PutMode::Overwrite).await.unwrap();
        fs::write(folder.path().join("b"), "").unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("a"), mode("b"));
    }

    #[tokio::test]
    async fn a_file_is_no_lake_and_is_told_as_such() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = LocalLake::new(file.path()).tidy().await.unwrap_err();
        assert_eq!((error.operation, error.hint.starts_with("name a folder")), ("look through", true), "{error}");
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_an_error_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "a file").unwrap();
        let lake = LocalLake::new(folder.path());
        let error = lake.put("a/b", Bytes::new(), PutMode::Overwrite).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot write "), "{error}");
        assert!(error.to_string().contains("/a/b; check"), "{error}");
    }
}
