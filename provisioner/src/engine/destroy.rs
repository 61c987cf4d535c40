//! Takes a stack down: everything that carries its tags, whatever the template says now, but what its DeletionPolicy keeps.

use tokio_util::sync::CancellationToken;

use super::apply::Report;
use super::plan::{Change, retained};
use super::stack::{Look, Stack};
use super::{DeleteOptions, EngineError, Observed, Observer, tag};

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

impl Stack<'_> {
    /// Reads everything and says what `down` would delete. Changes nothing.
    ///
    /// # Errors
    /// The template's problems or a failed read.
    pub async fn plan_destroy(&self, options: DestroyOptions) -> Result<DestroyPlan, EngineError> {
        let (looks, found) = futures::try_join!(self.look_without_artifacts(), self.find())?;
        let owned = self.owned(&looks);
        let mut plan = DestroyPlan { deletions: vec![], kept: vec![], foreign: vec![] };
        for Look { resource, observed } in &looks {
            match observed {
                Some(observed) if !owned.contains(&resource.logical_id) => plan.foreign.push(observed.clone()),
                Some(observed) if resource.retain && !options.delete_data => plan.kept.push(observed.clone()),
                Some(observed) => plan
                    .deletions
                    .push(Change { logical_id: resource.logical_id.clone(), ..self.deletion(observed.clone()) }),
                None => {}
            }
        }
        for observed in found.into_iter().filter(|observed| !listed(&looks, observed)) {
            let secret = observed.tags.get(tag::KIND).is_some_and(|kind| kind == "secret");
            if (secret && options.keep_secret) || (retained(&observed) && !options.delete_data) {
                plan.kept.push(observed);
            } else {
                plan.deletions.push(self.deletion(observed));
            }
        }
        Ok(plan)
    }

    /// Deletes what the plan says, in order, going on after failures.
    pub async fn destroy(
        &self,
        plan: &DestroyPlan,
        options: DestroyOptions,
        observer: &Observer,
        interrupt: &CancellationToken,
    ) -> Report {
        let deletions = plan
            .deletions
            .iter()
            .filter_map(|change| change.observed.clone().map(|observed| (change.logical_id.clone(), observed)))
            .collect();
        let delete = DeleteOptions { empty: options.delete_data, no_wait: options.no_wait };
        let mut report = Report::default();
        self.delete_all(deletions, delete, observer, interrupt, &mut report).await;
        report
    }

    /// A closing listing by tag and by name: what is still there of what the plan deleted.
    ///
    /// # Errors
    /// A failed read.
    pub async fn audit(&self, options: DestroyOptions) -> Result<Vec<Observed>, EngineError> {
        let left = self.plan_destroy(options).await?;
        Ok(left.deletions.into_iter().filter_map(|change| change.observed).collect())
    }
}

fn listed(looks: &[Look], observed: &Observed) -> bool {
    looks.iter().any(|Look { resource, .. }| {
        resource.type_name == observed.type_name && resource.physical_id == observed.physical_id
    })
}
