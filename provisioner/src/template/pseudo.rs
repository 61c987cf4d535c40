//! Pseudo parameters: what `Ref` gives for the names that begin with `AWS::`.

use serde_json::Value;

/// The names of all pseudo parameters.
pub(super) const NAMES: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// Where a template is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pseudo {
    /// The account's twelve digits.
    pub account_id: String,
    /// The region, as `eu-central-1`.
    pub region: String,
    /// The partition, as `aws`.
    pub partition: String,
    /// The stack's name.
    pub stack_name: String,
    /// The domain of the partition's services, as `amazonaws.com`.
    pub url_suffix: String,
    /// The names of those whose value only stands in for the true one, before AWS has told it.
    pub guessed: Vec<&'static str>,
}

/// What a pseudo parameter gives.
pub(super) enum PseudoValue {
    Is(Value),
    /// `AWS::NoValue`: the property is taken away.
    NoValue,
}

impl Pseudo {
    /// The value of a pseudo parameter; `None` for any other name.
    pub(super) fn value(&self, name: &str) -> Option<PseudoValue> {
        let text = match name {
            "AWS::AccountId" => self.account_id.clone(),
            "AWS::Partition" => self.partition.clone(),
            "AWS::Region" => self.region.clone(),
            "AWS::StackId" => self.stack_id(),
            "AWS::StackName" => self.stack_name.clone(),
            "AWS::URLSuffix" => self.url_suffix.clone(),
            "AWS::NotificationARNs" => return Some(PseudoValue::Is(Value::Array(Vec::new()))),
            "AWS::NoValue" => return Some(PseudoValue::NoValue),
            _ => return None,
        };
        Some(PseudoValue::Is(text.into()))
    }

    /// An ARN of a stack's form. There is no stack, but templates cut a unique and lasting suffix out of it: here it
    /// follows from account, region and stack name.
    fn stack_id(&self) -> String {
        let Self { account_id, region, partition, stack_name, .. } = self;
        let hex = crate::digest::hex(format!("{account_id}/{region}/{stack_name}"), 16);
        let uuid = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        format!("arn:{partition}:cloudformation:{region}:{account_id}:stack/{stack_name}/{uuid}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudo(stack: &str) -> Pseudo {
        Pseudo {
            account_id: "123456789012".into(),
            region: "eu-central-1".into(),
            partition: "aws".into(),
            stack_name: stack.into(),
            url_suffix: "amazonaws.com".into(),
            guessed: Vec::new(),
        }
    }

    #[test]
    fn every_name_has_a_value() {
        assert!(NAMES.iter().all(|name| pseudo("s").value(name).is_some()));
        assert!(pseudo("s").value("AWS::Foo").is_none());
    }

    #[test]
    fn the_stack_id_lasts_and_tells_stacks_apart() {
        let id = pseudo("one").stack_id();
        assert_eq!(id, pseudo("one").stack_id());
        assert_ne!(id, pseudo("two").stack_id());
        let parts: Vec<&str> = id.split('/').collect();
        assert_eq!((parts[1], parts[2].len()), ("one", 36));
    }
}
