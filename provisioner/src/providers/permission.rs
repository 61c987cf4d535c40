//! `AWS::Lambda::Permission`: a statement of a function's own policy; takes no tags, and belongs to its function.
//!
//! Lambda changes no statement in place, so every change replaces it. Its statement id follows from the stack and the logical id, and ends
//! with a digest of both and the region: by it a statement is known as this stack's, and no other's whose name begins alike.
//!
//! | property | a change | left out |
//! |---|---|---|
//! | FunctionName, Action, Principal | replaces | required |
//! | SourceArn, SourceAccount, EventSourceToken, FunctionUrlAuthType, PrincipalOrgID | replaces | not there |
//! | InvokedViaFunctionUrl | replaces | false |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use serde_json::{Value, json};

use super::clients::lambda_client;
use super::errors::{failed, none_if};
use super::fields::{Fields, object};
use super::observed::{as_wanted, listed};
use super::policy_document::parsed;
use super::transient::{function_busy, principal_settling};
use crate::digest::hex;
use crate::engine::{
    DeleteOptions, Difference, Limit, Observed, Permissions, Progress, Property, Provider, ProviderError, Resource,
    Schema, Scope, Shape, diff, retry_until, tag,
};

const TYPE: &str = "AWS::Lambda::Permission";

/// Lambda takes no longer id of a statement.
const LONGEST: usize = 100;

/// How many digits a seal has.
const SEAL: usize = 8;

const MISSING: &str = "ResourceNotFoundException";

/// How long a new principal, or another writer of the function, is waited for.
const SETTLES: Limit = Limit::seconds(60);

/// Statements of functions' policies, over Lambda.
pub(super) struct PermissionProvider {
    lambda: Client,
    schema: Schema,
    /// One writer a function's policy: of two statements that are added at once Lambda may lose one.
    writers: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl PermissionProvider {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let text = |name: &str| Property::new(name, Shape::Text).replaces();
        let properties = vec![
            text("FunctionName").required(),
            text("Action").required(),
            text("Principal").required(),
            text("SourceArn").removed_when_absent(),
            text("SourceAccount").removed_when_absent(),
            text("EventSourceToken").removed_when_absent(),
            text("FunctionUrlAuthType").removed_when_absent(),
            text("PrincipalOrgID").removed_when_absent(),
            Property::new("InvokedViaFunctionUrl", Shape::Boolean).replaces().default(false),
        ];
        let schema = Schema::new(TYPE, properties, &["Id"]).belongs_to("AWS::Lambda::Function", "FunctionName");
        Self { lambda: lambda_client(config), schema, writers: Mutex::default() }
    }

    async fn add(&self, resource: &Resource, progress: &Progress) -> Result<(), ProviderError> {
        let settling = |error: &ProviderError| principal_settling(error).or_else(|| function_busy(error));
        retry_until("Lambda to take the statement", SETTLES, progress, settling, || self.call_add(resource)).await
    }

    async fn call_remove(&self, physical_id: &str) -> Result<(), ProviderError> {
        let function = function_of(physical_id);
        let call = self.lambda.remove_permission().function_name(function).statement_id(statement_id(physical_id));
        let writer = self.writer_of(function);
        let _alone = writer.lock().await;
        call.send().await.map_err(failed("lambda:RemovePermission")).map(drop)
    }

    async fn call_add(&self, resource: &Resource) -> Result<(), ProviderError> {
        let fields = Fields(&resource.properties);
        let call = self.lambda.add_permission().statement_id(statement_id(&resource.physical_id));
        let call = call.set_function_name(fields.text("FunctionName")).set_action(fields.text("Action"));
        let call = call.set_principal(fields.text("Principal")).set_source_arn(fields.text("SourceArn"));
        let call = call.set_source_account(fields.text("SourceAccount"));
        let call = call.set_event_source_token(fields.text("EventSourceToken"));
        let call = call.set_principal_org_id(fields.text("PrincipalOrgID"));
        let call = call.set_invoked_via_function_url(fields.boolean("InvokedViaFunctionUrl").filter(|only| *only));
        let kind = fields.text("FunctionUrlAuthType");
        let call = call.set_function_url_auth_type(kind.map(|kind| kind.as_str().into()));
        let writer = self.writer_of(function_of(&resource.physical_id));
        let _alone = writer.lock().await;
        call.send().await.map_err(failed("lambda:AddPermission")).map(drop)
    }

    /// The statement id is ours, so what stands there is an earlier run's, or that of one beside this (E14).
    async fn make_anew(&self, resource: &Resource, progress: &Progress) -> Result<(), ProviderError> {
        if let Some(there) = self.read(resource).await? {
            if diff(resource, &there, &self.schema).is_empty() {
                return Ok(());
            }
            self.delete(&there, DeleteOptions::default(), progress).await?;
        }
        self.add(resource, progress).await
    }

    fn writer_of(&self, function: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(writers.entry(function.to_owned()).or_default())
    }
}

/// A function's policy, or `None` where it or the function is missing.
async fn policy(lambda: &Client, function: &str) -> Result<Option<Value>, ProviderError> {
    let asked = lambda.get_policy().function_name(function).send().await;
    let answer = none_if(MISSING, asked.map_err(failed("lambda:GetPolicy")))?;
    Ok(answer.and_then(|answer| answer.policy).as_deref().map(parsed))
}

/// What a function's handle calls the ids of the statements in its policy.
pub(super) const STATEMENTS: &str = "Statements";

/// The ids of the statements in a function's policy.
pub(super) async fn statement_ids(lambda: &Client, function: &str) -> Result<Vec<String>, ProviderError> {
    let policy = policy(lambda, function).await?.unwrap_or_default();
    let statements = policy.get("Statement").and_then(Value::as_array).into_iter().flatten();
    Ok(statements.filter_map(|statement| statement.get("Sid")?.as_str().map(str::to_owned)).collect())
}

/// The name, cut where it is too long, and after it what no other stack's statement ends with.
fn sealed(logical_id: &str, scope: &Scope) -> String {
    let name = scope.name(&[logical_id], LONGEST - SEAL - 1);
    format!("{name}-{}", seal(&name, &scope.stack, &scope.region))
}

fn seal(name: &str, stack: &str, region: &str) -> String {
    let own = name.strip_prefix(stack).and_then(|rest| rest.strip_prefix('-')).unwrap_or(name);
    hex(format!("{stack} {region} {own}"), SEAL / 2)
}

/// Whether a statement id is one that this stack makes.
fn is_sealed(id: &str, stack: &str, region: &str) -> bool {
    id.rsplit_once('-').is_some_and(|(name, end)| end == seal(name, stack, region))
}

/// `function/statement` is the physical id.
fn statement_id(physical_id: &str) -> &str {
    physical_id.rsplit('/').next().unwrap_or(physical_id)
}

fn function_of(physical_id: &str) -> &str {
    physical_id.rsplit_once('/').map_or(physical_id, |(function, _)| function)
}

fn attributes(physical_id: &str) -> BTreeMap<String, Value> {
    ["Ref", "Id"].map(|name| (name.to_owned(), statement_id(physical_id).into())).into()
}

/// A statement that left the template.
fn found(physical_id: &str) -> Observed {
    listed(TYPE, physical_id.to_owned(), BTreeMap::new(), attributes(physical_id))
}

/// A statement in CloudFormation's shape; the function stands as the template writes it.
fn properties(statement: &Value, wanted: &Value) -> Value {
    let condition = |operator: &str, key: &str| {
        let found = statement.get("Condition")?.get(operator)?.as_object()?;
        found.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.clone())
    };
    let principal = match statement.get("Principal") {
        Some(Value::Object(kinds)) => kinds.values().next().cloned(),
        other => other.cloned(),
    };
    object([
        ("FunctionName", Fields(wanted).get("FunctionName").cloned()),
        ("Action", statement.get("Action").cloned()),
        ("Principal", principal.map(|principal| account_of(&principal, wanted))),
        ("SourceArn", condition("ArnLike", "AWS:SourceArn")),
        ("SourceAccount", condition("StringEquals", "AWS:SourceAccount")),
        ("EventSourceToken", condition("StringEquals", "lambda:EventSourceToken")),
        ("FunctionUrlAuthType", condition("StringEquals", "lambda:FunctionUrlAuthType")),
        ("PrincipalOrgID", condition("StringEquals", "aws:PrincipalOrgID")),
        ("InvokedViaFunctionUrl", condition("Bool", "lambda:InvokedViaFunctionUrl")),
    ])
}

/// An account that is written as its number comes back as the ARN of its root.
fn account_of(principal: &Value, wanted: &Value) -> Value {
    let given = Fields(wanted).text("Principal").unwrap_or_default();
    let root = format!("::{given}:root");
    match principal.as_str() {
        Some(arn) if !given.is_empty() && arn.ends_with(&root[1..]) => given.into(),
        _ => principal.clone(),
    }
}

#[async_trait]
impl Provider for PermissionProvider {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn physical_id(&self, logical_id: &str, properties: &Value, scope: &Scope) -> Result<String, ProviderError> {
        let function = Fields(properties).text("FunctionName").unwrap_or_else(|| logical_id.to_owned());
        let name = function.rsplit(":function:").next().unwrap_or(&function);
        Ok(format!("{name}/{}", sealed(logical_id, scope)))
    }

    fn attributes(&self, physical_id: &str, _properties: &Value, _scope: &Scope) -> BTreeMap<String, Value> {
        attributes(physical_id)
    }

    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let policy = policy(&self.lambda, function_of(&resource.physical_id)).await?.unwrap_or_default();
        let statements = policy.get("Statement").and_then(Value::as_array);
        let wanted = statement_id(&resource.physical_id);
        let statement = statements.into_iter().flatten().find(|statement| statement["Sid"] == json!(wanted));
        Ok(statement.map(|statement| Observed {
            properties: properties(statement, &resource.properties),
            tags: BTreeMap::new(),
            ..as_wanted(resource)
        }))
    }

    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        let taken =
            |error: &ProviderError| error.is("ResourceConflictException").then_some("its statement id is taken");
        match self.add(resource, progress).await {
            Err(error) if taken(&error).is_some() => {
                let make = || self.make_anew(resource, progress);
                retry_until("nobody else to make the statement", SETTLES, progress, taken, make).await?;
            }
            added => added?,
        }
        Ok(Observed { tags: BTreeMap::new(), ..as_wanted(resource) })
    }

    async fn update(
        &self,
        resource: &Resource,
        observed: &Observed,
        _differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        self.delete(observed, DeleteOptions::default(), progress).await?;
        self.create(resource, progress).await
    }

    async fn delete(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let remove = || self.call_remove(&observed.physical_id);
        let removed = retry_until("Lambda to take the statement away", SETTLES, progress, function_busy, remove).await;
        none_if(MISSING, removed).map(drop)
    }

    /// Statements that were made under the stack's name, as the functions' own reads tell them.
    async fn find_on(&self, parents: &[&Observed], named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let mut all = Vec::new();
        for function in parents {
            let owner = |key: &str| function.tags.get(key).map(String::as_str).unwrap_or_default();
            for id in Fields(&function.handle).texts(STATEMENTS).unwrap_or_default() {
                let physical_id = format!("{}/{id}", function.physical_id);
                if is_sealed(&id, owner(tag::STACK), owner(tag::REGION)) && !named.contains(&physical_id) {
                    all.push(found(&physical_id));
                }
            }
        }
        Ok(all)
    }

    async fn find_kept(&self, physical_id: &str, _named: &BTreeSet<String>) -> Result<Option<Observed>, ProviderError> {
        let ids = statement_ids(&self.lambda, function_of(physical_id)).await?;
        let is_there = ids.iter().any(|id| id == statement_id(physical_id));
        Ok(is_there.then(|| found(physical_id)))
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec!["lambda:GetPolicy"],
            write: vec!["lambda:AddPermission", "lambda:RemovePermission"],
            delete: vec!["lambda:RemovePermission"],
            ..Permissions::default()
        }
    }

    fn arns(&self, resource: &Resource, scope: &Scope) -> Vec<String> {
        vec![scope.arn("lambda", &format!("function:{}", function_of(&resource.physical_id)))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_of_a_stack_whose_name_begins_alike_is_not_ours() {
        let of = |stack: &str, region: &str, logical_id: &str| {
            let (stack, region) = (stack.to_owned(), region.to_owned());
            sealed(logical_id, &Scope { stack, region, account: String::new(), partition: String::new() })
        };
        let id = |stack: &str, region: &str| of(stack, region, "Allow");
        assert!(is_sealed(&id("films", "eu-west-1"), "films", "eu-west-1"));
        for other in [&*id("films-dev", "eu-west-1"), &id("films", "us-east-1"), "films-allow-s3", "films-Allow"] {
            assert!(!is_sealed(other, "films", "eu-west-1"), "{other}");
        }
        // One that is cut has its seal whole.
        let [one, other] = ["a", "b"].map(|end| of("films", "eu-west-1", &format!("{}{end}", "Allow".repeat(30))));
        assert!(one.len() == LONGEST && one != other && is_sealed(&one, "films", "eu-west-1"), "{one}");
        let long = "f".repeat(99);
        assert!(is_sealed(&of(&long, "eu-west-1", "Allow"), &long, "eu-west-1"));
    }

    #[test]
    fn a_statement_for_calls_by_the_functions_url_comes_back_as_it_was_written() {
        let seen = properties(
            &json!({"Principal": "*", "Action": "lambda:InvokeFunction",
                "Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}}),
            &json!({"FunctionName": "f"}),
        );
        assert_eq!((&seen["InvokedViaFunctionUrl"], &seen["Principal"]), (&json!("true"), &json!("*")));
    }

    #[test]
    fn an_account_comes_back_as_it_was_written() {
        let statement =
            json!({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "lambda:InvokeFunction"});
        let seen = properties(&statement, &json!({"Principal": "123456789012", "FunctionName": "f"}));
        assert_eq!(seen["Principal"], "123456789012");
    }
}
