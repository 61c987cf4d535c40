//! `/3/movie/changes`: which films of TMDb changed lately.

use std::collections::HashMap;

use jiff::{ToSpan as _, civil::Date};
use serde::Deserialize;

use super::{Client, TmdbError, client::malformed, reviews::LAST_PAGE};

/// Days of changes that are asked for.
const DAYS: i32 = 14;

/// The films that changed in the last fortnight, by TMDb's ids, each with the last day on which it may have changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes(HashMap<u64, Date>);

impl Changes {
    /// Whether a film that was fetched on `day` may have changed since.
    pub fn since(&self, movie: u64, day: Date) -> bool {
        self.0.get(&movie).is_some_and(|last| *last >= day)
    }

    /// How many films changed.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none did.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One page.
#[derive(Deserialize)]
struct Page {
    results: Vec<Changed>,
    total_pages: u64,
}

#[derive(Deserialize)]
struct Changed {
    id: u64,
}

impl Client {
    /// What changed in the fortnight that ends on `today`. Asked two days at a time: the answer names no day, and a list of TMDb has an end.
    pub async fn changes(&self, today: Date) -> Result<Changes, TmdbError> {
        let mut changes = Changes::default();
        for ago in (0..DAYS).rev() {
            let (from, to) = (today.saturating_sub((ago + 1).days()), today.saturating_sub(ago.days()));
            let (mut page, mut pages) = (0, 1);
            while page < pages {
                page += 1;
                let answer = self.changes_page(from, to, page).await?;
                changes.0.extend(answer.results.into_iter().map(|changed| (changed.id, to)));
                pages = answer.total_pages;
                if pages > LAST_PAGE {
                    let cause = format!("{pages} pages from {from} to {to}, and TMDb gives {LAST_PAGE}");
                    return Err(malformed("/3/movie/changes", &cause));
                }
            }
        }
        Ok(changes)
    }

    async fn changes_page(&self, from: Date, to: Date, page: u64) -> Result<Page, TmdbError> {
        let (from, to, page) = (from.to_string(), to.to_string(), page.to_string());
        self.get(&["movie", "changes"], &[("start_date", &from), ("end_date", &to), ("page", &page)]).await
    }
}
