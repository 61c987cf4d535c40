//! What is deployed is small, so that it starts soon: the zip that `make package` wrote.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::Path;

/// 4 MB.
const LARGEST: u64 = 4_000_000;

#[test]
fn the_zip_has_at_most_four_megabytes() {
    let zip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/lambda/crawler.zip");
    assert!(zip.exists(), "{} is missing: make package", zip.display());
    let bytes = zip.metadata().unwrap().len();
    assert!(bytes <= LARGEST, "{} has {bytes} bytes", zip.display());
}
