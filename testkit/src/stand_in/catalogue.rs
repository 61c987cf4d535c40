//! What the stand-in holds to be true: which IMDb id leads to what at TMDb, and how many reviews it has.
//!
//! All of it follows from the titles and the seed. Shares are those that a crawler must cope with, not TMDb's own.

use std::collections::HashMap;

use serde::Serialize;

use crate::{
    seed::{roll, share},
    titles::Title,
};

/// What TMDb has for an IMDb id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One film, or now and then two.
    Movie,
    /// A series.
    Tv,
    /// An episode of a series.
    TvEpisode,
    /// A person.
    Person,
    /// Nothing: five empty arrays.
    Unknown,
}

/// A film of TMDb.
#[derive(Clone, Debug)]
pub(crate) struct Film {
    /// Its id at TMDb, whose quotient by ten is the number of the IMDb id that it was made from.
    pub id: u64,
    pub imdb_id: String,
    pub title: String,
    /// `YYYY-MM-DD`, or blank.
    pub release_date: String,
    /// How many reviews it has: mostly 0, or 1, 3, 20, 21, 100.
    pub reviews: u64,
}

/// The truth about one IMDb id.
#[derive(Clone, Debug)]
struct Entry {
    kind: Kind,
    title: String,
    /// Ids of films where `kind` is `Movie`; else the id of the series, the episode, the person; none where it is unknown.
    tmdb_ids: Vec<u64>,
}

/// The truth about one IMDb id, for a test that reads the lake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// The IMDb id.
    pub id: String,
    /// What TMDb has for it.
    pub kind: Kind,
    /// TMDb's ids in the order of the answer; several where one id leads to several films.
    pub tmdb_ids: Vec<u64>,
    /// The ids of all reviews of these films, in the order of the answers.
    pub reviews: Vec<String>,
}

/// All films and their like that the stand-in knows.
pub(crate) struct Catalogue {
    by_imdb_id: HashMap<String, Entry>,
    films: HashMap<u64, Film>,
}

impl Catalogue {
    /// The truth about `titles` under `seed`.
    pub(crate) fn new(mut titles: Vec<Title>, seed: u64) -> Self {
        titles.sort_unstable_by(|a, b| a.tconst.cmp(&b.tconst));
        let mut catalogue = Self { by_imdb_id: HashMap::new(), films: HashMap::new() };
        let mut previous: Option<u64> = None;
        for title in titles {
            let kind = kind(&title, seed);
            // As with 35 of 62,316 rows of MovieLens (more often here): two IMDb ids of one film.
            let shared = previous.filter(|_| kind == Kind::Movie && share(seed, &["shared", &title.tconst]) < 0.006);
            let entry = catalogue.entry(&title, kind, shared, seed);
            previous = if shared.is_none() && kind == Kind::Movie { entry.tmdb_ids.first().copied() } else { None };
            catalogue.by_imdb_id.insert(title.tconst, entry);
        }
        catalogue
    }

    fn entry(&mut self, title: &Title, kind: Kind, shared: Option<u64>, seed: u64) -> Entry {
        let first = title.tconst.trim_start_matches("tt").parse::<u64>().unwrap_or(0) * 10;
        let tmdb_ids = match (kind, shared) {
            (Kind::Unknown, _) => vec![],
            (Kind::Movie, Some(id)) => vec![id],
            (Kind::Movie, None) => {
                let two = share(seed, &["two", &title.tconst]) < 0.005;
                let ids: Vec<u64> = (first..=first + u64::from(two)).collect();
                self.films.extend(ids.iter().map(|&id| (id, film(id, title, seed))));
                ids
            }
            (Kind::Tv, _) => vec![first + 2],
            (Kind::TvEpisode, _) => vec![first + 3],
            (Kind::Person, _) => vec![first + 4],
        };
        Entry { kind, title: title.primary_title.clone(), tmdb_ids }
    }

    /// What `find` has for an IMDb id; unknown for an id that is in no row.
    pub(crate) fn find(&self, imdb_id: &str) -> (Kind, &str, &[u64]) {
        let entry = self.by_imdb_id.get(imdb_id);
        entry.map_or((Kind::Unknown, "", &[]), |entry| (entry.kind, &entry.title, &entry.tmdb_ids))
    }

    /// A film by its TMDb id or by an IMDb id that leads to it.
    pub(crate) fn film(&self, id: &str) -> Option<&Film> {
        let number = match self.find(id) {
            (Kind::Movie, _, ids) => ids.first().copied(),
            _ => id.parse().ok(),
        };
        self.films.get(&number?)
    }

    /// Every IMDb id of the titles, sorted as text.
    pub(crate) fn imdb_ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.by_imdb_id.keys().cloned().collect();
        ids.sort_unstable();
        ids
    }

    /// The truth about one IMDb id.
    pub(crate) fn expected(&self, imdb_id: &str) -> Expected {
        let (kind, _, tmdb_ids) = self.find(imdb_id);
        let films = tmdb_ids.iter().filter(|_| kind == Kind::Movie).filter_map(|id| self.films.get(id));
        let reviews = films.flat_map(|film| (0..film.reviews).map(|n| review_id(film.id, n))).collect();
        Expected { id: imdb_id.to_owned(), kind, tmdb_ids: tmdb_ids.to_vec(), reviews }
    }
}

/// The id of a film's `n`-th review: 24 hexadecimal digits.
pub(crate) fn review_id(film: u64, n: u64) -> String {
    format!("{film:016x}{n:08x}")
}

fn kind(title: &Title, seed: u64) -> Kind {
    let at = share(seed, &["kind", &title.tconst]);
    match title.title_type.as_str() {
        _ if at < 0.12 => Kind::Unknown,
        "tvSeries" | "tvMiniSeries" => Kind::Tv,
        "tvEpisode" => Kind::TvEpisode,
        // What IMDb calls a film may be a series, an episode, even a person at TMDb.
        _ if at < 0.14 => Kind::Tv,
        _ if at < 0.15 => Kind::TvEpisode,
        _ if at < 0.153 => Kind::Person,
        _ => Kind::Movie,
    }
}

fn film(id: u64, title: &Title, seed: u64) -> Film {
    let number = id.to_string();
    let reviews = match share(seed, &["reviews", &number]) {
        at if at < 0.90 => 0,
        at if at < 0.95 => 1,
        at if at < 0.983 => 3,
        at if at < 0.993 => 20,
        at if at < 0.997 => 21,
        _ => 100,
    };
    let day = roll(seed, &["day", &number]);
    let release_date = match title.start_year {
        Some(year) if share(seed, &["dated", &number]) >= 0.028 => {
            format!("{year:04}-{:02}-{:02}", day % 12 + 1, day / 12 % 28 + 1)
        }
        _ => String::new(),
    };
    Film { id, imdb_id: title.tconst.clone(), title: title.primary_title.clone(), release_date, reviews }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn titles(count: u32) -> Vec<Title> {
        let title = |n: u32| Title {
            tconst: format!("tt{n:07}"),
            title_type: "movie".into(),
            primary_title: format!("Film {n}"),
            start_year: Some(2004),
        };
        (1..=count).map(title).collect()
    }

    #[test]
    fn every_case_a_crawler_must_cope_with_is_among_3000_films() {
        let catalogue = Catalogue::new(titles(3_000), 1);
        let all: Vec<Expected> = catalogue.imdb_ids().iter().map(|id| catalogue.expected(id)).collect();
        for kind in [Kind::Movie, Kind::Tv, Kind::TvEpisode, Kind::Person, Kind::Unknown] {
            assert!(all.iter().any(|one| one.kind == kind), "no {kind:?}");
        }
        assert!(all.iter().any(|one| one.kind == Kind::Movie && one.tmdb_ids.len() == 2), "no id with two films");
        let mut seen = HashSet::new();
        assert!(all.iter().flat_map(|one| &one.tmdb_ids).any(|id| !seen.insert(id)), "no film with two ids");
        let counts: HashSet<u64> = catalogue.films.values().map(|film| film.reviews).collect();
        assert_eq!(counts, HashSet::from([0, 1, 3, 20, 21, 100]));
        assert!(catalogue.films.values().any(|film| film.release_date.is_empty()), "no film without a date");
    }

    #[test]
    fn the_truth_follows_from_titles_and_seed() {
        let (one, same, other) =
            (Catalogue::new(titles(500), 1), Catalogue::new(titles(500), 1), Catalogue::new(titles(500), 2));
        let all = |of: &Catalogue| one.imdb_ids().iter().map(|id| of.expected(id)).collect::<Vec<_>>();
        assert_eq!(all(&one), all(&same));
        assert_ne!(all(&one), all(&other));
    }

    #[test]
    fn second_pages_of_reviews_are_rare_enough_for_details_to_save_requests() {
        let catalogue = Catalogue::new(titles(20_000), 1);
        let more_pages: u64 = catalogue.films.values().map(|film| film.reviews.div_ceil(20).saturating_sub(1)).sum();
        assert!((more_pages as f64) < 0.02 * catalogue.films.len() as f64);
    }
}
