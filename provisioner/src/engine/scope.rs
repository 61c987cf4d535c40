//! Where a stack lives, and the tags by which its resources are known again without a state file.

use std::collections::BTreeMap;

/// The tags that every create call carries.
pub mod tag {
    /// The stack's name; who carries it (with [`REGION`]) is ours.
    pub const STACK: &str = "provision:stack";
    /// The logical id in the template.
    pub const LOGICAL_ID: &str = "provision:logical-id";
    /// The DeletionPolicy in force when the resource leaves the template.
    pub const DELETION_POLICY: &str = "provision:deletion-policy";
    /// The stack's region: IAM is global, and two stacks of one name in two regions must not meet.
    pub const REGION: &str = "provision:region";
    /// `secret` on a parameter that `secret set` made: never pruned by `up`, removed by `down`.
    pub const KIND: &str = "provision:kind";
    /// Why an event-source mapping is paused; while it stands, a disabled mapping is no drift.
    pub const PAUSED: &str = "provision:paused";
    /// The keys of the tags that the template gave: one of these that it no longer gives is taken off.
    pub const GIVEN_TAGS: &str = "provision:tags";
    /// The names of the properties that the template gave to a type over Cloud Control: one of these that it no longer gives is removed.
    pub const GIVEN: &str = "provision:given";
    /// Digests of whom the template attached the resource to: from one of these that it no longer names it is taken off.
    pub const ATTACHED: &str = "provision:attached";
    /// What a tag begins with that remembers the DeletionPolicy of something untagged that hangs on the resource.
    pub const OF_CHILD: &str = "provision:deletion-policy:";
    /// What a tag begins with that remembers the type and the name of something untagged.
    pub const KEEPS: &str = "provision:keeps:";
    /// What a tag begins with that remembers the properties which the template gave to something untagged.
    pub const GIVEN_OF: &str = "provision:given-of:";
    /// Of something untagged, in the place of a tag: the ARNs of the resources whose tags remember it.
    pub const KEPT_BY: &str = "provision:kept-by";
}

/// One stack in one account and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The stack's name, `AWS::StackName`.
    pub stack: String,
    /// Twelve digits, `AWS::AccountId`.
    pub account: String,
    /// For example `eu-central-1`, `AWS::Region`.
    pub region: String,
    /// `aws`, `aws-cn` or `aws-us-gov`, `AWS::Partition`.
    pub partition: String,
}

impl Scope {
    /// Whether a resource with these tags belongs to this stack.
    pub fn owns(&self, tags: &BTreeMap<String, String>) -> bool {
        tags.get(tag::STACK) == Some(&self.stack) && tags.get(tag::REGION) == Some(&self.region)
    }

    /// The tags that make `logical_id` ours. `deletion_policy` is CloudFormation's word, for example `Retain`.
    pub fn ownership_tags(&self, logical_id: &str, deletion_policy: &str) -> BTreeMap<String, String> {
        [
            (tag::STACK, self.stack.as_str()),
            (tag::REGION, &self.region),
            (tag::LOGICAL_ID, logical_id),
            (tag::DELETION_POLICY, deletion_policy),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }

    /// The ARN of a regional resource: `arn:{partition}:{service}:{region}:{account}:{resource}`.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let Self { account, region, partition, .. } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// A name for a resource that the template leaves unnamed: the same on every run, cut to `limit` characters with a
    /// digest of the whole at its end (E5). `parts` follow the stack's name, joined by `-`.
    pub fn name(&self, parts: &[&str], limit: usize) -> String {
        let whole = std::iter::once(self.stack.as_str()).chain(parts.iter().copied()).collect::<Vec<_>>().join("-");
        if whole.chars().count() <= limit {
            return whole;
        }
        let digest = short_digest(&whole);
        let kept: String = whole.chars().take(limit - digest.len() - 1).collect();
        format!("{}-{digest}", kept.trim_end_matches('-'))
    }
}

pub(super) fn short_digest(text: &str) -> String {
    crate::digest::hex(text, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope {
            stack: "films".into(),
            account: "123456789012".into(),
            region: "eu-central-1".into(),
            partition: "aws".into(),
        }
    }

    #[test]
    fn a_stack_of_the_same_name_in_another_region_is_not_ours() {
        let here = scope();
        let there = Scope { region: "us-east-1".into(), ..scope() };
        let tags = there.ownership_tags("Role", "Delete");
        assert!(there.owns(&tags));
        assert!(!here.owns(&tags));
    }

    #[test]
    fn e5_a_long_name_is_cut_and_stays_distinct() {
        let long = "x".repeat(70);
        let one = scope().name(&[&long, "a"], 63);
        let two = scope().name(&[&long, "b"], 63);
        assert_eq!((one.len(), two.len()), (63, 63));
        assert_ne!(one, two);
        assert_eq!(scope().name(&["Jobs"], 80), "films-Jobs");
    }
}
