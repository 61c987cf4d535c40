//! Which managed policies are the stack's: shared by the policy and by the roles that it is attached to.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{Policy, PolicyScopeType};

use super::errors::{failed, none_if};
use super::observed;
use super::owned_roles::plain_tags;
use crate::engine::{ProviderError, Scope};

/// How many policies' tags are read side by side: listings of policies give none.
const WIDTH: usize = 8;

type Tags = BTreeMap<String, String>;

/// Every managed policy of the account that carries the stack's tags, but those of these names.
pub(super) async fn owned_policies(
    iam: &Client,
    scope: &Scope,
    but: &BTreeSet<String>,
) -> Result<Vec<(Policy, Tags)>, ProviderError> {
    let policies = local_policies(iam).await?;
    let policies = policies.filter(|policy| policy.policy_name().is_none_or(|name| !but.contains(name)));
    let looks = policies.map(|policy| async move {
        let tags = policy_tags(iam, policy.arn().unwrap_or_default()).await?;
        Ok::<_, ProviderError>(tags.filter(|tags| scope.owns(tags)).map(|tags| (policy, tags)))
    });
    observed::found(looks, WIDTH).await
}

/// The account's own managed policies.
async fn local_policies(iam: &Client) -> Result<impl Iterator<Item = Policy> + use<>, ProviderError> {
    let pages = iam.list_policies().scope(PolicyScopeType::Local).into_paginator().send();
    let pages: Vec<_> = pages.try_collect().await.map_err(failed("iam:ListPolicies"))?;
    Ok(pages.into_iter().flat_map(|page| page.policies.unwrap_or_default()))
}

/// The ARN of the account's own managed policy of this name, at whatever path.
pub(super) async fn arn_named(iam: &Client, name: &str) -> Result<Option<String>, ProviderError> {
    let mut policies = local_policies(iam).await?;
    Ok(policies.find(|policy| policy.policy_name() == Some(name)).and_then(|policy| policy.arn))
}

/// All tags of a managed policy, or `None` where there is none of that ARN.
pub(super) async fn policy_tags(iam: &Client, arn: &str) -> Result<Option<Tags>, ProviderError> {
    let asked = iam.list_policy_tags().policy_arn(arn).into_paginator().items().send();
    let tags: Result<Vec<_>, _> = asked.try_collect().await.map_err(failed("iam:ListPolicyTags"));
    Ok(none_if("NoSuchEntity", tags)?.map(|tags| plain_tags(&tags)))
}
