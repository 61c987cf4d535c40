//! Physical names: the template's own, else one that follows from the stack (E5).

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::Fields;
use crate::digest::hex;
use crate::engine::{ProviderError, Scope, tag};

/// What AWS takes as a name of one kind.
pub(super) struct Naming {
    /// For people: `queue`.
    pub(super) kind: &'static str,
    /// The property that gives the name.
    pub(super) property: &'static str,
    /// How many characters.
    pub(super) longest: usize,
    /// Which characters, besides letters and digits of ASCII.
    pub(super) marks: &'static str,
}

impl Naming {
    /// The name that the template gives, else stack and logical id, with `parts` after them.
    pub(super) fn name(
        &self,
        logical_id: &str,
        parts: &[&str],
        properties: &Value,
        scope: &Scope,
    ) -> Result<String, ProviderError> {
        match Fields(properties).text(self.property) {
            Some(name) => self.check(name),
            None => Ok(scope.name(&[&[logical_id], parts].concat(), self.longest)),
        }
    }

    fn check(&self, name: String) -> Result<String, ProviderError> {
        let Self { kind, property, longest, marks } = self;
        let length = name.chars().count();
        if name.is_empty() || length > *longest {
            return Err(self.bad(
                format!("the {kind} name {name:?} has {length} characters; AWS takes 1 to {longest}"),
                format!("give a shorter {property}, or a shorter --stack"),
            ));
        }
        match name.chars().find(|c| !c.is_ascii_alphanumeric() && !marks.contains(*c)) {
            Some(wrong) => Err(self.bad(
                format!("the {kind} name {name:?} has a {wrong:?}, which AWS does not take"),
                format!("use letters, digits and {marks} in {property}"),
            )),
            None => Ok(name),
        }
    }

    /// The refusal of a name, told at its property.
    pub(super) fn bad(&self, message: String, help: String) -> ProviderError {
        ProviderError::BadName { property: self.property, message, help }
    }
}

/// AWS takes no longer value of a tag.
const LONGEST_MARK: usize = 256;

/// A key as it can stand in a tag's value: one that is too long, or has characters that no tag takes, is cut with a digest at its
/// end.
fn as_mark(key: &str) -> String {
    let fits = |c: &char| c.is_alphanumeric() || " _.:/=+-@".contains(*c);
    if key.chars().count() <= LONGEST_MARK && key.chars().all(|c| fits(&c)) {
        return key.to_owned();
    }
    let digest = hex(key, 8);
    let kept: String = key.chars().filter(fits).take(LONGEST_MARK - digest.len() - 1).collect();
    format!("{kept}-{digest}")
}

/// The key of what takes no tags, as its mark on what it hangs on: it begins with the stack and the region, as others may put theirs on
/// the same thing.
pub(super) fn own_key<'p>(scope: &'p Scope, parts: impl IntoIterator<Item = &'p str>) -> String {
    let owner = [scope.stack.as_str(), &scope.region];
    as_mark(&owner.into_iter().chain(parts).collect::<Vec<_>>().join("/"))
}

/// The parts of a key after its owner.
pub(super) fn parts_of(key: &str) -> impl Iterator<Item = &str> {
    key.split('/').skip(2)
}

/// Whether a key is of the stack that these tags tell.
pub(super) fn is_key_of(key: &str, tags: &BTreeMap<String, String>) -> bool {
    let mut owner = key.split('/');
    [tag::STACK, tag::REGION].iter().all(|one| tags.get(*one).map(String::as_str) == owner.next())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAMING: Naming = Naming { kind: "queue", property: "QueueName", longest: 10, marks: "-_" };

    fn scope() -> Scope {
        Scope { stack: "films".into(), account: "1".into(), region: "r".into(), partition: "aws".into() }
    }

    fn name(properties: Value) -> Result<String, ProviderError> {
        NAMING.name("Jobs", &[], &properties, &scope())
    }

    #[test]
    fn e5_a_name_that_aws_would_not_take_is_refused_before_any_call() {
        assert!(name(json!({"QueueName": "elevenchars"})).is_err());
        assert!(name(json!({"QueueName": "a b"})).is_err());
    }

    #[test]
    fn a_key_fits_into_a_tag_and_stays_distinct() {
        assert_eq!(as_mark("jobs/letters"), "jobs/letters");
        let long = |end: char| as_mark(&format!("{}{end}", "queue/".repeat(60)));
        assert_eq!(long('a').chars().count(), LONGEST_MARK);
        assert_ne!(long('a'), long('b'));
        assert!(!as_mark("a,b/role").contains(',') && as_mark("a,b") != as_mark("ab"));
    }

    #[test]
    fn a_key_is_of_its_stack_in_its_region_alone() {
        let key = own_key(&scope(), ["jobs", "letters"]);
        assert_eq!(parts_of(&key).collect::<Vec<_>>(), ["jobs", "letters"]);
        assert!(is_key_of(&key, &scope().ownership_tags("Jobs", "Delete")));
        let others = [Scope { stack: "films-r".into(), ..scope() }, Scope { region: "r2".into(), ..scope() }];
        for other in others {
            assert!(!is_key_of(&key, &other.ownership_tags("Jobs", "Delete")), "{other:?}");
        }
        assert!(!is_key_of(&key, &BTreeMap::new()) && !is_key_of("", &BTreeMap::new()));
    }

    #[test]
    fn an_unnamed_resource_gets_the_same_name_on_every_run() {
        assert_eq!(name(json!({})), Ok("films-Jobs".into()));
        assert_eq!(name(json!({"QueueName": "jobs"})), Ok("jobs".into()));
    }
}
