//! `AWS::IAM::Policy`: one inline policy in one or more roles; takes no tags, and belongs to its roles.
//!
//! Each role carries the policy's key as a tag: by it a policy that left the template is found, and the role itself knows that
//! the policy is not one of its own `Policies`. The key is the policy's stack and region, its name and its roles'.
//!
//! | property | a change | left out |
//! |---|---|---|
//! | PolicyName | another policy: the earlier one is deleted | required |
//! | Roles | another policy: the earlier one is deleted | required; users and groups are not known here |
//! | PolicyDocument | in place | required |

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::Tag;
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::errors::{failed, none_if};
use super::fields::Fields;
use super::names::{is_key_of, own_key, parts_of};
use super::observed::{as_wanted, listed};
use super::owned_roles::{plain_tags, role_arn, role_named};
use super::policy_document::{odd_one, parsed};
use super::transient::iam_settling;
use crate::engine::{
    DeleteOptions, Difference, Limit, Observed, Permissions, Progress, Property, Provider, ProviderError, Put,
    Resource, Schema, Scope, Shape, retry_until,
};

const TYPE: &str = "AWS::IAM::Policy";

/// What CloudFormation knows of it, and is refused here.
const UNMADE: [&str; 2] = ["Groups", "Users"];
const MISSING: &str = "NoSuchEntity";

/// What a role's tag for such a policy begins with; the policy's name follows, the value is its key.
pub(super) const MARK: &str = "provision:policy:";

/// How long another writer of the role, or a new role, is waited for (E9, E14).
const SETTLES: Limit = Limit::seconds(60);

/// What the mark leaves of the 128 characters of a tag's key.
const LONGEST_NAME: usize = 128 - MARK.len();

/// Inline policies that stand on their own in a template, over IAM.
pub(super) struct InlinePolicyProvider {
    iam: Client,
    schema: Schema,
}

impl InlinePolicyProvider {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let properties = vec![
            Property::new("PolicyName", Shape::Text).required(),
            Property::new("Roles", Shape::set(Shape::Text)).required(),
            Property::new("PolicyDocument", Shape::Policy).required().by_name(),
        ];
        Self {
            iam: Client::new(config),
            schema: Schema::new(TYPE, properties, &["Id"]).belongs_to("AWS::IAM::Role", "Roles").without(&UNMADE),
        }
    }

    async fn document(&self, role: &str, name: &str) -> Result<Option<Value>, ProviderError> {
        let asked = self.iam.get_role_policy().role_name(role).policy_name(name).send().await;
        let answer = none_if(MISSING, asked.map_err(failed("iam:GetRolePolicy")))?;
        Ok(answer.map(|answer| parsed(&answer.policy_document)))
    }

    /// The mark first: the role would take a policy without it for one attached by hand.
    async fn put(&self, role: &str, resource: &Resource) -> Result<(), ProviderError> {
        let fields = Fields(&resource.properties);
        let name = fields.text("PolicyName").unwrap_or_default();
        let mark = Tag::builder().key(format!("{MARK}{name}")).value(&resource.physical_id).build();
        let mark = mark.map_err(|error| ProviderError::refused(error.to_string(), "give another PolicyName"))?;
        self.iam.tag_role().role_name(role).tags(mark).send().await.map_err(failed("iam:TagRole"))?;
        let call = self.iam.put_role_policy().role_name(role).policy_name(name);
        let call = call.set_policy_document(fields.document("PolicyDocument"));
        call.send().await.map_err(failed("iam:PutRolePolicy"))?;
        Ok(())
    }

    async fn remove(&self, role: &str, name: &str) -> Result<(), ProviderError> {
        let removed = self.iam.delete_role_policy().role_name(role).policy_name(name).send().await;
        none_if(MISSING, removed.map_err(failed("iam:DeleteRolePolicy")))?;
        let unmarked = self.iam.untag_role().role_name(role).tag_keys(format!("{MARK}{name}")).send().await;
        none_if(MISSING, unmarked.map_err(failed("iam:UntagRole"))).map(drop)
    }

    /// Whether a role still has what left the template: it may have made the policy one of its own `Policies` meanwhile.
    async fn still_marked(&self, role: &str, name: &str, mark: &str) -> Result<bool, ProviderError> {
        let tags = role_named(&self.iam, role).await?.map(|role| plain_tags(role.tags())).unwrap_or_default();
        Ok(tags.get(&format!("{MARK}{name}")).is_some_and(|found| found == mark))
    }

    async fn put_in_all(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        let roles = roles(&resource.properties);
        retry_until("IAM to know the role", SETTLES, progress, iam_settling, || async {
            try_join_all(roles.iter().map(|role| self.put(role, resource))).await
        })
        .await?;
        Ok(Observed { tags: BTreeMap::new(), handle: handle(&resource.properties), ..as_wanted(resource) })
    }
}

fn roles(properties: &Value) -> BTreeSet<String> {
    Fields(properties).texts("Roles").unwrap_or_default().into_iter().collect()
}

/// Whether one of these policies is of this name, and of the role among others.
fn covers(keys: &BTreeSet<String>, name: &str, role: &str) -> bool {
    let is_of = |key: &String| {
        let mut parts = parts_of(key);
        parts.next() == Some(name) && parts.any(|one| one == role)
    };
    keys.iter().any(is_of)
}

/// What a delete needs: the policy's name and its roles.
fn handle(properties: &Value) -> Value {
    json!({"PolicyName": properties.get("PolicyName"), "Roles": roles(properties)})
}

fn found(key: String, name: String, roles: Vec<String>) -> Observed {
    let handle = json!({"PolicyName": name, "Roles": roles, "Mark": key});
    Observed { handle, ..listed(TYPE, key, BTreeMap::new(), BTreeMap::new()) }
}

#[async_trait]
impl Provider for InlinePolicyProvider {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Its key.
    fn physical_id(&self, logical_id: &str, properties: &Value, scope: &Scope) -> Result<String, ProviderError> {
        let name = Fields(properties).text("PolicyName").unwrap_or_else(|| logical_id.to_owned());
        if name.chars().count() > LONGEST_NAME || name.contains(',') {
            return Err(ProviderError::BadName {
                property: "PolicyName",
                message: format!("the policy name {name:?} does not fit into the tag by which its roles know it again"),
                help: format!("give a PolicyName of at most {LONGEST_NAME} characters and without commas"),
            });
        }
        let roles = roles(properties);
        Ok(own_key(scope, std::iter::once(&name).chain(&roles).map(String::as_str)))
    }

    fn attributes(&self, physical_id: &str, _properties: &Value, _scope: &Scope) -> BTreeMap<String, Value> {
        ["Ref", "Id"].map(|name| (name.to_owned(), physical_id.into())).into()
    }

    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let fields = Fields(&resource.properties);
        let (name, roles) = (fields.text("PolicyName").unwrap_or_default(), roles(&resource.properties));
        let documents = try_join_all(roles.iter().map(|role| self.document(role, &name))).await?;
        let with: Vec<_> =
            roles.iter().zip(&documents).filter(|(_, found)| found.is_some()).map(|(role, _)| role).collect();
        Ok(odd_one(&documents, fields.get("PolicyDocument")).map(|document| Observed {
            properties: json!({"PolicyName": name, "Roles": with, "PolicyDocument": document}),
            tags: BTreeMap::new(),
            handle: handle(&resource.properties),
            ..as_wanted(resource)
        }))
    }

    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        self.put_in_all(resource, progress).await
    }

    async fn update(
        &self,
        resource: &Resource,
        _observed: &Observed,
        _differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        self.put_in_all(resource, progress).await
    }

    async fn delete(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let name = Fields(&observed.handle).text("PolicyName").unwrap_or_default();
        let (roles, mark) = (roles(&observed.handle), Fields(&observed.handle).text("Mark"));
        let remove_all = || async {
            let removals = roles.iter().map(async |role| match &mark {
                Some(mark) if !self.still_marked(role, &name, mark).await? => Ok(()),
                _ => self.remove(role, &name).await,
            });
            try_join_all(removals).await
        };
        retry_until("IAM to take the policy away", SETTLES, progress, iam_settling, remove_all).await.map(drop)
    }

    /// The marks tell it: no call is needed. Another stack's policy in the role is that stack's, and a role that a policy of the template
    /// has by now is no longer the earlier one's.
    async fn find_on(&self, parents: &[&Observed], named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let mut by_key: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for role in parents {
            let marks = role.tags.iter().filter_map(|(key, value)| Some((key.strip_prefix(MARK)?, value)));
            let own = marks.filter(|(_, key)| is_key_of(key, &role.tags) && !named.contains(*key));
            for (name, key) in own.filter(|(name, _)| !covers(named, name, &role.physical_id)) {
                by_key.entry((key.clone(), name.to_owned())).or_default().push(role.physical_id.clone());
            }
        }
        Ok(by_key.into_iter().map(|((key, name), roles)| found(key, name, roles)).collect())
    }

    async fn find_kept(&self, physical_id: &str, named: &BTreeSet<String>) -> Result<Option<Observed>, ProviderError> {
        let mut names = parts_of(physical_id).map(str::to_owned);
        let name = names.next().unwrap_or_default();
        let mut roles = Vec::new();
        for role in names.filter(|role| !covers(named, &name, role)) {
            if self.still_marked(&role, &name, physical_id).await? {
                roles.push(role);
            }
        }
        Ok((!roles.is_empty()).then(|| found(physical_id.to_owned(), name, roles)))
    }

    fn puts(&self, resource: &Resource) -> Vec<Put> {
        let name = Fields(&resource.properties).get("PolicyName").cloned().unwrap_or_default();
        let put = |role| Put {
            type_name: "AWS::IAM::Role",
            physical_id: role,
            property: "Policies",
            item: json!({"PolicyName": name}),
        };
        roles(&resource.properties).into_iter().map(put).collect()
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec!["iam:GetRolePolicy"],
            write: vec!["iam:PutRolePolicy", "iam:TagRole"],
            delete: vec!["iam:DeleteRolePolicy", "iam:UntagRole"],
            ..Permissions::default()
        }
    }

    /// Those of its roles, which may have a path.
    fn arns(&self, resource: &Resource, scope: &Scope) -> Vec<String> {
        roles(&resource.properties).iter().map(|role| role_arn(role, scope)).collect()
    }
}
