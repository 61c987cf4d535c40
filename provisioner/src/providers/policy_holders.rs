//! What a managed policy can be attached to, and whom of them the template named: the policy's tags remember it, as anybody may attach
//! a policy.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::Client;
use aws_sdk_iam::types::PolicyUsageType;
use serde_json::Value;

use super::errors::{failed, none_if};
use super::fields::Fields;
use super::role_policies::attached_in;
use crate::digest::hex;
use crate::engine::{ProviderError, Put, Resource, remember, remembered, tag};

const MISSING: &str = "NoSuchEntity";

/// Between two digests in a tag.
const BETWEEN: &str = " ";

type Tags = BTreeMap<String, String>;

/// A kind of holder, by the property that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Role,
    User,
    Group,
}

impl Holder {
    pub(super) const ALL: [Self; 3] = [Self::Role, Self::User, Self::Group];

    /// CloudFormation's name of the property.
    pub(super) fn property(self) -> &'static str {
        match self {
            Self::Role => "Roles",
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    /// CloudFormation's name of the kind.
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::Role => "AWS::IAM::Role",
            Self::User => "AWS::IAM::User",
            Self::Group => "AWS::IAM::Group",
        }
    }

    /// The holders of this kind that a policy's properties name.
    pub(super) fn named_in(self, properties: &Value) -> BTreeSet<String> {
        Fields(properties).texts(self.property()).unwrap_or_default().into_iter().collect()
    }

    /// What a holder puts into the policies that it names: one that names it no more stays on it.
    pub(super) fn puts(self, resource: &Resource) -> Vec<Put> {
        let own = attached_in(&resource.properties).into_iter().filter(|arn| !arn.contains(":iam::aws:policy/"));
        let put = |arn: String| Put {
            type_name: "AWS::IAM::ManagedPolicy",
            physical_id: arn.rsplit('/').next().unwrap_or_default().to_owned(),
            property: self.property(),
            item: resource.physical_id.as_str().into(),
        };
        own.map(put).collect()
    }

    /// Whether a policy's tags remember that its template named this one.
    pub(super) fn is_remembered(self, tags: &Tags, name: &str) -> bool {
        let wanted = self.digest(name);
        remembered(tags, tag::ATTACHED, BETWEEN).any(|digest| digest == wanted)
    }

    /// A name may be long, and has characters that no tag takes.
    fn digest(self, name: &str) -> String {
        hex(format!("{} {name}", self.property()), 4)
    }

    pub(super) async fn attach(self, iam: &Client, name: &str, arn: &str) -> Result<(), ProviderError> {
        match self {
            Self::Role => {
                let call = iam.attach_role_policy().role_name(name).policy_arn(arn);
                call.send().await.map_err(failed("iam:AttachRolePolicy")).map(drop)
            }
            Self::User => {
                let call = iam.attach_user_policy().user_name(name).policy_arn(arn);
                call.send().await.map_err(failed("iam:AttachUserPolicy")).map(drop)
            }
            Self::Group => {
                let call = iam.attach_group_policy().group_name(name).policy_arn(arn);
                call.send().await.map_err(failed("iam:AttachGroupPolicy")).map(drop)
            }
        }
    }

    /// A holder, a policy or an attachment that is not there is a success.
    pub(super) async fn detach(self, iam: &Client, name: &str, arn: &str) -> Result<(), ProviderError> {
        let detached = match self {
            Self::Role => {
                let call = iam.detach_role_policy().role_name(name).policy_arn(arn);
                call.send().await.map_err(failed("iam:DetachRolePolicy")).map(drop)
            }
            Self::User => {
                let call = iam.detach_user_policy().user_name(name).policy_arn(arn);
                call.send().await.map_err(failed("iam:DetachUserPolicy")).map(drop)
            }
            Self::Group => {
                let call = iam.detach_group_policy().group_name(name).policy_arn(arn);
                call.send().await.map_err(failed("iam:DetachGroupPolicy")).map(drop)
            }
        };
        none_if(MISSING, detached).map(drop)
    }
}

/// Adds to a policy's tags those that remember whom its properties name.
pub(super) fn remember_holders(tags: &mut Tags, properties: &Value) {
    let digests = |holder: Holder| holder.named_in(properties).into_iter().map(move |name| holder.digest(&name));
    let digests: Vec<String> = Holder::ALL.into_iter().flat_map(digests).collect();
    remember(tags, tag::ATTACHED, &digests, BETWEEN);
}

/// All that holds the policy of this ARN; nothing where there is no such policy.
pub(super) async fn held_by(iam: &Client, arn: &str) -> Result<Vec<(Holder, String)>, ProviderError> {
    // A policy that bounds an entity's permissions is not attached to it.
    let asked = iam.list_entities_for_policy().policy_arn(arn).policy_usage_filter(PolicyUsageType::PermissionsPolicy);
    let pages = asked.into_paginator().send();
    let pages: Result<Vec<_>, _> = pages.try_collect().await.map_err(failed("iam:ListEntitiesForPolicy"));
    let mut holders = Vec::new();
    for page in none_if(MISSING, pages)?.unwrap_or_default() {
        let roles = page.policy_roles().iter().map(|role| (Holder::Role, role.role_name()));
        let users = page.policy_users().iter().map(|user| (Holder::User, user.user_name()));
        let groups = page.policy_groups().iter().map(|group| (Holder::Group, group.group_name()));
        let all = roles.chain(users).chain(groups);
        holders.extend(all.filter_map(|(holder, name)| Some((holder, name?.to_owned()))));
    }
    Ok(holders)
}
