//! What a resource over Cloud Control is called: as the template says, as AWS makes it, or as follows from the stack.

use std::collections::BTreeMap;

use serde_json::Value;

use super::CloudControlProvider;
use crate::engine::{ProviderError, Scope, tag};
use crate::providers::fields::Fields;

/// What the name of a property that holds a name ends with.
const NAMES: [&str; 4] = ["Identifier", "Name", "Label", "Id"];

/// Services that are one for all regions: two stacks of one name in two regions would meet (E5).
const GLOBAL: [&str; 7] = [
    "AWS::Budgets::",
    "AWS::CloudFront::",
    "AWS::GlobalAccelerator::",
    "AWS::IAM::",
    "AWS::Organizations::",
    "AWS::Route53::",
    "AWS::S3::MultiRegionAccessPoint",
];

/// Whether a property holds the name of what the type itself is, and not of what that stands in: `FilterName` of a
/// `AWS::Logs::MetricFilter`, but not its `LogGroupName`.
pub(super) fn is_own_name(type_name: &str, property: &str) -> bool {
    let kind = type_name.rsplit("::").next().unwrap_or_default().to_lowercase();
    let property = property.to_lowercase();
    let stem = NAMES.iter().find_map(|end| property.strip_suffix(&end.to_lowercase()));
    property == kind || stem.is_some_and(|stem| kind.ends_with(stem) || stem.ends_with(&kind))
}

impl CloudControlProvider {
    /// The identifier as far as the template names it; `None` where AWS makes it, or where a part is known only after apply.
    pub(super) fn identifier(&self, logical_id: &str, properties: &Value, scope: &Scope) -> Option<String> {
        let parts = self.about.identifier.iter().map(|part| match (Fields(properties).text(part), &self.about.name) {
            (Some(given), _) => Some(self.about.transform(part).map_or(given.clone(), |how| how.of_name(&given))),
            (None, Some(name)) if name.property == *part => self.made_name(logical_id, scope),
            (None, _) => None,
        });
        let parts: Option<Vec<String>> = self.about.is_named().then(|| parts.collect()).flatten();
        parts.map(|parts| parts.join("|"))
    }

    /// Whether the template tells every part of the identifier, but for the name that is made.
    pub(super) fn is_settled(&self, properties: &Value) -> bool {
        let made = self.about.name.as_ref().map(|name| &name.property);
        self.about.identifier.iter().all(|part| Some(part) == made || Fields(properties).has(part))
    }

    /// A part of the identifier that CloudFormation lets a template leave out, and without which nothing is found again.
    pub(super) fn names_itself(&self, properties: &Value) -> Result<(), ProviderError> {
        let made = self.about.name.as_ref().map(|name| &name.property);
        let optional = |part: &str| self.about.schema.property(part).is_some_and(|property| !property.required);
        let left_out =
            |part: &&String| Some(*part) != made && optional(part) && properties.get(part.as_str()).is_none();
        match self.about.identifier.iter().find(left_out).filter(|_| self.about.is_named()) {
            Some(part) => Err(ProviderError::refused(
                format!("{} cannot be found again without its {part}, and none is given", self.type_name()),
                format!("give {part} as AWS would set it by itself"),
            )),
            None => Ok(()),
        }
    }

    /// A name that follows from stack and logical id, in lower case where the type takes no other.
    pub(super) fn made_name(&self, logical_id: &str, scope: &Scope) -> Option<String> {
        let name = self.about.name.as_ref()?;
        let is_global = GLOBAL.iter().any(|start| self.type_name().starts_with(start));
        let parts = [logical_id, &scope.region];
        let made = scope.name(if is_global { &parts } else { &parts[..1] }, name.longest);
        let made = self.about.transform(&name.property).map_or(made.clone(), |how| how.of_made_name(&made));
        let pattern = name.pattern.as_deref().and_then(|pattern| fancy_regex::Regex::new(pattern).ok());
        let fits = |text: &str| pattern.as_ref().is_none_or(|pattern| pattern.is_match(text).unwrap_or(true));
        [made.clone(), made.to_lowercase()].into_iter().find(|text| fits(text))
    }

    /// Whether these properties have the name that is made, or will have it: nobody else's resource has it.
    pub(super) fn has_made_name(&self, properties: &Value, tags: &BTreeMap<String, String>) -> bool {
        let Some(name) = &self.about.name else { return false };
        let Some(given) = Fields(properties).text(&name.property) else { return true };
        let tag = |key: &str| tags.get(key).cloned().unwrap_or_default();
        let scope = Scope {
            stack: tag(tag::STACK),
            region: tag(tag::REGION),
            account: String::new(),
            partition: String::new(),
        };
        self.made_name(&tag(tag::LOGICAL_ID), &scope) == Some(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_that_names_the_thing_itself_is_told_from_one_that_names_what_it_stands_in() {
        let own = [
            ("AWS::Logs::MetricFilter", "FilterName"),
            ("AWS::Scheduler::Schedule", "Name"),
            ("AWS::KMS::Alias", "AliasName"),
            ("AWS::IoT::RoleAlias", "RoleAlias"),
            ("AWS::ElastiCache::SubnetGroup", "CacheSubnetGroupName"),
            ("AWS::Cognito::UserPoolUser", "Username"),
        ];
        let others = [
            ("AWS::Logs::MetricFilter", "LogGroupName"),
            ("AWS::IAM::RolePolicy", "RoleName"),
            ("AWS::Events::EventBusPolicy", "EventBusName"),
            ("AWS::ApiGateway::BasePathMapping", "BasePath"),
            ("AWS::S3Vectors::VectorBucketPolicy", "VectorBucketArn"),
        ];
        for (type_name, property) in own {
            assert!(is_own_name(type_name, property), "{type_name} {property}");
        }
        for (type_name, property) in others {
            assert!(!is_own_name(type_name, property), "{type_name} {property}");
        }
    }
}
