//! What a function must know of the role that it runs under: whether Lambda may assume it, and which role it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::Role;
use serde_json::Value;

use super::fields::Fields;
use super::owned_roles::role_named;
use super::policy_document::parsed;
use crate::engine::ProviderError;

/// Roles as a function sees them.
pub(super) struct ExecutionRoles {
    iam: Client,
    /// RoleIds by role name, as this run has seen them last.
    ids: Mutex<BTreeMap<String, String>>,
}

impl ExecutionRoles {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { iam: Client::new(config), ids: Mutex::default() }
    }

    /// The RoleId: a role re-made under the same name has another (E11). `None` where there is no such role.
    pub(super) async fn id(&self, arn: &str) -> Result<Option<String>, ProviderError> {
        let id = self.role(arn).await?.map(|role| role.role_id);
        if let Some(id) = &id {
            self.remember(name_of(arn), id);
        }
        Ok(id)
    }

    /// A role of this name was made, or seen, with this id.
    pub(super) fn remember(&self, name: &str, id: &str) {
        self.lock().insert(name.to_owned(), id.to_owned());
    }

    /// The RoleId that this run has seen last. Asks nobody.
    pub(super) fn remembered(&self, arn: &str) -> Option<String> {
        self.lock().get(name_of(arn)).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        // The map is whole after every insert, so a panic elsewhere does not spoil it.
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails where waiting would not help, as the trust policy does not name Lambda (E7).
    pub(super) async fn check_trust(&self, arn: &str) -> Result<(), ProviderError> {
        let Some(role) = self.role(arn).await? else { return Ok(()) };
        let trust = role.assume_role_policy_document.as_deref().map(parsed).unwrap_or_default();
        if trusts_lambda(&trust) {
            return Ok(());
        }
        Err(ProviderError::refused(
            format!("the role {} cannot be assumed by Lambda: its trust policy does not allow it", role.role_name),
            "allow sts:AssumeRole to the service lambda.amazonaws.com in AssumeRolePolicyDocument",
        ))
    }

    async fn role(&self, arn: &str) -> Result<Option<Role>, ProviderError> {
        let name = name_of(arn);
        if name.is_empty() {
            return Ok(None);
        }
        role_named(&self.iam, name).await
    }
}

/// What a function's tag tells of its role.
pub(super) fn role_tag(arn: &str, id: &str) -> String {
    format!("{}/{id}", name_of(arn))
}

/// The id in such a tag, if it tells of this role.
pub(super) fn id_of_role<'t>(tag: &'t str, arn: &str) -> Option<&'t str> {
    tag.split_once('/').filter(|(name, _)| *name == name_of(arn)).map(|(_, id)| id)
}

fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

fn trusts_lambda(trust: &Value) -> bool {
    let statements = match trust.get("Statement") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    statements.iter().any(|statement| {
        let names = |value: Option<&Value>, wanted: &[&str]| match value {
            Some(Value::Array(list)) => {
                list.iter().any(|item| item.as_str().is_some_and(|text| wanted.contains(&text)))
            }
            Some(Value::String(text)) => wanted.contains(&text.as_str()),
            _ => false,
        };
        Fields(statement).text("Effect").as_deref() == Some("Allow")
            && names(statement.get("Action"), &["sts:AssumeRole", "sts:*", "*"])
            && names(statement.pointer("/Principal/Service"), &["lambda.amazonaws.com"])
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trust(service: Value) -> Value {
        json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]})
    }

    #[test]
    fn e11_a_tag_tells_the_id_of_its_own_role_alone() {
        let arn = |name: &str| format!("arn:aws:iam::123456789012:role/team/{name}");
        let tag = role_tag(&arn("films"), "AROA1");
        assert_eq!(id_of_role(&tag, &arn("films")), Some("AROA1"));
        assert_eq!(id_of_role(&tag, &arn("other")), None);
    }

    #[test]
    fn e7_a_trust_policy_that_does_not_name_lambda_is_told_from_a_new_role() {
        assert!(trusts_lambda(&trust(json!("lambda.amazonaws.com"))));
        assert!(trusts_lambda(&trust(json!(["ec2.amazonaws.com", "lambda.amazonaws.com"]))));
        assert!(!trusts_lambda(&trust(json!("ec2.amazonaws.com"))));
        assert!(!trusts_lambda(&json!({})));
    }
}
