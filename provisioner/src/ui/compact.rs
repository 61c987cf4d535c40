//! What `compact` made, in words.

use std::collections::BTreeMap;
use std::fmt::Write;

use crawler_core::compact::Compacted;

/// For a terminal: files, rows and bytes of each kind, and where they stand.
pub fn text(compacted: &Compacted, lake: &str) -> String {
    let mut kinds = BTreeMap::new();
    for file in &compacted.files {
        let (files, rows, bytes) = kinds.entry(file.kind).or_insert((0_u64, 0, 0));
        (*files, *rows, *bytes) = (*files + 1, *rows + file.rows, *bytes + file.bytes);
    }
    let mut text = String::new();
    for (kind, (files, rows, bytes)) in kinds {
        let _ = writeln!(text, "{:<8} {rows:>9} records in {files} files, {bytes} bytes", kind.folder());
    }
    if compacted.jobs_not_done > 0 {
        let _ = writeln!(text, "{} jobs are not done yet, and so not in it", compacted.jobs_not_done);
    }
    let _ = write!(text, "{} jobs are merged: {lake}/compact/{}/", compacted.jobs, compacted.version);
    text
}
