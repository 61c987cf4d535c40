//! The lake's other forms, made by the real function and on S3: few large files, and an object a film and a review.

use std::collections::BTreeSet;

use serde_json::json;
use testkit::stand_in::{Expected, Kind};
use testkit::{reader, titles};

use super::stage::{LAKE, Stage, words};

/// What the stand-in knows of 2004's films whose titles begin with "Th", in the order of their ids.
fn films(stage: &Stage) -> Vec<Expected> {
    let mut films = titles::read(&titles::sample()).unwrap();
    films.retain(|film| film.start_year == Some(2004) && film.primary_title.to_uppercase().starts_with("TH"));
    films.sort_by_key(|film| film.tconst.clone());
    stage.tmdb.expected(films.iter().map(|film| film.tconst.as_str()))
}

/// The keys that the warehouse of old reads: the second id of one film carries its own name.
fn keys(films: &[Expected]) -> BTreeSet<String> {
    let (mut keys, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for film in films.iter().filter(|film| film.kind == Kind::Movie) {
        assert!(film.tmdb_ids.len() == 1 || film.reviews.is_empty(), "whose reviews? {film:?}");
        for id in &film.tmdb_ids {
            let plain = format!("tmdb-movie-{id}");
            let name = if taken.insert(*id) { plain } else { format!("{plain}-{}", film.id) };
            keys.insert(format!("tmdb/movies/year-2004/initial-TH/{name}.json"));
            let of_review = |review| format!("tmdb/reviews/year-2004/initial-TH/{name}-review-{review}.json");
            keys.extend(film.reviews.iter().map(of_review));
        }
    }
    keys
}

#[test]
fn lines_are_merged_on_s3_and_objects_stand_at_the_keys_of_old() {
    let stage = Stage::new();
    let run = format!("run --yes --param TmdbRate=800 --titles-source {}", titles::sample().display());
    stage.user.run(["secret", "set"]).succeeds();
    stage.user.run(words(&format!("{run} --years 2013 --initials TH,MA"))).succeeds();
    let lake = format!("s3://{LAKE}");
    stage.user.run(words(&format!("compact --lake {lake} --format parquet"))).succeeds();
    let folder = stage.user.folder().join("copy");
    let copied = stage.aws(&format!("s3 sync --quiet {lake} {}", folder.display()));
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let found = reader::read_lake(&folder);
    for what in ["years", "titles", "total_reviews", "reviews", "distinct_reviews", "misses"] {
        assert_eq!(found["compact"][what], found["jobs"][what], "{what}");
    }
    assert!(found["jobs"]["reviews"].as_u64() > Some(10), "{found}");

    stage.user.run(["secret", "set"]).succeeds();
    stage.user.run(words(&format!("{run} --years 2004 --initials TH --param LakeLayout=objects"))).succeeds();
    let listed = stage.aws(&format!("s3api list-objects-v2 --bucket {LAKE} --prefix tmdb/ --query Contents[].Key"));
    let listed: BTreeSet<String> = serde_json::from_slice(&listed.stdout).unwrap();
    let listed: BTreeSet<String> = listed.into_iter().filter(|key| key.contains("/year-2004/")).collect();
    assert_eq!(listed, keys(&films(&stage)));
    let proof = stage.user.run(words(&format!("verify --lake {lake} --json"))).succeeds().json();
    assert_eq!(proof["holds"], json!(true), "{proof}");
}
