//! Builds the index of one title.basics in a lake of this machine, by the code of `launch`: what `make bench` takes the time of.
//!
//! `index SOURCE LAKE`

#![allow(clippy::print_stdout, reason = "the counts are its output")]

use std::{env::args_os, error::Error};

use crawler_core::{
    imdb::{IndexOptions, Source, build_index},
    lake::LocalLake,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = args_os().skip(1);
    let (Some(source), Some(lake)) = (paths.next(), paths.next()) else { return Err("give SOURCE and LAKE".into()) };
    let source = Source::File(source.into());
    let manifest = build_index(&LocalLake::new(lake), &source, &IndexOptions::default(), |_| {}).await?;
    println!("{} rows, {} titles", manifest.rows, manifest.titles);
    Ok(())
}
