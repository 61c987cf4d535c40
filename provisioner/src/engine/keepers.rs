//! What takes no tags is remembered by a tag of another resource of the stack, its keeper: by it one is found that left the template.
//! So is what `--adopt` puts on something outside of the template, a policy on somebody else's bucket say.
//!
//! The keeper is tagged before the resource is made, and outlives it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures::future::try_join_all;
use serde_json::Value;

use super::scope::{short_digest, tag};
use super::stack::{KnownAttributes, Look, Stack};
use super::{EngineError, Observed, Progress, ProviderError, Resource};

/// AWS takes no longer value of a tag.
const LONGEST: usize = 256;

/// What every service takes in a tag's value, besides letters and digits; `@` begins an escape.
const PLAIN: &str = " +-=._:/";

/// Services, of those that name what they make by an ARN, whose resources the tagging API is known to tag.
/// Source: Resource Groups Tagging API, supported services.
const TAGGABLE_BY_ARN: [&str; 11] = [
    "CloudWatch",
    "Cognito",
    "DynamoDB",
    "ECR",
    "ECS",
    "Events",
    "Kinesis",
    "KMS",
    "SecretsManager",
    "SNS",
    "StepFunctions",
];

fn is_taggable_by_arn(type_name: &str) -> bool {
    type_name.split("::").nth(1).is_some_and(|service| TAGGABLE_BY_ARN.contains(&service))
}

/// The tag by which a keeper remembers a resource: key and value; none for a name that no tag holds.
pub fn keeping_tag(type_name: &str, physical_id: &str) -> Option<(String, String)> {
    let value: String = format!("{type_name} {physical_id}").chars().map(escaped).collect();
    let key = format!("{}{}", tag::KEEPS, short_digest(&format!("{type_name} {physical_id}")));
    (value.len() <= LONGEST).then_some((key, value))
}

/// The key of the tag by which a keeper remembers which properties the template gave to a resource.
pub fn given_key(type_name: &str, physical_id: &str) -> String {
    format!("{}{}", tag::GIVEN_OF, short_digest(&format!("{type_name} {physical_id}")))
}

/// Type and physical id of what a tag remembers; none for any other tag.
pub fn kept(key: &str, value: &str) -> Option<(String, String)> {
    key.strip_prefix(tag::KEEPS)?;
    let mut plain = String::new();
    let mut parts = value.split('@');
    plain += parts.next()?;
    for part in parts {
        let (code, rest) = part.split_once('.')?;
        plain.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        plain += rest;
    }
    let (type_name, physical_id) = plain.split_once(' ')?;
    Some((type_name.to_owned(), physical_id.to_owned()))
}

fn escaped(char: char) -> String {
    match char.is_ascii_alphanumeric() || PLAIN.contains(char) {
        true => char.to_string(),
        false => format!("@{:x}.", u32::from(char)),
    }
}

/// The ARN under which the tagging API tags it. It does not take IAM's.
pub fn taggable_arn(attributes: &BTreeMap<String, Value>) -> Option<String> {
    let text = |name: &str| attributes.get(name).and_then(Value::as_str);
    let arn = [text("Arn"), text("Ref")].into_iter().flatten().find(|text| text.starts_with("arn:"))?;
    let of_iam = arn.split(':').nth(2) == Some("iam");
    // Of a log group CloudFormation gives the ARN of its streams.
    (!of_iam).then(|| arn.trim_end_matches(":*").to_owned())
}

/// The ARNs of the keepers that remember a resource.
pub fn keepers(tags: &BTreeMap<String, String>) -> BTreeSet<String> {
    tags.get(tag::KEPT_BY).into_iter().flat_map(|arns| arns.split(' ')).map(str::to_owned).collect()
}

/// Writes them down among what is known of a resource in the place of tags.
pub fn keep_by(tags: &mut BTreeMap<String, String>, arns: &BTreeSet<String>) {
    if !arns.is_empty() {
        tags.insert(tag::KEPT_BY.to_owned(), arns.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
    }
}

/// What these keepers remember, by type and physical id, each with the ARNs of its keepers.
pub fn all_kept(keepers: &[&Observed]) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut by_name: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for keeper in keepers {
        for (type_name, name) in keeper.tags.iter().filter_map(|(key, value)| kept(key, value)) {
            by_name.entry((type_name, name)).or_default().extend(taggable_arn(&keeper.attributes));
        }
    }
    by_name
}

/// Sets and takes off the tags by which keepers remember.
#[async_trait]
pub trait Keeping: Send + Sync {
    /// Lets these keepers, by their ARNs, remember a resource, and what the template gave to it.
    ///
    /// # Errors
    /// Any failed call.
    async fn remember(
        &self,
        resource: &Resource,
        arns: &BTreeSet<String>,
        progress: &Progress,
    ) -> Result<(), ProviderError>;

    /// Lets these keepers forget it; one that is gone has.
    ///
    /// # Errors
    /// Any failed call.
    async fn forget(&self, observed: &Observed, arns: &BTreeSet<String>) -> Result<(), ProviderError>;
}

impl Stack<'_> {
    /// Tells which keepers remember a resource, of each that wants one, and what they remember of it. A keeper among `others` has left
    /// the template itself; what is another stack's remembers only for that.
    pub(super) fn tell_keepers(&self, looks: &mut [Look], others: &[Observed]) {
        for index in 0..looks.len() {
            let Look { resource, observed } = &looks[index];
            let Some(mut observed) = observed.clone().filter(|_| self.wants_keeper(resource, looks)) else { continue };
            let Resource { type_name, physical_id, .. } = resource;
            let there = looks.iter().filter_map(|look| Some((arn_of(look), &look.observed.as_ref()?.tags)));
            let there = there.filter(|(_, tags)| self.scope.owns(tags));
            let left = others.iter().map(|other| (taggable_arn(&other.attributes), &other.tags));
            let tags: Vec<_> = there.chain(left).collect();
            let mark = keeping_tag(type_name, physical_id).map(|(key, _)| key);
            let remembers = |tags: &BTreeMap<String, String>| mark.as_ref().is_some_and(|key| tags.contains_key(key));
            let already = tags.iter().filter(|(_, tags)| remembers(tags)).filter_map(|(arn, _)| arn.clone());
            let already: BTreeSet<String> = already.collect();
            let given = given_key(type_name, physical_id);
            let given = tags.iter().find_map(|(_, tags)| tags.get(&given)).cloned().unwrap_or_default();
            match (already.is_empty(), self.providers.get(type_name)) {
                (false, Some(provider)) => observed = provider.remembering(resource, observed, &given),
                // What nobody remembers is no difference.
                _ => observed.tags.extend(resource.tags.get_key_value(tag::GIVEN).map(|(k, v)| (k.clone(), v.clone()))),
            }
            keep_by(&mut observed.tags, &already);
            looks[index].observed = Some(observed);
        }
    }

    /// Finds a keeper for each resource that wants one: what hangs on something outside of the template only where it is ours already, or
    /// is to be by `adopt`.
    pub(super) fn name_keepers(&self, looks: &mut [Look], others: &[Observed], adopt: bool) {
        self.tell_keepers(looks, others);
        for index in 0..looks.len() {
            let Look { resource, observed } = &looks[index];
            let is_kept = observed.as_ref().is_some_and(|observed| observed.tags.contains_key(tag::KEPT_BY));
            let may_be_kept = adopt || is_kept || self.is_untracked(&resource.type_name);
            let fits = keeping_tag(&resource.type_name, &resource.physical_id).is_some();
            if !(fits && may_be_kept && self.wants_keeper(resource, looks)) {
                continue;
            }
            let keeper = self.keeper(looks, index).map(|look| (look.resource.logical_id.clone(), arn_of(look)));
            if let Some((logical_id, arn)) = keeper {
                let resource = &mut looks[index].resource;
                keep_by(&mut resource.tags, &BTreeSet::from([arn.unwrap_or_else(|| logical_id.clone())]));
                resource.depends_on.push(logical_id.clone());
                resource.waits_for.push(logical_id);
            }
        }
    }

    /// Whether nothing of the template's own finds it again: it takes no tags, and what it hangs on, if anything, is not of the template.
    pub fn wants_keeper(&self, resource: &Resource, looks: &[Look]) -> bool {
        let all = || looks.iter().map(|look| look.resource.logical_id.clone()).collect();
        self.is_untracked(&resource.type_name)
            || (self.providers.keeping.is_some()
                && self.hangs_on_a_type(&resource.type_name)
                && !self.parents(resource, looks).are_of(&all()))
    }

    /// Whether what it hangs on is of one type, so that its name tells whose it is.
    pub(super) fn hangs_on_a_type(&self, type_name: &str) -> bool {
        let parent = self.providers.get(type_name).and_then(|provider| provider.schema().parent.as_ref());
        parent.is_some_and(|parent| parent.type_name.is_some())
    }

    /// What keepers remember of kinds with a provider of their own, and is not `named` by the template.
    pub(super) async fn find_kept(
        &self,
        kept: &BTreeMap<(String, String), BTreeSet<String>>,
        named: &BTreeMap<String, BTreeSet<String>>,
    ) -> Result<Vec<Observed>, EngineError> {
        let none = BTreeSet::new();
        let looks = kept.iter().filter_map(|((type_name, id), arns)| {
            let named = named.get(type_name).unwrap_or(&none);
            let provider = self.providers.get(type_name).filter(|_| !named.contains(id))?;
            Some(async move {
                let found = provider.find_kept(id, named).await;
                let mut found = found.map_err(|error| EngineError::provider(type_name, id, error))?;
                if let Some(found) = &mut found {
                    keep_by(&mut found.tags, arns);
                }
                Ok::<_, EngineError>(found)
            })
        });
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }

    /// Lets its keepers, and no others, remember a resource that is made or changed.
    pub(super) async fn keep(
        &self,
        resource: &Resource,
        observed: Option<&Observed>,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let Some(keeping) = &self.providers.keeping else { return Ok(()) };
        let (wanted, former) = (keepers(&resource.tags), observed.map(|observed| keepers(&observed.tags)));
        let former = former.unwrap_or_default();
        keeping.remember(resource, &(&wanted - &former), progress).await?;
        match observed {
            Some(observed) => keeping.forget(observed, &(&former - &wanted)).await,
            None => Ok(()),
        }
    }

    /// Lets its keepers remember what the template gives to a resource that they remember by now.
    pub(super) async fn keep_given(
        &self,
        resource: &Resource,
        observed: &Observed,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        match &self.providers.keeping {
            Some(keeping) if observed.tags.get(tag::GIVEN) != resource.tags.get(tag::GIVEN) => {
                keeping.remember(resource, &keepers(&resource.tags), progress).await
            }
            _ => Ok(()),
        }
    }

    /// Lets its keepers forget what was deleted.
    pub(super) async fn forget(&self, observed: &Observed) -> Result<(), ProviderError> {
        match &self.providers.keeping {
            Some(keeping) => keeping.forget(observed, &keepers(&observed.tags)).await,
            None => Ok(()),
        }
    }

    /// The logical ids of what keeps it.
    pub(super) fn kept_in(&self, resource: &Resource, looks: &[Look]) -> BTreeSet<String> {
        let keepers = keepers(&resource.tags);
        let keeps = |look: &&Look| match arn_of(look) {
            Some(arn) => keepers.contains(&arn),
            None => keepers.contains(&look.resource.logical_id),
        };
        looks.iter().filter(keeps).map(|look| look.resource.logical_id.clone()).collect()
    }

    /// What may keep it: preferably something that it names; never what stands on it, nor what outlives the stack.
    ///
    /// One whose ARN follows from its name comes before one that AWS names: it is the same before it is there and after.
    pub(super) fn keeper<'l>(&self, looks: &'l [Look], index: usize) -> Option<&'l Look> {
        let kept = &looks[index].resource;
        let above = standing_on(&kept.logical_id, looks);
        let may = |look: &&Look| {
            let Resource { logical_id, type_name, retain, .. } = &look.resource;
            let tagged = !self.is_untracked(type_name) && !self.belongs(&look.resource);
            tagged && !retain && !above.contains(logical_id.as_str())
        };
        let named = |look: &&Look| kept.depends_on.contains(&look.resource.logical_id);
        let told = |look: &&Look| taggable_arn(&look.resource.attributes).is_some();
        let arn = |look: &&Look| match &look.observed {
            _ if !is_taggable_by_arn(&look.resource.type_name) => false,
            Some(_) => arn_of(look).is_some(),
            None => self.gives_an_arn(&look.resource.type_name),
        };
        let fit = |fits: &dyn Fn(&&'l Look) -> bool| {
            let all = || looks.iter().filter(may).filter(|look| fits(look));
            all().find(named).or_else(|| all().next())
        };
        fit(&told).or_else(|| fit(&arn))
    }

    fn gives_an_arn(&self, type_name: &str) -> bool {
        let provider = self.providers.get(type_name);
        provider.is_some_and(|provider| provider.schema().attributes.iter().any(|name| name.ends_with("Arn")))
    }
}

/// The logical id and those of all that stand on it.
fn standing_on<'l>(logical_id: &'l str, looks: &'l [Look]) -> BTreeSet<&'l str> {
    let mut above = BTreeSet::from([logical_id]);
    loop {
        let before = above.len();
        for Look { resource, .. } in looks {
            if resource.depends_on.iter().any(|needed| above.contains(needed.as_str())) {
                above.insert(&resource.logical_id);
            }
        }
        if above.len() == before {
            return above;
        }
    }
}

/// As its name tells, else as AWS named it.
fn arn_of(look: &Look) -> Option<String> {
    let there = || taggable_arn(&look.observed.as_ref()?.attributes);
    taggable_arn(&look.resource.attributes).or_else(there)
}

/// The resource with the ARN of its keeper, where AWS has named that only now.
pub(super) fn named_by_now(mut resource: Resource, known: &KnownAttributes) -> Resource {
    let named = |keeper: &String| match known.get(keeper) {
        Some(attributes) => taggable_arn(attributes),
        None => Some(keeper.clone()),
    };
    if resource.tags.contains_key(tag::KEPT_BY) {
        let arns = keepers(&resource.tags).iter().filter_map(named).collect();
        resource.tags.remove(tag::KEPT_BY);
        keep_by(&mut resource.tags, &arns);
    }
    resource
}

/// What takes a keeper's place remembers what that did: what it keeps needs no change of its own, and would be forgotten.
pub(super) fn still_keeping(resource: &Resource, former: &Observed) -> Resource {
    let is_mark = |key: &str| key.starts_with(tag::KEEPS) || key.starts_with(tag::GIVEN_OF);
    let marks = former.tags.iter().filter(|(key, _)| is_mark(key)).map(|(key, value)| (key.clone(), value.clone()));
    let mut resource = resource.clone();
    resource.tags.extend(marks);
    resource
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tag_remembers_is_read_from_it_whatever_the_name() {
        for name in ["films-Nightly", "default|films-Nightly", "a@b é.c"] {
            let (key, value) = keeping_tag("AWS::Scheduler::Schedule", name).unwrap();
            assert!(value.chars().all(|c| c.is_ascii_alphanumeric() || "@ +-=._:/".contains(c)), "{value}");
            assert_eq!(kept(&key, &value), Some(("AWS::Scheduler::Schedule".to_owned(), name.to_owned())));
        }
        assert_eq!(keeping_tag("AWS::Scheduler::Schedule", &"x".repeat(256)), None);
        assert_eq!(kept("team", "AWS::Scheduler::Schedule films-Nightly"), None);
        assert_eq!(kept("provision:keeps:00000000", "@zz."), None);
    }

    #[test]
    fn a_keeper_that_aws_names_is_known_by_its_arn_when_it_is_made() {
        let arn = "arn:aws:kms:us-east-1:1:key/k";
        let known = KnownAttributes::from([
            ("Key".to_owned(), BTreeMap::from([("Arn".to_owned(), arn.into())])),
            ("Other".to_owned(), BTreeMap::new()),
        ]);
        let kept_by = |keeper: &str| {
            let mut resource = Resource::sample("AWS::KMS::Alias", "Alias", "alias/a", Value::Null);
            keep_by(&mut resource.tags, &BTreeSet::from([keeper.to_owned()]));
            keepers(&named_by_now(resource, &known).tags)
        };
        assert_eq!(kept_by("Key"), BTreeSet::from([arn.to_owned()]));
        assert_eq!(
            kept_by("arn:aws:sqs:us-east-1:1:jobs"),
            BTreeSet::from(["arn:aws:sqs:us-east-1:1:jobs".to_owned()])
        );
        assert_eq!(kept_by("Other"), BTreeSet::new(), "AWS names it by no ARN");
    }

    #[test]
    fn a_keeper_is_tagged_by_its_arn_but_for_iams() {
        let arn = |name: &str, arn: &str| taggable_arn(&BTreeMap::from([(name.to_owned(), arn.into())]));
        let (group, topic) = ("arn:aws:logs:us-east-1:1:log-group:/a", "arn:aws:sns:us-east-1:1:told");
        assert_eq!(arn("Arn", &format!("{group}:*")), Some(group.to_owned()));
        assert_eq!(arn("Ref", topic), Some(topic.to_owned()));
        assert_eq!(arn("Ref", "films"), None);
        assert_eq!(arn("Arn", "arn:aws:iam::1:role/r"), None);
    }
}
