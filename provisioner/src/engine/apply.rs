//! Makes a plan true: along the dependency graph, as wide as it allows; then deletes what goes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::diff::{GIVEN, KEPT_BY};
use super::keepers::{named_by_now, still_keeping};
use super::plan::{Change, Late, Plan};
use super::puts::leave_in;
use super::stack::{KnownAttributes, Look, Stack};
use super::walk::Walk;
use super::{
    Action, DeleteOptions, EngineError, Event, Limit, Observed, Observer, Progress, Provider, ProviderError, Put,
    Resource, State, retry_until,
};

/// Why something was not tried that Ctrl-C kept from beginning.
pub(super) const INTERRUPTED: &str = "interrupted";

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
    /// What `Ref` and `Fn::GetAtt` give now, by logical id.
    pub(super) known: KnownAttributes,
}

impl Report {
    /// Whether all was done.
    pub fn is_whole(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty()
    }

    /// Why it is left; none where it was done or was none of the changes.
    pub fn why_left(&self, logical_id: &str) -> Option<String> {
        let failed = self.failed.iter().find(|(id, _)| id == logical_id).map(|(_, error)| error.reason());
        let skipped = self.skipped.iter().find(|(id, _)| id == logical_id).map(|(_, because)| match because.as_str() {
            INTERRUPTED => "not begun".to_owned(),
            because => format!("not tried because of {because}"),
        });
        failed.or(skipped)
    }

    /// Counts as failed what was done and is not there in a later look: what answered for it was still being deleted (E43).
    pub fn miss(&mut self, looks: &[Look]) {
        for Look { resource, .. } in looks.iter().filter(|look| look.observed.is_none()) {
            let done = |(id, _): &(String, Action)| *id == resource.logical_id;
            if let Some(place) = self.done.iter().position(done) {
                let (logical_id, _) = self.done.remove(place);
                let physical_id = resource.physical_id.clone();
                self.failed.push((logical_id.clone(), EngineError::Vanished { logical_id, physical_id }));
            }
        }
    }

    /// Adds what a second walk has done.
    pub fn extend(&mut self, more: Self) {
        self.done.extend(more.done);
        self.failed.extend(more.failed);
        self.skipped.extend(more.skipped);
        self.interrupted |= more.interrupted;
        self.known.extend(more.known);
    }

    /// Counts as failed what AWS says cannot be used although it is as the template says. What was changed has told by its own
    /// wait.
    pub fn count_unusable(&mut self, looks: &[Look]) {
        for Look { resource, observed } in looks {
            let Some(State::Failed(reason)) = observed.as_ref().map(|observed| &observed.state) else { continue };
            let logical_id = resource.logical_id.clone();
            let is_told = self.why_left(&logical_id).is_some() || self.done.iter().any(|(id, _)| *id == logical_id);
            if !is_told {
                let (physical_id, reason) = (resource.physical_id.clone(), reason.clone());
                self.failed.push((logical_id.clone(), EngineError::Unusable { logical_id, physical_id, reason }));
            }
        }
    }

    /// Whether anything came or went; what was only changed in place has told by its answers how it is.
    pub fn came_or_went(&self) -> bool {
        self.done.iter().any(|(_, action)| !matches!(action, Action::Update | Action::None))
    }
}

impl Stack<'_> {
    /// Carries a plan out. A failure lets what does not stand on it finish; nothing is rolled back by deleting. After
    /// `interrupt` nothing new begins and what is under way ends. All failures are in the report, so that none loses it.
    pub async fn apply(&self, plan: &Plan, observer: &Observer, interrupt: &CancellationToken) -> Report {
        let (gone, wanted): (Vec<_>, Vec<_>) = plan.changes.iter().partition(|change| change.resource.is_none());
        let mut report = self.walk(&wanted, &plan.late, observer, interrupt).await;
        let gone = self.without_wanted(gone, &wanted, &mut report);
        if report.is_whole() {
            self.delete_all(&gone, DeleteOptions::default(), observer, interrupt, &mut report).await;
        } else {
            report
                .skipped
                .extend(gone.iter().map(|change| (change.logical_id.clone(), "what failed before".to_owned())));
        }
        report
    }

    /// What goes, but for what a resource has turned out to be whose name became known by the walk. One whose name cannot be told
    /// after all counts as failed, so that nothing is deleted: it may be any of these.
    fn without_wanted<'p>(&self, gone: Vec<&'p Change>, wanted: &[&Change], report: &mut Report) -> Vec<&'p Change> {
        let late =
            wanted.iter().filter_map(|change| change.resource.as_ref()).filter(|one| !one.after_apply.is_empty());
        let mut names = BTreeSet::new();
        for resource in late {
            let declared = self.bound.resources().find(|declared| declared.logical_id == resource.logical_id);
            match declared.map(|declared| self.resource(declared, &report.known)) {
                Some(Ok((settled, _))) => drop(names.insert((settled.type_name, settled.physical_id))),
                // After another failure that is why nothing is deleted.
                Some(Err(problems)) if report.is_whole() => {
                    report.failed.push((resource.logical_id.clone(), problems.into()));
                }
                Some(Err(_)) | None => {}
            }
        }
        let is_wanted = |change: &&Change| names.contains(&(change.type_name.clone(), change.physical_id.clone()));
        gone.into_iter().filter(|change| !is_wanted(change)).collect()
    }

    async fn walk(
        &self,
        wanted: &[&Change],
        late: &Late,
        observer: &Observer,
        interrupt: &CancellationToken,
    ) -> Report {
        let mut walk = Walk::new(self.known_before(wanted), wanted, late);
        let puts = &self.puts(wanted.iter().filter_map(|change| change.resource.as_ref()));
        let (stood, mut standing) = mpsc::unbounded_channel();
        let mut running = FuturesUnordered::new();
        loop {
            while let Some(change) = walk.next_ready(running.len(), interrupt) {
                let (known, stood) = (walk.known.clone(), stood.clone());
                running.push(async move { (change, self.change_one(change, &known, puts, observer, stood).await) });
            }
            tokio::select! {
                biased;
                Some((id, attributes)) = standing.recv() => walk.stands(id, attributes),
                ended = running.next() => match ended {
                    Some((change, result)) => walk.ended(change, result, observer),
                    None => break,
                },
            }
        }
        walk.finish(interrupt, observer)
    }

    /// What references give before anything is changed.
    fn known_before(&self, wanted: &[&Change]) -> KnownAttributes {
        let looks: Vec<Look> = wanted
            .iter()
            .filter_map(|change| {
                let observed = change.observed.clone().filter(|_| change.action != Action::Replace);
                change.resource.clone().map(|resource| Look { resource, observed })
            })
            .collect();
        self.known(&looks)
    }

    async fn change_one(
        &self,
        change: &Change,
        known: &KnownAttributes,
        puts: &[Put],
        observer: &Observer,
        stood: mpsc::UnboundedSender<(String, BTreeMap<String, Value>)>,
    ) -> Result<Option<Observed>, EngineError> {
        let Some(resource) = change.resource.as_ref().filter(|_| change.action != Action::None) else {
            return self.ready(change, observer).await;
        };
        let started = Instant::now();
        observer(Event::Started { logical_id: change.logical_id.clone(), action: change.action });
        let resource = match resource.after_apply.is_empty() {
            true => resource.clone(),
            false => self.resolve_again(resource, known).await?,
        };
        let there = super::dynamic::all_there(&resource).and_then(|()| all_given(&resource));
        there.map_err(|error| EngineError::provider(&change.logical_id, &change.physical_id, error))?;
        let id = change.logical_id.clone();
        let progress = Progress::new(&change.logical_id, observer.clone()).telling(move |attributes| {
            // Nobody listens any more when the walk has ended.
            let _ = stood.send((id.clone(), attributes.clone()));
        });
        let made = self.make(change, &named_by_now(resource, known), puts, &progress).await?;
        observer(Event::Finished {
            logical_id: change.logical_id.clone(),
            action: change.action,
            elapsed: started.elapsed(),
        });
        Ok(Some(made))
    }

    /// What needs no change, once what was begun on it has ended.
    async fn ready(&self, change: &Change, observer: &Observer) -> Result<Option<Observed>, EngineError> {
        if let (Some(resource), Some(observed)) = (&change.resource, &change.observed)
            && matches!(observed.state, State::Changing(_))
        {
            let progress = Progress::new(&change.logical_id, observer.clone());
            let ready = self.provider_of(resource)?.ready(observed, &progress);
            ready.await.map_err(|error| EngineError::provider(&change.logical_id, &change.physical_id, error))?;
        }
        Ok(change.observed.clone())
    }

    async fn make(
        &self,
        change: &Change,
        resource: &Resource,
        puts: &[Put],
        progress: &Progress,
    ) -> Result<Observed, EngineError> {
        let failed = |error| EngineError::provider(&change.logical_id, &change.physical_id, error);
        let provider = self.provider_of(resource)?;
        // First, so that there is no moment in which nothing knows of it.
        self.keep(resource, change.observed.as_ref(), progress).await.map_err(failed)?;
        let untracked = self.is_untracked(&change.type_name);
        let is_of_keepers = |path: &str| path == KEPT_BY || (untracked && path == GIVEN);
        let made = match (&change.observed, change.action) {
            // What is taken over gets its marks on what it hangs on as well.
            (Some(observed), Action::Update) if change.differences.iter().all(|one| is_of_keepers(&one.path)) => {
                Ok(observed.clone())
            }
            (Some(observed), Action::Update | Action::Adopt) => {
                let (wanted, observed) = leave_in(provider.as_ref(), resource, observed, puts);
                let differences = super::diff::diff(resource, &observed, provider.schema());
                provider.update(&wanted, &observed, &differences, progress).await
            }
            (Some(observed), Action::Replace) => {
                self.make_room(change, observed, progress).await?;
                provider.create(&still_keeping(resource, observed), progress).await
            }
            _ => provider.create(resource, progress).await,
        };
        // What is made may have been made meanwhile, and be changed by two.
        let made = match made {
            Err(error) if error.is(OUTDATED) => update_again(provider.as_ref(), resource, progress).await,
            made => made,
        };
        let made = made.map_err(failed)?;
        // Last, so that what was to be removed is known until it is.
        if let Some(observed) = change.observed.as_ref().filter(|_| untracked) {
            self.keep_given(resource, observed, progress).await.map_err(failed)?;
        }
        Ok(made)
    }
}

impl Stack<'_> {
    /// Deletes what is replaced under its own name.
    async fn make_room(&self, change: &Change, observed: &Observed, progress: &Progress) -> Result<(), EngineError> {
        let (provider, options) = (self.provider_for(&change.type_name, &change.logical_id)?, DeleteOptions::default());
        let (logical_id, physical_id) = (change.logical_id.clone(), change.physical_id.clone());
        match provider.delete(observed, options, progress).await {
            Err(error @ ProviderError::Api { .. }) => {
                return Err(EngineError::NotReplaced { logical_id, physical_id, error });
            }
            deleted => deleted.map_err(|error| EngineError::provider(&logical_id, &physical_id, error))?,
        }
        let gone = provider.gone(observed, options, progress).await;
        gone.map_err(|error| EngineError::provider(&logical_id, &physical_id, error))
    }
}

/// Refuses a resource that wants a value which AWS does not give, although what should give it is there: a table's StreamArn, where the
/// table has no stream.
fn all_given(resource: &Resource) -> Result<(), ProviderError> {
    let missing = resource.after_apply.values().next();
    missing.map_or(Ok(()), |reference| {
        let giver = reference.split('.').next().unwrap_or_default();
        Err(ProviderError::refused(
            format!("AWS gives no value for {reference}, which it refers to"),
            format!("give {giver} the property that makes AWS set it, or take the reference out"),
        ))
    })
}

/// What Lambda calls an update of another revision than was read.
const OUTDATED: &str = "PreconditionFailedException";

const OUTRUN: &str = "somebody else has just changed it: it is read again";

/// Somebody else was faster (E18), maybe several runs in turn (E14): what is there now is read, and what still differs is sent.
async fn update_again(
    provider: &dyn Provider,
    resource: &Resource,
    progress: &Progress,
) -> Result<Observed, ProviderError> {
    let outdated = |error: &ProviderError| error.is(OUTDATED).then_some(OUTRUN);
    progress.waiting(OUTRUN);
    let send = || send_what_differs(provider, resource, progress);
    retry_until("nobody else to change it", Limit::seconds(60), progress, outdated, send).await
}

async fn send_what_differs(
    provider: &dyn Provider,
    resource: &Resource,
    progress: &Progress,
) -> Result<Observed, ProviderError> {
    let Some(observed) = provider.read(resource).await? else { return provider.create(resource, progress).await };
    let differences = super::diff::diff(resource, &observed, provider.schema());
    match differences.is_empty() {
        true => provider.ready(&observed, progress).await.map(|()| observed),
        false => provider.update(resource, &observed, &differences, progress).await,
    }
}
