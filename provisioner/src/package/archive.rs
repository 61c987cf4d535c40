//! Zips whose bytes follow from names and contents alone: sorted, one time, two modes, one method and level (E19).

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::{PackageError, read};

/// Deflate's best; part of the bytes, so that a change of it uploads every function anew, once.
const LEVEL: i64 = 9;

/// One file of a zip.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Path within the zip, with slashes.
    pub name: String,
    /// Mode 0755, else 0644.
    pub executable: bool,
    /// What is in it.
    pub content: Vec<u8>,
}

/// The zip of these entries.
pub(super) fn zip(mut entries: Vec<Entry>) -> Result<Vec<u8>, PackageError> {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::DEFAULT);
    let failed = |name: &str, source: zip::result::ZipError| PackageError::Zip { path: name.into(), source };
    for Entry { name, executable, content } in &entries {
        let mode = if *executable { 0o755 } else { 0o644 };
        writer.start_file(name, options.unix_permissions(mode)).map_err(|error| failed(name, error))?;
        writer.write_all(content).map_err(|error| failed(name, error.into()))?;
    }
    Ok(writer.finish().map_err(|error| failed("the zip's end", error))?.into_inner())
}

/// All files of a folder. A link is followed; what is neither file nor folder is left out.
pub(super) fn entries_of(folder: &Path) -> Result<Vec<Entry>, PackageError> {
    let mut entries = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let unread = |error| PackageError::file("read", &folder, error);
        for item in std::fs::read_dir(&folder).map_err(unread)? {
            let path = item.map_err(unread)?.path();
            let metadata = std::fs::metadata(&path).map_err(|error| PackageError::file("read", &path, error))?;
            let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
            if metadata.is_dir() {
                folders.push((path, format!("{name}/")));
            } else if metadata.is_file() {
                entries.push(Entry { executable: is_executable(&metadata), content: read(&path)?, name });
            }
        }
    }
    Ok(entries)
}

/// What the entries weigh together, in bytes.
pub(super) fn weight(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.content.len() as u64).sum()
}

/// What a zip's files weigh together, in bytes.
pub(super) fn unzipped(path: &Path, bytes: &[u8]) -> Result<u64, PackageError> {
    let mut archive = open(path, bytes)?;
    let mut sum = 0;
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(|source| PackageError::Zip { path: path.to_owned(), source })?;
        sum += file.size();
    }
    Ok(sum)
}

/// The file `bootstrap` at the root of a zip.
pub(super) fn bootstrap(path: &Path, bytes: &[u8]) -> Result<Option<Entry>, PackageError> {
    let wrong = |source| PackageError::Zip { path: path.to_owned(), source };
    let mut archive = open(path, bytes)?;
    let mut file = match archive.by_name("bootstrap") {
        Ok(file) => file,
        Err(zip::result::ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(wrong(error)),
    };
    let mut content = Vec::new();
    file.read_to_end(&mut content).map_err(|error| wrong(error.into()))?;
    // A zip without modes comes from a system without them: Lambda makes its files executable.
    let executable = file.unix_mode().is_none_or(|mode| mode & 0o111 != 0);
    Ok(Some(Entry { name: "bootstrap".into(), executable, content }))
}

/// Writes whole or not at all; a file that has these bytes already is left as it is.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), PackageError> {
    if std::fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    let unwritten = |error| PackageError::file("write", path, error);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unwritten)?;
    }
    let partial: PathBuf = path.with_extension(format!("zip.{}", std::process::id()));
    std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, path)).map_err(unwritten)
}

fn open<'b>(path: &Path, bytes: &'b [u8]) -> Result<ZipArchive<Cursor<&'b [u8]>>, PackageError> {
    ZipArchive::new(Cursor::new(bytes)).map_err(|source| PackageError::Zip { path: path.to_owned(), source })
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, content: &str) -> Entry {
        Entry { name: name.into(), executable: name == "bootstrap", content: content.into() }
    }

    #[test]
    fn e19_the_same_files_in_another_folder_order_and_time_give_the_same_bytes() {
        let write = |names: [&str; 3]| {
            let folder = tempfile::tempdir().unwrap();
            for name in names {
                let path = folder.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, name.repeat(1000)).unwrap();
            }
            zip(entries_of(folder.path()).unwrap()).unwrap()
        };
        assert_eq!(write(["b", "lib/a", "c"]), write(["c", "b", "lib/a"]));
    }

    #[test]
    fn e19_the_bytes_are_those_of_the_last_release() {
        let bytes = zip(vec![entry("bootstrap", &"films ".repeat(500)), entry("a.txt", "a")]).unwrap();
        insta::assert_snapshot!(crate::digest::hex(&bytes, 32), @"4fe21aeb199e73657bfc5865c396b9acc4f14829ad88e942e83bcfd265c60be9");
    }

    #[test]
    fn e23_bootstrap_is_at_the_root_and_executable() {
        let bytes = zip(vec![entry("bootstrap", "#!"), entry("readme", "r")]).unwrap();
        let found = bootstrap(Path::new("x.zip"), &bytes).unwrap().unwrap();
        assert_eq!(found, entry("bootstrap", "#!"));
        let bytes = zip(vec![entry("bin/bootstrap", "#!")]).unwrap();
        assert_eq!(bootstrap(Path::new("x.zip"), &bytes).unwrap(), None);
    }

    #[test]
    fn a_write_leaves_no_partial_file_and_no_new_time_on_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lambda/x.zip");
        write(&path, b"one").unwrap();
        let written = std::fs::metadata(&path).unwrap().modified().unwrap();
        write(&path, b"one").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), written);
        write(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
