//! `AWS::Logs::LogGroup`.
//!
//! | property | a change | left out |
//! |---|---|---|
//! | LogGroupName | replaces | stack and logical id |
//! | LogGroupClass | replaces: AWS's reference knows no update of it | STANDARD |
//! | RetentionInDays | in place; a lower one asks first; not compared, nor set, for the class DELIVERY, of which AWS says it | removed: kept for ever |
//! | KmsKeyId | in place | removed |
//! | Tags | in place | |

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::{LogGroup, LogGroupClass};
use serde_json::{Value, json};

use super::claim::take_over;
use super::errors::{failed, none_if};
use super::fields::{Fields, object};
use super::names::Naming;
use super::observed::{self, as_wanted, listed};
use super::tagged::{Tagged, is_new};
use super::tags::TagChanges;
use super::transient::log_group_busy;
use crate::engine::{
    DeleteOptions, Difference, Grant, Limit, Needed, Observed, Permissions, Progress, Property, Provider,
    ProviderError, Resource, Schema, Scope, Shape, retry_until,
};

const TYPE: &str = "AWS::Logs::LogGroup";

/// What CloudFormation knows of it, and is refused here.
const UNMADE: [&str; 5] = [
    "BearerTokenAuthenticationEnabled",
    "DataProtectionPolicy",
    "DeletionProtectionEnabled",
    "FieldIndexPolicies",
    "ResourcePolicyDocument",
];
const NAMING: Naming = Naming { kind: "log group", property: "LogGroupName", longest: 512, marks: "._/#-" };
const MISSING: &str = "ResourceNotFoundException";

/// How many groups' tags are read side by side.
const WIDTH: usize = 8;

/// Log groups, over CloudWatch Logs.
pub(super) struct LogGroupProvider {
    logs: Client,
    tagging: Tagged,
    schema: Schema,
}

impl LogGroupProvider {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { logs: Client::new(config), tagging: Tagged::new(config), schema: schema() }
    }

    async fn group(&self, name: &str) -> Result<Option<LogGroup>, ProviderError> {
        let pages = self.logs.describe_log_groups().log_group_name_prefix(name).into_paginator().items().send();
        let groups: Vec<LogGroup> = pages.try_collect().await.map_err(failed("logs:DescribeLogGroups"))?;
        Ok(groups.into_iter().find(|group| group.log_group_name() == Some(name)))
    }

    async fn all(&self) -> Result<Vec<LogGroup>, ProviderError> {
        let pages = self.logs.describe_log_groups().into_paginator().items().send();
        pages.try_collect().await.map_err(failed("logs:DescribeLogGroups"))
    }

    async fn tags_of(&self, arn: &str) -> Result<Option<BTreeMap<String, String>>, ProviderError> {
        let asked = self.logs.list_tags_for_resource().resource_arn(arn).send();
        let answer = none_if(MISSING, asked.await.map_err(failed("logs:ListTagsForResource")))?;
        Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
    }

    async fn call_create(&self, resource: &Resource) -> Result<(), ProviderError> {
        let fields = Fields(&resource.properties);
        let call = self.logs.create_log_group().log_group_name(&resource.physical_id);
        let call = call.set_tags(Some(resource.tags.clone().into_iter().collect()));
        let call = call.set_kms_key_id(fields.text("KmsKeyId"));
        let call = call.set_log_group_class(fields.text("LogGroupClass").map(|class| LogGroupClass::from(&*class)));
        call.send().await.map_err(failed("logs:CreateLogGroup"))?;
        Ok(())
    }

    /// What another writer of the group may stand in the way of (E14).
    async fn as_it_is_free<T, F: Future<Output = Result<T, ProviderError>>>(
        &self,
        progress: &Progress,
        call: impl FnMut() -> F,
    ) -> Result<T, ProviderError> {
        retry_until("CloudWatch Logs to take the change", Limit::seconds(30), progress, log_group_busy, call).await
    }

    async fn set_retention(&self, name: &str, days: Option<i32>) -> Result<(), ProviderError> {
        match days {
            Some(days) => {
                let call = self.logs.put_retention_policy().log_group_name(name).retention_in_days(days);
                call.send().await.map_err(failed("logs:PutRetentionPolicy"))?;
            }
            None => {
                let call = self.logs.delete_retention_policy().log_group_name(name);
                call.send().await.map_err(failed("logs:DeleteRetentionPolicy"))?;
            }
        }
        Ok(())
    }

    async fn set_key(&self, name: &str, key: Option<String>) -> Result<(), ProviderError> {
        match key {
            Some(key) => {
                let call = self.logs.associate_kms_key().log_group_name(name).kms_key_id(key);
                call.send().await.map_err(failed("logs:AssociateKmsKey"))?;
            }
            None => {
                let call = self.logs.disassociate_kms_key().log_group_name(name);
                call.send().await.map_err(failed("logs:DisassociateKmsKey"))?;
            }
        }
        Ok(())
    }

    async fn set_tags(&self, arn: &str, changes: TagChanges) -> Result<(), ProviderError> {
        if !changes.removed.is_empty() {
            let call = self.logs.untag_resource().resource_arn(arn).set_tag_keys(Some(changes.removed));
            call.send().await.map_err(failed("logs:UntagResource"))?;
        }
        if !changes.set.is_empty() {
            let call = self.logs.tag_resource().resource_arn(arn).set_tags(Some(changes.set.into_iter().collect()));
            call.send().await.map_err(failed("logs:TagResource"))?;
        }
        Ok(())
    }

    async fn found(&self, name: String, scope: &Scope) -> Result<Option<Observed>, ProviderError> {
        let tags = self.tags_of(&arn(&name, scope)).await?;
        Ok(tags.filter(|tags| scope.owns(tags)).map(|tags| {
            let attributes = self.attributes(&name, &Value::Null, scope);
            listed(TYPE, name, tags, attributes)
        }))
    }
}

fn schema() -> Schema {
    let properties = vec![
        Property::new("LogGroupName", Shape::Text).replaces(),
        Property::new("LogGroupClass", Shape::Text).replaces().default("STANDARD"),
        Property::new("RetentionInDays", Shape::Integer).removed_when_absent().loses_when_lowered(),
        Property::new("KmsKeyId", Shape::Text).removed_when_absent(),
        Property::new("Tags", Shape::Tags),
    ];
    Schema::new(TYPE, properties, &["Arn"]).without(&UNMADE)
}

fn arn(name: &str, scope: &Scope) -> String {
    scope.arn("logs", &format!("log-group:{name}"))
}

/// The ARN that tagging takes: without the `:*` that `Fn::GetAtt` gives.
fn tagging_arn(resource: &Resource) -> String {
    let whole = Fields(&json!(resource.attributes)).text("Arn").unwrap_or_default();
    whole.trim_end_matches(":*").to_owned()
}

/// AWS alone says how long lines are kept that are only delivered elsewhere.
fn keeps_its_own_time(fields: Fields<'_>) -> bool {
    fields.text("LogGroupClass").is_some_and(|class| class == "DELIVERY")
}

fn properties(group: &LogGroup, wanted: &Value) -> Value {
    // An account-level policy overrides ours, which is no drift of this group (E62).
    let is_told = group.retention_policy_name().is_some() || group.log_group_class() == Some(&LogGroupClass::Delivery);
    let retention = match is_told {
        true => Fields(wanted).get("RetentionInDays").cloned(),
        false => group.retention_in_days().map(Value::from),
    };
    object([
        ("LogGroupName", group.log_group_name().map(Value::from)),
        ("LogGroupClass", group.log_group_class().map(|class| class.as_str().into())),
        ("RetentionInDays", retention),
        ("KmsKeyId", group.kms_key_id().map(Value::from)),
    ])
}

#[async_trait]
impl Provider for LogGroupProvider {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn physical_id(&self, logical_id: &str, properties: &Value, scope: &Scope) -> Result<String, ProviderError> {
        NAMING.name(logical_id, &[], properties, scope)
    }

    fn attributes(&self, physical_id: &str, _properties: &Value, scope: &Scope) -> BTreeMap<String, Value> {
        let arn = format!("{}:*", arn(physical_id, scope));
        [("Ref".to_owned(), physical_id.into()), ("Arn".to_owned(), arn.into())].into()
    }

    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let arn = tagging_arn(resource);
        let (group, tags) = futures::try_join!(self.group(&resource.physical_id), self.tags_of(&arn))?;
        Ok(group.map(|group| Observed {
            properties: properties(&group, &resource.properties),
            tags: tags.unwrap_or_default(),
            ..as_wanted(resource)
        }))
    }

    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        match self.as_it_is_free(progress, || self.call_create(resource)).await {
            Err(error) if error.is("ResourceAlreadyExistsException") => {
                return take_over(self, resource, progress).await;
            }
            made => made?,
        }
        progress.stands(&resource.attributes);
        let fields = Fields(&resource.properties);
        if let Some(days) = fields.int32("RetentionInDays").filter(|_| !keeps_its_own_time(fields)) {
            self.as_it_is_free(progress, || self.set_retention(&resource.physical_id, Some(days))).await?;
        }
        Ok(as_wanted(resource))
    }

    async fn update(
        &self,
        resource: &Resource,
        _observed: &Observed,
        differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        let (name, fields) = (&resource.physical_id, Fields(&resource.properties));
        let changed = |name: &str| differences.iter().any(|difference| difference.property() == name);
        if changed("RetentionInDays") {
            self.as_it_is_free(progress, || self.set_retention(name, fields.int32("RetentionInDays"))).await?;
        }
        if changed("KmsKeyId") {
            self.as_it_is_free(progress, || self.set_key(name, fields.text("KmsKeyId"))).await?;
        }
        self.set_tags(&tagging_arn(resource), TagChanges::of(resource, differences)).await?;
        Ok(as_wanted(resource))
    }

    async fn delete(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let deleted = self.as_it_is_free(progress, || async {
            let call = self.logs.delete_log_group().log_group_name(&observed.physical_id);
            call.send().await.map_err(failed("logs:DeleteLogGroup"))
        });
        none_if(MISSING, deleted.await).map(drop)
    }

    /// After the functions that write to it (E62).
    fn teardown_rank(&self) -> Option<u8> {
        Some(1)
    }

    async fn find(&self, scope: &Scope, named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let (groups, told) = futures::try_join!(self.all(), self.tagging.arns(scope, "logs:log-group"))?;
        let may_be = |group: &LogGroup, name: &String| {
            !named.contains(name)
                && (told.contains(&arn(name, scope)) || is_new(group.creation_time().map(|millis| millis / 1000)))
        };
        let names = groups.into_iter().filter_map(|mut group| Some((group.log_group_name.take()?, group)));
        let names = names.filter(|(name, group)| may_be(group, name)).map(|(name, _)| name);
        let looks = names.map(|name| self.found(name, scope));
        observed::found(looks, WIDTH).await
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec!["logs:DescribeLogGroups", "logs:ListTagsForResource"],
            write: vec![
                "logs:CreateLogGroup",
                "logs:PutRetentionPolicy",
                "logs:DeleteRetentionPolicy",
                "logs:AssociateKmsKey",
                "logs:DisassociateKmsKey",
                "logs:TagResource",
                "logs:UntagResource",
            ],
            delete: vec!["logs:DeleteLogGroup"],
            decided: vec![
                ("logs:PutRetentionPolicy", Needed::Given("RetentionInDays")),
                ("logs:DeleteRetentionPolicy", Needed::LeftOut("RetentionInDays")),
                ("logs:AssociateKmsKey", Needed::Given("KmsKeyId")),
                ("logs:DisassociateKmsKey", Needed::LeftOut("KmsKeyId")),
            ],
        }
    }

    fn find_permissions(&self, scope: &Scope) -> Vec<Grant> {
        let all = scope.arn("logs", "log-group:*");
        let listing = Grant::anywhere(&["logs:DescribeLogGroups", "tag:GetResources"]);
        vec![listing, Grant::on(all, &["logs:ListTagsForResource"])]
    }

    /// Tagging wants the one, all else the other.
    fn arns(&self, resource: &Resource, _scope: &Scope) -> Vec<String> {
        let bare = tagging_arn(resource);
        vec![format!("{bare}:*"), bare]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e62_a_retention_by_account_policy_is_no_drift() {
        let group = LogGroup::builder().log_group_name("a").retention_in_days(365).retention_policy_name("all").build();
        assert_eq!(properties(&group, &json!({"RetentionInDays": 14}))["RetentionInDays"], 14);
        let group = LogGroup::builder().log_group_name("a").retention_in_days(365).build();
        assert_eq!(properties(&group, &json!({"RetentionInDays": 14}))["RetentionInDays"], 365);
    }

    #[test]
    fn how_long_lines_for_delivery_are_kept_is_no_drift() {
        let group = LogGroup::builder().log_group_class(LogGroupClass::Delivery).retention_in_days(2).build();
        assert_eq!(properties(&group, &json!({})).get("RetentionInDays"), None);
        assert_eq!(properties(&group, &json!({"RetentionInDays": 14}))["RetentionInDays"], 14);
        assert!(keeps_its_own_time(Fields(&json!({"LogGroupClass": "DELIVERY"}))));
    }
}
