//! `AWS::Lambda::Function`.
//!
//! | property | a change | left out |
//! |---|---|---|
//! | FunctionName | replaces | stack and logical id |
//! | PackageType | replaces | Zip |
//! | Code | in place | required: a path, ZipFile, S3Bucket with S3Key (and S3ObjectVersion), or ImageUri |
//! | Architectures | in place, with the code (E21) | x86_64 |
//! | Role | in place; a role re-made under its name re-makes the function (E11) | required |
//! | Runtime, Handler, ImageConfig | in place | removed |
//! | Description | in place | empty |
//! | MemorySize, Timeout | in place | 128, 3 |
//! | EphemeralStorage, TracingConfig, SnapStart | in place | 512, PassThrough, None |
//! | Environment, Layers, DeadLetterConfig, VpcConfig, FileSystemConfigs | in place | removed |
//! | KmsKeyArn | in place, with the variables; not compared without any | removed |
//! | LoggingConfig | in place | text into the log group of its name |
//! | ReservedConcurrentExecutions | in place | removed |
//! | Tags | in place | |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::FunctionConfiguration;
use serde_json::{Value, json};

use super::artifacts::Artifacts;
use super::claim::take_over;
use super::clients::{lambda_client, s3_client};
use super::errors::{failed, none_if};
use super::execution_role::{ExecutionRoles, id_of_role, role_tag};
use super::fields::Fields;
use super::function_changes::{ROLE_ID_TAG, architectures, role_of};
use super::function_code::{Code, Codes};
use super::function_settings::{Settings, forgets_the_key, logging_besides_defaults, properties};
use super::function_state::{self, SETTLES, changed_at, state};
use super::lambda_tags::tags_of;
use super::names::Naming;
use super::observed::{self, as_wanted, listed};
use super::permission::{STATEMENTS, statement_ids};
use super::tagged::{Tagged, is_new};
use super::transient::{function_busy, role_settling};
use crate::engine::{
    DeleteOptions, Difference, Grant, Limit, Needed, Observed, Permissions, Poll, Progress, Property, Provider,
    ProviderError, Resource, Schema, Scope, Shape, State, poll_until, retry_until,
};

const TYPE: &str = "AWS::Lambda::Function";

/// What CloudFormation knows of it, and is refused here.
const UNMADE: [&str; 11] = [
    "CapacityProviderConfig",
    "CodeSigningConfigArn",
    "DurableConfig",
    "FunctionScalingConfig",
    "PublishToLatestPublished",
    "RecursiveLoop",
    "RuntimeManagementConfig",
    "S3FilesConfig",
    "S3ObjectStorageMode",
    "SourceKMSKeyArn",
    "TenancyConfig",
];
const NAMING: Naming = Naming { kind: "function", property: "FunctionName", longest: 64, marks: "-_" };
const MISSING: &str = "ResourceNotFoundException";

/// The names that `Code` may have where it is no path.
const CODE: [&str; 5] = ["ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri"];

/// How many functions' tags are read side by side; Lambda allows 15 such calls a second (E28).
const WIDTH: usize = 8;

/// Functions, over Lambda.
pub(super) struct FunctionProvider {
    pub(super) lambda: Client,
    pub(super) roles: Arc<ExecutionRoles>,
    pub(super) codes: Codes,
    tagging: Tagged,
    schema: Schema,
}

impl FunctionProvider {
    pub(super) fn new(config: &SdkConfig, artifacts: Arc<dyn Artifacts>, roles: Arc<ExecutionRoles>) -> Self {
        Self {
            lambda: lambda_client(config),
            roles,
            codes: Codes::new(artifacts, s3_client(config)),
            tagging: Tagged::new(config),
            schema: schema(),
        }
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<GetFunctionOutput>, ProviderError> {
        let asked = self.lambda.get_function().function_name(name).send().await;
        none_if(MISSING, asked.map_err(failed("lambda:GetFunction")))
    }

    async fn call_create(&self, resource: &Resource, code: Code) -> Result<(), ProviderError> {
        let fields = Fields(&resource.properties);
        let settings = Settings::of(&resource.properties, |name| fields.has(name));
        let call = self.lambda.create_function().function_name(&resource.physical_id);
        let call = call.code(code.into_function_code()).set_architectures(architectures(fields));
        let call = call.set_package_type(fields.text("PackageType").map(|kind| kind.as_str().into()));
        let role = role_of(resource);
        let role_id = self.roles.remembered(&role).map(|id| (ROLE_ID_TAG.to_owned(), role_tag(&role, &id)));
        let call = call.set_tags(Some(resource.tags.clone().into_iter().chain(role_id).collect()));
        settings.on_create(call).send().await.map_err(failed("lambda:CreateFunction"))?;
        Ok(())
    }

    async fn all(&self) -> Result<Vec<FunctionConfiguration>, ProviderError> {
        let pages = self.lambda.list_functions().into_paginator().items().send();
        pages.try_collect().await.map_err(failed("lambda:ListFunctions"))
    }

    async fn found(&self, function: FunctionConfiguration, scope: &Scope) -> Result<Option<Observed>, ProviderError> {
        let (Some(name), Some(arn)) = (function.function_name.clone(), function.function_arn.clone()) else {
            return Ok(None);
        };
        let tags = tags_of(&self.lambda, &arn).await?.filter(|tags| scope.owns(tags));
        Ok(tags.map(|tags| {
            let attributes = self.attributes(&name, &Value::Null, scope);
            Observed { state: state(&function), ..listed(TYPE, name, tags, attributes) }
        }))
    }

    async fn create_as_role_settles(&self, resource: &Resource, progress: &Progress) -> Result<(), ProviderError> {
        let code = self.codes.of(resource)?;
        self.as_role_settles(resource, progress, || self.call_create(resource, code.clone())).await
    }

    /// A role that cannot be assumed is waited for only if its trust policy lets it be (E7); its policies may not be in force yet (E8).
    pub(super) async fn as_role_settles<F, Fut>(
        &self,
        resource: &Resource,
        progress: &Progress,
        mut attempt: F,
    ) -> Result<(), ProviderError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<(), ProviderError>>,
    {
        let Err(error) = attempt().await else { return Ok(()) };
        let Some(reason) = role_settling(&error) else { return Err(error) };
        progress.waiting(reason);
        self.roles.check_trust(&role_of(resource)).await?;
        let limit = Limit::seconds(120);
        retry_until("Lambda to know the role and what it may do", limit, progress, role_settling, attempt).await
    }
}

fn schema() -> Schema {
    let objects = |names: &[(&str, Shape)]| {
        Shape::Object(names.iter().map(|(name, shape)| Property::new(name, shape.clone())).collect())
    };
    let storage = Shape::Object(vec![Property::new("Size", Shape::Integer).required()]);
    let texts = Shape::list(Shape::Text);
    let parts = |names: &[(&str, Shape)]| {
        let part = |(name, shape): &(&str, Shape)| Property::new(name, shape.clone()).removed_when_absent();
        Shape::Object(names.iter().map(part).collect())
    };
    let image = parts(&[("Command", texts.clone()), ("EntryPoint", texts.clone()), ("WorkingDirectory", Shape::Text)]);
    let vpc = Shape::Object(vec![
        Property::new("SubnetIds", Shape::set(Shape::Text)),
        Property::new("SecurityGroupIds", Shape::set(Shape::Text)),
        Property::new("Ipv6AllowedForDualStack", Shape::Boolean).default(false),
    ]);
    let logging = ["LogFormat", "LogGroup", "ApplicationLogLevel", "SystemLogLevel"].map(|name| (name, Shape::Text));
    let code = objects(&CODE.map(|name| (name, Shape::Text)));
    let mount = ["Arn", "LocalMountPath"].map(|name| Property::new(name, Shape::Text).required());
    let mount = Shape::Object(mount.into());
    let properties = vec![
        Property::new("FunctionName", Shape::Text).replaces(),
        Property::new("PackageType", Shape::Text).replaces().default("Zip"),
        Property::new("Code", Shape::TextOr(Box::new(code))).required(),
        Property::new("Architectures", Shape::list(Shape::Text)).default(json!(["x86_64"])),
        Property::new("Role", Shape::Text).required(),
        Property::new("Runtime", Shape::Text).removed_when_absent(),
        Property::new("Handler", Shape::Text).removed_when_absent(),
        Property::new("ImageConfig", image).removed_when_absent(),
        Property::new("Description", Shape::Text).default(""),
        Property::new("MemorySize", Shape::Integer).default(128),
        Property::new("Timeout", Shape::Integer).default(3),
        Property::new("EphemeralStorage", storage).default(json!({"Size": 512})),
        Property::new("TracingConfig", objects(&[("Mode", Shape::Text)])).default(json!({"Mode": "PassThrough"})),
        Property::new("SnapStart", objects(&[("ApplyOn", Shape::Text)])).default(json!({"ApplyOn": "None"})),
        Property::new("Environment", objects(&[("Variables", Shape::map(Shape::Text))]))
            .removed_when_absent()
            .by_name(),
        Property::new("Layers", texts).removed_when_absent(),
        Property::new("DeadLetterConfig", objects(&[("TargetArn", Shape::Text)])).removed_when_absent(),
        Property::new("VpcConfig", vpc).removed_when_absent(),
        Property::new("KmsKeyArn", Shape::Text).removed_when_absent(),
        Property::new("FileSystemConfigs", Shape::list(mount)).removed_when_absent(),
        Property::new("LoggingConfig", parts(&logging)).removed_when_absent(),
        Property::new("ReservedConcurrentExecutions", Shape::Integer).removed_when_absent(),
        Property::new("Tags", Shape::Tags),
    ];
    Schema::new(TYPE, properties, &["Arn"]).without(&UNMADE)
}

fn is_being_deleted(answer: &GetFunctionOutput) -> bool {
    let state = answer.configuration().and_then(|configuration| configuration.state());
    state.is_some_and(|state| state.as_str() == "Deleting")
}

/// What may not be read is not "not there" (E6): tags, or variables under a key that the caller may not use.
fn check_whole(answer: &GetFunctionOutput) -> Result<(), ProviderError> {
    let denied = |operation: &str, message: &str| {
        Err(ProviderError::Denied { operation: operation.into(), message: message.to_owned() })
    };
    let environment = answer.configuration().and_then(|found| found.environment()?.error());
    match (answer.tags_error(), environment) {
        (Some(error), _) => denied("lambda:ListTags", error.message()),
        (None, Some(error)) => denied("kms:Decrypt", error.message().unwrap_or_default()),
        (None, None) => Ok(()),
    }
}

/// All that one GetFunction tells; `role_id` is of the role that is there now.
fn observed(resource: &Resource, answer: GetFunctionOutput, role_id: Option<String>) -> Option<Observed> {
    let configuration = answer.configuration?;
    let mut properties = properties(&configuration);
    let wanted = &resource.properties["LoggingConfig"];
    properties["LoggingConfig"] = logging_besides_defaults(&properties["LoggingConfig"], wanted, &resource.physical_id);
    let network = &resource.properties["VpcConfig"];
    // No subnets are no network, which Lambda tells nothing of.
    if network["SubnetIds"].as_array().is_some_and(Vec::is_empty) && Fields(&properties).get("VpcConfig").is_none() {
        properties["VpcConfig"] = network.clone();
    }
    if let Some(key) = Fields(&resource.properties).get("KmsKeyArn")
        && forgets_the_key(&properties, &resource.properties)
    {
        properties["KmsKeyArn"] = key.clone();
    }
    properties["Code"] = match answer.code.and_then(|code| code.image_uri) {
        Some(uri) => json!({"ImageUri": uri}),
        None => json!({"CodeSha256": configuration.code_sha256()}),
    };
    if let Some(reserved) = answer.concurrency.and_then(|concurrency| concurrency.reserved_concurrent_executions) {
        properties["ReservedConcurrentExecutions"] = reserved.into();
    }
    let tags: BTreeMap<_, _> = answer.tags.unwrap_or_default().into_iter().collect();
    let made_with = tags.get(ROLE_ID_TAG).cloned();
    let same_role_wanted = configuration.role() == Some(&*role_of(resource));
    // What an update that was cut off has left there is of another role, and proves nothing.
    let old = made_with.as_deref().and_then(|tag| id_of_role(tag, &role_of(resource)));
    let role_remade = same_role_wanted && old.is_some() && old != role_id.as_deref();
    if let (true, Some(old)) = (role_remade, old) {
        properties["Role"] = format!("{} (deleted since, its id was {old})", role_of(resource)).into();
    }
    Some(Observed {
        properties,
        tags,
        state: state(&configuration),
        handle: json!({"RevisionId": configuration.revision_id, "RoleId": role_id, "RoleRemade": role_remade}),
        ..as_wanted(resource)
    })
}

/// The ARN of an image's repository: `account.dkr.ecr.region.amazonaws.com/name:tag`.
fn repository(image: &str, scope: &Scope) -> Option<String> {
    let (registry, name) = image.split_once('/')?;
    let mut parts = registry.split('.');
    let (account, region) = (parts.next()?, parts.nth(2)?);
    let name = name.split(['@', ':']).next()?;
    Some(format!("arn:{}:ecr:{region}:{account}:repository/{name}", scope.partition))
}

#[async_trait]
impl Provider for FunctionProvider {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn physical_id(&self, logical_id: &str, properties: &Value, scope: &Scope) -> Result<String, ProviderError> {
        NAMING.name(logical_id, &[], properties, scope)
    }

    fn attributes(&self, physical_id: &str, _properties: &Value, scope: &Scope) -> BTreeMap<String, Value> {
        let arn = scope.arn("lambda", &format!("function:{physical_id}"));
        [("Ref".to_owned(), physical_id.into()), ("Arn".to_owned(), arn.into())].into()
    }

    async fn prepare(&self, resource: &mut Resource) -> Result<(), ProviderError> {
        self.codes.prepare(resource).await
    }

    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        let role = role_of(resource);
        let name = &resource.physical_id;
        let (answer, role_id, statements) =
            futures::try_join!(self.get(name), self.roles.id(&role), statement_ids(&self.lambda, name))?;
        if let Some(answer) = &answer {
            check_whole(answer)?;
        }
        // One that is being deleted is no longer there to change (E27).
        let answer = answer.filter(|answer| !is_being_deleted(answer));
        Ok(answer.and_then(|answer| observed(resource, answer, role_id)).map(|mut observed| {
            observed.handle[STATEMENTS] = statements.into();
            observed
        }))
    }

    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError> {
        let name = &resource.physical_id;
        match self.create_as_role_settles(resource, progress).await {
            Err(error) if error.is("ResourceConflictException") => {
                if !self.get(name).await?.as_ref().is_some_and(is_being_deleted) {
                    return take_over(self, resource, progress).await;
                }
                self.gone(&as_wanted(resource), DeleteOptions::default(), progress).await?;
                let free = "the name of the earlier function to be free";
                retry_until(free, SETTLES, progress, function_busy, || self.create_as_role_settles(resource, progress))
                    .await?;
            }
            made => made?,
        }
        self.settled(name, progress).await?;
        if self.roles.remembered(&role_of(resource)).is_none() {
            self.tag_role_id(resource, progress).await?;
        }
        if let Some(reserved) = Fields(&resource.properties).int32("ReservedConcurrentExecutions") {
            self.set_concurrency(name, Some(reserved), progress).await?;
        }
        Ok(Observed { state: State::Ready("Active".into()), ..as_wanted(resource) })
    }

    async fn update(
        &self,
        resource: &Resource,
        observed: &Observed,
        differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError> {
        if Fields(&observed.handle).boolean("RoleRemade") == Some(true) {
            self.delete(observed, DeleteOptions::default(), progress).await?;
            self.gone(observed, DeleteOptions::default(), progress).await?;
            return self.create(resource, progress).await;
        }
        self.change(resource, observed, differences, progress).await?;
        Ok(Observed { state: State::Ready("Active".into()), ..as_wanted(resource) })
    }

    async fn delete(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let name = &observed.physical_id;
        let deleted = retry_until("the function to take the delete", SETTLES, progress, function_busy, || async {
            self.lambda.delete_function().function_name(name).send().await.map_err(failed("lambda:DeleteFunction"))
        });
        match deleted.await {
            Err(error) if error.is(MISSING) => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    async fn gone(
        &self,
        observed: &Observed,
        _options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        let name = &observed.physical_id;
        poll_until("the function to be gone", SETTLES, progress, || async {
            Ok(match self.get(name).await? {
                Some(_) => Poll::Pending("function is being deleted".into()),
                None => Poll::Ready(()),
            })
        })
        .await
    }

    async fn ready(&self, observed: &Observed, progress: &Progress) -> Result<(), ProviderError> {
        self.settled(&observed.physical_id, progress).await.map(drop)
    }

    async fn find(&self, scope: &Scope, named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        let (listed, told) = futures::try_join!(self.all(), self.tagging.arns(scope, "lambda:function"))?;
        let is_named = |one: &FunctionConfiguration| one.function_name().is_some_and(|name| named.contains(name));
        let may_be = |one: &FunctionConfiguration| {
            !is_named(one) && (one.function_arn().is_none_or(|arn| told.contains(arn)) || is_new(changed_at(one)))
        };
        let looks = listed.into_iter().filter(may_be).map(|one| self.found(one, scope));
        observed::found(looks, WIDTH).await
    }

    fn replaces(&self, observed: &Observed, difference: &Difference) -> bool {
        difference.path == "Role" && Fields(&observed.handle).boolean("RoleRemade") == Some(true)
    }

    fn leaves(&self, observed: &Observed) -> Option<&'static str> {
        function_state::leaves(&observed.properties)
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            read: vec![
                "lambda:GetFunction",
                "lambda:GetPolicy",
                "lambda:ListTags",
                "iam:GetRole",
                "s3:GetObject",
                "s3:GetObjectVersion",
                "kms:Decrypt",
            ],
            write: vec![
                "lambda:CreateFunction",
                "lambda:UpdateFunctionConfiguration",
                "lambda:UpdateFunctionCode",
                "lambda:PutFunctionConcurrency",
                "lambda:DeleteFunctionConcurrency",
                "lambda:TagResource",
                "lambda:UntagResource",
                "iam:PassRole",
                "lambda:GetLayerVersion",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
                "elasticfilesystem:DescribeMountTargets",
                "kms:CreateGrant",
                "kms:Encrypt",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
                "ecr:GetRepositoryPolicy",
                "ecr:SetRepositoryPolicy",
            ],
            delete: vec!["lambda:DeleteFunction"],
            // Lambda looks at layers, networks, file systems, keys and images in the caller's name, and lets itself into a repository.
            decided: vec![
                ("s3:GetObjectVersion", Needed::Given("Code.S3ObjectVersion")),
                ("lambda:GetLayerVersion", Needed::Given("Layers")),
                ("ec2:DescribeSecurityGroups", Needed::Given("VpcConfig")),
                ("ec2:DescribeSubnets", Needed::Given("VpcConfig")),
                ("ec2:DescribeVpcs", Needed::Given("VpcConfig")),
                ("ecr:BatchGetImage", Needed::Given("Code.ImageUri")),
                ("ecr:GetDownloadUrlForLayer", Needed::Given("Code.ImageUri")),
                ("ecr:GetRepositoryPolicy", Needed::Given("Code.ImageUri")),
                ("ecr:SetRepositoryPolicy", Needed::Given("Code.ImageUri")),
                ("elasticfilesystem:DescribeMountTargets", Needed::Given("FileSystemConfigs")),
                ("kms:CreateGrant", Needed::Given("KmsKeyArn")),
                ("kms:Decrypt", Needed::Given("KmsKeyArn")),
                ("kms:Encrypt", Needed::Given("KmsKeyArn")),
                ("lambda:PutFunctionConcurrency", Needed::Given("ReservedConcurrentExecutions")),
                ("lambda:DeleteFunctionConcurrency", Needed::LeftOut("ReservedConcurrentExecutions")),
            ],
        }
    }

    fn find_permissions(&self, scope: &Scope) -> Vec<Grant> {
        let all = scope.arn("lambda", "function:*");
        vec![Grant::anywhere(&["lambda:ListFunctions", "tag:GetResources"]), Grant::on(all, &["lambda:ListTags"])]
    }

    /// Its own, its role's, its layers', its file systems' and its key's, and that of the object or repository that its code is in.
    fn arns(&self, resource: &Resource, scope: &Scope) -> Vec<String> {
        let code = Fields(&resource.properties).object("Code");
        let object = code.and_then(|code| Some((code.text("S3Bucket")?, code.text("S3Key")?)));
        let object = object.map(|(bucket, key)| format!("arn:{}:s3:::{bucket}/{key}", scope.partition));
        let own = resource.attributes.get("Arn").and_then(Value::as_str).map(str::to_owned);
        let fields = Fields(&resource.properties);
        let layers = fields.get("Layers").and_then(Value::as_array).into_iter().flatten();
        let layers = layers.filter_map(|layer| layer.as_str().map(str::to_owned));
        let systems = fields.objects("FileSystemConfigs").into_iter();
        let systems = systems
            .map(|system| system.text("Arn").unwrap_or_else(|| scope.arn("elasticfilesystem", "access-point/*")));
        let key = fields.text("KmsKeyArn").unwrap_or_else(|| scope.arn("kms", "key/*"));
        let image = code.and_then(|code| repository(&code.text("ImageUri")?, scope));
        own.into_iter()
            .chain([role_of(resource), key])
            .chain(image)
            .chain(layers)
            .chain(systems)
            .chain(object)
            .collect()
    }
}
