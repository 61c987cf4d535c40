//! What a resource's tags remember, as no state is kept: which of them the template gave, and the DeletionPolicy of what hangs
//! on the resource and takes no tags.

use std::collections::BTreeMap;

use super::scope::{short_digest, tag};
use super::{Observed, Resource};

/// Between two keys; every service takes it in a tag's value.
const BETWEEN: &str = " / ";

/// AWS takes no longer value of a tag.
const LONGEST: usize = 256;

type Tags = BTreeMap<String, String>;

/// Adds to the template's tags the one that tells later which they were. A key that its value has no room for is not
/// remembered, and so stays when it leaves the template.
pub fn remember_given(tags: &mut Tags) {
    let mut told = String::new();
    for key in tags.keys() {
        let between = if told.is_empty() { "" } else { BETWEEN };
        if [&told, between, key].iter().map(|text| text.chars().count()).sum::<usize>() <= LONGEST {
            told = told + between + key;
        }
    }
    if !told.is_empty() {
        tags.insert(tag::GIVEN_TAGS.into(), told);
    }
}

/// The tags that an earlier template gave and this one does not. What anybody else added stays (E58), and so does AWS's own.
pub(super) fn no_longer_given<'o>(wanted: &Tags, observed: &'o Tags) -> impl Iterator<Item = (&'o String, &'o String)> {
    let given: Vec<&str> = observed.get(tag::GIVEN_TAGS).map(|told| told.split(BETWEEN).collect()).unwrap_or_default();
    let left = observed.iter().filter(|(key, _)| !wanted.contains_key(*key) && !key.starts_with("aws:"));
    left.filter(move |(key, _)| *key == tag::GIVEN_TAGS || given.contains(&key.as_str()))
}

/// The tag by which what it hangs on remembers the DeletionPolicy of something that takes no tags.
pub(super) fn child_key(type_name: &str, physical_id: &str) -> String {
    format!("{}{}", tag::OF_CHILD, short_digest(&format!("{type_name} {physical_id}")))
}

/// Lets `parent` remember the policy of `child`: only where it is kept, or was.
pub(super) fn remember_child(parent: &mut Resource, there: Option<&Observed>, child: &str, retain: bool) {
    if retain || there.is_some_and(|observed| observed.tags.contains_key(child)) {
        parent.tags.insert(child.to_owned(), policy_word(retain).to_owned());
    }
}

/// CloudFormation's word for it.
pub(super) fn policy_word(retain: bool) -> &'static str {
    if retain { "Retain" } else { "Delete" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_what_the_template_gave_is_taken_off_when_it_no_longer_gives_it() {
        let mut before = tags(&[("stage", "test"), ("the team", "data")]);
        remember_given(&mut before);
        assert_eq!(before[tag::GIVEN_TAGS], "stage / the team");
        before.extend(tags(&[("cost-centre", "7"), ("team", "other"), ("aws:cloudformation:stack-name", "old")]));
        let left = |wanted: &Tags| no_longer_given(wanted, &before).map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let mut wanted = tags(&[("stage", "test")]);
        remember_given(&mut wanted);
        assert_eq!(left(&wanted), ["the team"]);
        assert_eq!(left(&Tags::new()), [tag::GIVEN_TAGS, "stage", "the team"]);
    }

    #[test]
    fn keys_that_do_not_fit_into_a_tag_are_not_remembered() {
        let mut many: Tags = (0..40).map(|number| (format!("a-long-key-{number:02}"), String::new())).collect();
        remember_given(&mut many);
        let told = &many[tag::GIVEN_TAGS];
        assert!(told.len() <= LONGEST && told.contains("a-long-key-00") && !told.contains("a-long-key-39"), "{told}");
    }
}
