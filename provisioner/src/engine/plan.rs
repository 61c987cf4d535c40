//! What `up` would do: reads, then a diff a resource, then what the stack no longer wants.

use std::collections::{BTreeMap, BTreeSet};

use super::diff::{KEPT_BY, diff};
use super::remembered::{child_key, remember_child};
use super::stack::{Look, Stack};
use super::survey::{Ends, Purpose, Survey, ends};
use super::{Absent, Action, Difference, EngineError, Observed, OnChange, Provider, Resource, Schema, State, tag};

/// All that `up` would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every resource of the template in dependency order, then what goes.
    pub changes: Vec<Change>,
    /// What left the template and is kept by its DeletionPolicy.
    pub kept: Vec<Observed>,
    /// Changes in place that wait for others, and that nothing waits for, whatever the template's references say.
    pub late: Late,
}

/// Logical ids, each with those that come before it.
pub type Late = BTreeMap<String, Vec<String>>;

/// What happens to one resource.
#[derive(Clone, Debug)]
pub struct Change {
    /// The name within the template; of a resource that left it, the one that its tag remembers.
    pub logical_id: String,
    /// For example `AWS::SQS::Queue`.
    pub type_name: String,
    /// The name under which AWS knows it.
    pub physical_id: String,
    /// What is done.
    pub action: Action,
    /// Why: the properties that differ.
    pub differences: Vec<Difference>,
    /// Paths of those of them that lose data, as they lower how much or how long it keeps.
    pub lowered: Vec<String>,
    /// What the template wants; none for a resource that goes.
    pub resource: Option<Resource>,
    /// What is there; none for a resource that is missing.
    pub observed: Option<Observed>,
    /// Whether AWS takes its time over it.
    pub slow: bool,
    /// Whether nothing finds it again once the template no longer names it.
    pub untracked: bool,
    /// What AWS keeps of it when it goes.
    pub leaves: Option<&'static str>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(|change| change.action == Action::None)
    }

    /// Whether something that needs no change is being changed still.
    pub fn waits(&self) -> bool {
        let mut observed = self.changes.iter().filter_map(|change| change.observed.as_ref());
        observed.any(|observed| matches!(observed.state, State::Changing(_)))
    }

    /// Changes that delete or replace something, or make it keep less of its data: these ask first.
    pub fn destructive(&self) -> Vec<&Change> {
        let loses = |change: &&Change| change.goes() || !change.lowered.is_empty();
        self.changes.iter().filter(loses).collect()
    }

    /// The CloudFormation stacks that own what is adopted, each with the logical ids of what it owns.
    pub fn cloudformation_stacks(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut stacks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for change in self.changes.iter().filter(|change| change.action == Action::Adopt) {
            let owner =
                change.observed.as_ref().and_then(|observed| observed.tags.get("aws:cloudformation:stack-name"));
            if let Some(owner) = owner {
                stacks.entry(owner).or_default().push(&change.logical_id);
            }
        }
        stacks
    }

    /// How many changes have this action.
    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }
}

impl Change {
    /// Whether what is there is deleted.
    pub fn goes(&self) -> bool {
        matches!(self.action, Action::Delete | Action::Replace)
    }
}

impl Stack<'_> {
    /// Reads everything and says what `up` would do. Changes nothing.
    ///
    /// # Errors
    /// The template's problems, a failed read, or, unless `adopt`, [`EngineError::NotOurs`] with all that exists without the stack's
    /// tags, and [`EngineError::OnForeign`] with what would be put on such a thing.
    pub async fn plan(&self, adopt: bool) -> Result<Plan, EngineError> {
        let Survey { mut looks, others } = self.survey(Purpose::Plan).await?;
        self.name_keepers(&mut looks, &others, adopt);
        self.remember_children(&mut looks);
        self.leave_to_others(&mut looks);
        let owned = self.owned(&looks);
        let mut changes = Vec::new();
        let (mut foreign, mut on_foreign) = (Vec::new(), Vec::new());
        for look in &looks {
            let change = self.change(look, owned.contains(&look.resource.logical_id), adopt).await?;
            match change {
                Some(change) => {
                    let is_kept = look.resource.tags.contains_key(tag::KEPT_BY);
                    let is_ours = change.action != Action::None
                        || self.is_untracked(&change.type_name)
                        || owned.contains(&change.logical_id);
                    let untracked = is_ours && !is_kept && self.wants_keeper(&look.resource, &looks);
                    changes.push(Change { untracked, ..change });
                }
                None => {
                    let refused = if look.observed.is_some() { &mut foreign } else { &mut on_foreign };
                    refused.push((look.resource.logical_id.clone(), look.resource.physical_id.clone()));
                }
            }
        }
        if !foreign.is_empty() {
            return Err(EngineError::NotOurs { resources: foreign });
        }
        if !on_foreign.is_empty() {
            return Err(EngineError::OnForeign { resources: on_foreign });
        }
        // The key's parameter is never among what goes.
        let leftovers = others.into_iter().filter(|observed| !is_secret(observed));
        let (kept, gone): (Vec<_>, Vec<_>) = leftovers.partition(retained);
        for observed in &gone {
            self.may_be_replaced(&looks, observed).await?;
        }
        changes.extend(gone.into_iter().map(|observed| self.deletion(observed)));
        Ok(Plan { changes, kept, late: Late::new() })
    }

    /// A resource of the template under another physical name replaces the one that has its logical id: not if UpdateReplacePolicy
    /// keeps that, nor if it holds data.
    async fn may_be_replaced(&self, looks: &[Look], gone: &Observed) -> Result<(), EngineError> {
        let id = gone.tags.get(tag::LOGICAL_ID);
        let same = |look: &&Look| Some(&look.resource.logical_id) == id && look.resource.type_name == gone.type_name;
        let Some(Look { resource, .. }) = looks.iter().find(same) else { return Ok(()) };
        let (logical_id, physical_id) = (resource.logical_id.clone(), gone.physical_id.clone());
        if resource.retain_on_replace {
            return Err(EngineError::ReplaceRefused { logical_id, physical_id, properties: vec!["its name".into()] });
        }
        let provider = self.provider_of(resource)?;
        let holds = provider.holds_data(gone).await;
        match holds.map_err(|error| EngineError::provider(&logical_id, &physical_id, error))? {
            true => Err(EngineError::ReplaceLosesData { logical_id, physical_id }),
            false => Ok(()),
        }
    }

    /// A replacement under the same name deletes first: not what is somebody else's, not what UpdateReplacePolicy keeps, not data.
    async fn replaces_nothing_precious(
        &self,
        resource: &Resource,
        observed: &Observed,
        differences: &[Difference],
        owned: bool,
    ) -> Result<(), EngineError> {
        let (logical_id, physical_id) = (resource.logical_id.clone(), resource.physical_id.clone());
        let causes = differences.iter().filter(|difference| difference.on_change == OnChange::Replace);
        let properties: Vec<String> = causes.map(|difference| difference.path.clone()).collect();
        if !owned {
            return Err(EngineError::ReplaceForeign { logical_id, physical_id, properties });
        }
        if resource.retain_on_replace {
            return Err(EngineError::ReplaceRefused { logical_id, physical_id, properties });
        }
        let holds = self.provider_of(resource)?.holds_data(observed).await;
        match holds.map_err(|error| EngineError::provider(&logical_id, &physical_id, error))? {
            true => Err(EngineError::ReplaceLosesData { logical_id, physical_id }),
            false => Ok(()),
        }
    }

    /// A reference to something that exists is known after all; what has its name by one is looked at under that name.
    pub(super) async fn settle_references(
        &self,
        mut looks: Vec<Look>,
        purpose: Purpose,
    ) -> Result<Vec<Look>, EngineError> {
        for index in 0..looks.len() {
            let before = looks[index].resource.clone();
            if before.after_apply.is_empty() {
                continue;
            }
            let known = self.known(&looks);
            let mut resource = self.resolved_again(&before, &known).await?;
            if purpose == Purpose::Plan {
                self.prepare(&mut resource).await?;
            }
            let provider = self.provider_of(&resource)?;
            looks[index].observed = match looks[index].observed.take() {
                there if resource.physical_id == before.physical_id => {
                    there.map(|observed| provider.held_against(&resource, observed))
                }
                _ => provider
                    .read(&resource)
                    .await
                    .map_err(|error| EngineError::provider(&resource.logical_id, &resource.physical_id, error))?,
            };
            looks[index].resource = resource;
        }
        Ok(looks)
    }

    /// What takes no tags has its DeletionPolicy remembered by what it hangs on.
    fn remember_children(&self, looks: &mut [Look]) {
        let mut children = Vec::new();
        for Look { resource, .. } in looks.iter() {
            let mut hangs_on = self.parents(resource, looks).ids;
            hangs_on.extend(self.kept_in(resource, looks));
            children.push((hangs_on, child_key(&resource.type_name, &resource.physical_id), resource.retain));
        }
        for (hangs_on, child, retain) in children {
            for look in looks.iter_mut().filter(|look| hangs_on.contains(&look.resource.logical_id)) {
                remember_child(&mut look.resource, look.observed.as_ref(), &child, retain);
            }
        }
    }

    /// The resource with its references resolved by what is known now, what it remembers of others, and what is outside of the template.
    pub(super) async fn resolve_again(
        &self,
        resource: &Resource,
        known: &super::stack::KnownAttributes,
    ) -> Result<Resource, EngineError> {
        let mut resource = self.resolved_again(resource, known).await?;
        self.prepare(&mut resource).await?;
        Ok(resource)
    }

    async fn prepare(&self, resource: &mut Resource) -> Result<(), EngineError> {
        let prepared = self.provider_of(resource)?.prepare(resource).await;
        prepared.map_err(|error| EngineError::provider(&resource.logical_id, &resource.physical_id, error))
    }

    async fn resolved_again(
        &self,
        resource: &Resource,
        known: &super::stack::KnownAttributes,
    ) -> Result<Resource, EngineError> {
        let Some(declared) = self.bound.resources().find(|declared| declared.logical_id == resource.logical_id) else {
            return Ok(resource.clone());
        };
        self.read_dynamic(declared, known).await?;
        let planned = |key: &str| key.starts_with(tag::OF_CHILD) || key == tag::KEPT_BY;
        let planned = resource.tags.iter().filter(|(key, _)| planned(key));
        let planned = planned.map(|(key, value)| (key.clone(), value.clone()));
        let (mut resource, _) = self.resource(declared, known)?;
        resource.tags.extend(planned);
        Ok(resource)
    }

    /// Logical ids whose resource is missing or carries our tags; a kind without tags is its parent's, there or not: making it
    /// changes the parent. What a keeper remembers is ours, whosever the parent is.
    pub(super) fn owned(&self, looks: &[Look]) -> BTreeSet<String> {
        let tagged = |look: &&Look| !self.belongs(&look.resource);
        let ours = |look: &&Look| look.observed.as_ref().is_none_or(|observed| self.scope.owns(&observed.tags));
        let mut owned: BTreeSet<String> =
            looks.iter().filter(tagged).filter(ours).map(|look| look.resource.logical_id.clone()).collect();
        for (index, look) in looks.iter().enumerate().filter(|(_, look)| !tagged(look)) {
            let is_kept = look.observed.as_ref().is_some_and(|observed| observed.tags.contains_key(tag::KEPT_BY));
            let is_ours = is_kept || self.parents(&look.resource, looks).are_of(&owned);
            if is_ours || self.is_ours_by_itself(looks, index) {
                owned.insert(look.resource.logical_id.clone());
            }
        }
        owned
    }

    /// What takes no tags and stands on its own: missing, under a name that was made for it, or, where nothing can remember it, exactly
    /// what the template would make.
    fn is_ours_by_itself(&self, looks: &[Look], index: usize) -> bool {
        let Look { resource, observed } = &looks[index];
        let Some(provider) = self.providers.get(&resource.type_name).filter(|one| one.is_untracked()) else {
            return false;
        };
        observed.as_ref().is_none_or(|observed| {
            let same = || diff(resource, observed, provider.schema()).iter().all(|one| one.path == KEPT_BY);
            self.scope.owns(&observed.tags) || (self.keeper(looks, index).is_none() && same())
        })
    }

    /// What a kind without tags hangs on: resources of its parent's type, where that is one.
    pub(super) fn parents(&self, resource: &Resource, looks: &[Look]) -> Ends {
        let parent = self.providers.get(&resource.type_name).and_then(|provider| provider.schema().parent.as_ref());
        let Some(parent) = parent else { return Ends::default() };
        let fits = |look: &&Look| parent.type_name.as_ref().is_none_or(|wanted| *wanted == look.resource.type_name);
        let tagged = |look: &&Look| !self.belongs(&look.resource);
        let named = |property: &String| ends(resource, property, looks.iter().filter(fits).filter(tagged));
        parent.properties.iter().map(named).find(|ends| !ends.ids.is_empty()).unwrap_or_default()
    }

    fn is_slow(&self, type_name: &str) -> bool {
        self.provider_for(type_name, type_name).is_ok_and(|provider| provider.is_slow())
    }

    fn leaves(&self, observed: &Observed) -> Option<&'static str> {
        self.provider_for(&observed.type_name, &observed.type_name).ok()?.leaves(observed)
    }

    pub(super) fn is_untracked(&self, type_name: &str) -> bool {
        self.provider_for(type_name, type_name).is_ok_and(|provider| provider.is_untracked())
    }

    pub(super) fn deletion(&self, observed: Observed) -> Change {
        let logical_id = observed.tags.get(tag::LOGICAL_ID).unwrap_or(&observed.physical_id).clone();
        Change {
            logical_id,
            type_name: observed.type_name.clone(),
            physical_id: observed.physical_id.clone(),
            action: Action::Delete,
            differences: Vec::new(),
            lowered: Vec::new(),
            resource: None,
            slow: self.is_slow(&observed.type_name),
            untracked: false,
            leaves: self.leaves(&observed),
            observed: Some(observed),
        }
    }

    /// Whether it takes no tags, so that it is whose the thing is that it belongs to.
    pub(super) fn belongs(&self, resource: &Resource) -> bool {
        self.providers.get(&resource.type_name).is_some_and(|provider| provider.schema().parent.is_some())
    }

    /// What happens to one resource; none where it exists, is not ours and may not be adopted.
    async fn change(&self, look: &Look, owned: bool, adopt: bool) -> Result<Option<Change>, EngineError> {
        let Look { resource, observed } = look;
        let mut differences = match observed {
            Some(observed) => differences(resource, observed, self.provider_of(resource)?.as_ref()),
            None => Vec::new(),
        };
        if !owned && !adopt {
            // What is somebody else's needs nobody who remembers it.
            differences.retain(|difference| difference.path != KEPT_BY);
        }
        let replaces = differences.iter().any(|difference| difference.on_change == OnChange::Replace);
        let action = match observed {
            None if !owned && !adopt => return Ok(None),
            None => Action::Create,
            // An untagged kind that is already as the template says needs no adoption.
            Some(_) if !owned && differences.is_empty() => Action::None,
            Some(_) if !owned && !adopt => return Ok(None),
            Some(_) if replaces => Action::Replace,
            Some(_) if !owned => Action::Adopt,
            Some(_) if differences.is_empty() => Action::None,
            Some(_) => Action::Update,
        };
        if let (Action::Replace, Some(observed)) = (action, observed) {
            self.replaces_nothing_precious(resource, observed, &differences, owned).await?;
        }
        let lowered = lowered(&differences, self.provider_of(resource)?.schema());
        Ok(Some(Change {
            logical_id: resource.logical_id.clone(),
            type_name: resource.type_name.clone(),
            physical_id: resource.physical_id.clone(),
            action,
            differences,
            lowered,
            resource: Some(resource.clone()),
            observed: observed.clone(),
            slow: self.is_slow(&resource.type_name),
            untracked: false,
            leaves: observed.as_ref().filter(|_| action == Action::Replace).and_then(|observed| self.leaves(observed)),
        }))
    }
}

fn differences(resource: &Resource, observed: &Observed, provider: &dyn Provider) -> Vec<Difference> {
    let mut differences = diff(resource, observed, provider.schema());
    for difference in &mut differences {
        if provider.replaces(observed, difference) {
            difference.on_change = OnChange::Replace;
        }
    }
    differences
}

/// Paths of what becomes lower and loses data by it.
fn lowered(differences: &[Difference], schema: &Schema) -> Vec<String> {
    let loses = |difference: &&Difference| {
        let property = schema.property_at(&difference.path).filter(|property| property.loses_when_lowered);
        property.is_some_and(|property| difference.lowers(property.absent == Absent::Removed))
    };
    differences.iter().filter(loses).map(|difference| difference.path.clone()).collect()
}

/// Whether it is the parameter that `secret set` made.
pub(super) fn is_secret(observed: &Observed) -> bool {
    observed.tags.get(tag::KIND).is_some_and(|kind| kind == "secret")
}

pub(super) fn retained(observed: &Observed) -> bool {
    observed.tags.get(tag::DELETION_POLICY).is_some_and(|policy| policy == "Retain")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Property, Shape};
    use super::*;

    fn difference(path: &str, before: Value, after: Option<Value>) -> Difference {
        let (path, before) = (path.to_owned(), Some(before).filter(|before| !before.is_null()));
        let after_apply = after.is_none().then(|| "Other.Value".to_owned());
        let after = after.filter(|after| !after.is_null());
        Difference { path, before, after, after_apply, on_change: OnChange::Update, secret: false }
    }

    #[test]
    fn only_a_lower_number_of_a_property_that_keeps_data_loses_some() {
        let inner = Property::new("Days", Shape::Integer).loses_when_lowered();
        let properties = vec![
            Property::new("Retention", Shape::Integer).loses_when_lowered(),
            Property::new("Timeout", Shape::Integer),
            Property::new("Days", Shape::Integer).removed_when_absent().loses_when_lowered(),
            Property::new("Backup", Shape::Object(vec![inner])),
        ];
        let schema = Schema::new("AWS::Some::Store", properties, &[]);
        let told =
            |path: &str, before: Value, after: Option<Value>| lowered(&[difference(path, before, after)], &schema);
        assert_eq!(told("Retention", json!(60), Some(json!(59))), ["Retention"]);
        assert_eq!(told("Backup.Days", json!(2), Some(json!(1))), ["Backup.Days"]);
        assert_eq!(told("Retention", json!(60), None), ["Retention"], "what is not known yet may be lower");
        assert_eq!(told("Retention", json!(59), Some(json!(60))), Vec::<String>::new());
        let none = Value::Null;
        assert_eq!(told("Days", none.clone(), Some(json!(14))), ["Days"], "what was kept for ever");
        assert_eq!(told("Days", json!(14), Some(none.clone())), Vec::<String>::new());
        assert_eq!(told("Backup.Days", none.clone(), Some(json!(14))), Vec::<String>::new());
        assert_eq!(told("Timeout", json!(60), Some(json!(59))), Vec::<String>::new());
        assert_eq!(told("Tags.Retention", json!("60"), Some(json!("59"))), Vec::<String>::new());
    }
}
