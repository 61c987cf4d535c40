//! The way of an apply along the dependency graph: what may begin, what ended, what was never tried.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use super::apply::INTERRUPTED;
use super::plan::{Change, Late};
use super::stack::{KnownAttributes, WIDTH};
use super::{Action, EngineError, Event, Observed, Observer, Report};

/// The state of a walk along the dependency graph.
///
/// A resource begins when what it waits for stands and whatever that waits for is settled: finished, with all below it. So
/// a function is made as soon as its role exists, and a mapping only when the role has its policies too.
pub(super) struct Walk<'p> {
    pub known: KnownAttributes,
    needs: BTreeMap<&'p str, Vec<&'p str>>,
    waiting: Vec<&'p Change>,
    stood: BTreeSet<String>,
    finished: BTreeSet<String>,
    settled: BTreeSet<String>,
    fallen: BTreeMap<String, String>,
    report: Report,
}

impl<'p> Walk<'p> {
    pub fn new(known: KnownAttributes, wanted: &[&'p Change], late: &'p Late) -> Self {
        Self {
            known,
            needs: wanted.iter().map(|change| (change.logical_id.as_str(), needs(change, late))).collect(),
            waiting: wanted.to_vec(),
            stood: BTreeSet::new(),
            finished: BTreeSet::new(),
            settled: BTreeSet::new(),
            fallen: BTreeMap::new(),
            report: Report::default(),
        }
    }

    /// A change that may begin, unless the walk is as wide as it may be or was interrupted.
    pub fn next_ready(&mut self, running: usize, interrupt: &CancellationToken) -> Option<&'p Change> {
        if running >= WIDTH || interrupt.is_cancelled() {
            return None;
        }
        let index = self.waiting.iter().position(|change| {
            let settled = |id: &str| self.needs_of(id).iter().all(|below| self.settled.contains(*below));
            // Over Cloud Control AWS does not tell in one way that a role may not yet do what it must.
            let whole = |id: &str| !change.slow || self.finished.contains(id);
            self.needs_of(&change.logical_id).iter().all(|id| self.stood.contains(*id) && settled(id) && whole(id))
        })?;
        Some(self.waiting.remove(index))
    }

    fn needs_of(&self, id: &str) -> &[&'p str] {
        self.needs.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// A resource exists: what names it may begin while it is finished.
    pub fn stands(&mut self, id: String, attributes: BTreeMap<String, serde_json::Value>) {
        self.known.entry(id.clone()).or_default().extend(attributes);
        self.stood.insert(id);
    }

    pub fn ended(&mut self, change: &Change, result: Result<Option<Observed>, EngineError>, observer: &Observer) {
        let id = change.logical_id.clone();
        match result {
            Ok(observed) => {
                if change.action != Action::None {
                    self.report.done.push((id.clone(), change.action));
                }
                self.stands(id.clone(), observed.map(|observed| observed.attributes).unwrap_or_default());
                self.finished.insert(id);
                self.settle();
            }
            Err(error) => {
                observer(Event::Failed { logical_id: id.clone(), error: error.to_string() });
                self.stood.remove(&id);
                self.fallen.insert(id.clone(), id.clone());
                self.report.failed.push((id, error));
            }
        }
    }

    fn settle(&mut self) {
        while let Some(id) = self.finished.iter().find(|id| {
            !self.settled.contains(*id) && self.needs_of(id).iter().all(|below| self.settled.contains(*below))
        }) {
            self.settled.insert(id.clone());
        }
    }

    /// Whatever still waits stands on a failure, directly or not, or was cut off.
    pub fn finish(mut self, interrupt: &CancellationToken, observer: &Observer) -> Report {
        for change in std::mem::take(&mut self.waiting) {
            let because = self.root_below(&change.logical_id).unwrap_or_else(|| INTERRUPTED.to_owned());
            self.fallen.insert(change.logical_id.clone(), because.clone());
            // What is already as it should be is not missed.
            if change.action != Action::None {
                observer(Event::Skipped { logical_id: change.logical_id.clone(), because: because.clone() });
                self.report.skipped.push((change.logical_id.clone(), because));
            }
        }
        self.report.interrupted = interrupt.is_cancelled();
        self.report.known = self.known;
        self.report
    }

    /// The failure that a resource stands on.
    fn root_below(&self, id: &str) -> Option<String> {
        let mut seen = BTreeSet::new();
        let mut below: Vec<&str> = vec![id];
        while let Some(id) = below.pop() {
            if let Some(root) = self.fallen.get(id) {
                return Some(root.clone());
            }
            below.extend(self.needs_of(id).iter().copied().filter(|id| seen.insert(*id)));
        }
        None
    }
}

/// What stands already is changed in CloudFormation's order; what is made waits only for what AWS looks for.
fn needs<'p>(change: &'p Change, late: &'p Late) -> Vec<&'p str> {
    let needed = match &change.resource {
        Some(resource) if change.observed.is_none() => resource.waits_for.as_slice(),
        Some(resource) => &resource.depends_on,
        None => &[],
    };
    let first = late.get(&change.logical_id).into_iter().flatten();
    needed.iter().filter(|id| !late.contains_key(*id)).chain(first).map(String::as_str).collect()
}
