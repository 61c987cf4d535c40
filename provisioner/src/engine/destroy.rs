//! Takes a stack down: everything that carries its tags, whatever the template says now, but what its DeletionPolicy keeps.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::plan::{Change, is_secret, retained};
use super::stack::{Look, Stack};
use super::survey::{Purpose, Survey, ends};
use super::{DeleteOptions, EngineError, Limit, Observed, Observer, Poll, Progress, Report, poll_until};

/// The longest that a listing lags behind a deletion.
const LISTED: Limit = Limit::seconds(75);

/// How far `down` may go.
#[derive(Clone, Copy, Debug, Default)]
pub struct DestroyOptions {
    /// What DeletionPolicy Retain keeps goes too, with all that is in it.
    pub delete_data: bool,
    /// The TMDb key's parameter stays.
    pub keep_secret: bool,
    /// Do not wait for deleted names to become free (E43).
    pub no_wait: bool,
}

/// All that `down` would delete, and what it keeps.
#[derive(Clone, Debug)]
pub struct DestroyPlan {
    /// What goes.
    pub deletions: Vec<Change>,
    /// What stays, by DeletionPolicy.
    pub kept: Vec<Observed>,
    /// What has a name of the template and is not ours: left alone.
    pub foreign: Vec<Observed>,
}

/// Something that was to go and is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// For example `AWS::SQS::Queue`.
    pub type_name: String,
    /// The name under which AWS knows it.
    pub physical_id: String,
    /// Why, as far as it is known.
    pub why: String,
}

impl DestroyPlan {
    /// What is still there and why: what the closing listing has found, and without one what was not done.
    pub fn remaining(&self, report: &Report, listed: Option<&[Observed]>) -> Vec<Remaining> {
        let why = |change: &Change| report.why_left(&change.logical_id);
        let remaining = |type_name: &str, physical_id: &str, why: Option<String>| Remaining {
            type_name: type_name.to_owned(),
            physical_id: physical_id.to_owned(),
            why: why.unwrap_or_else(|| "AWS lists it although it was deleted".to_owned()),
        };
        let Some(listed) = listed else {
            let left = self.deletions.iter().filter_map(|change| Some((change, why(change)?)));
            return left.map(|(change, why)| remaining(&change.type_name, &change.physical_id, Some(why))).collect();
        };
        let planned = |one: &Observed| {
            let same = |change: &&Change| change.type_name == one.type_name && change.physical_id == one.physical_id;
            self.deletions.iter().find(same)
        };
        listed.iter().map(|one| remaining(&one.type_name, &one.physical_id, planned(one).and_then(why))).collect()
    }
}

impl Stack<'_> {
    /// Reads everything and says what `down` would delete. Changes nothing.
    ///
    /// # Errors
    /// The template's problems or a failed read.
    pub async fn plan_destroy(&self, options: DestroyOptions) -> Result<DestroyPlan, EngineError> {
        let Survey { mut looks, others } = self.survey(Purpose::Delete).await?;
        self.tell_keepers(&mut looks, &others);
        let owned = self.settle_ownership(&mut looks).await?;
        let mut plan = DestroyPlan { deletions: vec![], kept: vec![], foreign: vec![] };
        for Look { resource, observed } in looks {
            match observed {
                Some(observed) if !owned.contains(&resource.logical_id) => plan.foreign.push(observed),
                Some(observed) if resource.retain && !options.delete_data => plan.kept.push(observed),
                Some(observed) => {
                    let logical_id = resource.logical_id.clone();
                    plan.deletions.push(Change { logical_id, resource: Some(resource), ..self.deletion(observed) });
                }
                None => {}
            }
        }
        for observed in others {
            let kept_secret = options.keep_secret && is_secret(&observed);
            if kept_secret || (retained(&observed) && !options.delete_data) {
                plan.kept.push(observed);
            } else {
                plan.deletions.push(self.deletion(observed));
            }
        }
        Ok(plan)
    }

    /// What is ours. What joins resources of ours goes with them, whatever its tags; those of any other are read.
    async fn settle_ownership(&self, looks: &mut [Look]) -> Result<BTreeSet<String>, EngineError> {
        let mut owned = self.owned(looks);
        for index in 0..looks.len() {
            let Look { resource, observed } = &looks[index];
            let provider = self.provider_of(resource)?;
            let joins = &provider.schema().joins;
            let undecided = observed.as_ref().is_some_and(|observed| observed.tags.is_empty()) && !joins.is_empty();
            if !undecided {
                continue;
            }
            let joined = |property: &String| {
                let others = looks.iter().filter(|look| look.resource.logical_id != resource.logical_id);
                ends(resource, property, others).are_of(&owned)
            };
            if joins.iter().all(joined) {
                owned.insert(resource.logical_id.clone());
                continue;
            }
            let read = provider.read(resource).await;
            let read =
                read.map_err(|error| EngineError::provider(&resource.logical_id, &resource.physical_id, error))?;
            if read.as_ref().is_some_and(|observed| self.scope.owns(&observed.tags)) {
                owned.insert(resource.logical_id.clone());
            }
            looks[index].observed = read;
        }
        Ok(owned)
    }

    /// Deletes what the plan says, in order, going on after failures.
    pub async fn destroy(
        &self,
        plan: &DestroyPlan,
        options: DestroyOptions,
        observer: &Observer,
        interrupt: &CancellationToken,
    ) -> Report {
        let deletions: Vec<_> = plan.deletions.iter().collect();
        // What the plan deletes may go with all that is in it: its DeletionPolicy says so, or `delete_data`.
        let delete = DeleteOptions { empty: true, no_wait: options.no_wait };
        let mut report = Report::default();
        self.delete_all(&deletions, delete, observer, interrupt, &mut report).await;
        report
    }

    /// A closing listing by tag and by name: what is still there of what was to go. What `report` has deleted may be listed for a while
    /// yet (E9, E43): it is looked for again, and with `no_wait` taken for gone.
    ///
    /// # Errors
    /// A failed read.
    pub async fn audit(
        &self,
        options: DestroyOptions,
        report: &Report,
        observer: &Observer,
    ) -> Result<Vec<Observed>, EngineError> {
        let is_deleted = |change: &Change| report.done.iter().any(|(id, _)| *id == change.logical_id);
        let look = || async {
            let left = match self.plan_destroy(options).await {
                Ok(left) => left.deletions,
                Err(error) => return Ok(Poll::Ready(Err(error))),
            };
            let lags = !left.is_empty() && left.iter().all(is_deleted);
            Ok(match (lags, options.no_wait) {
                (true, false) => Poll::Pending("what was deleted is still listed".to_owned()),
                (true, true) => Poll::Ready(Ok(Vec::new())),
                (false, _) => Poll::Ready(Ok(left)),
            })
        };
        let progress = Progress::new("audit", Arc::clone(observer));
        let left = match poll_until("nothing to be listed", LISTED, &progress, look).await {
            Ok(left) => left?,
            // It stays.
            Err(_) => self.plan_destroy(options).await?.deletions,
        };
        Ok(left.into_iter().filter_map(|change| change.observed).collect())
    }
}
