//! `AWS::IAM::ManagedPolicy`.
//!
//! | property | a change | left out |
//! |---|---|---|
//! | ManagedPolicyName | replaces | stack, logical id and region: IAM is global (E5) |
//! | Path | replaces | / |
//! | Description | replaces | empty |
//! | PolicyDocument | in place: a new version, the oldest of IAM's five going first | required |
//! | Roles, Users, Groups | in place: whom the template no longer names, the policy is taken off | the same. To whom somebody else attached it, it stays |

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::Policy;
use serde_json::Value;

use super::claim::take_over;
use super::errors::{failed, none_if};
use super::fields::{Fields, list, object};
use super::names::Naming;
use super::observed::{as_wanted, listed};
use super::owned_policies::{arn_named, owned_policies};
use super::owned_roles::{iam_tags, plain_tags};
use super::policy_document::parsed;
use super::policy_holders::{Holder, held_by, remember_holders};
use super::tags::TagChanges;
use super::transient::iam_settling;
use crate::engine::{
    DeleteOptions, Difference, Grant, Limit, Observed, Permissions, Progress, Property, Provider, ProviderError, Put,
    Resource, Schema, Scope, Shape, retry_until,
};

const TYPE: &str = "AWS::IAM::ManagedPolicy";
const NAMING: Naming = Naming { kind: "policy", property: "ManagedPolicyName", longest: 128, marks: "+=,.@-_" };
const MISSING: &str = "NoSuchEntity";

/// How many versions IAM keeps of a policy.
const VERSIONS: usize = 5;

const SETTLES: Limit = Limit::seconds(60);

/// Managed policies and what they are attached to, over IAM.
pub(super) struct ManagedPolicyProvider {
    iam: Client,
    schema: Schema,
}

impl ManagedPolicyProvider {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let names = |name: &str| Property::new(name, Shape::set(Shape::Text)).removed_when_absent();
        let properties = vec![
            Property::new("ManagedPolicyName", Shape::Text).replaces(),
            Property::new("Path", Shape::Text).replaces().default("/"),
            Property::new("Description", Shape::Text).replaces().default(""),
            Property::new("PolicyDocument", Shape::Policy).required().by_name(),
            names("Roles"),
            names("Users"),
            names("Groups"),
        ];
        Self { iam: Client::new(config), schema: Schema::new(TYPE, properties, &["PolicyArn"]) }
    }

    async fn policy(&self, arn: &str) -> Result<Option<(Policy, Value)>, ProviderError> {
        let asked = self.iam.get_policy().policy_arn(arn).send().await.map_err(failed("iam:GetPolicy"));
        let Some(policy) = none_if(MISSING, asked)?.and_then(|answer| answer.policy) else { return Ok(None) };
        let asked = self.iam.get_policy_version().policy_arn(arn).set_version_id(policy.default_version_id.clone());
        let answer = none_if(MISSING, asked.send().await.map_err(failed("iam:GetPolicyVersion")))?;
        let version = answer.and_then(|answer| answer.policy_version);
        Ok(version.and_then(|version| version.document).map(|document| (policy, parsed(&document))))
    }

    /// The policy under this name, at whatever path: names are unique in an account, whatever the path.
    async fn policy_named(&self, resource: &Resource) -> Result<Option<(Policy, Value)>, ProviderError> {
        let found = self.policy(&arn_of(&resource.attributes)).await?;
        if found.is_some() {
            return Ok(found);
        }
        match arn_named(&self.iam, &resource.physical_id).await? {
            Some(arn) => self.policy(&arn).await,
            None => Ok(None),
        }
    }

    async fn call_create(&self, resource: &Resource) -> Result<(), ProviderError> {
        let fields = Fields(&resource.properties);
        let call = self.iam.create_policy().policy_name(&resource.physical_id);
        let call = call.set_path(fields.text("Path")).set_description(fields.text("Description"));
        let call = call.set_policy_document(fields.document("PolicyDocument"));
        call.set_tags(Some(iam_tags(&resource.tags))).send().await.map_err(failed("iam:CreatePolicy"))?;
        Ok(())
    }

    /// The versions that are not in force, oldest first, and how many there are in all.
    async fn old_versions(&self, arn: &str) -> Result<(Vec<String>, usize), ProviderError> {
        let pages = self.iam.list_policy_versions().policy_arn(arn).into_paginator().items().send();
        let versions: Result<Vec<_>, _> = pages.try_collect().await.map_err(failed("iam:ListPolicyVersions"));
        let versions = none_if(MISSING, versions)?.unwrap_or_default();
        let old = versions.iter().filter(|version| !version.is_default_version);
        let mut old: Vec<String> = old.filter_map(|version| version.version_id.clone()).collect();
        old.sort_by_key(|id| number(id));
        Ok((old, versions.len()))
    }

    async fn delete_version(&self, arn: &str, id: &str) -> Result<(), ProviderError> {
        let deleted = self.iam.delete_policy_version().policy_arn(arn).version_id(id).send().await;
        none_if(MISSING, deleted.map_err(failed("iam:DeletePolicyVersion"))).map(drop)
    }

    /// The new document as the version in force. Another run may take the last free place between the two calls: then once more.
    async fn put_version(&self, resource: &Resource, arn: &str) -> Result<(), ProviderError> {
        match self.make_version(resource, arn).await {
            Err(error) if error.is("LimitExceeded") => self.make_version(resource, arn).await,
            made => made,
        }
    }

    async fn make_version(&self, resource: &Resource, arn: &str) -> Result<(), ProviderError> {
        let (old, count) = self.old_versions(arn).await?;
        if let Some(oldest) = old.first().filter(|_| count >= VERSIONS) {
            self.delete_version(arn, oldest).await?;
        }
        let document = Fields(&resource.properties).document("PolicyDocument");
        let call = self.iam.create_policy_version().policy_arn(arn).set_policy_document(document).set_as_default(true);
        call.send().await.map_err(failed("iam:CreatePolicyVersion")).map(drop)
    }

    /// Attached to whom the template names and who has it not.
    async fn attach(&self, resource: &Resource, there: &Value) -> Result<(), ProviderError> {
        let arn = arn_of(&resource.attributes);
        for holder in Holder::ALL {
            for name in &holder.named_in(&resource.properties) - &holder.named_in(there) {
                holder.attach(&self.iam, &name, &arn).await?;
            }
        }
        Ok(())
    }

    /// Taken off whom the template no longer names.
    async fn detach(&self, resource: &Resource, there: &Value) -> Result<(), ProviderError> {
        let arn = arn_of(&resource.attributes);
        for holder in Holder::ALL {
            for name in &holder.named_in(there) - &holder.named_in(&resource.properties) {
                holder.detach(&self.iam, &name, &arn).await?;
            }
        }
        Ok(())
    }

    async fn set_tags(&self, arn: &str, changes: TagChanges) -> Result<(), ProviderError> {
        if !changes.removed.is_empty() {
            let call = self.iam.untag_policy().policy_arn(arn).set_tag_keys(Some(changes.removed));
            call.send().await.map_err(failed("iam:UntagPolicy"))?;
        }
        if !changes.set.is_empty() {
            let call = self.iam.tag_policy().policy_arn(arn).set_tags(Some(iam_tags(&changes.set)));
            call.send().await.map_err(failed("iam:TagPolicy"))?;
        }
        Ok(())
    }

    /// The tags remember whom the template names: set after the policy is taken off others, and before it is attached.
    async fn settle_holders(
        &self,
        resource: &Resource,
        observed: &Observed,
        differences: &[Difference],
    ) -> Result<(), ProviderError> {
        self.detach(resource, &observed.properties).await?;
        self.set_tags(&arn_of(&observed.attributes), TagChanges::of(resource, differences)).await?;
        self.attach(resource, &observed.properties).await
    }

    /// IAM deletes only a policy of one version that nothing holds, also nothing by hand.
    async fn empty_and_delete(&self, arn: &str) -> Result<(), ProviderError> {
        let (holders, (versions, _)) = futures::try_join!(held_by(&self.iam, arn), self.old_versions(arn))?;
        for (holder, name) in holders {
            holder.detach(&self.iam, &name, arn).await?;
        }
        for version in &versions {
            self.delete_version(arn, version).await?;
        }
        let deleted = self.iam.delete_policy().policy_arn(arn).send().await;
        none_if(MISSING, deleted.map_err(failed("iam:DeletePolicy"))).map(drop)
    }
}

/// The number of `v12`: versions made within one second have one date.
fn number(version: &str) -> u64 {
    version.trim_start_matches('v').parse().unwrap_or_default()
}

fn arn_of(attributes: &BTreeMap<String, Value>) -> String {
    attributes.get("PolicyArn").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn attributes(arn: &str) -> BTreeMap<String, Value> {
    ["Ref", "PolicyArn"].map(|name| (name.to_owned(), arn.into())).into()
}

fn properties(policy: &Policy, document: Value, holders: &[(Holder, String)]) -> Value {
    let of = |wanted: Holder| {
        list(holders.iter().filter(|(holder, _)| *holder == wanted).map(|(_, name)| name.as_str().into()))
    };
    object([
        ("ManagedPolicyName", policy.policy_name().map(Value::from)),
        ("Path", policy.path().map(Value::from)),
        ("Description", policy.description().map(Value::from)),
        ("PolicyDocument", Some(document)),
        ("Roles", of(Holder::Role)),
        ("Users", of(Holder::User)),
        ("Groups", of(Holder::Group)),
    ])
}

#[async_trait]
impl Provider for ManagedPolicyProvider {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn physical_id(&self, logical_id: &str, properties: &Value, scope: &Scope) -> Result<String, ProviderError> {
        NAMING.name(logical_id, &[&scope.region], properties, scope)
    }

    fn attributes(&self, physical_id: &str, properties: &Value, scope: &Scope) -> BTreeMap<String, Value> {
        let path = Fields(properties).text("Path").unwrap_or_else(|| "/".into());
        let Scope { partition, account, .. } = scope;
        attributes(&format!("arn:{partition}:iam::{account}:policy{path}{physical_id}"))
    }

    async fn prepare(&self, resource: &mut Resource) -> Result<(), ProviderError> {
        remember_holders(&mut resource.tags, &resource.properties);
        Ok(())
    }

    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let wanted = arn_of(&resource.attributes);
        let (policy, mut holders) = futures::try_join!(self.policy_named(resource), held_by(&self.iam, &wanted))?;
        let Some((policy, document)) = policy else { return Ok(None) };
        let arn = policy.arn().unwrap_or(&wanted).to_owned();
        if arn != wanted {
            holders = held_by(&self.iam, &arn).await?;
        }
        let tags = plain_tags(policy.tags());
        // All others are those of whoever attached it.
        holders.retain(|(holder, name)| {
            holder.named_in(&resource.properties).contains(name) || holder.is_remembered(&tags, name)
        });
        Ok(Some(Observed {
            properties: properties(&policy, document, &holders),
            tags,
            attributes: attributes(&arn),
            ..as_wanted(resource)
        }))
    }

    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        let make = || self.call_create(resource);
        match retry_until("IAM to take the new policy", SETTLES, progress, iam_settling, make).await {
            Err(error) if error.is("EntityAlreadyExists") => return take_over(self, resource, progress).await,
            made => made?,
        };
        let attach = || self.attach(resource, &Value::Null);
        retry_until("IAM to know the new policy", SETTLES, progress, iam_settling, attach).await?;
        Ok(as_wanted(resource))
    }

    async fn update(
        &self,
        resource: &Resource,
        observed: &Observed,
        differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        // By itself: a holder that is waited for would cost a version at each try.
        if differences.iter().any(|difference| difference.property() == "PolicyDocument") {
            let arn = arn_of(&observed.attributes);
            let put = || self.put_version(resource, &arn);
            retry_until("IAM to take the document", SETTLES, progress, iam_settling, put).await?;
        }
        let settle = || self.settle_holders(resource, observed, differences);
        retry_until("IAM to know whom the policy is for", SETTLES, progress, iam_settling, settle).await?;
        Ok(as_wanted(resource))
    }

    async fn delete(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let transient = |error: &ProviderError| match error.is("DeleteConflict") {
            true => Some("something still holds the policy"),
            false => iam_settling(error),
        };
        let arn = arn_of(&observed.attributes);
        retry_until("nothing to hold the policy", SETTLES, progress, transient, || self.empty_and_delete(&arn)).await
    }

    async fn find(&self, scope: &Scope, named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let found = owned_policies(&self.iam, scope, named).await?.into_iter().filter_map(|(policy, tags)| {
            let arn = policy.arn?;
            Some(listed(TYPE, policy.policy_name?, tags, attributes(&arn)))
        });
        Ok(found.collect())
    }

    fn puts(&self, resource: &Resource) -> Vec<Put> {
        let item = Value::from(arn_of(&resource.attributes));
        let into = |holder: Holder| {
            holder.named_in(&resource.properties).into_iter().map(move |physical_id| (holder.type_name(), physical_id))
        };
        let put = |(type_name, physical_id)| Put {
            type_name,
            physical_id,
            property: "ManagedPolicyArns",
            item: item.clone(),
        };
        Holder::ALL.into_iter().flat_map(into).map(put).collect()
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec![
                "iam:GetPolicy",
                "iam:GetPolicyVersion",
                "iam:ListEntitiesForPolicy",
                "iam:ListPolicies",
                "iam:ListPolicyTags",
            ],
            write: vec![
                "iam:CreatePolicy",
                "iam:TagPolicy",
                "iam:UntagPolicy",
                "iam:ListPolicyVersions",
                "iam:CreatePolicyVersion",
                "iam:DeletePolicyVersion",
                "iam:AttachRolePolicy",
                "iam:DetachRolePolicy",
                "iam:AttachUserPolicy",
                "iam:DetachUserPolicy",
                "iam:AttachGroupPolicy",
                "iam:DetachGroupPolicy",
            ],
            delete: vec![
                "iam:DeletePolicy",
                "iam:ListPolicyVersions",
                "iam:DeletePolicyVersion",
                "iam:DetachRolePolicy",
                "iam:DetachUserPolicy",
                "iam:DetachGroupPolicy",
            ],
            ..Permissions::default()
        }
    }

    fn find_permissions(&self, scope: &Scope) -> Vec<Grant> {
        let Scope { partition, account, .. } = scope;
        let all = format!("arn:{partition}:iam::{account}:policy/*");
        vec![Grant::anywhere(&["iam:ListPolicies"]), Grant::on(all, &["iam:ListPolicyTags"])]
    }

    /// Its own, and those of whom it is attached to, which may have a path.
    fn arns(&self, resource: &Resource, scope: &Scope) -> Vec<String> {
        let Scope { partition, account, .. } = scope;
        let own = resource.attributes.get("Ref").and_then(Value::as_str).map(str::to_owned);
        let kinds = [("Roles", "role"), ("Users", "user"), ("Groups", "group")];
        let holders = kinds.into_iter().flat_map(|(property, kind)| {
            let names = Fields(&resource.properties).texts(property).unwrap_or_default();
            names.into_iter().map(move |name| format!("arn:{partition}:iam::{account}:{kind}/*{name}"))
        });
        own.into_iter().chain(holders).collect()
    }
}
