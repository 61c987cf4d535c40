//! Builds the index of one title.basics in a lake of this machine, by the code of `launch`: what `make bench` takes the time of.
//!
//! `index SOURCE LAKE [TYPES]`

#![allow(clippy::print_stdout, reason = "the counts are its output")]

use std::{env::args_os, error::Error};

use crawler_core::{
    imdb::{IndexOptions, Source, build_index},
    lake::LocalLake,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut given = args_os().skip(1);
    let (Some(source), Some(lake)) = (given.next(), given.next()) else { return Err("give SOURCE and LAKE".into()) };
    let mut options = IndexOptions::default();
    if let Some(types) = given.next() {
        options.types = types.to_string_lossy().split(',').map(str::to_owned).collect();
    }
    let source = Source::File(source.into());
    let manifest = build_index(&LocalLake::new(lake), &source, &options, |_| {}).await?;
    println!("{} rows, {} titles", manifest.rows, manifest.titles);
    Ok(())
}
