//! Every type without a provider of its own, over AWS's Cloud Control API, whose resources have the very names and properties
//! of CloudFormation.
//!
//! | property | a change | left out |
//! |---|---|---|
//! | the part of the primary identifier that may be left out | replaces | stack and logical id, where the type has such a name |
//! | createOnly in the type's schema | replaces, if the template gave another before, or none and AWS does not tell whether it has it, or if nothing remembers what it gave and AWS has another | as below |
//! | any other | in place, by a JSON patch of the whole property | removed, also within another, if the template gave it before, else not compared |
//! | readOnly | refused in a template | what `Fn::GetAtt` gives |
//! | writeOnly, also within another | in place; AWS does not give it back, so it is compared by a digest that the tags remember. A secret (NoEcho) is not: it goes with any other change, or with `--resend-secrets` | stays |
//! | the tagging property | in place; replaces where AWS changes no tags | removed, but tags of others stay |
//!
//! What the template gave is remembered by the tag [`tag::GIVEN`], of what takes no tags by one of its keeper's. `Ref` gives the primary
//! identifier, its parts joined by `|`, or the property that `references` names. A resource is found by its identifier where that can be a
//! name, else by its tags in a listing. A kind without tags is this stack's if it has the name that was made for it, belongs to a
//! resource of the stack, or a keeper remembers it. One that left the template is found by its tags, or by those of its keeper, even if the template names no
//! resource of its type any more.

mod digests;
mod found;
mod holding;
mod keeping;
mod left_behind;
mod naming;
mod other_types;
mod partners;
mod patch;
mod putting;
mod references;
mod registry;
mod requests;
mod shapes;
mod tagging;
mod transform;
mod type_schema;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

pub use self::other_types::OtherTypes;

use self::found::{Described, described, within};
use self::references::reference_property;
use self::requests::{Created, Requests};
use self::tagging::{Before, TYPE_TAG, given_before, remember_properties, tags_in, tags_out, tells_all_given};
use self::type_schema::TypeSchema;
use super::claim::take_over;
use super::fields::Fields;
use super::observed::{as_wanted, listed};
use crate::engine::{
    DeleteOptions, Difference, Limit, NOT_GIVEN_BACK, Observed, OnChange, Permissions, Progress, Provider,
    ProviderError, Put, Resource, Schema, Scope, diff, remember_given, retry_until, tag,
};

/// How long a new role, or an earlier change of the same resource, is waited for.
const SETTLES: Limit = Limit::seconds(120);

/// How often one state of a resource may have been made, or have failed to be, in the 36 hours in which AWS knows a token.
const MOST_TOKENS: u32 = 50;

/// Resources of one type, over Cloud Control.
struct CloudControlProvider {
    requests: Requests,
    about: TypeSchema,
}

impl CloudControlProvider {
    fn type_name(&self) -> &str {
        &self.about.schema.type_name
    }

    fn has_fixed_tags(&self) -> bool {
        self.about.tags.as_ref().is_some_and(|tags| tags.fixed)
    }

    /// What AWS has, in the shape in which it is compared with the template.
    fn observed(&self, resource: &Resource, described: Described) -> Observed {
        let mut tags = match &self.about.tags {
            Some(property) => tags_in(&described.properties, property),
            // A name that was made is the claim of a kind that takes no tags.
            None if self.has_made_name(&resource.properties, &resource.tags) => resource.tags.clone(),
            None => BTreeMap::new(),
        };
        // Where tags stay as they were made, so does what they tell of the fields within a property.
        let seen = tags.clone();
        let mut given_before = given_before(&seen);
        if self.has_fixed_tags() {
            given_before.values_mut().for_each(|before| *before = Before::default());
            let claims = [tag::STACK, tag::REGION, tag::LOGICAL_ID];
            let kept =
                resource.tags.iter().filter(|(key, _)| seen.contains_key(*key) && !claims.contains(&key.as_str()));
            tags.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
        }
        let handle = json!({"Identifier": described.identifier, "Properties": described.properties});
        let told = tells_all_given(&seen, resource, self.is_untracked());
        Observed {
            attributes: self.attributes_of(&described),
            properties: self.compared(resource, &described.properties, given_before, told),
            tags,
            handle,
            ..as_wanted(resource)
        }
    }

    /// As much of what is there as the template says something of, or said before; whether all of that is `told`.
    fn compared<'b>(
        &'b self,
        resource: &Resource,
        properties: &Value,
        mut given_before: BTreeMap<&'b str, Before<'b>>,
        told: bool,
    ) -> Value {
        // A name that is made is the template's too, though it stands not there.
        given_before.extend(self.about.name.as_ref().map(|name| (name.property.as_str(), Before::default())));
        let mut compared = within(properties, &resource.properties, &given_before, &self.about.transforms);
        let schema = &self.about.schema;
        let added = digests::added(&given_before, resource, properties, schema).filter(|_| told);
        for name in digests::changed(&given_before, resource, schema).chain(added) {
            compared[name] = NOT_GIVEN_BACK.into();
        }
        for name in digests::unchanged(&given_before, resource, schema) {
            compared[name] = resource.properties[name].clone();
        }
        compared
    }

    fn attributes_of(&self, described: &Described) -> BTreeMap<String, Value> {
        let pointers = self.about.read_only.iter().map(|(name, pointer)| (name.clone(), pointer.clone()));
        let settable = self.about.schema.properties.iter();
        let settable = settable.map(|property| (property.name.clone(), format!("/{}", property.name)));
        let known = pointers.chain(settable).filter(|(name, _)| self.about.schema.attributes.contains(name));
        let mut attributes: BTreeMap<String, Value> =
            known.filter_map(|(name, at)| Some((name, described.properties.pointer(&at)?.clone()))).collect();
        attributes.insert("Ref".into(), self.reference(&described.identifier, &described.properties));
        attributes
    }

    fn reference(&self, identifier: &str, properties: &Value) -> Value {
        let other = reference_property(self.type_name()).and_then(|property| Fields(properties).get(property).cloned());
        other.unwrap_or_else(|| identifier.into())
    }

    /// Everything of the type that AWS has, with its tags; asked for one by one where the listing leaves them out.
    async fn all(&self) -> Result<Vec<Described>, ProviderError> {
        let wanted = self.about.tags.as_ref().map(|tags| tags.name.as_str());
        self.requests.list(self.type_name(), wanted).await
    }

    /// The resource of this logical id, by its tags; else the one that has the name which the template gives: one that had another
    /// logical id before, or is somebody else's.
    async fn by_tags(&self, resource: &Resource) -> Result<Option<Described>, ProviderError> {
        let Some(property) = &self.about.tags else { return Ok(None) };
        let keys = [tag::STACK, tag::REGION, tag::LOGICAL_ID];
        let mut all = self.all().await?;
        let tagged = all.iter().position(|described| {
            let tags = tags_in(&described.properties, property);
            keys.iter().all(|key| tags.get(*key) == resource.tags.get(*key))
        });
        let found =
            tagged.or_else(|| all.iter().position(|described| self.has_name_of(described, &resource.properties)));
        Ok(found.map(|index| all.swap_remove(index)))
    }

    /// Whether what AWS identifies by itself has the template's name, which nothing else of the type and in the same place may have.
    fn has_name_of(&self, described: &Described, wanted: &Value) -> bool {
        let kind = self.type_name().rsplit("::").next().unwrap_or_default();
        let is_name = |name: &str| name == "Name" || name.strip_suffix("Name") == Some(kind);
        let made_of = |name: &str| {
            let how = self.about.transform(name);
            how.is_some_and(|how| how.makes(&wanted[name], &described.properties[name]))
        };
        let same = |name: &str| match (Fields(&described.properties).text(name), Fields(wanted).text(name)) {
            (Some(there), None) => !["Name", "Id", "Arn"].iter().any(|end| name.ends_with(end)) || there == "default",
            (there, wanted) => there == wanted || made_of(name),
        };
        let fixed = self.about.schema.properties.iter().filter(|one| one.on_change == OnChange::Replace && !one.unseen);
        let fixed: Vec<&str> = fixed.map(|property| property.name.as_str()).collect();
        fixed.iter().any(|name| is_name(name) && Fields(wanted).has(name)) && fixed.iter().all(|name| same(name))
    }

    /// What CreateResource wants: the properties as the template has them, and the tags.
    fn desired(&self, resource: &Resource) -> Value {
        let mut desired = resource.properties.clone();
        if let Some(property) = &self.about.tags {
            desired[property.name.as_str()] = tags_out(&resource.tags, property);
        }
        desired
    }

    /// Asks by one token after another: one whose resource is gone again, or whose request failed before, is used up.
    /// Whether it is new comes with it.
    async fn make(
        &self,
        desired: &Value,
        tries: &AtomicU32,
        progress: &Progress,
    ) -> Result<(Described, bool), ProviderError> {
        loop {
            let number = tries.fetch_add(1, Ordering::Relaxed);
            // When all are used up, one that nobody else has.
            let token = (number < MOST_TOKENS).then(|| requests::token(self.type_name(), desired, number));
            match self.requests.create(self.type_name(), desired, token, self.limit(), progress).await? {
                Created::Done { identifier, may_be_gone: false } => {
                    return self.described_now(&identifier).await.map(|described| (described, true));
                }
                Created::Done { identifier, .. } => {
                    if let Some(described) = self.requests.get(self.type_name(), &identifier).await? {
                        return Ok((described, false));
                    }
                }
                Created::Refused(error) if number >= MOST_TOKENS => return Err(error),
                Created::Refused(_) => {}
            }
        }
    }

    fn limit(&self) -> Limit {
        Limit { longest: Duration::from_secs(10), ..Limit::seconds(self.about.timeout_minutes * 60) }
    }

    async fn described_now(&self, identifier: &str) -> Result<Described, ProviderError> {
        self.requests.get(self.type_name(), identifier).await?.ok_or_else(|| {
            ProviderError::refused(
                format!("{identifier} was made or changed, and AWS does not find it"),
                "run the command again: it goes on",
            )
        })
    }
}

fn identifier_of(observed: &Observed) -> String {
    Fields(&observed.handle).text("Identifier").unwrap_or_else(|| observed.physical_id.clone())
}

#[async_trait]
impl Provider for CloudControlProvider {
    fn schema(&self) -> &Schema {
        &self.about.schema
    }

    fn physical_id(&self, logical_id: &str, properties: &Value, scope: &Scope) -> Result<String, ProviderError> {
        self.names_itself(properties)?;
        let made = || scope.name(&[logical_id], 255);
        Ok(self.identifier(logical_id, properties, scope).unwrap_or_else(made))
    }

    fn attributes(&self, physical_id: &str, properties: &Value, _scope: &Scope) -> BTreeMap<String, Value> {
        let given = self.about.schema.properties.iter().map(|property| &property.name);
        let given = given.filter(|name| self.about.schema.attributes.contains(name));
        let mut attributes: BTreeMap<String, Value> =
            given.filter_map(|name| Some((name.clone(), Fields(properties).get(name)?.clone()))).collect();
        let reference = match reference_property(self.type_name()) {
            Some(property) => Fields(properties).get(property).cloned(),
            None => self.about.is_named().then(|| physical_id.into()),
        };
        attributes.extend(reference.map(|reference| ("Ref".to_owned(), reference)));
        let single = self.about.name.as_ref().filter(|_| self.about.is_named() && self.about.identifier.len() == 1);
        attributes.extend(single.map(|name| (name.property.clone(), physical_id.into())));
        attributes
    }

    /// Puts the made name among the properties, and what the template gives among the tags.
    async fn prepare(&self, resource: &mut Resource) -> Result<(), ProviderError> {
        if let Some(property) = &self.about.tags {
            // The engine knows tags that stand in `Tags`; some types have another name for it.
            let mut own = tags_in(&resource.properties, property);
            remember_given(&mut own);
            own.extend(std::mem::take(&mut resource.tags));
            resource.tags = own;
            if let Some(fields) = resource.properties.as_object_mut() {
                fields.shift_remove(&property.name);
            }
            resource.tags.insert(TYPE_TAG.into(), self.type_name().to_owned());
        }
        remember_properties(resource, &self.about.schema);
        if self.is_untracked() {
            // Of its keeper's tags it has one.
            resource.tags.retain(|key, _| !key.starts_with(&format!("{}:", tag::GIVEN)));
        }
        let Some(name) = self.about.name.as_ref().filter(|name| !Fields(&resource.properties).has(&name.property))
        else {
            return Ok(());
        };
        let index = self.about.identifier.iter().position(|part| *part == name.property);
        let made = index.and_then(|index| resource.physical_id.split('|').nth(index)).map(str::to_owned);
        if let Some(made) = made.filter(|_| self.about.is_named()) {
            resource.properties[name.property.as_str()] = made.into();
        }
        Ok(())
    }

    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let described = match self.about.is_named() {
            // It stands in something that is not there yet, or that is looked at side by side with it.
            true if !self.is_settled(&resource.properties) => None,
            true => self.requests.get(self.type_name(), &resource.physical_id).await?,
            false => self.by_tags(resource).await?,
        };
        Ok(described.map(|described| self.observed(resource, described)))
    }

    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        let (desired, tries) = (self.desired(resource), AtomicU32::new(0));
        let made = retry_until("AWS to take the new resource", SETTLES, progress, requests::passes, || {
            self.make(&desired, &tries, progress)
        });
        let (described, is_new) = match made.await {
            Err(error) if requests::is_taken(&error) => return take_over(self, resource, progress).await,
            made => made?,
        };
        let observed = self.observed(resource, described);
        // Somebody may have changed since what an earlier request made; its token proves that it is ours.
        match diff(resource, &observed, &self.about.schema) {
            differences if is_new || differences.is_empty() => Ok(observed),
            differences => self.update(resource, &observed, &differences, progress).await,
        }
    }

    async fn update(
        &self,
        resource: &Resource,
        observed: &Observed,
        differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        let (identifier, patch) = (identifier_of(observed), self.patch(resource, observed, differences));
        match self.send_patch(&identifier, &patch, progress).await {
            Err(error) if patch::removes(&patch) => {
                // Another run may have removed it first, which AWS does not forgive.
                let now = self.observed(resource, self.described_now(&identifier).await?);
                let left = diff(resource, &now, &self.about.schema);
                if left.is_empty() {
                    return Ok(now);
                }
                let rest = self.patch(resource, &now, &left);
                if rest == patch {
                    return Err(error);
                }
                self.send_patch(&identifier, &rest, progress).await?;
            }
            sent => sent?,
        }
        Ok(self.observed(resource, self.described_now(&identifier).await?))
    }

    async fn delete(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let identifier = identifier_of(observed);
        self.requests.delete(self.type_name(), &identifier, self.limit(), progress).await
    }

    async fn find(&self, scope: &Scope, named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let Some(property) = self.about.tags.as_ref().filter(|_| self.about.listable) else { return Ok(Vec::new()) };
        let ours = self.all().await?.into_iter().filter_map(|described| {
            let tags = tags_in(&described.properties, property);
            let logical_id = tags.get(tag::LOGICAL_ID).filter(|_| scope.owns(&tags))?.clone();
            let physical_id = match self.about.is_named() {
                true => described.identifier.clone(),
                false => scope.name(&[&logical_id], 255),
            };
            let attributes = self.attributes_of(&described);
            let handle = json!({"Identifier": described.identifier, "Properties": described.properties});
            Some(Observed { handle, ..listed(self.type_name(), physical_id, tags, attributes) })
        });
        let is_named = |one: &Observed| named.iter().any(|name| self.about.is_same(name, &one.physical_id));
        Ok(ours.filter(|one| !is_named(one)).collect())
    }

    /// AWS minds what stands on it, and what that is only the template tells.
    fn teardown_rank(&self) -> Option<u8> {
        None
    }

    /// Tags that AWS changes none of are others only on another resource.
    fn replaces(&self, _observed: &Observed, difference: &Difference) -> bool {
        self.has_fixed_tags() && difference.property() == "Tags"
    }

    fn held_against(&self, resource: &Resource, mut observed: Observed) -> Observed {
        let properties = observed.handle["Properties"].take();
        if !self.is_untracked() {
            return self.observed(resource, Described { identifier: identifier_of(&observed), properties });
        }
        let tags = observed.tags.clone();
        let told = tells_all_given(&tags, resource, true);
        observed.properties = self.compared(resource, &properties, given_before(&tags), told);
        observed.handle["Properties"] = properties;
        observed
    }

    fn remembering(&self, resource: &Resource, mut observed: Observed, given: &str) -> Observed {
        observed.tags.insert(tag::GIVEN.to_owned(), given.to_owned());
        self.held_against(resource, observed)
    }

    fn puts(&self, resource: &Resource) -> Vec<Put> {
        putting::puts(resource)
    }

    async fn holds_data(&self, observed: &Observed) -> Result<bool, ProviderError> {
        Ok(holding::holds_data(self.type_name(), &observed.handle["Properties"]))
    }

    fn leaves(&self, observed: &Observed) -> Option<&'static str> {
        holding::leaves(self.type_name(), &observed.handle["Properties"])
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn is_untracked(&self) -> bool {
        self.about.tags.is_none()
    }

    /// What a handler touches is AWS's to know.
    fn arns(&self, _resource: &Resource, _scope: &Scope) -> Vec<String> {
        vec!["*".into()]
    }

    fn permissions(&self) -> Permissions<'_> {
        let with = |handlers: &[&str], own: &[&'static str]| {
            self.about.actions(handlers).into_iter().chain(own.iter().copied()).collect::<Vec<_>>()
        };
        Permissions {
            read: with(
                &["read", "list"],
                &["cloudformation:DescribeType", "cloudformation:GetResource", "cloudformation:ListResources"],
            ),
            write: with(
                &["create", "update"],
                &[
                    "cloudformation:CreateResource",
                    "cloudformation:UpdateResource",
                    "cloudformation:GetResourceRequestStatus",
                ],
            ),
            delete: with(&["delete"], &["cloudformation:DeleteResource", "cloudformation:GetResourceRequestStatus"]),
            ..Permissions::default()
        }
    }
}
