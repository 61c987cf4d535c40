//! `AWS::IAM::Role`.
//!
//! | property | a change | left out |
//! |---|---|---|
//! | RoleName | replaces | stack, logical id and region: IAM is global (E5) |
//! | Path | replaces | / |
//! | AssumeRolePolicyDocument | in place | required |
//! | Description | in place | empty |
//! | MaxSessionDuration | in place | 3600 |
//! | PermissionsBoundary | in place | removed |
//! | ManagedPolicyArns, Policies | in place | removed, also those attached by hand, but not those of an `AWS::IAM::Policy` or that an `AWS::IAM::ManagedPolicy` attaches |
//! | Tags | in place | |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::RoleDetail;
use serde_json::{Value, json};

use super::claim::take_over;
use super::errors::{failed, none_if};
use super::execution_role::ExecutionRoles;
use super::fields::{Fields, list, object};
use super::inline_policy::MARK;
use super::names::Naming;
use super::observed::{as_wanted, listed};
use super::owned_roles::{find_roles, iam_tags, owned_roles, plain_tags, role_named};
use super::policy_document::parsed;
use super::policy_holders::Holder;
use super::role_policies::{Inline, attached_in, policies};
use super::tags::TagChanges;
use super::transient::iam_settling;
use crate::engine::{
    DeleteOptions, Difference, Grant, Limit, Needed, Observed, Permissions, Progress, Property, Provider,
    ProviderError, Put, Resource, Schema, Scope, Shape, retry_until,
};

const TYPE: &str = "AWS::IAM::Role";
const NAMING: Naming = Naming { kind: "role", property: "RoleName", longest: 64, marks: "+=,.@-_" };
const MISSING: &str = "NoSuchEntity";

/// Roles with their inline and attached policies, over IAM.
pub(super) struct RoleProvider {
    pub(super) iam: Client,
    ids: Arc<ExecutionRoles>,
    schema: Schema,
}

impl RoleProvider {
    pub(super) fn new(config: &SdkConfig, ids: Arc<ExecutionRoles>) -> Self {
        Self { iam: Client::new(config), ids, schema: schema() }
    }

    async fn call_create(&self, resource: &Resource) -> Result<Option<String>, ProviderError> {
        let fields = Fields(&resource.properties);
        let call = self.iam.create_role().role_name(&resource.physical_id);
        let call = call.set_path(fields.text("Path")).set_description(fields.text("Description"));
        let call = call.set_assume_role_policy_document(fields.document("AssumeRolePolicyDocument"));
        let call = call.set_max_session_duration(fields.int32("MaxSessionDuration"));
        let call = call.set_permissions_boundary(fields.text("PermissionsBoundary"));
        let made = call.set_tags(Some(iam_tags(&resource.tags))).send().await.map_err(failed("iam:CreateRole"))?;
        Ok(made.role.map(|role| role.role_id))
    }

    async fn set_trust(&self, resource: &Resource) -> Result<(), ProviderError> {
        let document = Fields(&resource.properties).document("AssumeRolePolicyDocument");
        let call = self.iam.update_assume_role_policy().role_name(&resource.physical_id);
        let call = call.set_policy_document(document);
        call.send().await.map_err(failed("iam:UpdateAssumeRolePolicy"))?;
        Ok(())
    }

    async fn set_description(&self, resource: &Resource) -> Result<(), ProviderError> {
        let description = Fields(&resource.properties).text("Description").unwrap_or_default();
        // UpdateRole would do, but an empty text in it may be taken for none.
        let call = self.iam.update_role_description().role_name(&resource.physical_id).description(description);
        call.send().await.map_err(failed("iam:UpdateRoleDescription"))?;
        Ok(())
    }

    async fn set_session_duration(&self, resource: &Resource) -> Result<(), ProviderError> {
        let seconds = Fields(&resource.properties).int32("MaxSessionDuration").unwrap_or(3600);
        let call = self.iam.update_role().role_name(&resource.physical_id).max_session_duration(seconds);
        call.send().await.map_err(failed("iam:UpdateRole"))?;
        Ok(())
    }

    async fn set_boundary(&self, resource: &Resource) -> Result<(), ProviderError> {
        let role = &resource.physical_id;
        match Fields(&resource.properties).text("PermissionsBoundary") {
            Some(arn) => {
                let call = self.iam.put_role_permissions_boundary().role_name(role).permissions_boundary(arn);
                call.send().await.map_err(failed("iam:PutRolePermissionsBoundary"))?;
            }
            None => {
                let call = self.iam.delete_role_permissions_boundary().role_name(role);
                call.send().await.map_err(failed("iam:DeleteRolePermissionsBoundary"))?;
            }
        }
        Ok(())
    }

    async fn set_tags(&self, role: &str, changes: TagChanges) -> Result<(), ProviderError> {
        if !changes.removed.is_empty() {
            let call = self.iam.untag_role().role_name(role).set_tag_keys(Some(changes.removed));
            call.send().await.map_err(failed("iam:UntagRole"))?;
        }
        if !changes.set.is_empty() {
            let call = self.iam.tag_role().role_name(role).set_tags(Some(iam_tags(&changes.set)));
            call.send().await.map_err(failed("iam:TagRole"))?;
        }
        Ok(())
    }

    /// What differs, one call after another: IAM takes one writer a role (E14).
    async fn change(
        &self,
        resource: &Resource,
        observed: &Observed,
        differences: &[Difference],
    ) -> Result<(), ProviderError> {
        let changed = |name: &str| differences.iter().any(|difference| difference.property() == name);
        if changed("AssumeRolePolicyDocument") {
            self.set_trust(resource).await?;
        }
        if changed("Description") {
            self.set_description(resource).await?;
        }
        if changed("MaxSessionDuration") {
            self.set_session_duration(resource).await?;
        }
        if changed("PermissionsBoundary") {
            self.set_boundary(resource).await?;
        }
        if changed("Policies") {
            self.settle_policies(resource, &observed.properties).await?;
        }
        if changed("ManagedPolicyArns") {
            self.settle_attached(resource, &observed.properties).await?;
        }
        let mut tags = TagChanges::of(resource, differences);
        // What was a policy of its own is one of the role's now.
        let marks = policies(&resource.properties).into_keys().map(|name| format!("{MARK}{name}"));
        tags.removed.extend(marks.filter(|mark| observed.tags.contains_key(mark)));
        self.set_tags(&resource.physical_id, tags).await
    }

    /// Empties the role of everything that IAM wants out of it first, also what was attached by hand (E10).
    async fn empty(&self, role: &str) -> Result<(), ProviderError> {
        let (inline, attached, profiles) =
            futures::try_join!(self.inline_names(role), self.attached(role), self.instance_profiles(role))?;
        for name in &inline {
            self.remove_policy(role, name).await?;
        }
        for arn in &attached {
            Holder::Role.detach(&self.iam, role, arn).await?;
        }
        for profile in profiles {
            let call = self.iam.remove_role_from_instance_profile().role_name(role).instance_profile_name(profile);
            none_if(MISSING, call.send().await.map_err(failed("iam:RemoveRoleFromInstanceProfile")))?;
        }
        Ok(())
    }

    async fn instance_profiles(&self, role: &str) -> Result<Vec<String>, ProviderError> {
        let pages = self.iam.list_instance_profiles_for_role().role_name(role).into_paginator().items().send();
        let profiles: Result<Vec<_>, _> = pages.try_collect().await.map_err(failed("iam:ListInstanceProfilesForRole"));
        let profiles = none_if(MISSING, profiles)?.unwrap_or_default();
        Ok(profiles.into_iter().map(|profile| profile.instance_profile_name).collect())
    }

    /// Takes off what was seen, which spares a round of listings.
    async fn strip_and_delete(&self, observed: &Observed, progress: &Progress) -> Result<(), ProviderError> {
        let role = &observed.physical_id;
        for name in policies(&observed.properties).keys() {
            self.remove_policy(role, name).await?;
        }
        for arn in attached_in(&observed.properties) {
            Holder::Role.detach(&self.iam, role, &arn).await?;
        }
        // Without its policies nobody writes to a log group any more (E62).
        progress.lets_go();
        self.delete_role(role).await
    }

    async fn empty_and_delete(&self, role: &str) -> Result<(), ProviderError> {
        self.empty(role).await?;
        self.delete_role(role).await
    }

    async fn delete_role(&self, role: &str) -> Result<(), ProviderError> {
        let deleted = self.iam.delete_role().role_name(role).send().await;
        none_if(MISSING, deleted.map_err(failed("iam:DeleteRole"))).map(drop)
    }
}

fn schema() -> Schema {
    let policy = vec![
        Property::new("PolicyName", Shape::Text).required(),
        Property::new("PolicyDocument", Shape::Policy).required(),
    ];
    let properties = vec![
        Property::new("RoleName", Shape::Text).replaces(),
        Property::new("Path", Shape::Text).replaces().default("/"),
        Property::new("AssumeRolePolicyDocument", Shape::Policy).required(),
        Property::new("Description", Shape::Text).default(""),
        Property::new("MaxSessionDuration", Shape::Integer).default(3600),
        Property::new("PermissionsBoundary", Shape::Text).removed_when_absent(),
        Property::new("ManagedPolicyArns", Shape::set(Shape::Text)).removed_when_absent(),
        Property::new("Policies", Shape::set(Shape::Object(policy))).removed_when_absent().by_name(),
        Property::new("Tags", Shape::Tags),
    ];
    Schema::new(TYPE, properties, &["Arn", "RoleId"])
}

fn attributes(name: &str, arn: &str, id: Option<&str>) -> BTreeMap<String, Value> {
    let known = [("Ref", Some(name)), ("Arn", Some(arn)), ("RoleId", id)];
    known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into()))).collect()
}

fn properties(role: &aws_sdk_iam::types::Role, inline: Inline, attached: Vec<String>) -> Value {
    let policies = inline.into_iter().map(|(name, document)| json!({"PolicyName": name, "PolicyDocument": document}));
    object([
        ("RoleName", Some(role.role_name.as_str().into())),
        ("Path", Some(role.path.as_str().into())),
        ("AssumeRolePolicyDocument", role.assume_role_policy_document.as_deref().map(parsed)),
        ("Description", role.description.as_deref().map(Value::from)),
        ("MaxSessionDuration", role.max_session_duration.map(Value::from)),
        (
            "PermissionsBoundary",
            role.permissions_boundary().and_then(|b| b.permissions_boundary_arn()).map(Value::from),
        ),
        ("ManagedPolicyArns", list(attached.into_iter().map(Value::from))),
        ("Policies", list(policies)),
    ])
}

fn found((role, tags): (RoleDetail, BTreeMap<String, String>)) -> Option<Observed> {
    let name = role.role_name?;
    let attributes = attributes(&name, &role.arn.unwrap_or_default(), role.role_id.as_deref());
    Some(listed(TYPE, name, tags, attributes))
}

#[async_trait]
impl Provider for RoleProvider {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn physical_id(&self, logical_id: &str, properties: &Value, scope: &Scope) -> Result<String, ProviderError> {
        NAMING.name(logical_id, &[&scope.region], properties, scope)
    }

    fn attributes(&self, physical_id: &str, properties: &Value, scope: &Scope) -> BTreeMap<String, Value> {
        let path = Fields(properties).text("Path").unwrap_or_else(|| "/".into());
        let Scope { partition, account, .. } = scope;
        attributes(physical_id, &format!("arn:{partition}:iam::{account}:role{path}{physical_id}"), None)
    }

    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let name = &resource.physical_id;
        let wanted = policies(&resource.properties).into_keys().collect();
        let (role, inline, attached) = futures::try_join!(
            role_named(&self.iam, name),
            self.inline(name, &wanted),
            self.attached_by_role(resource)
        )?;
        Ok(role.map(|role| {
            let tags = plain_tags(role.tags());
            let own = inline.into_iter().filter(|(name, _)| !tags.contains_key(&format!("{MARK}{name}"))).collect();
            Observed {
                attributes: attributes(name, &role.arn, Some(&role.role_id)),
                properties: properties(&role, own, attached),
                tags,
                ..as_wanted(resource)
            }
        }))
    }

    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        let condition = "IAM to know what the role names";
        let limit = Limit::seconds(60);
        let id = match retry_until(condition, limit, progress, iam_settling, || self.call_create(resource)).await {
            Err(error) if error.is("EntityAlreadyExists") => return take_over(self, resource, progress).await,
            made => made?,
        };
        let mut made = as_wanted(resource);
        if let Some(id) = id {
            self.ids.remember(&resource.physical_id, &id);
            made.attributes.insert("RoleId".into(), id.into());
        }
        // A function may be made with it now; its policies are put meanwhile.
        progress.stands(&made.attributes);
        retry_until("IAM to know the new role", limit, progress, iam_settling, || async {
            self.settle_policies(resource, &Value::Null).await?;
            self.settle_attached(resource, &Value::Null).await
        })
        .await?;
        Ok(made)
    }

    async fn update(
        &self,
        resource: &Resource,
        observed: &Observed,
        differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        let change = || self.change(resource, observed, differences);
        retry_until("IAM to take the change", Limit::seconds(60), progress, iam_settling, change).await?;
        Ok(Observed { attributes: observed.attributes.clone(), ..as_wanted(resource) })
    }

    async fn delete(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        // DeleteConflict: something else is attached, by hand or since the look; it is listed and taken off too (E10).
        let transient = |error: &ProviderError| match error.is("DeleteConflict") {
            true => Some("something is still attached to the role"),
            false => iam_settling(error),
        };
        match self.strip_and_delete(observed, progress).await {
            Err(error) if transient(&error).is_some() => {
                let delete = || self.empty_and_delete(&observed.physical_id);
                retry_until("the role to be empty", Limit::seconds(60), progress, transient, delete).await
            }
            deleted => deleted,
        }
    }

    async fn find(&self, scope: &Scope, named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let found = owned_roles(&self.iam, scope).await?.into_iter().filter_map(found);
        Ok(found.filter(|role| !named.contains(&role.physical_id)).collect())
    }

    fn puts(&self, resource: &Resource) -> Vec<Put> {
        Holder::Role.puts(resource)
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec![
                "iam:GetRole",
                "iam:ListRolePolicies",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListPolicyTags",
            ],
            write: vec![
                "iam:CreateRole",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateRole",
                "iam:UpdateRoleDescription",
                "iam:UpdateAssumeRolePolicy",
                "iam:PutRolePolicy",
                "iam:DeleteRolePolicy",
                "iam:AttachRolePolicy",
                "iam:DetachRolePolicy",
                "iam:PutRolePermissionsBoundary",
                "iam:DeleteRolePermissionsBoundary",
            ],
            delete: vec![
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:ListInstanceProfilesForRole",
                "iam:RemoveRoleFromInstanceProfile",
            ],
            decided: vec![
                ("iam:AttachRolePolicy", Needed::Given("ManagedPolicyArns")),
                ("iam:PutRolePermissionsBoundary", Needed::Given("PermissionsBoundary")),
                ("iam:DeleteRolePermissionsBoundary", Needed::LeftOut("PermissionsBoundary")),
            ],
        }
    }

    fn find_permissions(&self, _scope: &Scope) -> Vec<Grant> {
        find_roles()
    }

    /// Its own, and those of the policies that may be attached to it.
    fn arns(&self, resource: &Resource, scope: &Scope) -> Vec<String> {
        let Scope { partition, account, .. } = scope;
        let own = resource.attributes.get("Arn").and_then(Value::as_str).map(str::to_owned);
        own.into_iter().chain([format!("arn:{partition}:iam::{account}:policy/*")]).collect()
    }
}
