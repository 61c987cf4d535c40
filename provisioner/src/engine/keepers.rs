//! What takes no tags is remembered by a tag of another resource of the stack, its keeper: by it one is found that left the template.
//!
//! The keeper is tagged before the resource is made, and outlives it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Resource;
use super::scope::{short_digest, tag};
use super::stack::{Look, Stack};

/// AWS takes no longer value of a tag.
const LONGEST: usize = 256;

/// What every service takes in a tag's value, besides letters and digits; `@` begins an escape.
const PLAIN: &str = " +-=._:/";

/// The tag by which a keeper remembers a resource: key and value; none for a name that no tag holds.
pub fn keeping_tag(type_name: &str, physical_id: &str) -> Option<(String, String)> {
    let value: String = format!("{type_name} {physical_id}").chars().map(escaped).collect();
    let key = format!("{}{}", tag::KEEPS, short_digest(&format!("{type_name} {physical_id}")));
    (value.len() <= LONGEST).then_some((key, value))
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

impl Stack<'_> {
    /// Finds a keeper for each resource that takes no tags, and tells which remember it already.
    pub(super) fn name_keepers(&self, looks: &mut [Look]) {
        for index in 0..looks.len() {
            let resource = &looks[index].resource;
            let Some((key, _)) = keeping_tag(&resource.type_name, &resource.physical_id)
                .filter(|_| self.is_untracked(&resource.type_name))
            else {
                continue;
            };
            let remembers =
                |look: &&Look| look.observed.as_ref().is_some_and(|observed| observed.tags.contains_key(&key));
            let already = looks.iter().filter(remembers).filter_map(arn_of).collect();
            let keeper = self.keeper(looks, index).map(|look| (look.resource.logical_id.clone(), arn_of(look)));
            let Look { resource, observed } = &mut looks[index];
            if let Some(observed) = observed {
                keep_by(&mut observed.tags, &already);
            }
            if let Some((logical_id, arn)) = keeper {
                keep_by(&mut resource.tags, &arn.into_iter().collect());
                resource.depends_on.push(logical_id.clone());
                resource.waits_for.push(logical_id);
            }
        }
    }

    /// The logical ids of what keeps it.
    pub(super) fn kept_in(&self, resource: &Resource, looks: &[Look]) -> BTreeSet<String> {
        let keepers = keepers(&resource.tags);
        let keeps = |look: &&Look| arn_of(look).is_some_and(|arn| keepers.contains(&arn));
        looks.iter().filter(keeps).map(|look| look.resource.logical_id.clone()).collect()
    }

    /// What may keep it: preferably something that it names; never what stands on it, nor what outlives the stack.
    fn keeper<'l>(&self, looks: &'l [Look], index: usize) -> Option<&'l Look> {
        let kept = &looks[index].resource;
        let above = standing_on(&kept.logical_id, looks);
        let may = |look: &&Look| {
            let Resource { logical_id, type_name, retain, .. } = &look.resource;
            let tagged = !self.is_untracked(type_name) && self.parent_property(&look.resource).is_none();
            tagged && !retain && !above.contains(logical_id.as_str()) && arn_of(look).is_some()
        };
        let named = |look: &&Look| kept.depends_on.contains(&look.resource.logical_id);
        looks.iter().filter(may).find(named).or_else(|| looks.iter().find(may))
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

/// From its name alone: the keeper is the same before it is there and after.
fn arn_of(look: &Look) -> Option<String> {
    taggable_arn(&look.resource.attributes)
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
    fn a_keeper_is_tagged_by_its_arn_but_for_iams() {
        let arn = |name: &str, arn: &str| taggable_arn(&BTreeMap::from([(name.to_owned(), arn.into())]));
        let (group, topic) = ("arn:aws:logs:us-east-1:1:log-group:/a", "arn:aws:sns:us-east-1:1:told");
        assert_eq!(arn("Arn", &format!("{group}:*")), Some(group.to_owned()));
        assert_eq!(arn("Ref", topic), Some(topic.to_owned()));
        assert_eq!(arn("Ref", "films"), None);
        assert_eq!(arn("Arn", "arn:aws:iam::1:role/r"), None);
    }
}
