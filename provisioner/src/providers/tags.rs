//! Tags, and what of them an update must set and take away.
//!
//! What goes is taken away first: the tag that remembers what the template gave is changed after it, so that an update that is
//! cut off between the two is done again.

use std::collections::BTreeMap;

use crate::engine::{Difference, Resource};

/// What an update does to tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TagChanges {
    /// To set, with the value.
    pub(super) set: BTreeMap<String, String>,
    /// To take away.
    pub(super) removed: Vec<String>,
}

impl TagChanges {
    /// The changes that the differences under `Tags` ask for.
    pub(super) fn of(resource: &Resource, differences: &[Difference]) -> Self {
        let mut changes = Self::default();
        for key in differences.iter().filter_map(|difference| difference.path.strip_prefix("Tags.")) {
            match resource.tags.get(key) {
                Some(value) => drop(changes.set.insert(key.to_owned(), value.clone())),
                None => changes.removed.push(key.to_owned()),
            }
        }
        changes
    }

    /// All tags as they are after the change, for services that only know the whole set.
    pub(super) fn applied_to(&self, tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut tags = tags.clone();
        tags.extend(self.set.clone());
        tags.retain(|key, _| !self.removed.contains(key));
        tags
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::OnChange;

    #[test]
    fn a_tag_of_ours_is_set_and_one_that_left_the_template_goes() {
        let resource = Resource {
            tags: [("a.b".to_owned(), "1".to_owned())].into(),
            ..Resource::sample("AWS::SQS::Queue", "Jobs", "jobs", json!({}))
        };
        let difference = |path: &str| Difference {
            path: path.into(),
            before: None,
            after: None,
            after_apply: None,
            on_change: OnChange::Update,
            secret: false,
        };
        let changes = TagChanges::of(&resource, &[difference("Tags.a.b"), difference("Tags.old"), difference("X")]);
        assert_eq!(changes, TagChanges { set: resource.tags.clone(), removed: vec!["old".into()] });
        let before = [("old", "x"), ("theirs", "kept")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(changes.applied_to(&before).into_keys().collect::<Vec<_>>(), ["a.b", "theirs"]);
    }
}
