//! Gzipped lines of JSON.

use std::io::{self, BufRead as _, BufReader, Write as _};

use flate2::{Compression, GzBuilder, read::MultiGzDecoder, write::GzEncoder};

use super::Part;

/// Lines, each a record as it stands in its job's object.
pub(super) struct Lines(GzEncoder<Vec<u8>>);

impl Lines {
    pub fn new() -> Self {
        Self(GzBuilder::new().mtime(0).write(Vec::new(), Compression::default()))
    }
}

impl Part for Lines {
    fn add(&mut self, line: &str) -> io::Result<()> {
        self.0.write_all(line.as_bytes())?;
        self.0.write_all(b"\n")
    }

    fn bytes(&self) -> usize {
        self.0.get_ref().len()
    }

    fn finish(self: Box<Self>) -> io::Result<Vec<u8>> {
        self.0.finish()
    }
}

/// Tells each line of a file.
pub(super) fn read(file: &[u8], each: &mut dyn FnMut(&str)) -> io::Result<()> {
    for line in BufReader::new(MultiGzDecoder::new(file)).lines() {
        each(&line?);
    }
    Ok(())
}
