//! What a resource's tags remember, as no state is kept: which of them the template gave, and the DeletionPolicy of what hangs
//! on the resource and takes no tags.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{short_digest, tag};
use super::{Observed, Resource};

/// Between two keys; every service takes it in a tag's value.
const BETWEEN: &str = " / ";

/// AWS takes no longer value of a tag.
const LONGEST: usize = 256;

/// Over how many tags one thing is remembered: AWS takes 50 in all, and most of them are the user's.
const MOST: usize = 4;

type Tags = BTreeMap<String, String>;

/// Adds to the template's tags those that tell later which they were.
pub fn remember_given(tags: &mut Tags) {
    let keys: Vec<String> = tags.keys().cloned().collect();
    remember(tags, tag::GIVEN_TAGS, &keys, BETWEEN);
}

/// Adds tags that remember `words`: `key`, and where its value has no room for all of them `key:2` to `key:4`. A word for which there is
/// no room there either is forgotten, and so stays on the resource when it leaves the template.
pub fn remember(tags: &mut Tags, key: &str, words: &[String], between: &str) {
    let mut told: Vec<String> = Vec::new();
    for word in words {
        let fits =
            |text: &String| [text, between, word].iter().map(|text| text.chars().count()).sum::<usize>() <= LONGEST;
        let room = told.len() < MOST && word.chars().count() <= LONGEST;
        match told.last_mut() {
            Some(last) if fits(last) => *last = format!("{last}{between}{word}"),
            _ if room => told.push(word.clone()),
            _ => {}
        }
    }
    for (index, value) in told.into_iter().enumerate() {
        tags.insert(numbered(key, index), value);
    }
}

/// What [`remember`] put into tags.
pub fn remembered<'t>(tags: &'t Tags, key: &str, between: &str) -> impl Iterator<Item = &'t str> {
    (0..MOST).filter_map(move |index| tags.get(&numbered(key, index))).flat_map(move |told| told.split(between))
}

/// Whether [`remember`] has put something into tags, and had room for every word: the last of its tags is not there.
pub fn remembers_all(tags: &Tags, key: &str) -> bool {
    tags.contains_key(key) && !tags.contains_key(&numbered(key, MOST - 1))
}

fn numbered(key: &str, index: usize) -> String {
    if index == 0 { key.to_owned() } else { format!("{key}:{}", index + 1) }
}

/// The tags that an earlier template gave and this one does not. What anybody else added stays (E58), and so does AWS's own.
pub(super) fn no_longer_given<'o>(wanted: &Tags, observed: &'o Tags) -> impl Iterator<Item = (&'o String, &'o String)> {
    let given: BTreeSet<&str> = remembered(observed, tag::GIVEN_TAGS, BETWEEN).collect();
    let memory = [tag::GIVEN_TAGS, tag::GIVEN, tag::ATTACHED].into_iter();
    let memory = memory.flat_map(|key| (0..MOST).map(move |index| numbered(key, index)));
    let memory: BTreeSet<String> = memory.collect();
    let left = observed.iter().filter(|(key, _)| !wanted.contains_key(*key) && !key.starts_with("aws:"));
    left.filter(move |(key, _)| memory.contains(*key) || given.contains(key.as_str()))
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
    fn more_keys_than_fit_into_a_tag_are_remembered_by_more_tags_which_go_with_them() {
        let mut many: Tags = (0..40).map(|number| (format!("a-long-key-{number:02}"), String::new())).collect();
        remember_given(&mut many);
        assert!(many.values().all(|told| told.chars().count() <= LONGEST), "{many:?}");
        assert!(remembered(&many, tag::GIVEN_TAGS, BETWEEN).eq(many.keys().filter(|key| key.starts_with("a-long"))));
        let mut few = tags(&[("a-long-key-07", "")]);
        remember_given(&mut few);
        assert!(remembers_all(&many, tag::GIVEN_TAGS) && remembers_all(&few, tag::GIVEN_TAGS));
        let left: BTreeSet<&String> = no_longer_given(&few, &many).map(|(key, _)| key).collect();
        assert_eq!(left, many.keys().filter(|key| !few.contains_key(*key)).collect());
    }

    #[test]
    fn what_has_no_room_in_the_last_tag_is_forgotten() {
        let mut tags = Tags::new();
        let words: Vec<String> = (0..200).map(|number| format!("a-long-word-{number:03}")).collect();
        remember(&mut tags, tag::GIVEN, &words, " ");
        assert_eq!(tags.len(), MOST);
        assert!(!remembers_all(&tags, tag::GIVEN) && !remembers_all(&Tags::new(), tag::GIVEN));
        let told: Vec<&str> = remembered(&tags, tag::GIVEN, " ").collect();
        assert_eq!(told, words[..told.len()]);
    }
}
