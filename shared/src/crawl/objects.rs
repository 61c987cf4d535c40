//! One object a film and one a review: the layout that an older warehouse reads.
//!
//! Guarantees: no film overwrites another's object. Where two IMDb ids of a partition lead to one film of TMDb, the first to write has
//! the plain key, and the other's keys carry its IMDb id; each keeps its own when it is written again.

use std::collections::HashSet;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use super::{
    Answer, CrawlError,
    output::{WIDTH, damaged},
};
use crate::{
    Job, Lake,
    lake::{Put, PutMode, layout, layout::Kind},
};

/// A film of TMDb as one IMDb id leads to it, and its reviews.
struct Film<'a> {
    id: u64,
    id_imdb: String,
    line: &'a str,
    reviews: Vec<(String, &'a str)>,
}

/// Writes the films and reviews of `answers`. The keys that were written.
pub(super) async fn write(lake: &dyn Lake, job: &Job, answers: &[&Answer]) -> Result<Vec<String>, CrawlError> {
    let mut seen = HashSet::new();
    let films: Option<Vec<Vec<Film>>> = answers.iter().map(|answer| films(answer)).collect();
    let nameless = || damaged(lake, &layout::checkpoints_of(job), &"a film has no id, or a review no film");
    let films = films.ok_or_else(nameless)?.into_iter().flatten();
    // Within a job the order of its titles decides, so that the same answers have the same keys.
    let films: Vec<(bool, Film)> = films.map(|film| (seen.insert(film.id), film)).collect();
    let (first, second): (Vec<_>, Vec<_>) = films.into_iter().partition(|(first, _)| *first);
    let mut keys = Vec::new();
    for films in [first, second] {
        let writes: Vec<_> = films.into_iter().map(|(first, film)| write_film(lake, job, first, film)).collect();
        let written: Vec<Vec<String>> = stream::iter(writes).buffered(WIDTH).try_collect().await?;
        keys.extend(written.into_iter().flatten());
    }
    Ok(keys)
}

/// The films of a title, each with its reviews; none where one cannot be told from others.
fn films(answer: &Answer) -> Option<Vec<Film<'_>>> {
    let mut films: Vec<Film> = Vec::new();
    for (kind, line) in &answer.lines {
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        match kind {
            Kind::Movies => {
                let id = value["id"].as_u64()?;
                films.push(Film { id, id_imdb: answer.id.to_string(), line, reviews: Vec::new() });
            }
            Kind::Reviews => {
                let movie = value["movie_id"].as_u64()?;
                let film = films.iter_mut().find(|film| film.id == movie)?;
                film.reviews.push((review_name(&value, film.reviews.len()), line));
            }
            _ => {}
        }
    }
    Some(films)
}

/// A review's id, where it may stand in a key; else its place.
fn review_name(review: &Value, place: usize) -> String {
    review["id"].as_str().filter(|id| layout::may_name(id)).map_or_else(|| format!("{place}"), str::to_owned)
}

/// Writes a film, then its reviews, under the name that the film got.
async fn write_film(lake: &dyn Lake, job: &Job, first: bool, film: Film<'_>) -> Result<Vec<String>, CrawlError> {
    let plain = film.id.to_string();
    let name = if first && claim(lake, &layout::object(Kind::Movies, job, &plain), &film).await? {
        plain
    } else {
        let name = format!("{}-{}", film.id, film.id_imdb);
        put(lake, &layout::object(Kind::Movies, job, &name), film.line).await?;
        name
    };
    let mut keys = vec![layout::object(Kind::Movies, job, &name)];
    for (review, line) in &film.reviews {
        let key = layout::object(Kind::Reviews, job, &format!("{name}-review-{review}"));
        put(lake, &key, line).await?;
        keys.push(key);
    }
    Ok(keys)
}

/// Writes the film at `key`, unless another title's stands there; whether it was written.
async fn claim(lake: &dyn Lake, key: &str, film: &Film<'_>) -> Result<bool, CrawlError> {
    let bytes = Bytes::from(film.line.to_owned());
    let there = loop {
        if lake.put(key, bytes.clone(), PutMode::CreateOnly).await? == Put::Written {
            return Ok(true);
        }
        // What has gone meanwhile leaves its place.
        if let Some(there) = lake.get(key).await? {
            break there;
        }
    };
    let there: Value = serde_json::from_slice(&there).map_err(|error| damaged(lake, key, &error))?;
    let ours = there["id_imdb"] == film.id_imdb.as_str();
    if ours {
        put(lake, key, film.line).await?;
    }
    Ok(ours)
}

async fn put(lake: &dyn Lake, key: &str, line: &str) -> Result<(), CrawlError> {
    lake.put(key, Bytes::from(line.to_owned()), PutMode::Overwrite).await?;
    Ok(())
}
