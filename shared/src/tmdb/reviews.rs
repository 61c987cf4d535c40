//! `/3/movie/{id}/reviews`: the reviews of a film, page by page.

use std::collections::HashSet;

use serde::Deserialize;

use super::{Client, Object, TmdbError};

/// TMDb's lists end here, whatever they say.
pub(super) const LAST_PAGE: u64 = 500;

/// One page; a film without reviews has none, and says `total_pages: 0`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Page {
    pub results: Vec<Object>,
    pub total_pages: u64,
    pub total_results: u64,
}

/// All reviews of a film.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reviews {
    /// The reviews as sent, each once, in TMDb's order.
    pub results: Vec<Object>,
    /// How many TMDb says there are.
    pub total_results: u64,
}

impl Client {
    /// All reviews of a film of TMDb; none if it is gone.
    pub async fn reviews(&self, movie: u64) -> Result<Reviews, TmdbError> {
        match self.reviews_page(movie, 1).await {
            Ok(first) => self.further_reviews(movie, first).await,
            Err(TmdbError::NotFound { .. }) => Ok(Reviews::default()),
            Err(error) => Err(error),
        }
    }

    /// All reviews of a film of which the first page is here.
    pub(super) async fn further_reviews(&self, movie: u64, first: Page) -> Result<Reviews, TmdbError> {
        let mut pages = vec![first];
        while let Some(last) = pages.last()
            && (pages.len() as u64) < last.total_pages.min(LAST_PAGE)
        {
            pages.push(self.reviews_page(movie, pages.len() as u64 + 1).await?);
        }
        let total_results = pages.last().map_or(0, |page| page.total_results);
        let results = each_once(pages.into_iter().flat_map(|page| page.results));
        Ok(Reviews { results, total_results })
    }

    async fn reviews_page(&self, movie: u64, page: u64) -> Result<Page, TmdbError> {
        let (movie, page) = (movie.to_string(), page.to_string());
        self.get(&["movie", &movie, "reviews"], &[("page", &page)]).await
    }
}

/// A review that moves to the next page while we turn it is seen twice. One without an id is told by all that it is.
fn each_once(reviews: impl Iterator<Item = Object>) -> Vec<Object> {
    let mut seen = HashSet::new();
    let is_new = |review: &Object| {
        let whole = || serde_json::to_string(review).unwrap_or_default();
        seen.insert(review.get("id").filter(|id| !id.is_null()).map_or_else(whole, ToString::to_string))
    };
    reviews.filter(is_new).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_review_is_kept_once_by_its_id_and_without_one_by_all_that_it_is() {
        let reviews = [("a", "one"), ("a", "one"), ("b", "one")].map(|(id, text)| json!({"id": id, "content": text}));
        let nameless = ["one", "two", "two"].map(|text| json!({"id": null, "content": text}));
        let all = reviews.into_iter().chain(nameless).filter_map(|review| review.as_object().cloned());
        assert_eq!(each_once(all).len(), 4);
    }
}
