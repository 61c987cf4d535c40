//! What an update of a function sends, one call after another.

use aws_sdk_lambda::types::{Architecture, LastUpdateStatus};
use serde_json::json;

use super::errors::failed;
use super::execution_role::role_tag;
use super::fields::Fields;
use super::function::FunctionProvider;
use super::function_settings::{CONFIGURED, Settings};
use super::function_state::SETTLES;
use super::lambda_tags::set_tags;
use super::tags::TagChanges;
use super::transient::function_busy;
use crate::engine::{Difference, Limit, Observed, Progress, ProviderError, Resource, retry_until};

/// The name and the id of the role that the function was made with: a role re-made under its name is another one (E11).
pub(super) const ROLE_ID_TAG: &str = "provision:role-id";

impl FunctionProvider {
    async fn update_settings(
        &self,
        resource: &Resource,
        changed: impl Fn(&str) -> bool + Sync,
        revision: Option<String>,
        progress: &Progress,
    ) -> Result<Option<String>, ProviderError> {
        if !CONFIGURED.iter().any(|name| changed(name)) {
            return Ok(revision);
        }
        let send = || self.send_settings(resource, &changed, revision.clone(), progress);
        self.as_role_settles(resource, progress, send).await?;
        // The next update is refused until this one has ended (E16).
        self.settled(&resource.physical_id, progress).await.map(Some)
    }

    async fn send_settings(
        &self,
        resource: &Resource,
        changed: &(dyn Fn(&str) -> bool + Sync),
        revision: Option<String>,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let name = &resource.physical_id;
        retry_until("the function's earlier update to end", SETTLES, progress, function_busy, || {
            let call = self.lambda.update_function_configuration().function_name(name);
            let settings = Settings::of_change(&resource.properties, name, changed);
            let call = settings.on_update(call).set_revision_id(revision.clone());
            async { call.send().await.map_err(failed("lambda:UpdateFunctionConfiguration")) }
        })
        .await
        .map(drop)
    }

    async fn update_code(
        &self,
        resource: &Resource,
        revision: Option<String>,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let (name, code) = (&resource.physical_id, self.codes.of(resource)?);
        let architectures = architectures(Fields(&resource.properties)).unwrap_or_else(|| vec![Architecture::X8664]);
        let answer = retry_until("the function's earlier update to end", SETTLES, progress, function_busy, || {
            let sent = code.clone().into_function_code();
            let call = self.lambda.update_function_code().function_name(name).set_revision_id(revision.clone());
            let call = call.set_zip_file(sent.zip_file).set_image_uri(sent.image_uri);
            let call = call.set_s3_bucket(sent.s3_bucket).set_s3_key(sent.s3_key);
            let call = call.set_s3_object_version(sent.s3_object_version);
            let call = call.set_architectures(Some(architectures.clone()));
            async { call.send().await.map_err(failed("lambda:UpdateFunctionCode")) }
        })
        .await?;
        // The answer itself tells of an update that has ended.
        match answer.last_update_status() {
            Some(LastUpdateStatus::Successful) => Ok(()),
            _ => self.settled(name, progress).await.map(drop),
        }
    }

    /// One update after another, as Lambda takes no second one before the first has ended (E16).
    pub(super) async fn change(
        &self,
        resource: &Resource,
        observed: &Observed,
        differences: &[Difference],
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let changed = |name: &str| differences.iter().any(|difference| difference.property() == name);
        // First: cut off after it, it is of another role than the function's, and proves nothing.
        if changed("Role") {
            self.tag_role_id(resource, progress).await?;
        }
        let revision = Fields(&observed.handle).text("RevisionId");
        let revision = self.update_settings(resource, changed, revision, progress).await?;
        if changed("Code") || changed("Architectures") {
            self.update_code(resource, revision, progress).await?;
        }
        if changed("ReservedConcurrentExecutions") {
            let reserved = Fields(&resource.properties).int32("ReservedConcurrentExecutions");
            self.set_concurrency(&resource.physical_id, reserved, progress).await?;
        }
        let mut tags = TagChanges::of(resource, differences);
        let role_id = Fields(&observed.handle).text("RoleId").filter(|_| changed("Tags"));
        tags.set.extend(role_id.map(|id| (ROLE_ID_TAG.to_owned(), role_tag(&role_of(resource), &id))));
        self.set_tags(resource, tags, progress).await
    }

    /// A statement that is added to the function's policy meanwhile conflicts with it (E14).
    pub(super) async fn set_concurrency(
        &self,
        name: &str,
        reserved: Option<i32>,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let set = || self.call_concurrency(name, reserved);
        retry_until("the function to take its concurrency", Limit::seconds(60), progress, function_busy, set).await
    }

    async fn call_concurrency(&self, name: &str, reserved: Option<i32>) -> Result<(), ProviderError> {
        match reserved {
            Some(reserved) => {
                let call = self.lambda.put_function_concurrency().function_name(name);
                let call = call.reserved_concurrent_executions(reserved);
                call.send().await.map_err(failed("lambda:PutFunctionConcurrency"))?;
            }
            None => {
                let call = self.lambda.delete_function_concurrency().function_name(name);
                call.send().await.map_err(failed("lambda:DeleteFunctionConcurrency"))?;
            }
        }
        Ok(())
    }

    /// Not one of the tags that make it ours, so it may follow the create call.
    pub(super) async fn tag_role_id(&self, resource: &Resource, progress: &Progress) -> Result<(), ProviderError> {
        let Some(id) = self.roles.id(&role_of(resource)).await? else { return Ok(()) };
        let set = [(ROLE_ID_TAG.to_owned(), role_tag(&role_of(resource), &id))].into();
        self.set_tags(resource, TagChanges { set, removed: vec![] }, progress).await
    }

    /// Another update of the function, somebody else's, may be under way (E14).
    async fn set_tags(
        &self,
        resource: &Resource,
        changes: TagChanges,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let arn = arn_of(resource);
        let set = || set_tags(&self.lambda, &arn, changes.clone());
        retry_until("Lambda to take the function's tags", Limit::seconds(60), progress, function_busy, set).await
    }
}

pub(super) fn architectures(fields: Fields<'_>) -> Option<Vec<Architecture>> {
    let names = fields.texts("Architectures")?;
    Some(names.iter().map(|name| Architecture::from(name.as_str())).collect())
}

pub(super) fn role_of(resource: &Resource) -> String {
    Fields(&resource.properties).text("Role").unwrap_or_default()
}

fn arn_of(resource: &Resource) -> String {
    Fields(&json!(resource.attributes)).text("Arn").unwrap_or_default()
}
