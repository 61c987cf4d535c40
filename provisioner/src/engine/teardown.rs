//! Deletes side by side: rank by rank, and what has no rank as the template's dependencies say.

use std::collections::BTreeSet;
use std::time::Instant;

use futures::stream::{self, StreamExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::apply::INTERRUPTED;
use super::keepers::{keep_by, keepers, taggable_arn};
use super::plan::Change;
use super::stack::{Stack, WIDTH};
use super::{Action, DeleteOptions, EngineError, Event, Observed, Observer, Progress, Report, tag};

/// One resource on its way out.
struct Leaving<'c> {
    logical_id: &'c str,
    observed: Observed,
    rank: u8,
    /// Others whose delete AWS must have taken before.
    after_call: Vec<&'c str>,
    /// Others that must be gone before.
    after_gone: Vec<&'c str>,
    /// What only its tags find again: where that fails to go, this stays too.
    keeps: Vec<&'c str>,
}

/// How far all are; what failed counts as gone, as the rest goes on.
#[derive(Default)]
struct Away {
    called: BTreeSet<String>,
    gone: BTreeSet<String>,
    failed: BTreeSet<String>,
}

impl Stack<'_> {
    /// Deletes what these changes say, going on after failures. After `interrupt` nothing new begins.
    pub(super) async fn delete_all(
        &self,
        changes: &[&Change],
        options: DeleteOptions,
        observer: &Observer,
        interrupt: &CancellationToken,
        report: &mut Report,
    ) {
        let leaving = self.leaving(changes);
        let (away, _) = watch::channel(Away::default());
        let away = &away;
        let mut results = stream::iter(&leaving)
            .map(|one| async move { (one, self.delete_one(one, options, observer, interrupt, away).await) })
            .buffer_unordered(WIDTH);
        while let Some((one, result)) = results.next().await {
            let id = one.logical_id.to_owned();
            match result {
                Ok(None) => report.done.push((id, Action::Delete)),
                Ok(Some(because)) => report.skipped.push((id, because)),
                Err(error) => {
                    observer(Event::Failed { logical_id: id.clone(), error: error.to_string() });
                    report.failed.push((id, error));
                }
            }
        }
        report.interrupted |= interrupt.is_cancelled();
    }

    /// In an order in which nothing waits for a later one, so that a limited width cannot block.
    fn leaving<'c>(&self, changes: &[&'c Change]) -> Vec<Leaving<'c>> {
        let rank = |change: &Change| self.provider_for(&change.type_name, &change.logical_id).ok()?.teardown_rank();
        let users = |id: &str| -> Vec<&'c str> {
            let depends = |change: &&&Change| {
                change.resource.iter().any(|resource| resource.depends_on.iter().any(|needed| needed == id))
            };
            changes.iter().filter(depends).map(|change| change.logical_id.as_str()).collect()
        };
        let ranked: Vec<(&str, u8)> =
            changes.iter().filter_map(|change| Some((change.logical_id.as_str(), rank(change)?))).collect();
        let going = changes.iter().filter_map(|change| taggable_arn(&change.observed.as_ref()?.attributes)).collect();
        // Reversed, as changes come in dependency order.
        let mut leaving: Vec<Leaving<'c>> = changes
            .iter()
            .rev()
            .filter_map(|change| {
                let own = rank(change);
                let (after_call, after_gone) = match own {
                    Some(own) => (ranked.iter().filter(|(_, r)| *r < own).map(|(id, _)| *id).collect(), vec![]),
                    None => (vec![], users(&change.logical_id)),
                };
                let observed = forgotten_by_others(change.observed.clone()?, &going);
                let keeps = self.kept_by(change, changes);
                // What stands on a kind without a rank goes before it, whatever its own rank.
                Some(Leaving {
                    logical_id: &change.logical_id,
                    observed,
                    rank: own.unwrap_or(0),
                    after_call,
                    after_gone: after_gone.into_iter().chain(keeps.iter().copied()).collect(),
                    keeps,
                })
            })
            .collect();
        leaving.sort_by_key(|one| (one.rank, !one.after_gone.is_empty()));
        leaving
    }

    /// Deletes it, when its turn has come; otherwise why not: an interruption, or what it keeps and could not be deleted.
    async fn delete_one(
        &self,
        one: &Leaving<'_>,
        options: DeleteOptions,
        observer: &Observer,
        interrupt: &CancellationToken,
        away: &watch::Sender<Away>,
    ) -> Result<Option<String>, EngineError> {
        let turn = |away: &Away| {
            one.after_call.iter().all(|id| away.called.contains(*id))
                && one.after_gone.iter().all(|id| away.gone.contains(*id))
        };
        // The sender lives as long as this future: the wait cannot fail.
        let _ = away.subscribe().wait_for(turn).await;
        let held = one.keeps.iter().find(|id| away.borrow().failed.contains(**id));
        let deleted = match held {
            _ if interrupt.is_cancelled() => Ok(Some(INTERRUPTED.to_owned())),
            Some(kept) => Ok(Some((*kept).to_owned())),
            None => self.call_and_wait(one, options, observer, away).await.map(|()| None),
        };
        away.send_modify(|away| {
            away.failed.extend(deleted.is_err().then(|| one.logical_id.to_owned()));
            away.called.insert(one.logical_id.to_owned());
            away.gone.insert(one.logical_id.to_owned());
        });
        deleted
    }

    async fn call_and_wait(
        &self,
        one: &Leaving<'_>,
        options: DeleteOptions,
        observer: &Observer,
        away: &watch::Sender<Away>,
    ) -> Result<(), EngineError> {
        let Leaving { logical_id, ref observed, .. } = *one;
        let started = Instant::now();
        observer(Event::Started { logical_id: logical_id.to_owned(), action: Action::Delete });
        let provider = self.provider_for(&observed.type_name, logical_id)?;
        let (id, sender) = (logical_id.to_owned(), away.clone());
        let called = move || {
            sender.send_modify(|away| {
                away.called.insert(id.clone());
            });
        };
        let early = called.clone();
        let progress = Progress::new(logical_id, observer.clone()).telling(move |_| early());
        let failed = |error| EngineError::provider(logical_id, &observed.physical_id, error);
        provider.delete(observed, options, &progress).await.map_err(failed)?;
        self.forget(observed).await.map_err(failed)?;
        called();
        provider.gone(observed, options, &progress).await.map_err(failed)?;
        let elapsed = started.elapsed();
        observer(Event::Finished { logical_id: logical_id.to_owned(), action: Action::Delete, elapsed });
        Ok(())
    }

    /// The names of what a resource keeps, and it alone finds or tells to be ours: what no template names, and what hangs on something of
    /// somebody else's. They go first.
    fn kept_by<'c>(&self, keeper: &Change, changes: &[&'c Change]) -> Vec<&'c str> {
        let Some(arn) = keeper.observed.as_ref().and_then(|observed| taggable_arn(&observed.attributes)) else {
            return Vec::new();
        };
        let only = |change: &&&Change| change.resource.is_none() || self.hangs_on_a_type(&change.type_name);
        let kept = |change: &&&Change| change.observed.as_ref().is_some_and(|kept| keepers(&kept.tags).contains(&arn));
        changes.iter().filter(only).filter(kept).map(|change| change.logical_id.as_str()).collect()
    }
}

/// Keepers that go too need not forget it.
fn forgotten_by_others(mut observed: Observed, going: &BTreeSet<String>) -> Observed {
    let left = keepers(&observed.tags).difference(going).cloned().collect();
    observed.tags.remove(tag::KEPT_BY);
    keep_by(&mut observed.tags, &left);
    observed
}
