//! One job against its marker and its titles.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt as _;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use super::{Age, Counts, Fault, Problem, Reviews, markers_now, number};
use crate::{
    CrawlError, Job, Lake, Marker,
    crawl::text_of,
    imdb::{ImdbId, read_titles},
    lake::{Entry, LakeError, layout, layout::Done, layout::Kind},
};

/// What one job comes to.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// Whether it has a marker of its titles.
    pub done: bool,
    /// The objects that its marker names.
    pub objects: Vec<String>,
    pub counts: Counts,
    pub reviews: Reviews,
    pub age: Age,
    /// The records of each kind.
    pub sums: HashMap<Kind, Sum>,
    pub problems: Vec<Problem>,
}

/// Records by their number and by what they say: where both are the same, the same records stand, in whatever order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub records: u64,
    hashes: u64,
}

impl Sum {
    pub fn see(&mut self, line: &str) {
        self.add(Self { records: 1, hashes: number(line) });
    }

    pub fn add(&mut self, other: Self) {
        self.records += other.records;
        self.hashes = self.hashes.wrapping_add(other.hashes);
    }
}

/// What tells whose a line is. What is our own field in a record of one kind may be any key of TMDb's in one of another.
#[derive(Deserialize)]
pub(super) struct Line {
    id_imdb: String,
    initial: String,
    fetched_on: Date,
    /// TMDb's id: a number for a film, a text for a review.
    #[serde(default)]
    id: Value,
    #[serde(default)]
    kind: Value,
    /// By what one without an id differs.
    content: Option<Value>,
    created_at: Option<Value>,
    #[serde(default)]
    movie_id: Value,
    #[serde(default)]
    total_reviews: Value,
}

impl Line {
    /// Reads a line, and whose it is; none if it is no record.
    pub fn read(text: &str) -> Option<(ImdbId, Self)> {
        let line: Self = serde_json::from_str(text).ok()?;
        Some((line.id_imdb.parse().ok()?, line))
    }

    /// Whether it says all that a record of this kind and job says.
    fn is_whole(&self, kind: Kind, job: &Job) -> bool {
        let of_kind = match kind {
            Kind::Movies => self.id.is_u64() && self.total_reviews.is_u64(),
            Kind::Reviews => self.movie_id.is_u64(),
            Kind::Others => self.kind.is_string(),
            Kind::Misses | Kind::Failed => true,
        };
        of_kind && self.initial == job.initial
    }

    /// Whether it may stand at `key`. One that has an object of its own is looked up by film and review, so it must be that one.
    fn stands_at(&self, key: &str, kind: Kind, job: &Job, id: ImdbId) -> bool {
        if layout::job_of(key).is_some() {
            return true;
        }
        let film = if kind == Kind::Reviews { &self.movie_id } else { &self.id };
        let review = match (kind, self.id.as_str().filter(|id| layout::may_name(id))) {
            (Kind::Reviews, Some(review)) => format!("-review-{review}"),
            // Its key has its place.
            (Kind::Reviews, None) => key.rfind("-review-").map_or("", |at| &key[at..]).replace(".json", ""),
            _ => String::new(),
        };
        [format!("{film}{review}"), format!("{film}-{id}{review}")]
            .iter()
            .any(|name| key == layout::object(kind, job, name))
    }

    /// What no two records of one kind and title share: TMDb's ids of the film and the review, or what a person or series is.
    pub fn which(&self) -> String {
        let without_id = self.id.is_null().then_some((&self.content, &self.created_at));
        format!("{} {} {} {without_id:?}", self.kind, self.movie_id, self.id)
    }
}

/// The lines of a job by what they tell about.
#[derive(Default)]
struct Records {
    lines: HashMap<Kind, u64>,
    places: HashMap<ImdbId, HashSet<Kind>>,
    fetched: HashMap<ImdbId, Date>,
    /// What TMDb said of each film's reviews (nothing where the film does not stand here), and how many there are.
    reviews: HashMap<(ImdbId, u64), (Option<u64>, u64)>,
    seen: HashSet<(Kind, ImdbId, String)>,
}

/// Reads a job's marker and all that it names, and holds both against the titles of the index, and those against `earlier` jobs' titles.
pub(super) async fn check(
    lake: &dyn Lake,
    dataset: &str,
    job: &Job,
    markers: &[Done],
    earlier: &HashMap<ImdbId, String>,
    before: Date,
) -> Result<Checked, LakeError> {
    let titles = u64::from(job.titles);
    let mut checked = Checked { counts: Counts { titles, ..Counts::default() }, ..Checked::default() };
    let markers: Vec<&Done> = markers.iter().filter(|done| done.is_of(job)).collect();
    let Some(listed) = markers.first() else {
        checked.counts.not_done = titles;
        return Ok(checked);
    };
    checked.done = true;
    if markers.len() > 1 {
        checked.wrong(Fault::Markers, job.name());
    }
    let Some(marker) = marker(lake, job, listed).await? else {
        checked.wrong(Fault::Unreadable, listed.key());
        return Ok(checked);
    };
    let key = marker.done().key();
    let mut records = Records::default();
    for object in &marker.objects {
        read(lake, job, object, &mut records, &mut checked).await?;
    }
    checked.objects = marker.objects.clone();
    let range = lake.get_range(&layout::titles(dataset), job.range()).await?;
    match range.and_then(|range| read_titles(job, &range)) {
        Some(ids) => {
            checked.places(&ids, &records);
            checked.also_in(&ids, earlier);
        }
        None => checked.wrong(Fault::Index, job.name()),
    }
    checked.reviews_of(&records);
    records.fetched.values().for_each(|day| checked.age.see(*day, before));
    if !checked.agrees_with(&marker, &records) {
        checked.wrong(Fault::Counts, key);
    }
    if !checked.problems.is_empty() && is_ending(lake, job).await? {
        for problem in &mut checked.problems {
            problem.which += ENDING;
        }
    }
    Ok(checked)
}

/// What is said of a fault that may be none.
pub(super) const ENDING: &str = " (a refresh of its job is being ended: its delivery mends it, or `provision redrive`, or another `provision launch --refresh`)";

/// Whether a refresh has all answers of the job, and its marker does not stand alone yet: those that are older than all markers were given
/// up.
pub(super) async fn is_ending(lake: &dyn Lake, job: &Job) -> Result<bool, LakeError> {
    let (mut answers, mut since) = (lake.list(&layout::checkpoints_of(job)), None);
    while let Some(entry) = answers.try_next().await? {
        if layout::settled_digest(&entry.key) == Some(&job.digest) && layout::is_of_refresh(&entry.key) {
            since = since.max(Some(entry.modified));
        }
    }
    let markers: Vec<Entry> = lake.list(&layout::done_prefix(job)).try_collect().await?;
    let oldest = markers.iter().map(|entry| entry.modified).min();
    Ok(since.is_some_and(|since| oldest.is_none_or(|oldest| since >= oldest)))
}

/// The job's marker, or the one that a refresh has put in its place since it was listed; none if it cannot be read.
async fn marker(lake: &dyn Lake, job: &Job, listed: &Done) -> Result<Option<Marker>, LakeError> {
    match Marker::read(lake, &listed.key()).await {
        Ok(Some(marker)) => Ok((marker.done() == *listed).then_some(marker)),
        Ok(None) => Ok(markers_now(lake, job).await?.into_iter().find(|marker| marker.done().is_of(job))),
        Err(CrawlError::Lake(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Reads an object's lines.
async fn read(
    lake: &dyn Lake,
    job: &Job,
    key: &str,
    records: &mut Records,
    checked: &mut Checked,
) -> Result<(), LakeError> {
    let Some(bytes) = lake.get(key).await? else {
        checked.wrong(Fault::Missing, key);
        return Ok(());
    };
    let (Some(kind), Ok(text)) = (layout::kind_of(key), text_of(key, &bytes)) else {
        checked.wrong(Fault::Unreadable, key);
        return Ok(());
    };
    for (number, text) in text.lines().enumerate() {
        checked.sums.entry(kind).or_default().see(text);
        match Line::read(text).filter(|(_, line)| line.is_whole(kind, job)) {
            Some((id, line)) => {
                if !line.stands_at(key, kind, job, id) {
                    checked.wrong(Fault::Misplaced, format!("{id} in {key}"));
                }
                records.add(kind, id, line, key, checked);
            }
            None => checked.wrong(Fault::Unreadable, format!("{key} line {}", number + 1)),
        }
    }
    Ok(())
}

impl Records {
    fn add(&mut self, kind: Kind, id: ImdbId, line: Line, key: &str, checked: &mut Checked) {
        *self.lines.entry(kind).or_default() += 1;
        if !self.seen.insert((kind, id, line.which())) {
            checked.wrong(Fault::Twice, format!("{id} in {key}"));
        }
        match (kind, line.movie_id.as_u64(), line.id.as_u64()) {
            (Kind::Reviews, Some(movie), _) => self.reviews.entry((id, movie)).or_default().1 += 1,
            (Kind::Movies, _, Some(movie)) => {
                self.reviews.entry((id, movie)).or_default().0 = line.total_reviews.as_u64();
            }
            _ => {}
        }
        if kind != Kind::Reviews {
            self.places.entry(id).or_default().insert(kind);
            self.fetched.insert(id, line.fetched_on);
        }
    }

    fn count(&self, kind: Kind) -> u64 {
        self.lines.get(&kind).copied().unwrap_or_default()
    }
}

impl Checked {
    fn wrong(&mut self, fault: Fault, which: impl Into<String>) {
        self.problems.push(Problem::new(fault, which));
    }

    /// Each title in one place, and no other title in any.
    fn places(&mut self, ids: &[ImdbId], records: &Records) {
        let of = |id: &ImdbId| records.places.get(id).map_or(0, HashSet::len);
        for id in ids.iter().filter(|id| of(id) != 1) {
            let fault = if of(id) == 0 { Fault::NoPlace } else { Fault::TwoPlaces };
            self.wrong(fault, id.to_string());
        }
        let ids: HashSet<&ImdbId> = ids.iter().collect();
        let mut strangers: Vec<_> = records.places.keys().filter(|id| !ids.contains(id)).collect();
        strangers.sort_unstable();
        for id in strangers {
            self.wrong(Fault::TwoPlaces, id.to_string());
        }
        let count = |kind| records.places.values().filter(|places| places.contains(&kind)).count() as u64;
        self.counts.linked = count(Kind::Movies);
        self.counts.missed = count(Kind::Misses);
        self.counts.others = count(Kind::Others);
        self.counts.failed = count(Kind::Failed);
    }

    /// Titles that an earlier index had elsewhere, and that stand there still.
    fn also_in(&mut self, ids: &[ImdbId], earlier: &HashMap<ImdbId, String>) {
        for (id, job) in ids.iter().filter_map(|id| Some((id, earlier.get(id)?))) {
            self.wrong(
                Fault::TwoPlaces,
                format!("{id} (also in {job} as an earlier index had it; `provision launch` mends it)"),
            );
        }
    }

    fn reviews_of(&mut self, records: &Records) {
        let mut of_no_film = Vec::new();
        for (film, (promised, found)) in &records.reviews {
            self.reviews.promised += promised.unwrap_or_default();
            self.reviews.found += found;
            self.reviews.films_that_differ += u64::from(promised.unwrap_or_default() != *found);
            of_no_film.extend(promised.is_none().then_some(film));
        }
        of_no_film.sort_unstable();
        for (id, movie) in of_no_film {
            self.wrong(Fault::NoFilm, format!("{id} (TMDb's {movie})"));
        }
    }

    fn agrees_with(&self, marker: &Marker, records: &Records) -> bool {
        let found = [self.counts.linked, self.counts.missed, self.counts.others, self.counts.failed];
        let told = [marker.linked, marker.missed, marker.others, marker.failed].map(u64::from);
        found == told && (records.count(Kind::Movies), records.count(Kind::Reviews)) == (marker.movies, marker.reviews)
    }
}
