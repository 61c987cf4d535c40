//! What is there: every resource of the template by itself, and whatever else carries the stack's tags.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;

use super::keepers::all_kept;
use super::remembered::child_key;
use super::stack::{KnownAttributes, Look, Stack, WIDTH};
use super::{EngineError, Limit, Observed, Observer, Poll, Progress, ProviderError, Report, Resource, poll_until, tag};
use crate::template::property_of;

/// The longest that a read lags behind a write.
const READABLE: Limit = Limit::seconds(15);

/// What a look is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A diff: what is outside of the template is brought in beside the read, a function's code for one.
    Plan,
    /// To see what is there.
    See,
    /// To delete it.
    Delete,
}

/// All that there is of a stack.
pub(super) struct Survey {
    /// Every wanted resource, in dependency order.
    pub looks: Vec<Look>,
    /// What carries the stack's tags, or hangs on what does, and is not named by the template.
    pub others: Vec<Observed>,
}

impl Stack<'_> {
    /// Looks at every wanted resource as it is, all side by side.
    ///
    /// # Errors
    /// The template's problems, or the first read that failed.
    pub async fn look(&self) -> Result<Vec<Look>, EngineError> {
        self.read_all_dynamic(&KnownAttributes::new()).await?;
        let looks = self.look_at(self.declare()?, Purpose::See).await?;
        self.settle_references(looks, Purpose::See).await
    }

    /// The same after an apply: what that made known (a mapping's id) spares a search, and what was just done and cannot be read yet
    /// is waited for (E9).
    ///
    /// # Errors
    /// The template's problems, or the first read that failed.
    pub async fn look_after(&self, report: &Report, observer: &Observer) -> Result<Vec<Look>, EngineError> {
        self.read_all_dynamic(&report.known).await?;
        let mut resources = Vec::new();
        for declared in self.bound.resources() {
            let (mut resource, _) = self.resource(declared, &report.known)?;
            resource.attributes.extend(report.known.get(&resource.logical_id).cloned().unwrap_or_default());
            resources.push(resource);
        }
        let looks = self.look_at(resources, Purpose::See).await?;
        let seen = stream::iter(looks).map(|look| self.until_seen(look, report, observer));
        seen.buffered(WIDTH).try_collect().await
    }

    async fn until_seen(&self, mut look: Look, report: &Report, observer: &Observer) -> Result<Look, EngineError> {
        let Resource { logical_id, physical_id, .. } = &look.resource;
        if look.observed.is_some() || !report.done.iter().any(|(done, _)| done == logical_id) {
            return Ok(look);
        }
        let provider = self.provider_of(&look.resource)?;
        let read = || async {
            let observed = provider.read(&look.resource).await?;
            Ok(observed.map_or_else(|| Poll::Pending("it cannot be read yet".to_owned()), Poll::Ready))
        };
        let progress = Progress::new(logical_id, Arc::clone(observer));
        match poll_until("it to be readable", READABLE, &progress, read).await {
            Ok(observed) => look.observed = Some(observed),
            // It is not there at all.
            Err(ProviderError::TimedOut { .. }) => {}
            Err(error) => return Err(EngineError::provider(logical_id, physical_id, error)),
        }
        Ok(look)
    }

    async fn look_at(&self, resources: Vec<Resource>, purpose: Purpose) -> Result<Vec<Look>, EngineError> {
        stream::iter(resources).map(|resource| self.look_at_one(resource, purpose)).buffered(WIDTH).try_collect().await
    }

    async fn look_at_one(&self, mut resource: Resource, purpose: Purpose) -> Result<Look, EngineError> {
        let provider = self.provider_of(&resource)?;
        let wanted = resource.clone();
        let failed = |error| EngineError::provider(&wanted.logical_id, &wanted.physical_id, error);
        let observed = match purpose {
            Purpose::Plan => {
                let (prepared, read) = futures::join!(provider.prepare(&mut resource), provider.read(&wanted));
                prepared.map_err(failed)?;
                read
            }
            Purpose::See => provider.read(&wanted).await,
            Purpose::Delete => provider.read_to_delete(&wanted).await,
        };
        Ok(Look { resource, observed: observed.map_err(failed)? })
    }

    /// Every wanted resource and whatever else is the stack's, the reads and the listings side by side.
    pub(super) async fn survey(&self, purpose: Purpose) -> Result<Survey, EngineError> {
        self.read_all_dynamic(&KnownAttributes::new()).await?;
        let mut resources = self.declare()?;
        if self.expects_others(&resources) {
            resources = self.declare()?;
        }
        let named = named(&resources);
        let (looks, mut others) = futures::try_join!(self.look_at(resources, purpose), self.find(&named))?;
        let parents: Vec<&Observed> = looks
            .iter()
            .filter_map(|look| look.observed.as_ref())
            .filter(|observed| self.scope.owns(&observed.tags))
            .chain(&others)
            .collect();
        let children = self.find_on(&parents, &named).await?;
        others.extend(children);
        let looks = self.settle_references(looks, purpose).await?;
        others.retain(|other| !looks.iter().any(|look| is_looked_at(look, other)));
        Ok(Survey { looks, others })
    }

    /// Whether a stored parameter that the template reads is one of its own, and will have another value. A secret is not told to others.
    fn expects_others(&self, resources: &[Resource]) -> bool {
        let plain = resources.iter().filter(|resource| resource.secret.is_empty() && resource.after_apply.is_empty());
        let stored = plain.filter_map(|resource| self.providers.get(&resource.type_name)?.stores(resource));
        self.providers.dynamic.expect(stored)
    }

    /// What carries the stack's tags and is not named by the template, kind by kind.
    async fn find(&self, named: &Named) -> Result<Vec<Observed>, EngineError> {
        let listings = self.providers.iter().filter(|provider| provider.schema().parent.is_none());
        let found = listings.map(|provider| async move {
            let type_name = &provider.schema().type_name;
            let found = provider.find(&self.scope, of_type(named, type_name)).await;
            found.map_err(|error| EngineError::provider(type_name, type_name, error))
        });
        let found: Vec<Vec<Observed>> = stream::iter(found).buffer_unordered(WIDTH).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// What takes no tags and hangs on these, with the DeletionPolicy that they remember of it.
    async fn find_on(&self, parents: &[&Observed], named: &Named) -> Result<Vec<Observed>, EngineError> {
        let searches = self.providers.iter().filter_map(|provider| {
            let schema = provider.schema();
            let parent = schema.parent.as_ref()?.type_name.as_ref()?;
            let parents: Vec<_> = parents.iter().copied().filter(|one| one.type_name == *parent).collect();
            Some(async move {
                let type_name = &schema.type_name;
                let found = provider.find_on(&parents, of_type(named, type_name)).await;
                found.map_err(|error| EngineError::provider(type_name, type_name, error))
            })
        });
        let found: Vec<Vec<Observed>> = stream::iter(searches).buffer_unordered(WIDTH).try_collect().await?;
        let mut children: Vec<Observed> = found.into_iter().flatten().collect();
        let kept = all_kept(parents);
        let told = self.find_kept(&kept, named).await?;
        // What hangs on a parent of ours as well is found twice, and only by its keeper whole.
        children.retain(|child| !told.iter().any(|one| is_same(one, child)));
        children.extend(told);
        if let Some(any) = &self.providers.left_behind {
            let full_name = |type_name: &str, name: &str| format!("{type_name} {name}");
            let by_name = named.iter().flat_map(|(type_name, names)| names.iter().map(move |name| (type_name, name)));
            let own = kept.keys().filter(|(type_name, _)| self.hangs_on_a_type(type_name));
            let known = by_name.chain(own.map(|(type_name, name)| (type_name, name)));
            let known = known.map(|(type_name, name)| full_name(type_name, name)).collect();
            let kept = any.find_on(parents, &known).await;
            children.extend(
                kept.map_err(|error| EngineError::provider("untagged resources", "untagged resources", error))?,
            );
        }
        for child in &mut children {
            let key = child_key(&child.type_name, &child.physical_id);
            let policy = parents.iter().find_map(|parent| parent.tags.get(&key));
            child.tags.extend(policy.map(|policy| (tag::DELETION_POLICY.to_owned(), policy.clone())));
        }
        Ok(children)
    }

    /// Attributes from names, and from what is there.
    pub(super) fn known(&self, looks: &[Look]) -> KnownAttributes {
        let mut known = KnownAttributes::new();
        for Look { resource, observed } in looks {
            let mut attributes = self.providers.get(&resource.type_name).map_or_else(BTreeMap::new, |provider| {
                provider.attributes(&resource.physical_id, &resource.properties, &self.scope)
            });
            attributes.extend(observed.iter().flat_map(|observed| observed.attributes.clone()));
            known.insert(resource.logical_id.clone(), attributes);
        }
        known
    }
}

/// The physical ids that the template names, by type.
type Named = BTreeMap<String, BTreeSet<String>>;

fn named(resources: &[Resource]) -> Named {
    let mut named = Named::new();
    for resource in resources {
        named.entry(resource.type_name.clone()).or_default().insert(resource.physical_id.clone());
    }
    named
}

fn of_type<'n>(named: &'n Named, type_name: &str) -> &'n BTreeSet<String> {
    const NONE: &BTreeSet<String> = &BTreeSet::new();
    named.get(type_name).unwrap_or(NONE)
}

fn is_same(one: &Observed, other: &Observed) -> bool {
    one.type_name == other.type_name && one.physical_id == other.physical_id
}

/// Whether it is the resource, by its type and name, or what was found in the resource's place.
fn is_looked_at(look: &Look, other: &Observed) -> bool {
    let Look { resource, observed } = look;
    let reference = |observed: &Observed| observed.attributes.get("Ref").cloned();
    let same = || observed.as_ref().and_then(reference).is_some_and(|found| Some(found) == reference(other));
    resource.type_name == other.type_name && (resource.physical_id == other.physical_id || same())
}

/// What a property names.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// The logical ids of the template's resources among it.
    pub ids: BTreeSet<String>,
    /// Whether it names anything else.
    pub others: bool,
}

impl Ends {
    /// Whether it names resources of `owned`, and nothing else.
    pub fn are_of(&self, owned: &BTreeSet<String>) -> bool {
        !self.ids.is_empty() && !self.others && self.ids.is_subset(owned)
    }
}

/// What a property of `resource` names among `looks`: by name, by ARN, or by a reference that is known only after apply.
pub(super) fn ends<'r>(resource: &Resource, property: &str, looks: impl Iterator<Item = &'r Look>) -> Ends {
    let mut texts = BTreeSet::new();
    collect_texts(resource.properties.get(property).unwrap_or(&Value::Null), &mut texts);
    let later = resource.after_apply.iter().filter(|(pointer, _)| property_of(pointer) == Some(property));
    let later: BTreeSet<&str> = later.filter_map(|(_, reference)| reference.split('.').next()).collect();
    let (mut found, mut matched) = (Ends::default(), BTreeSet::new());
    for look in looks {
        let here: Vec<&String> = texts.iter().filter(|text| names(look, property, text)).collect();
        if !here.is_empty() || later.contains(look.resource.logical_id.as_str()) {
            found.ids.insert(look.resource.logical_id.clone());
        }
        matched.extend(here);
    }
    found.others = matched.len() < texts.len();
    found
}

/// Whether a text in `property` is what AWS calls the resource; any other attribute may be the same by chance.
fn names(look: &Look, property: &str, text: &str) -> bool {
    let observed = look.observed.iter().flat_map(|observed| &observed.attributes);
    let attributes = observed.chain(&look.resource.attributes);
    let known = attributes.filter(|(name, _)| ["Ref", "Arn", property].contains(&name.as_str()));
    let mut known = known.filter_map(|(_, value)| value.as_str()).chain([look.resource.physical_id.as_str()]);
    // A function's version or alias stands after its name.
    known.any(|known| text.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')))
}

fn collect_texts(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(texts.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        _ => {}
    }
}
