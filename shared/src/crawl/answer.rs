//! What TMDb had for one title, as the lines that go into the lake.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    imdb::ImdbId,
    lake::layout::Kind,
    tmdb::{Film, Object, TmdbError},
};

/// Where a title ended. Each title has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// At least one film of TMDb.
    Linked,
    /// TMDb does not know it.
    Missed,
    /// A series, an episode, a season or a person at TMDb.
    Other,
    /// No usable answer.
    Failed,
}

/// The lines of one title: each a JSON object, and which object of the job it goes into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub id: ImdbId,
    pub lines: Vec<(Kind, String)>,
}

impl Answer {
    /// What TMDb has, each object as it was sent and then our own fields.
    pub fn of_film(id: ImdbId, initial: &str, film: Film, today: Date) -> Self {
        let day = today.to_string();
        let own = |object: &mut Object| {
            object.insert("id_imdb".into(), json!(id.to_string()));
            object.insert("initial".into(), json!(initial));
            object.insert("fetched_on".into(), json!(day));
        };
        let mut lines = Vec::new();
        let linked = !film.movies.is_empty();
        for movie in film.movies {
            let mut object = movie.object;
            object.insert("total_reviews".into(), json!(movie.total_reviews));
            own(&mut object);
            lines.push((Kind::Movies, line(object)));
            for mut review in movie.reviews {
                review.insert("movie_id".into(), json!(movie.id));
                own(&mut review);
                lines.push((Kind::Reviews, line(review)));
            }
        }
        // A title is in one place only: what leads to a film is no other, whatever else it leads to.
        for other in film.others.into_iter().filter(|_| !linked) {
            let mut object = other.object;
            object.insert("kind".into(), json!(other.kind));
            own(&mut object);
            lines.push((Kind::Others, line(object)));
        }
        if lines.is_empty() {
            let mut object = Object::new();
            own(&mut object);
            lines.push((Kind::Misses, line(object)));
        }
        Self { id, lines }
    }

    /// A title that TMDb gives no usable answer for.
    pub fn failed(id: ImdbId, initial: &str, error: &TmdbError, today: Date) -> Self {
        let record = json!({
            "id_imdb": id.to_string(),
            "initial": initial,
            "status": error.status(),
            "reason": error.to_string(),
            "fetched_on": today.to_string(),
        });
        Self { id, lines: vec![(Kind::Failed, record.to_string())] }
    }

    /// Where the title ended.
    pub fn outcome(&self) -> Outcome {
        match self.lines.first() {
            Some((Kind::Movies | Kind::Reviews, _)) => Outcome::Linked,
            Some((Kind::Others, _)) => Outcome::Other,
            Some((Kind::Failed, _)) => Outcome::Failed,
            Some((Kind::Misses, _)) | None => Outcome::Missed,
        }
    }

    /// The day on which TMDb gave it.
    pub fn day(&self) -> Option<Date> {
        #[derive(Deserialize)]
        struct Own {
            fetched_on: Date,
        }
        let (_, line) = self.lines.first()?;
        serde_json::from_str(line).ok().map(|own: Own| own.fetched_on)
    }

    /// How many of its lines are of `kind`.
    pub fn count(&self, kind: Kind) -> usize {
        self.lines.iter().filter(|(of, _)| *of == kind).count()
    }
}

fn line(object: Object) -> String {
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tmdb::{Movie, Other, OtherKind};

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    fn answer(film: Film) -> Answer {
        Answer::of_film("tt0137523".parse().unwrap(), "FI", film, "2026-11-23".parse().unwrap())
    }

    fn movie() -> Movie {
        Movie {
            id: 550,
            object: object(json!({"id": 550, "softcore": false, "vote_average": 8.0, "release_date": ""})),
            reviews: vec![object(json!({"id": "5b", "content": "a\r\nb"}))],
            total_reviews: 1,
        }
    }

    #[test]
    fn objects_are_kept_as_sent_with_our_fields_after_them() {
        let answer = answer(Film { movies: vec![movie()], others: vec![] });
        assert_eq!(answer.outcome(), Outcome::Linked);
        assert_eq!(
            answer.lines[0].1,
            r#"{"id":550,"softcore":false,"vote_average":8.0,"release_date":"","total_reviews":1,"id_imdb":"tt0137523","initial":"FI","fetched_on":"2026-11-23"}"#
        );
        assert_eq!(
            answer.lines[1].1,
            r#"{"id":"5b","content":"a\r\nb","movie_id":550,"id_imdb":"tt0137523","initial":"FI","fetched_on":"2026-11-23"}"#
        );
    }

    #[test]
    fn a_title_is_in_one_place_only() {
        let series = || Other { kind: OtherKind::Tv, object: object(json!({"id": 7})) };
        let both = answer(Film { movies: vec![movie(), movie()], others: vec![series()] });
        assert_eq!((both.outcome(), both.count(Kind::Movies), both.count(Kind::Others)), (Outcome::Linked, 2, 0));
        let other = answer(Film { movies: vec![], others: vec![series()] });
        assert_eq!((other.outcome(), other.count(Kind::Others)), (Outcome::Other, 1));
        assert!(other.lines[0].1.contains(r#""kind":"tv""#));
        assert_eq!(answer(Film::default()).outcome(), Outcome::Missed);
    }
}
