//! `/3/movie/{imdb_id}?append_to_response=reviews`: a film, fuller than `find` has it, and its first reviews in one request.
//!
//! What else is appended (credits, external ids) stays in the film's object as it was sent.

use async_trait::async_trait;
use serde_json::Value;

use super::{Client, Fetch, Film, Movie, Object, TmdbError, client::malformed, find::Find, reviews::Page};
use crate::imdb::ImdbId;

/// What is appended, by its names with commas between them; nothing where there are none.
pub fn appended(names: &str) -> Vec<String> {
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Asks for the film itself; where there is none, `find` tells a miss from a series.
pub(super) struct Details;

#[async_trait]
impl Fetch for Details {
    async fn film(&self, tmdb: &Client, id: ImdbId) -> Result<Film, TmdbError> {
        let text = id.to_string();
        let mut object: Object = match tmdb.get(&["movie", &text], &[("append_to_response", tmdb.append())]).await {
            Ok(object) => object,
            Err(TmdbError::NotFound { .. }) => return Find.film(tmdb, id).await,
            Err(error) => return Err(error),
        };
        let broken = |cause: &str| malformed(&format!("/3/movie/{text}"), cause);
        let movie = object.get("id").and_then(Value::as_u64);
        let movie = movie.ok_or_else(|| broken("the film has no id"))?;
        let reviews = object.shift_remove("reviews").unwrap_or_default();
        let first: Page = serde_json::from_value(reviews).map_err(|error| broken(&format!("its reviews: {error}")))?;
        let reviews = tmdb.further_reviews(movie, first).await?;
        Ok(Film {
            movies: vec![Movie { id: movie, object, reviews: reviews.results, total_reviews: reviews.total_results }],
            others: Vec::new(),
        })
    }
}
