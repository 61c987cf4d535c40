//! Deletes side by side: rank by rank, and what has no rank, and what that stands on, as the template's dependencies say.

use std::collections::{BTreeMap, BTreeSet};
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
    rank: Option<u8>,
    /// Others whose delete AWS must have taken before.
    after_call: Vec<&'c str>,
    /// Others that must be gone before.
    after_gone: Vec<&'c str>,
    /// Where one of these fails to go, this stays too: what only its tags find again, and what could not go without it.
    stays_with: Vec<&'c str>,
}

/// How far all are; what failed counts as gone, as the rest goes on.
#[derive(Default)]
struct Away {
    called: BTreeSet<String>,
    gone: BTreeSet<String>,
    /// What stays, and the failure because of which it does.
    stays: BTreeMap<String, String>,
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

    fn leaving<'c>(&self, changes: &[&'c Change]) -> Vec<Leaving<'c>> {
        let going = changes.iter().filter_map(|change| taggable_arn(&change.observed.as_ref()?.attributes)).collect();
        // Reversed, as changes come in dependency order.
        let leaving = changes.iter().rev().filter_map(|change| {
            let (rank, kept) = (self.rank(change), self.kept_by(change, changes));
            let users = users(change, changes);
            // Among kinds with a rank the ranks tell it; what AWS takes its time over goes before all that it stands on.
            let slow = users.iter().filter(|user| self.rank(user).is_none());
            let stays_with: Vec<&str> = slow.map(|user| user.logical_id.as_str()).chain(kept).collect();
            let mut after_gone = stays_with.clone();
            match rank {
                None => after_gone.extend(users.iter().map(|user| user.logical_id.as_str())),
                Some(_) => after_gone.extend(self.may_be_users(change, changes)),
            }
            let observed = forgotten_by_others(change.observed.clone()?, &going);
            Some(Leaving { logical_id: &change.logical_id, observed, rank, after_call: vec![], after_gone, stays_with })
        });
        in_order(leaving.collect())
    }

    /// What has no rank and may stand on one that has: of what left the template nothing tells it. What keeps that one goes after it.
    fn may_be_users<'c>(&self, one: &Change, changes: &[&'c Change]) -> Vec<&'c str> {
        let untold = |user: &&&Change| one.resource.is_none() || user.resource.is_none();
        let keeps = |user: &&&Change| self.kept_by(user, &[one]).is_empty();
        let slow = changes.iter().filter(|user| self.rank(user).is_none());
        slow.filter(untold).filter(keeps).map(|user| user.logical_id.as_str()).collect()
    }

    fn rank(&self, change: &Change) -> Option<u8> {
        self.provider_for(&change.type_name, &change.logical_id).ok()?.teardown_rank()
    }

    /// Deletes it, when its turn has come; otherwise why not: an interruption, or what failed and must not lose it.
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
        let because = one.stays_with.iter().find_map(|id| away.borrow().stays.get(*id).cloned());
        let deleted = match because {
            _ if interrupt.is_cancelled() => Ok(Some(INTERRUPTED.to_owned())),
            Some(because) => Ok(Some(because)),
            None => self.call_and_wait(one, options, observer, away).await.map(|()| None),
        };
        let stays = match &deleted {
            Ok(because) => because.clone(),
            Err(_) => Some(one.logical_id.to_owned()),
        };
        away.send_modify(|away| {
            away.stays.extend(stays.map(|because| (one.logical_id.to_owned(), because)));
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

/// What the template lets stand on it, directly or not.
fn users<'c>(one: &Change, changes: &[&'c Change]) -> Vec<&'c Change> {
    let mut users: BTreeMap<&str, &Change> = BTreeMap::new();
    let mut below = vec![one.logical_id.as_str()];
    while let Some(id) = below.pop() {
        let needs =
            |change: &&Change| change.resource.iter().any(|one| one.depends_on.iter().any(|needed| needed == id));
        for user in changes.iter().copied().filter(needs) {
            if users.insert(&user.logical_id, user).is_none() {
                below.push(&user.logical_id);
            }
        }
    }
    users.into_values().collect()
}

/// An order in which nothing waits for a later one, so that no two wait for each other and a limited width cannot block. Where a
/// dependency and a rank contradict each other, the rank gives way: a resource takes the lowest rank among those that wait for it.
fn in_order(mut waiting: Vec<Leaving<'_>>) -> Vec<Leaving<'_>> {
    let lent = lent_ranks(&waiting);
    let mut left: BTreeSet<&str> = waiting.iter().map(|one| one.logical_id).collect();
    let mut ordered: Vec<Leaving<'_>> = Vec::new();
    let next = |waiting: &[Leaving<'_>], left: &BTreeSet<&str>| {
        let stands = |one: &Leaving<'_>| one.after_gone.iter().any(|id| left.contains(id));
        let rank = |one: &Leaving<'_>| one.rank.unwrap_or(0);
        let key = |one: &Leaving<'_>| (stands(one), lent[one.logical_id], rank(one), !one.after_gone.is_empty());
        (0..waiting.len()).min_by_key(|index| key(&waiting[*index]))
    };
    while let Some(index) = next(&waiting, &left) {
        let mut one = waiting.remove(index);
        one.after_gone.retain(|id| ordered.iter().any(|other| other.logical_id == *id));
        let lower = |other: &&Leaving<'_>| other.rank.zip(one.rank).is_some_and(|(other, own)| other < own);
        one.after_call = ordered.iter().filter(lower).map(|other| other.logical_id).collect();
        left.remove(one.logical_id);
        ordered.push(one);
    }
    ordered
}

/// The lowest rank of each and of all that waits for it, directly or not.
fn lent_ranks<'c>(waiting: &[Leaving<'c>]) -> BTreeMap<&'c str, u8> {
    let needs: BTreeMap<&str, &[&'c str]> =
        waiting.iter().map(|one| (one.logical_id, one.after_gone.as_slice())).collect();
    let mut ranks: BTreeMap<&str, u8> = waiting.iter().map(|one| (one.logical_id, one.rank.unwrap_or(0))).collect();
    let mut lending: Vec<&str> = ranks.keys().copied().collect();
    while let Some(id) = lending.pop() {
        let rank = ranks[id];
        for needed in needs[id] {
            if let Some(lent) = ranks.get_mut(needed).filter(|lent| **lent > rank) {
                *lent = rank;
                lending.push(needed);
            }
        }
    }
    ranks
}

/// Keepers that go too need not forget it.
fn forgotten_by_others(mut observed: Observed, going: &BTreeSet<String>) -> Observed {
    let left = keepers(&observed.tags).difference(going).cloned().collect();
    observed.tags.remove(tag::KEPT_BY);
    keep_by(&mut observed.tags, &left);
    observed
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::State;
    use super::*;

    fn one(logical_id: &'static str, rank: Option<u8>, after_gone: &[&'static str]) -> Leaving<'static> {
        let observed = Observed {
            type_name: String::new(),
            physical_id: logical_id.into(),
            properties: Value::Null,
            tags: Default::default(),
            attributes: Default::default(),
            state: State::Ready("exists".into()),
            handle: Value::Null,
        };
        Leaving { logical_id, observed, rank, after_call: vec![], after_gone: after_gone.to_vec(), stays_with: vec![] }
    }

    fn ordered(waiting: Vec<Leaving<'static>>) -> Vec<(&'static str, Vec<&'static str>, Vec<&'static str>)> {
        in_order(waiting).into_iter().map(|one| (one.logical_id, one.after_call, one.after_gone)).collect()
    }

    #[test]
    fn a_rank_goes_after_the_calls_of_the_lower_ones_and_what_a_slow_one_stands_on_after_that() {
        let waiting = vec![
            one("Bucket", Some(1), &[]),
            one("Role", Some(0), &["Service"]),
            one("Service", None, &[]),
            one("Queue", Some(0), &[]),
        ];
        let expected = vec![
            ("Service", vec![], vec![]),
            ("Queue", vec![], vec![]),
            ("Role", vec![], vec!["Service"]),
            ("Bucket", vec!["Queue", "Role"], vec![]),
        ];
        assert_eq!(ordered(waiting), expected);
    }

    #[test]
    fn nothing_waits_for_what_waits_for_it() {
        // Each bucket stands on a slow one that stands on the role of the other's.
        let waiting = vec![
            one("BucketA", Some(1), &[]),
            one("SlowA", None, &["BucketA"]),
            one("RoleA", Some(0), &["SlowA"]),
            one("BucketB", Some(1), &[]),
            one("SlowB", None, &["BucketB"]),
            one("RoleB", Some(0), &["SlowB"]),
        ];
        let (mut gone, mut needs) = (BTreeSet::new(), 0);
        for (id, after_call, after_gone) in ordered(waiting) {
            assert!(
                after_call.iter().chain(&after_gone).all(|id| gone.contains(id)),
                "{id} {after_call:?} {after_gone:?}"
            );
            gone.insert(id);
            needs += after_gone.len();
        }
        assert_eq!((gone.len(), needs), (6, 4), "what stands on something goes first, whatever the ranks");
        let [first, second] = &ordered(vec![one("A", None, &["B"]), one("B", None, &["A"])])[..] else { panic!("two") };
        assert_eq!((first.2.len(), second.2.len()), (0, 1), "a circle is broken");
    }

    #[test]
    fn only_what_a_lower_rank_waits_for_goes_before_it() {
        // A bucket that tells a topic, which tells a function; what that writes to goes after it.
        let waiting = vec![
            one("Logs", Some(1), &[]),
            one("Other", Some(1), &[]),
            one("Bucket", Some(1), &[]),
            one("Topic", None, &["Bucket"]),
            one("Function", Some(0), &["Topic"]),
            one("Queue", Some(0), &[]),
        ];
        let order: Vec<_> = ordered(waiting).into_iter().map(|(id, after_call, _)| (id, after_call)).collect();
        let both = || vec!["Queue", "Function"];
        assert_eq!(order[..2], [("Queue", vec![]), ("Bucket", vec!["Queue"])]);
        assert_eq!(order[2..], [("Topic", vec![]), ("Function", vec![]), ("Logs", both()), ("Other", both())]);
    }
}
