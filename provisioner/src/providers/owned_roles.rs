//! Which roles are the stack's: shared by the role and by what hangs on it; and tags as IAM writes them.

use std::collections::BTreeMap;

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{EntityType, Role, RoleDetail, Tag};

use super::errors::{failed, none_if};
use crate::engine::{Grant, ProviderError, Scope};

type Tags = BTreeMap<String, String>;

/// Every role that carries the stack's tags, by one listing with tags: ListRoles gives none, and a call a role is slow in an
/// account of a thousand.
pub(super) async fn owned_roles(iam: &Client, scope: &Scope) -> Result<Vec<(RoleDetail, Tags)>, ProviderError> {
    let asked = iam.get_account_authorization_details().filter(EntityType::Role).max_items(1000);
    let mut pages = asked.into_paginator().send();
    let mut ours = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(failed("iam:GetAccountAuthorizationDetails"))?;
        let roles = page.role_detail_list.into_iter().flatten().map(|role| {
            let tags = plain_tags(role.tags());
            (role, tags)
        });
        ours.extend(roles.filter(|(_, tags)| scope.owns(tags)));
    }
    Ok(ours)
}

/// The role of a name; none where there is none.
pub(super) async fn role_named(iam: &Client, name: &str) -> Result<Option<Role>, ProviderError> {
    let asked = iam.get_role().role_name(name).send().await.map_err(failed("iam:GetRole"));
    Ok(none_if("NoSuchEntity", asked)?.and_then(|answer| answer.role))
}

pub(super) fn iam_tags(tags: &Tags) -> Vec<Tag> {
    // The builder refuses only a missing key or value.
    tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect()
}

pub(super) fn plain_tags(tags: &[Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// What a listing of all roles with their tags needs.
pub(super) fn find_roles() -> Vec<Grant> {
    vec![Grant::anywhere(&["iam:GetAccountAuthorizationDetails"])]
}

/// The ARN of a role of this name, under whatever path.
pub(super) fn role_arn(name: &str, scope: &Scope) -> String {
    let Scope { partition, account, .. } = scope;
    format!("arn:{partition}:iam::{account}:role/*{name}")
}
