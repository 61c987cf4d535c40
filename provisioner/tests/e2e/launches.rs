//! Launching again: only what failed, only what is old, with what it takes told before.

use std::collections::BTreeSet;

use serde_json::json;
use testkit::titles;

use super::stage::{LAKE, Stage, until, words};

const FAST: &str = "--param TmdbRate=800 --param FunctionTimeout=60";

#[test]
fn failed_films_alone_are_asked_again_and_old_jobs_whole() {
    let stage = Stage::new();
    let source = titles::sample().display().to_string();
    let launch = |flags: &str| {
        stage.user.run(words(&format!("launch --json --years 2004 --titles-source {source} {FAST} {flags}"))).succeeds()
    };
    let films = titles::read(&titles::sample()).unwrap();
    let films: Vec<_> =
        films.iter().filter(|film| film.title_type == "movie" && film.start_year == Some(2004)).collect();
    let broken = films[films.len() / 2].tconst.clone();
    stage.tmdb.behave(|behaviour| behaviour.broken = [(broken.clone(), 422)].into());
    stage.user.run(["secret", "set"]).succeeds();
    stage.user.run(words(&format!("up --yes {FAST}"))).succeeds();
    let status = || stage.user.run(["status", "--json"]).succeeds().json();

    let sent = launch("").complains("429").complains("Estimate:").json();
    assert_eq!(sent["estimate"]["requests"], json!(films.len() * 2));
    assert!(sent["estimate"]["usd"]["total"].as_f64() > Some(0.0), "{sent}");
    until("all jobs are done", || status()["jobs"]["done"] == sent["jobs"]);
    assert_eq!(status()["titles"]["failed"], 1);
    stage.user.run(["status"]).succeeds().says("provision launch --failed");

    stage.tmdb.behave(|behaviour| behaviour.broken.clear());
    stage.tmdb.forget();
    assert_eq!(launch("--failed").json()["jobs"], 1);
    until("the failed film has its answer", || status()["titles"]["failed"] == 0);
    let asked = || -> BTreeSet<String> {
        let requests = stage.tmdb.requests();
        requests
            .iter()
            .filter(|one| one.path.contains("/find/"))
            .filter_map(|one| Some(one.film()?.to_owned()))
            .collect()
    };
    assert_eq!(asked(), BTreeSet::from([broken]));
    assert_eq!(launch("--failed").json()["jobs"], 0);

    assert_eq!(launch("--refresh older-than=30d").json()["jobs"], 0);
    assert_eq!(launch("--refresh older-than=0d").json()["jobs"], sent["jobs"]);
    until("every film is asked again", || asked().len() == films.len());
    until("the queue is empty", || status()["queue"] == json!({"visible": 0, "in_flight": 0, "delayed": 0}));
    assert_eq!(stage.check_lake(LAKE, 2004..=2004)["failed"], 0);
}
