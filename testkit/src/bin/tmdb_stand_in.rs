//! The stand-in for TMDb as a program: prints its address and answers until it is stopped.

#![allow(clippy::print_stdout, reason = "its address is its output")]

use std::{io, path::PathBuf, thread};

use clap::Parser;
use testkit::{
    StandIn,
    stand_in::{Behaviour, Options},
    titles,
};

/// A stand-in for TMDb's API, answering from a title.basics file and a seed.
#[derive(Parser)]
struct Args {
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The title.basics file, .tsv or .tsv.gz; the committed sample by default
    #[arg(long)]
    titles: Option<PathBuf>,
    /// What the answers follow from, beside the titles
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Milliseconds that each answer takes
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Requests a second, above which it answers 429
    #[arg(long)]
    rate: Option<u32>,
    /// The one key that is good; without it, any of the right form is
    #[arg(long)]
    key: Option<String>,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let behaviour = Behaviour { key: args.key, latency_ms: args.latency_ms, rate: args.rate, ..Behaviour::default() };
    let titles = args.titles.unwrap_or_else(titles::sample);
    let stand_in = StandIn::start(Options { port: args.port, titles, seed: args.seed, behaviour })?;
    println!("{}", stand_in.url());
    loop {
        thread::park();
    }
}
