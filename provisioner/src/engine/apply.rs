//! Makes a plan true: along the dependency graph, as wide as it allows; then what goes, mapping first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use futures::stream::{self, FuturesUnordered, StreamExt};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::plan::{Change, Plan};
use super::stack::{KnownAttributes, Look, Stack, WIDTH};
use super::{Action, DeleteOptions, EngineError, Event, Observed, Observer, Progress, Resource};

/// How an `up` or `down` ended.
#[derive(Debug, Default)]
pub struct Report {
    /// What was done, by logical id, in the order in which it ended.
    pub done: Vec<(String, Action)>,
    /// What failed, by logical id.
    pub failed: Vec<(String, EngineError)>,
    /// What was not tried, and the logical id of the failure that it stands on, or `interrupted`.
    pub skipped: Vec<(String, String)>,
    /// Whether Ctrl-C ended it.
    pub interrupted: bool,
}

impl Report {
    /// Whether all was done.
    pub fn is_whole(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty()
    }
}

impl Stack<'_> {
    /// Carries a plan out. A failure lets what does not stand on it finish; nothing is rolled back by deleting. After
    /// `interrupt` nothing new begins and what is under way ends.
    ///
    /// # Errors
    /// The template's problems; failures of resources are in the report.
    pub async fn apply(
        &self,
        plan: &Plan,
        observer: &Observer,
        interrupt: &CancellationToken,
    ) -> Result<Report, EngineError> {
        let (gone, wanted): (Vec<_>, Vec<_>) = plan.changes.iter().partition(|change| change.resource.is_none());
        let mut report = self.walk(&wanted, observer, interrupt).await?;
        if report.is_whole() {
            let deletions = gone
                .into_iter()
                .filter_map(|change| change.observed.clone().map(|observed| (change.logical_id.clone(), observed)));
            self.delete_all(deletions.collect(), DeleteOptions::default(), observer, interrupt, &mut report).await;
        } else {
            report
                .skipped
                .extend(gone.iter().map(|change| (change.logical_id.clone(), "what failed before".to_owned())));
        }
        Ok(report)
    }

    async fn walk(
        &self,
        wanted: &[&Change],
        observer: &Observer,
        interrupt: &CancellationToken,
    ) -> Result<Report, EngineError> {
        let mut walk = Walk::new(self.known_before(wanted)?, wanted);
        let mut running = FuturesUnordered::new();
        loop {
            while let Some(change) = walk.next_ready(running.len(), interrupt) {
                let known = walk.known.clone();
                running.push(async move { (change, self.change_one(change, &known, observer).await) });
            }
            match running.next().await {
                Some((change, result)) => walk.ended(change, result, observer),
                None => break,
            }
        }
        Ok(walk.finish(interrupt, observer))
    }

    /// What references give before anything is changed.
    fn known_before(&self, wanted: &[&Change]) -> Result<KnownAttributes, EngineError> {
        let looks: Vec<Look> = wanted
            .iter()
            .filter_map(|change| {
                let observed = change.observed.clone().filter(|_| change.action != Action::Replace);
                change.resource.clone().map(|resource| Look { resource, observed })
            })
            .collect();
        Ok(self.known(&looks)?)
    }

    async fn change_one(
        &self,
        change: &Change,
        known: &KnownAttributes,
        observer: &Observer,
    ) -> Result<Option<Observed>, EngineError> {
        let Some(resource) = change.resource.as_ref().filter(|_| change.action != Action::None) else {
            return Ok(change.observed.clone());
        };
        let started = Instant::now();
        observer(Event::Started { logical_id: change.logical_id.clone(), action: change.action });
        let resource = match resource.after_apply.is_empty() {
            true => resource.clone(),
            false => self.resolve_again(resource, known).await?,
        };
        let there = super::dynamic::all_there(&resource);
        there.map_err(|error| EngineError::provider(&change.logical_id, &change.physical_id, error))?;
        let made = self.make(change, &resource, observer).await?;
        observer(Event::Finished {
            logical_id: change.logical_id.clone(),
            action: change.action,
            elapsed: started.elapsed(),
        });
        Ok(Some(made))
    }

    async fn make(&self, change: &Change, resource: &Resource, observer: &Observer) -> Result<Observed, EngineError> {
        let provider = self.provider_of(resource)?;
        let progress = Progress::new(&change.logical_id, observer.clone());
        let made = match (&change.observed, change.action) {
            (Some(observed), Action::Update | Action::Adopt) => {
                let differences = super::diff::diff(resource, observed, provider.schema());
                provider.update(resource, observed, &differences, &progress).await
            }
            (Some(observed), Action::Replace) => {
                match provider.delete(observed, DeleteOptions::default(), &progress).await {
                    Ok(()) => provider.create(resource, &progress).await,
                    Err(error) => Err(error),
                }
            }
            _ => provider.create(resource, &progress).await,
        };
        made.map_err(|error| EngineError::provider(&change.logical_id, &change.physical_id, error))
    }

    /// Deletes wave by wave: the mapping, the function, what they stand on, the bucket. Goes on after failures.
    pub(super) async fn delete_all(
        &self,
        deletions: Vec<(String, Observed)>,
        options: DeleteOptions,
        observer: &Observer,
        interrupt: &CancellationToken,
        report: &mut Report,
    ) {
        let mut waves: BTreeMap<u8, Vec<(String, Observed)>> = BTreeMap::new();
        for (logical_id, observed) in deletions {
            let rank = self.providers.get(&observed.type_name).map_or(2, |provider| provider.teardown_rank());
            waves.entry(rank).or_default().push((logical_id, observed));
        }
        for wave in waves.into_values() {
            if interrupt.is_cancelled() {
                report.interrupted = true;
                report.skipped.extend(wave.into_iter().map(|(logical_id, _)| (logical_id, "interrupted".to_owned())));
                continue;
            }
            let results = stream::iter(wave)
                .map(|(logical_id, observed)| async move {
                    let result = self.delete_one(&logical_id, &observed, options, observer).await;
                    (logical_id, result)
                })
                .buffer_unordered(WIDTH)
                .collect::<Vec<_>>()
                .await;
            for (logical_id, result) in results {
                match result {
                    Ok(()) => report.done.push((logical_id, Action::Delete)),
                    Err(error) => {
                        observer(Event::Failed { logical_id: logical_id.clone(), error: error.to_string() });
                        report.failed.push((logical_id, error));
                    }
                }
            }
        }
    }

    async fn delete_one(
        &self,
        logical_id: &str,
        observed: &Observed,
        options: DeleteOptions,
        observer: &Observer,
    ) -> Result<(), EngineError> {
        let started = Instant::now();
        observer(Event::Started { logical_id: logical_id.to_owned(), action: Action::Delete });
        let provider = self.provider_for(&observed.type_name, logical_id)?;
        let progress = Progress::new(logical_id, observer.clone());
        let deleted = provider.delete(observed, options, &progress).await;
        deleted.map_err(|error| EngineError::provider(logical_id, &observed.physical_id, error))?;
        observer(Event::Finished {
            logical_id: logical_id.to_owned(),
            action: Action::Delete,
            elapsed: started.elapsed(),
        });
        Ok(())
    }
}

/// The state of a walk along the dependency graph.
struct Walk<'p> {
    known: BTreeMap<String, BTreeMap<String, Value>>,
    waiting: Vec<&'p Change>,
    stood: BTreeSet<String>,
    fallen: BTreeMap<String, String>,
    report: Report,
}

impl<'p> Walk<'p> {
    fn new(known: KnownAttributes, wanted: &[&'p Change]) -> Self {
        Self {
            known,
            waiting: wanted.to_vec(),
            stood: BTreeSet::new(),
            fallen: BTreeMap::new(),
            report: Report::default(),
        }
    }

    /// A change whose dependencies all stand, unless the walk is as wide as it may be or was interrupted.
    fn next_ready(&mut self, running: usize, interrupt: &CancellationToken) -> Option<&'p Change> {
        if running >= WIDTH || interrupt.is_cancelled() {
            return None;
        }
        let stood = &self.stood;
        let ready = |change: &&Change| {
            change.resource.iter().flat_map(|resource| &resource.depends_on).all(|id| stood.contains(id))
        };
        let index = self.waiting.iter().position(ready)?;
        Some(self.waiting.remove(index))
    }

    fn ended(&mut self, change: &Change, result: Result<Option<Observed>, EngineError>, observer: &Observer) {
        let id = change.logical_id.clone();
        match result {
            Ok(observed) => {
                let attributes = observed.map(|observed| observed.attributes).unwrap_or_default();
                self.known.entry(id.clone()).or_default().extend(attributes);
                if change.action != Action::None {
                    self.report.done.push((id.clone(), change.action));
                }
                self.stood.insert(id);
            }
            Err(error) => {
                observer(Event::Failed { logical_id: id.clone(), error: error.to_string() });
                self.fallen.insert(id.clone(), id.clone());
                self.report.failed.push((id, error));
            }
        }
    }

    /// Whatever still waits stands on a failure, or was cut off.
    fn finish(mut self, interrupt: &CancellationToken, observer: &Observer) -> Report {
        for change in std::mem::take(&mut self.waiting) {
            let dependencies = change.resource.iter().flat_map(|resource| &resource.depends_on);
            let root = dependencies.filter_map(|id| self.fallen.get(id)).next().cloned();
            let because = root.unwrap_or_else(|| "interrupted".to_owned());
            self.fallen.insert(change.logical_id.clone(), because.clone());
            // What is already as it should be is not missed.
            if change.action != Action::None {
                observer(Event::Skipped { logical_id: change.logical_id.clone(), because: because.clone() });
                self.report.skipped.push((change.logical_id.clone(), because));
            }
        }
        self.report.interrupted = interrupt.is_cancelled();
        self.report
    }
}
