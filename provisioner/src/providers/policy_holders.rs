//! What a managed policy can be attached to.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::PolicyUsageType;

use super::errors::{failed, none_if};
use crate::engine::ProviderError;

const MISSING: &str = "NoSuchEntity";

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
