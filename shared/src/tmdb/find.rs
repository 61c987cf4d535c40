//! `/3/find/{imdb_id}`: what TMDb has for an IMDb id, in five arrays.

use std::collections::HashSet;

use async_trait::async_trait;
use serde::Deserialize;

use super::{Client, Fetch, Film, Movie, Object, Other, OtherKind, TmdbError, client::malformed};
use crate::imdb::ImdbId;

/// The answer. Those of old have no arrays for episodes and seasons.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    pub movie_results: Vec<Object>,
    #[serde(default)]
    person_results: Vec<Object>,
    #[serde(default)]
    tv_results: Vec<Object>,
    #[serde(default)]
    tv_episode_results: Vec<Object>,
    #[serde(default)]
    tv_season_results: Vec<Object>,
}

impl Found {
    /// All that is no film.
    pub fn others(self) -> Vec<Other> {
        let arrays = [
            (OtherKind::Tv, self.tv_results),
            (OtherKind::TvEpisode, self.tv_episode_results),
            (OtherKind::TvSeason, self.tv_season_results),
            (OtherKind::Person, self.person_results),
        ];
        let others =
            |(kind, objects): (OtherKind, Vec<Object>)| objects.into_iter().map(move |object| Other { kind, object });
        let mut seen = HashSet::new();
        let others = arrays.into_iter().flat_map(others);
        others.filter(|other| seen.insert((other.kind, other.object.get("id").map(ToString::to_string)))).collect()
    }
}

impl Client {
    /// What TMDb has for an IMDb id.
    pub(super) async fn find(&self, id: ImdbId) -> Result<Found, TmdbError> {
        self.get(&["find", &id.to_string()], &[("external_source", "imdb_id")]).await
    }
}

/// Finds by IMDb id, then asks for the reviews of each film that was found.
pub(super) struct Find;

#[async_trait]
impl Fetch for Find {
    async fn film(&self, tmdb: &Client, id: ImdbId) -> Result<Film, TmdbError> {
        let mut found = match tmdb.find(id).await {
            // Final: it was asked whether TMDb is there at all before this was believed.
            Err(TmdbError::NotFound { .. }) => return Ok(Film::default()),
            found => found?,
        };
        let mut movies: Vec<Movie> = Vec::new();
        for object in std::mem::take(&mut found.movie_results) {
            let number = object.get("id").and_then(serde_json::Value::as_u64);
            let number = number.ok_or_else(|| malformed(&format!("/3/find/{id}"), "a film in it has no id"))?;
            if movies.iter().any(|movie| movie.id == number) {
                continue;
            }
            let reviews = tmdb.reviews(number).await?;
            movies.push(Movie { id: number, object, reviews: reviews.results, total_reviews: reviews.total_results });
        }
        Ok(Film { movies, others: found.others() })
    }
}
