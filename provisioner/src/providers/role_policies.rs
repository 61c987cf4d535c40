//! A role's inline and attached policies: which it has, and the way to those that the template gives it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::errors::{failed, none_if};
use super::fields::Fields;
use super::owned_policies::policy_tags;
use super::policy_document::parsed;
use super::policy_holders::Holder;
use super::role::RoleProvider;
use crate::engine::{ProviderError, Resource};

const MISSING: &str = "NoSuchEntity";

/// Inline policies by name.
pub(super) type Inline = BTreeMap<String, Value>;

impl RoleProvider {
    pub(super) async fn inline_names(&self, role: &str) -> Result<BTreeSet<String>, ProviderError> {
        let pages = self.iam.list_role_policies().role_name(role).into_paginator().items().send();
        let names: Result<Vec<_>, _> = pages.try_collect().await.map_err(failed("iam:ListRolePolicies"));
        Ok(none_if(MISSING, names)?.unwrap_or_default().into_iter().collect())
    }

    pub(super) async fn attached(&self, role: &str) -> Result<Vec<String>, ProviderError> {
        let pages = self.iam.list_attached_role_policies().role_name(role).into_paginator().items().send();
        let policies: Result<Vec<_>, _> = pages.try_collect().await.map_err(failed("iam:ListAttachedRolePolicies"));
        let arns = none_if(MISSING, policies)?.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_arn);
        Ok(arns.collect())
    }

    /// The attached policies without those that an `AWS::IAM::ManagedPolicy`, of whatever stack, attaches by itself.
    pub(super) async fn attached_by_role(&self, resource: &Resource) -> Result<Vec<String>, ProviderError> {
        let wanted = attached_in(&resource.properties);
        let mut attached = Vec::new();
        for arn in self.attached(&resource.physical_id).await? {
            if wanted.contains(&arn) || !self.attaches_itself(&arn, &resource.physical_id).await? {
                attached.push(arn);
            }
        }
        Ok(attached)
    }

    async fn attaches_itself(&self, policy: &str, role: &str) -> Result<bool, ProviderError> {
        // AWS's own policies have no tags.
        if policy.contains(":iam::aws:policy/") {
            return Ok(false);
        }
        let tags = policy_tags(&self.iam, policy).await?.unwrap_or_default();
        Ok(Holder::Role.is_remembered(&tags, role))
    }

    async fn documents(&self, role: &str, names: &BTreeSet<String>) -> Result<Inline, ProviderError> {
        let reads = names.iter().map(|name| async move {
            let asked = self.iam.get_role_policy().role_name(role).policy_name(name).send().await;
            let answer = none_if(MISSING, asked.map_err(failed("iam:GetRolePolicy")))?;
            Ok::<_, ProviderError>(answer.map(|answer| (name.clone(), parsed(&answer.policy_document))))
        });
        Ok(futures::future::try_join_all(reads).await?.into_iter().flatten().collect())
    }

    /// The documents of the policies that the template wants are asked for before the listing says that they are there: one
    /// round of calls instead of two.
    pub(super) async fn inline(&self, role: &str, wanted: &BTreeSet<String>) -> Result<Inline, ProviderError> {
        let (names, mut documents) = futures::try_join!(self.inline_names(role), self.documents(role, wanted))?;
        documents.retain(|name, _| names.contains(name));
        let others = names.difference(wanted).cloned().collect();
        documents.extend(self.documents(role, &others).await?);
        Ok(documents)
    }

    async fn put_policy(&self, role: &str, policy: Fields<'_>) -> Result<(), ProviderError> {
        let call = self.iam.put_role_policy().role_name(role).set_policy_name(policy.text("PolicyName"));
        let call = call.set_policy_document(policy.document("PolicyDocument"));
        call.send().await.map_err(failed("iam:PutRolePolicy"))?;
        Ok(())
    }

    pub(super) async fn remove_policy(&self, role: &str, name: &str) -> Result<(), ProviderError> {
        let removed = self.iam.delete_role_policy().role_name(role).policy_name(name).send().await;
        none_if(MISSING, removed.map_err(failed("iam:DeleteRolePolicy"))).map(drop)
    }

    /// Inline policies as the template says, starting from what was observed: none for a new role.
    pub(super) async fn settle_policies(&self, resource: &Resource, observed: &Value) -> Result<(), ProviderError> {
        let role = &resource.physical_id;
        let before = policies(observed);
        for policy in Fields(&resource.properties).objects("Policies") {
            let name = policy.text("PolicyName").unwrap_or_default();
            if before.get(&name) != policy.get("PolicyDocument") {
                self.put_policy(role, policy).await?;
            }
        }
        for name in before.keys().filter(|name| !policies(&resource.properties).contains_key(*name)) {
            self.remove_policy(role, name).await?;
        }
        Ok(())
    }

    pub(super) async fn settle_attached(&self, resource: &Resource, observed: &Value) -> Result<(), ProviderError> {
        let (wanted, before) = (attached_in(&resource.properties), attached_in(observed));
        for arn in wanted.difference(&before) {
            Holder::Role.attach(&self.iam, &resource.physical_id, arn).await?;
        }
        for arn in before.difference(&wanted) {
            Holder::Role.detach(&self.iam, &resource.physical_id, arn).await?;
        }
        Ok(())
    }
}

pub(super) fn policies(properties: &Value) -> Inline {
    let given = Fields(properties).objects("Policies");
    given
        .iter()
        .filter_map(|policy| Some((policy.text("PolicyName")?, policy.get("PolicyDocument")?.clone())))
        .collect()
}

pub(super) fn attached_in(properties: &Value) -> BTreeSet<String> {
    Fields(properties).texts("ManagedPolicyArns").unwrap_or_default().into_iter().collect()
}
