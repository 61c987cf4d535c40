//! A whole crawl on one machine, into a folder: no AWS, the same code and the same guarantees.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Provision, StandIn, reader, stand_in, titles};

const KEY: &str = "0123456789abcdef0123456789abcdef";

struct Stage {
    tmdb: StandIn,
    user: Provision,
}

impl Stage {
    fn new(config: &str) -> Self {
        let tmdb = StandIn::start(stand_in::Options::default()).unwrap();
        let config = format!("titles_source = \"{}\"\n{config}", titles::sample().display());
        let user = Provision::new(env!("CARGO_BIN_EXE_provision"))
            .env("TMDB_API_URL", tmdb.url())
            .env("TMDB_API_KEY", KEY)
            .file("provision.toml", config);
        Self { tmdb, user }
    }

    fn file(self, name: &str, content: &str) -> Self {
        Self { user: self.user.file(name, content), ..self }
    }

    fn download(&self, line: &str) -> Value {
        self.user.run(words(&format!("download --json {line}"))).succeeds().never_says(KEY).json()
    }

    fn verify(&self) -> Value {
        let proof = self.user.run(words("verify --lake ./lake --json")).succeeds().json();
        assert_eq!(proof["holds"], true, "{proof}");
        proof
    }

    /// How often each film was asked for.
    fn finds(&self) -> Vec<String> {
        let requests = self.tmdb.requests().into_iter().filter(|request| request.path.contains("/find/"));
        requests.map(|request| request.path).collect()
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Runs a download and presses Ctrl-C when so many films were asked for.
fn interrupt(stage: &Stage, line: &str, films: usize) {
    stage.tmdb.behave(|behaviour| behaviour.latency_ms = 30);
    let running = stage.user.spawn(words(&format!("download {line}")));
    let deadline = Instant::now() + Duration::from_secs(60);
    while stage.finds().len() < films && Instant::now() < deadline {
        std::thread::yield_now();
    }
    Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    running.wait().exits(130);
}

#[test]
fn an_interrupted_refresh_goes_on_and_another_one_later_asks_anew() {
    let stage = Stage::new("rate = 100000\n");
    let line = "--all --years 2012 --initials TH --lake ./lake";
    let films = stage.download(line)["titles"].as_u64().unwrap() as usize;
    let refresh = format!("{line} --refresh older-than=0d --jobs 1");
    stage.tmdb.forget();
    interrupt(&stage, &refresh, films / 2);
    stage.download(&refresh);
    // Those that were under way when it was interrupted.
    assert!(stage.finds().len() <= films + 10, "{} films were asked for, of {films}", stage.finds().len());
    stage.verify();
    stage.tmdb.forget();
    stage.download(&refresh);
    assert_eq!(stage.finds().len(), films);
}

#[test]
fn an_interrupted_download_goes_on_and_asks_for_no_film_twice() {
    let stage = Stage::new("rate = 100000\n");
    interrupt(&stage, "--all --years 2010..2012 --lake ./lake --jobs 3", 150);
    let interrupted = stage.finds().len();

    let done = stage.download("--all --years 2010..2012 --lake ./lake");
    assert!(done["jobs_done_before"].as_u64() > Some(0) || interrupted < 200, "{done}");
    assert_eq!(done["jobs_done_before"].as_u64().unwrap() + done["jobs_done"].as_u64().unwrap(), done["jobs"]);
    let proof = stage.verify();
    assert!(proof["linked"].as_u64() > Some(500) && proof["age"]["old"] == 0, "{proof}");
    let mut films = stage.finds();
    let asked = films.len();
    films.sort_unstable();
    films.dedup();
    // Those that were under way when it was interrupted, ten a job.
    assert!(asked - films.len() <= 30, "{} films were asked for twice", asked - films.len());

    stage.tmdb.forget();
    let again = stage.download("--all --years 2010..2012 --lake ./lake");
    assert_eq!((&again["jobs_done"], stage.tmdb.requests().len()), (&json!(0), 0), "{again}");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_with_what_the_system_says() {
    let stage = Stage::new("rate = 100000\n").file("lake/tmdb/misses", "a file where a folder must be");
    let run = stage.user.run(words("download --all --years 2013 --initials TH --lake ./lake"));
    run.exits(1)
        .complains("cannot write the lake: ")
        .complains("Not a directory")
        .complains("which: ./lake/tmdb/misses/");
}

#[test]
fn compacted_files_hold_what_the_jobs_objects_hold_read_by_duckdb() {
    let stage = Stage::new("rate = 100000\n");
    stage.download("--all --years 2013,none --initials TH,A_,MA --lake ./lake");
    let lake = stage.user.folder().join("lake");
    let compact = |format: &str| {
        let line = format!("compact --lake ./lake --format {format} --json");
        stage.user.run(words(&line)).succeeds().json()
    };
    let lines = compact("ndjson");
    assert_eq!(compact("ndjson"), lines, "nothing was done since");
    let found = reader::read_lake(&lake);
    assert_eq!(found["compact"], found["jobs"]);
    assert_eq!(found["jobs"]["reviews"], found["jobs"]["distinct_reviews"]);

    let columns = compact("parquet");
    assert_eq!(columns["jobs"], lines["jobs"]);
    let found = reader::read_lake(&lake);
    for what in ["years", "titles", "total_reviews", "with_year", "reviews", "distinct_reviews", "misses"] {
        assert_eq!(found["compact"][what], found["jobs"][what], "{what}");
    }
    let rows: u64 = found["jobs"]["years"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(found["whole_objects"], rows);
    let types = &found["compact"]["types"];
    let expected = json!({"id": "BIGINT", "release_date": "DATE", "vote_average": "DOUBLE", "adult": "BOOLEAN", "object": "VARCHAR"});
    for (column, of) in expected.as_object().unwrap() {
        assert_eq!(&types[column], of, "{column}");
    }
    // The version before stays for those who still read it, an older one does not.
    let versions = || files(&lake.join("compact")).iter().filter(|file| file.ends_with("manifest.json")).count();
    assert_eq!(versions(), 2);
    stage.download("--all --years 2013,none --initials TH,A_,MA,LA --lake ./lake");
    compact("parquet");
    assert_eq!(versions(), 2);
    stage.verify();
}

#[test]
fn what_provision_toml_says_of_the_lake_is_done() {
    let stage = Stage::new("rate = 100000\nfetch = \"details\"\nappend = [\"credits\"]\nlayout = \"objects\"\n");
    stage.download("--year 2004 --initial TH --lake ./lake");
    stage.verify();
    let lake = stage.user.folder().join("lake");
    let films = files(&lake.join("tmdb/movies/year-2004/initial-TH"));
    assert!(films.len() > 5, "{films:?}");
    for film in films {
        let object: Value = serde_json::from_slice(&fs::read(&film).unwrap()).unwrap();
        assert!(object["credits"]["cast"].is_array() && object["reviews"].is_null(), "{}: {object}", film.display());
    }
}

#[test]
fn a_parameter_by_flag_goes_before_provision_toml_and_one_that_cannot_be_is_told_first() {
    let stage = Stage::new("rate = 100000\nfetch = \"details\"\nlayout = \"objects\"\n");
    let line = "download --year 2004 --initial TH --lake ./lake";
    for (more, told) in [
        ("--param TmdbRate=abc", "\"abc\" cannot be read"),
        ("--param TmdbRate=0", "at a rate of 0"),
        ("--param Fetch=guess", "write find or details"),
        ("--param LakeLayout=heap", "write ndjson or objects"),
        ("--years 2004", "add --all"),
    ] {
        stage.user.run(words(&format!("{line} {more}"))).exits(2).complains(told);
    }
    stage.tmdb.behave(|behaviour| behaviour.key = Some("f".repeat(32)));
    stage.user.run(words(line)).exits(1).complains("set TMDB_API_KEY to a valid one").never_says(KEY);
    assert_eq!(files(&stage.user.folder().join("lake")).len(), 0, "no index is made for a key that is not good");

    stage.tmdb.behave(|behaviour| behaviour.key = None);
    let quick = format!("{line} --param Fetch=find --param LakeLayout=ndjson --param TmdbRate=500");
    stage.user.run(words(&quick)).succeeds().complains("the rate is 500 requests a second; TMDb allows about 40");
    assert!(!stage.finds().is_empty());
    assert!(stage.user.folder().join("lake/tmdb/movies/year=2004/TH-000.ndjson.gz").exists());
    let user = stage.user.without("TMDB_API_KEY");
    user.run(words(line)).exits(2).complains("no TMDb key is given");
}

#[test]
fn failed_films_are_told_with_the_way_out_and_what_is_done_is_asked_again_as_launch_does() {
    let stage = Stage::new("rate = 100000\n");
    let line = "download --all --years 2004 --initials TH,MA --lake ./lake";
    let films = titles::read(&titles::sample()).unwrap();
    let is_meant = |film: &&titles::Title| {
        let of_job =
            film.title_type == "movie" && film.start_year == Some(2004) && film.primary_title.starts_with("The ");
        of_job && stage.tmdb.expected([film.tconst.as_str()])[0].tmdb_ids.len() == 1
    };
    let broken = films.iter().find(is_meant).unwrap().tconst.clone();
    stage.tmdb.behave(|behaviour| behaviour.broken = [(broken.clone(), 422)].into());
    stage.user.run(words(line)).succeeds().complains("1 titles had no usable answer").complains("--failed");
    let ask = |more: &str| {
        stage.tmdb.forget();
        let told = stage.download(&format!("--all --years 2004 --initials TH,MA --lake ./lake {more}"));
        (told, stage.finds())
    };
    stage.tmdb.behave(|behaviour| behaviour.broken.clear());
    assert_eq!(ask("").0["jobs_done"], 0);
    let (told, asked) = ask("--failed");
    assert_eq!((&told["jobs_done"], &told["failed"], asked), (&json!(1), &json!(0), vec![format!("/3/find/{broken}")]));
    assert_eq!(ask("--failed").0["jobs_done"], 0);
    assert_eq!(ask("--refresh older-than=1d").0["jobs_done"], 0);
    let (told, asked) = ask("--refresh older-than=0d");
    assert_eq!((&told["jobs_done"], told["titles"].as_u64()), (&told["jobs"], Some(asked.len() as u64)));
    let changed = stage.tmdb.expected([broken.as_str()])[0].tmdb_ids.clone();
    let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    stage.tmdb.behave(|behaviour| behaviour.changed = [(today, changed.clone())].into());
    assert_eq!(ask("--refresh changed").1, [format!("/3/find/{broken}")]);
    stage.verify();
}

#[test]
fn another_choice_of_titles_wants_a_new_index_and_asks_only_for_what_is_new() {
    let stage = Stage::new("rate = 100000\n");
    stage.download("--year 2004 --initial TH --lake ./lake");
    stage.tmdb.forget();
    let line = "download --year 2004 --initial TH --lake ./lake --title-types movie,short";
    stage.user.run(words(line)).exits(2).complains("the pinned index is of other titles").complains("--new-index");
    stage.user.run(words(&format!("{line} --new-index"))).succeeds();
    assert_eq!(stage.finds().len(), 0, "the sample has no short films");
    let line = "download --lake ./lake --title-types films";
    stage.user.run(words(line)).exits(2).complains("no title type \"films\"");
}

#[test]
fn titles_are_read_from_standard_input() {
    let stage = Stage::new("rate = 100000\n");
    let Stage { user, .. } = stage;
    let user = user.stdin(fs::read(titles::sample()).unwrap());
    let told = user.run(words("download --year 2004 --initial TH --lake ./lake --titles-source - --json")).succeeds();
    assert!(told.json()["linked"].as_u64() > Some(5));
    let source = format!("titles-source {}", titles::sample().display());
    let again = format!("download --year 2004 --initial TH --lake ./lake --new-index --{source} --json");
    assert_eq!(user.run(words(&again)).succeeds().json()["jobs_done"], 0, "the same titles are the same jobs");
}

#[test]
fn a_lake_that_lost_a_film_does_not_hold() {
    let stage = Stage::new("rate = 100000\n");
    stage.download("--year 2004 --initial TH --lake ./lake");
    stage.verify();
    let lake = stage.user.folder().join("lake");
    fs::remove_file(lake.join("tmdb/movies/year=2004/TH-000.ndjson.gz")).unwrap();
    let told = stage.user.run(words("verify --lake ./lake")).exits(1);
    told.says("is in no place").says("is named and not there").says("does not hold");
    stage.user.run(words("verify --lake ./nowhere")).exits(2).complains("no index");
}

#[test]
fn a_source_that_is_not_read_and_a_partition_that_is_not_there_are_told() {
    let stage = Stage::new("rate = 100000\n").file("other.gz", "x");
    stage.download("--year 2013 --initial TH --lake ./lake");
    let typed = stage.user.run(words("download --year 2013 --initial TH --lake ./lake --titles-source other.gz"));
    typed.succeeds().complains("the pinned index is used; --titles-source is read only with --new-index");
    let quiet = stage.user.run(words("download --year 2013 --initial TH --lake ./lake")).succeeds();
    assert!(!quiet.stderr.contains("pinned"), "{quiet}");
    let none = stage.user.run(words("download --year 1600 --initial TH --lake ./lake")).exits(2);
    let none = none.complains("no job of the index is among year 1600, initial TH").complains("which: the lake ./lake");
    none.complains("`provision verify --lake ./lake --json` lists the years and initials");
    let line = "download --year 2013 --initial TH --lake ./lake --titles-source other.gz --new-index";
    let wrong = stage.user.run(words(line)).exits(1).complains("this is no title.basics");
    wrong.complains("which: other.gz").complains("--titles-source");
}

#[test]
fn an_index_of_fewer_titles_asks_first_and_one_without_those_that_are_wanted_is_not_taken() {
    let stage = Stage::new("rate = 100000\n");
    let row = |id: u32| format!("tt{id:07}\tmovie\tThe One\tThe One\t0\t2004\t\\N\t90\tDrama\n");
    let header =
        "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres\n";
    let titles = |count| format!("{header}{}", (1..=count).map(row).collect::<String>());
    let stage = stage.file("whole.tsv", &titles(40)).file("cut.tsv", &titles(3));
    let line = |file: &str| format!("download --all --lake ./lake --new-index --titles-source {file}");
    stage.user.run(words(&line("whole.tsv"))).succeeds();
    let asks = stage.user.run(words(&line("cut.tsv"))).exits(2);
    asks.complains("the new index has 3 titles, and the one before has 40").complains("--yes");
    stage.user.run(words(&format!("{} --years 1950", line("cut.tsv")))).exits(2).complains("no job of the index");
    assert_eq!(stage.verify()["titles"], 40, "the one before is still the crawl's");
    stage.user.run(words(&format!("{} --yes", line("cut.tsv")))).succeeds();
    assert_eq!(stage.verify()["titles"], 3);
}
