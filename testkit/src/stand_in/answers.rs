//! The JSON that TMDb answers with: its keys, its nulls, its blanks. All content is made up.

use serde_json::{Value, json};

use super::catalogue::{Catalogue, Film, Kind, review_id};
use crate::seed::roll;

/// Reviews on one page.
const PAGE: u64 = 20;

/// The answer of `/3/find/{imdb_id}`: five arrays.
pub(crate) fn find(catalogue: &Catalogue, imdb_id: &str) -> Value {
    let (kind, title, ids) = catalogue.find(imdb_id);
    let of = |wanted: Kind, shape: &dyn Fn(u64) -> Option<Value>| -> Vec<Value> {
        ids.iter().filter(|_| kind == wanted).filter_map(|&id| shape(id)).collect()
    };
    json!({
        "movie_results": of(Kind::Movie, &|id| catalogue.film(&id.to_string()).map(short)),
        "person_results": of(Kind::Person, &|id| Some(person(id, title))),
        "tv_results": of(Kind::Tv, &|id| Some(series(id, title))),
        "tv_episode_results": of(Kind::TvEpisode, &|id| Some(episode(id, title))),
        "tv_season_results": [],
    })
}

/// A film as lists show it.
fn short(film: &Film) -> Value {
    let dice = roll(film.id, &["look"]);
    json!({
        "adult": false,
        "backdrop_path": (!dice.is_multiple_of(3)).then(|| format!("/backdrop{}.jpg", film.id)),
        "id": film.id,
        "title": film.title,
        "original_title": film.title,
        "overview": if dice.is_multiple_of(5) { String::new() } else { format!("What happens in {}.\r\nAll of it.", film.title) },
        "poster_path": (!dice.is_multiple_of(4)).then(|| format!("/poster{}.jpg", film.id)),
        "media_type": "movie",
        "original_language": "en",
        "genre_ids": [18, 35],
        "popularity": score(dice, 1_000.0),
        "release_date": film.release_date,
        "softcore": false,
        "video": false,
        "vote_average": score(dice >> 8, 10.0),
        "vote_count": dice % 5_000,
    })
}

/// A number below `limit`: whole for some, with decimals for others, as TMDb's are.
fn score(dice: u64, limit: f64) -> Value {
    let scaled = (dice % 1_000) as f64 / 1_000.0 * limit;
    if dice.is_multiple_of(4) { json!(scaled as u64) } else { json!((scaled * 1_000.0).round() / 1_000.0) }
}

/// The answer of `/3/movie/{id}`, with what was asked to be appended. Unknown names are ignored.
pub(crate) fn details(film: &Film, append: &[&str]) -> Value {
    let mut answer = short(film);
    if let Some(object) = answer.as_object_mut() {
        object.remove("genre_ids");
        object.remove("media_type");
        object.insert("genres".into(), json!([{"id": 18, "name": "Drama"}, {"id": 35, "name": "Comedy"}]));
        object.insert("imdb_id".into(), json!(film.imdb_id));
        object.insert("budget".into(), json!(0));
        object.insert("revenue".into(), json!(0));
        object.insert("runtime".into(), json!(60 + film.id % 90));
        object.insert("homepage".into(), json!(""));
        object.insert("status".into(), json!("Released"));
        object.insert("tagline".into(), json!(""));
        object.insert("belongs_to_collection".into(), Value::Null);
        object.insert("origin_country".into(), json!(["US"]));
        object.insert("production_companies".into(), json!([]));
        object.insert("production_countries".into(), json!([{"iso_3166_1": "US", "name": "United States of America"}]));
        object.insert(
            "spoken_languages".into(),
            json!([{"english_name": "English", "iso_639_1": "en", "name": "English"}]),
        );
        for name in append {
            if let Some(appended) = appended(film, name) {
                object.insert((*name).into(), appended);
            }
        }
    }
    answer
}

fn appended(film: &Film, name: &str) -> Option<Value> {
    let mut answer = match name {
        "reviews" => reviews(film, 1),
        "credits" => json!({
            "cast": [{"adult": false, "gender": 1, "id": film.id, "known_for_department": "Acting", "name": "Ann Example",
                "character": "Herself", "credit_id": review_id(film.id, 1), "order": 0, "profile_path": null}],
            "crew": [{"adult": false, "gender": 0, "id": film.id + 1, "known_for_department": "Directing", "name": "Bo Example",
                "credit_id": review_id(film.id, 2), "department": "Directing", "job": "Director", "profile_path": null}],
        }),
        "external_ids" => {
            json!({"imdb_id": film.imdb_id, "wikidata_id": null, "facebook_id": null, "instagram_id": null,
            "twitter_id": null})
        }
        _ => return None,
    };
    // What is appended does not repeat the film's id.
    answer.as_object_mut()?.shift_remove("id");
    Some(answer)
}

/// The answer of `/3/movie/{id}/reviews`: no reviews are zero pages, and past the last page is an empty one.
pub(crate) fn reviews(film: &Film, page: u64) -> Value {
    let first = (page - 1) * PAGE;
    let results: Vec<Value> = (first..film.reviews.min(first + PAGE)).map(|n| review(film, n)).collect();
    json!({
        "id": film.id,
        "page": page,
        "results": results,
        "total_pages": film.reviews.div_ceil(PAGE),
        "total_results": film.reviews,
    })
}

fn review(film: &Film, n: u64) -> Value {
    let id = review_id(film.id, n);
    let rating = match n % 4 {
        0 => Value::Null,
        1 => json!(9.0),
        _ => json!(n % 10 + 1),
    };
    json!({
        "author": format!("author {n}"),
        "author_details": {
            "name": if n.is_multiple_of(2) { "" } else { "A Name" },
            "username": format!("author{n}"),
            "avatar_path": n.is_multiple_of(3).then(|| format!("/avatar{n}.jpg")),
            "rating": rating,
        },
        "content": format!("**{}**, seen {} times.\r\n\r\n“Quoted”, a tab\t, 日本語 🎬.", film.title, n + 1),
        "created_at": format!("2019-{:02}-{:02}T10:20:30.{:03}Z", n % 12 + 1, n % 28 + 1, n % 1_000),
        "id": id,
        "updated_at": "2021-06-23T15:58:09.421Z",
        "url": format!("https://www.themoviedb.org/review/{id}"),
    })
}

fn series(id: u64, name: &str) -> Value {
    json!({"adult": false, "backdrop_path": null, "id": id, "name": name, "original_name": name, "overview": "", "poster_path": null,
        "media_type": "tv", "original_language": "en", "genre_ids": [18], "popularity": 4.2, "first_air_date": "2008-01-20",
        "vote_average": 7, "vote_count": 12, "origin_country": ["US"]})
}

fn episode(id: u64, name: &str) -> Value {
    json!({"id": id, "name": name, "overview": "", "media_type": "tv_episode", "vote_average": 7.5, "vote_count": 3,
        "air_date": "2009-04-14", "episode_number": 1, "episode_type": "standard", "production_code": "", "runtime": null,
        "season_number": 1, "show_id": id + 1, "still_path": null})
}

fn person(id: u64, name: &str) -> Value {
    json!({"adult": false, "id": id, "name": name, "original_name": name, "media_type": "person", "popularity": 1.5, "gender": 2,
        "known_for_department": "Acting", "profile_path": null, "known_for": []})
}

/// The answer of `/3/movie/changes`: ids only, a hundred a page.
pub(crate) fn changes(ids: &[u64], page: u64) -> Value {
    let pages: Vec<&[u64]> = ids.chunks(100).collect();
    let on_page = pages.get(page as usize - 1).copied().unwrap_or_default();
    let results: Vec<Value> = on_page.iter().map(|id| json!({"id": id, "adult": false})).collect();
    json!({"results": results, "page": page, "total_pages": pages.len(), "total_results": ids.len()})
}

/// The answer of `/3/configuration`, as far as anybody looks.
pub(crate) fn configuration() -> Value {
    json!({"images": {"base_url": "http://image.tmdb.org/t/p/", "secure_base_url": "https://image.tmdb.org/t/p/",
        "backdrop_sizes": ["w300", "original"], "poster_sizes": ["w92", "original"]}, "change_keys": ["title", "release_date"]})
}

/// TMDb's words for one of its status codes, in its three keys.
pub(crate) fn status(code: u16) -> Value {
    let message = match code {
        1 => "Success.",
        5 => "Invalid parameters: Your request parameters are incorrect.",
        7 => "Invalid API key: You must be granted a valid key.",
        9 => "Service offline: This service is temporarily offline, try again later.",
        11 => "Internal error: Something went wrong, contact TMDB.",
        20 => "Invalid date range: Should be a range no longer than 14 days.",
        22 => "Invalid page: Pages start at 1 and max at 500. They are expected to be an integer.",
        24 => "Your request to the backend server timed out. Try again.",
        25 => "Your request count (41) is over the allowed limit of 40.",
        27 => "Too many append to response objects: The maximum number of remote calls is 20.",
        43 => "Couldn't connect to the backend server.",
        _ => "The resource you requested could not be found.",
    };
    json!({"success": code == 1, "status_code": code, "status_message": message})
}

/// TMDb's own code for a HTTP status that is scripted.
pub(crate) fn code_of(http: u16) -> u16 {
    match http {
        401 | 403 => 7,
        400 => 22,
        422 => 5,
        429 => 25,
        500 => 11,
        502 => 43,
        503 => 9,
        504 => 24,
        _ => 34,
    }
}
