//! Writes a title.basics file of any size, made up and always the same for the same rows and seed.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::PathBuf,
};

use clap::Parser;
use flate2::{Compression, write::GzEncoder};
use testkit::titles::generate;

/// Writes a made-up title.basics file.
#[derive(Parser)]
struct Args {
    /// How many rows, beside the header; at most 36 million
    #[arg(long)]
    rows: u64,
    /// What the rows follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file, compressed where its name ends in .gz; standard output by default
    #[arg(long)]
    output: Option<PathBuf>,
}

fn main() -> io::Result<()> {
    let Args { rows, seed, output } = Args::parse();
    let Some(path) = output else {
        return generate(&mut BufWriter::new(io::stdout().lock()), rows, seed);
    };
    let file = File::create(&path)?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut gzip = BufWriter::with_capacity(1 << 16, GzEncoder::new(file, Compression::default()));
        generate(&mut gzip, rows, seed)?;
        return gzip.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?.flush();
    }
    generate(&mut BufWriter::new(file), rows, seed)
}
