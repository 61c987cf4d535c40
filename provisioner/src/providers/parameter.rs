//! `AWS::SSM::Parameter`.
//!
//! | property | a change | left out |
//! |---|---|---|
//! | Name | replaces | stack and logical id |
//! | DataType | replaces: AWS's reference says in place, and PutParameter refuses it | text |
//! | Type | replaces, for the same reason | required: String or StringList, as in CloudFormation; a SecureString is found but never made |
//! | Value | in place | required |
//! | Description, AllowedPattern | in place | empty |
//! | Tier | in place; Intelligent-Tiering is whatever AWS chooses | not compared |
//! | Tags | in place | |

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{ParameterMetadata, ParameterStringFilter, ParameterType, ResourceTypeForTagging, Tag};
use serde_json::Value;

use super::claim::take_over;
use super::errors::{failed, none_if};
use super::fields::{Fields, object};
use super::names::Naming;
use super::observed::{self, as_wanted, listed};
use super::tags::TagChanges;
use super::transient::parameter_busy;
use crate::engine::{
    DeleteOptions, Difference, Grant, Limit, Observed, Permissions, Progress, Property, Provider, ProviderError,
    Resource, Schema, Scope, Shape, retry_until, tag,
};

const TYPE: &str = "AWS::SSM::Parameter";

/// What CloudFormation knows of it, and is refused here.
const UNMADE: [&str; 1] = ["Policies"];
const NAMING: Naming = Naming { kind: "parameter", property: "Name", longest: 1011, marks: "-_./" };
const MISSING: &str = "ParameterNotFound";
const TAKEN: &str = "ParameterAlreadyExists";

/// How many parameters' tags are read side by side.
const WIDTH: usize = 8;

/// Parameters, over Systems Manager.
pub(super) struct ParameterProvider {
    ssm: Client,
    schema: Schema,
}

impl ParameterProvider {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { ssm: Client::new(config), schema: schema() }
    }

    async fn value(&self, name: &str) -> Result<Option<aws_sdk_ssm::types::Parameter>, ProviderError> {
        // Never decrypted: the value of a SecureString is nobody's business here (E56).
        let asked = self.ssm.get_parameter().name(name).send().await;
        let answer = none_if(MISSING, asked.map_err(failed("ssm:GetParameter")))?;
        Ok(answer.and_then(|answer| answer.parameter))
    }

    async fn described(&self, filters: Vec<ParameterStringFilter>) -> Result<Vec<ParameterMetadata>, ProviderError> {
        let pages = self.ssm.describe_parameters().set_parameter_filters(Some(filters)).into_paginator().send();
        let pages: Vec<_> = pages.try_collect().await.map_err(failed("ssm:DescribeParameters"))?;
        Ok(pages.into_iter().flat_map(|page| page.parameters.unwrap_or_default()).collect())
    }

    async fn tags_of(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, ProviderError> {
        let call = self.ssm.list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter);
        let asked = call.resource_id(name).send().await.map_err(failed("ssm:ListTagsForResource"));
        let tags = none_if("InvalidResourceId", asked)?.map(|answer| answer.tag_list.unwrap_or_default());
        Ok(tags.map(|tags| tags.into_iter().map(|tag| (tag.key, tag.value)).collect()))
    }

    /// Tags go with the first put only: with `overwrite` SSM refuses them (E56). Gives the version that this is.
    async fn put(&self, resource: &Resource, overwrite: bool) -> Result<i64, ProviderError> {
        let fields = Fields(&resource.properties);
        let call = self.ssm.put_parameter().name(&resource.physical_id).set_value(fields.text("Value"));
        let call = call.set_type(fields.text("Type").map(|kind| ParameterType::from(kind.as_str())));
        // Left out of an overwriting call, what left the template would stay.
        let or = |name: &str, default: &str| fields.text(name).or_else(|| overwrite.then(|| default.to_owned()));
        let call = call.set_description(or("Description", "")).set_allowed_pattern(or("AllowedPattern", ""));
        let call = call.set_tier(fields.text("Tier").map(|tier| tier.as_str().into()));
        let call = call.set_data_type(fields.text("DataType"));
        let call = call.set_overwrite(overwrite.then_some(true));
        let call = call.set_tags((!overwrite).then(|| ssm_tags(&resource.tags)));
        Ok(call.send().await.map_err(failed("ssm:PutParameter"))?.version)
    }

    async fn change(&self, resource: &Resource, differences: &[Difference]) -> Result<(), ProviderError> {
        let mut tags = TagChanges::of(resource, differences);
        // What somebody deleted meanwhile an overwriting put makes anew, without the tags that make it ours.
        if differences.iter().any(|difference| difference.property() != "Tags") && self.put(resource, true).await? == 1
        {
            tags = TagChanges { set: resource.tags.clone(), removed: vec![] };
        }
        self.set_tags(&resource.physical_id, tags).await
    }

    /// Whether it was made, and not there already. The error of a taken name that no read finds may pass.
    async fn put_first(&self, resource: &Resource) -> Result<bool, ProviderError> {
        match self.put(resource, false).await {
            Err(error) if error.is(TAKEN) => match self.value(&resource.physical_id).await? {
                Some(_) => Ok(false),
                None => Err(error),
            },
            made => made.map(|_| true),
        }
    }

    async fn set_tags(&self, name: &str, changes: TagChanges) -> Result<(), ProviderError> {
        let kind = ResourceTypeForTagging::Parameter;
        if !changes.removed.is_empty() {
            let call = self.ssm.remove_tags_from_resource().resource_type(kind.clone()).resource_id(name);
            let call = call.set_tag_keys(Some(changes.removed));
            call.send().await.map_err(failed("ssm:RemoveTagsFromResource"))?;
        }
        if !changes.set.is_empty() {
            let call = self.ssm.add_tags_to_resource().resource_type(kind).resource_id(name);
            let call = call.set_tags(Some(ssm_tags(&changes.set)));
            call.send().await.map_err(failed("ssm:AddTagsToResource"))?;
        }
        Ok(())
    }

    async fn found(&self, name: String, scope: &Scope) -> Result<Option<Observed>, ProviderError> {
        let tags = self.tags_of(&name).await?.filter(|tags| scope.owns(tags));
        Ok(tags.map(|tags| {
            let attributes = [("Ref".to_owned(), name.as_str().into())].into();
            listed(TYPE, name, tags, attributes)
        }))
    }
}

fn schema() -> Schema {
    let properties = vec![
        Property::new("Name", Shape::Text).replaces(),
        Property::new("Type", Shape::Text).required().replaces(),
        Property::new("Value", Shape::Text).required().by_name(),
        Property::new("DataType", Shape::Text).replaces().default("text"),
        Property::new("Description", Shape::Text).default(""),
        Property::new("AllowedPattern", Shape::Text).default(""),
        // The account says what it is where the template does not.
        Property::new("Tier", Shape::Text),
        Property::new("Tags", Shape::Tags),
    ];
    Schema::new(TYPE, properties, &["Type", "Value"]).without(&UNMADE)
}

fn tier_of(described: Option<&ParameterMetadata>) -> Option<String> {
    described?.tier().map(|tier| tier.as_str().to_owned())
}

/// A deleted parameter's name is taken for some seconds more (E56).
fn name_not_free(error: &ProviderError) -> Option<&'static str> {
    let taken = error.is(TAKEN).then_some("SSM has not freed the name of the earlier parameter yet");
    taken.or_else(|| parameter_busy(error))
}

fn ssm_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    // The builder refuses only a missing key or value.
    tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect()
}

fn filter(key: &str, values: &[&str]) -> Option<ParameterStringFilter> {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    ParameterStringFilter::builder().key(key).option("Equals").set_values(Some(values)).build().ok()
}

#[async_trait]
impl Provider for ParameterProvider {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn physical_id(&self, logical_id: &str, properties: &Value, scope: &Scope) -> Result<String, ProviderError> {
        NAMING.name(logical_id, &[], properties, scope)
    }

    fn attributes(&self, physical_id: &str, properties: &Value, _scope: &Scope) -> BTreeMap<String, Value> {
        let given = ["Type", "Value"].map(|name| Some((name.to_owned(), Fields(properties).get(name)?.clone())));
        let name = ("Ref".to_owned(), physical_id.into());
        given.into_iter().flatten().chain([name]).collect()
    }

    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let name = &resource.physical_id;
        let filters = filter("Name", &[name]).into_iter().collect();
        let (found, described, tags) =
            futures::try_join!(self.value(name), self.described(filters), self.tags_of(name))?;
        let described = described.into_iter().find(|metadata| metadata.name() == Some(name));
        let wanted = Fields(&resource.properties).text("Tier").filter(|tier| tier == "Intelligent-Tiering");
        Ok(found.map(|found| {
            let text = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(Value::from);
            let properties = object([
                ("Name", Some(name.as_str().into())),
                ("Type", found.r#type().map(|kind| kind.as_str().into())),
                ("Value", found.value().map(Value::from)),
                ("DataType", text(found.data_type())),
                ("Description", text(described.as_ref().and_then(|metadata| metadata.description()))),
                ("AllowedPattern", text(described.as_ref().and_then(|metadata| metadata.allowed_pattern()))),
                // AWS tells the tier that it chose.
                ("Tier", wanted.or_else(|| tier_of(described.as_ref())).map(Value::from)),
            ]);
            Observed { properties, tags: tags.unwrap_or_default(), ..as_wanted(resource) }
        }))
    }

    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        let limit = Limit::seconds(60);
        let put = || self.put_first(resource);
        match retry_until("SSM to free the parameter's name", limit, progress, name_not_free, put).await? {
            true => Ok(as_wanted(resource)),
            false => take_over(self, resource, progress).await,
        }
    }

    async fn update(
        &self,
        resource: &Resource,
        _observed: &Observed,
        differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        let change = || self.change(resource, differences);
        retry_until("SSM to take the change", Limit::seconds(60), progress, parameter_busy, change).await?;
        Ok(as_wanted(resource))
    }

    async fn delete(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        _progress: &Progress,
    ) -> Result<(), ProviderError> {
        let call = self.ssm.delete_parameter().name(&observed.physical_id);
        none_if(MISSING, call.send().await.map_err(failed("ssm:DeleteParameter"))).map(drop)
    }

    async fn find(&self, scope: &Scope, named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let ours = filter(&format!("tag:{}", tag::STACK), &[&scope.stack]);
        let names = self.described(ours.into_iter().collect()).await?.into_iter().filter_map(|found| found.name);
        let names = names.filter(|name| !named.contains(name));
        let looks = names.map(|name| self.found(name, scope));
        observed::found(looks, WIDTH).await
    }

    fn stores(&self, resource: &Resource) -> Option<(String, String)> {
        Some((resource.physical_id.clone(), Fields(&resource.properties).text("Value")?))
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec!["ssm:GetParameter", "ssm:DescribeParameters", "ssm:ListTagsForResource"],
            write: vec!["ssm:PutParameter", "ssm:AddTagsToResource", "ssm:RemoveTagsFromResource"],
            delete: vec!["ssm:DeleteParameter"],
            ..Permissions::default()
        }
    }

    fn find_permissions(&self, scope: &Scope) -> Vec<Grant> {
        let all = scope.arn("ssm", "parameter/*");
        vec![Grant::anywhere(&["ssm:DescribeParameters"]), Grant::on(all, &["ssm:ListTagsForResource"])]
    }

    fn arns(&self, resource: &Resource, scope: &Scope) -> Vec<String> {
        vec![scope.arn("ssm", &format!("parameter/{}", resource.physical_id.trim_start_matches('/')))]
    }
}
