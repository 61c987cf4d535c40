//! What TMDb has for an IMDb id, whichever way it was asked.

use std::{fmt, str::FromStr};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Client, TmdbError, details::Details, find::Find};
use crate::imdb::ImdbId;

/// A JSON object as TMDb sent it: its keys in their order, also those that nobody knows.
pub type Object = serde_json::Map<String, Value>;

/// A film of TMDb and all its reviews.
#[derive(Clone, Debug, PartialEq)]
pub struct Movie {
    /// TMDb's id.
    pub id: u64,
    /// The film as sent.
    pub object: Object,
    /// Its reviews as sent, each once.
    pub reviews: Vec<Object>,
    /// How many reviews TMDb says there are.
    pub total_reviews: u64,
}

/// What an IMDb id may be at TMDb instead of a film.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherKind {
    /// A person.
    Person,
    /// A series.
    Tv,
    /// An episode of one.
    TvEpisode,
    /// A season of one.
    TvSeason,
}

/// Something else than a film.
#[derive(Clone, Debug, PartialEq)]
pub struct Other {
    /// What it is.
    pub kind: OtherKind,
    /// It, as sent.
    pub object: Object,
}

/// What TMDb has for one IMDb id; nothing at all is a miss.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Film {
    /// The films, nearly always one.
    pub movies: Vec<Movie>,
    /// What it is besides, or instead.
    pub others: Vec<Other>,
}

/// A way of asking for a film.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// Everything that TMDb has for `id`.
    async fn film(&self, tmdb: &Client, id: ImdbId) -> Result<Film, TmdbError>;
}

/// Which way; as written in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FetchMode {
    /// Find by the IMDb id, then the reviews: two requests a film, one where there is none.
    #[default]
    Find,
    /// The film by its IMDb id with its reviews appended: one request a film, two where there is none.
    Details,
}

impl FetchMode {
    /// The way of asking.
    pub fn fetch(self) -> &'static dyn Fetch {
        match self {
            Self::Find => &Find,
            Self::Details => &Details,
        }
    }
}

impl fmt::Display for FetchMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Find => "find",
            Self::Details => "details",
        })
    }
}

impl FromStr for FetchMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "find" => Ok(Self::Find),
            "details" => Ok(Self::Details),
            _ => Err(format!("{text:?} is no way of asking TMDb; write find or details")),
        }
    }
}
