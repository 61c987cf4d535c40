//! A function's configuration: CloudFormation's properties to Lambda's requests, and Lambda's answer to properties.

use aws_sdk_lambda::operation::create_function::builders::CreateFunctionFluentBuilder;
use aws_sdk_lambda::operation::update_function_configuration::builders::UpdateFunctionConfigurationFluentBuilder;
use aws_sdk_lambda::types::{
    DeadLetterConfig, Environment, EphemeralStorage, FileSystemConfig, FunctionConfiguration, ImageConfig,
    LoggingConfig, Runtime, SnapStart, TracingConfig, VpcConfig,
};
use serde_json::{Map, Value, json};

use super::fields::{Fields, list, object};

/// What one request sets; `None` leaves a setting alone.
#[derive(Default)]
pub(super) struct Settings {
    runtime: Option<Runtime>,
    handler: Option<String>,
    role: Option<String>,
    description: Option<String>,
    timeout: Option<i32>,
    memory_size: Option<i32>,
    environment: Option<Environment>,
    layers: Option<Vec<String>>,
    ephemeral_storage: Option<EphemeralStorage>,
    tracing: Option<TracingConfig>,
    logging: Option<LoggingConfig>,
    dead_letters: Option<DeadLetterConfig>,
    vpc: Option<VpcConfig>,
    kms_key: Option<String>,
    file_systems: Option<Vec<FileSystemConfig>>,
    image: Option<ImageConfig>,
    snap_start: Option<SnapStart>,
}

/// The requests that make and change it have the same setters, and no trait in common.
macro_rules! set_all {
    ($call:expr, $settings:expr) => {
        $call
            .set_runtime($settings.runtime)
            .set_handler($settings.handler)
            .set_role($settings.role)
            .set_description($settings.description)
            .set_timeout($settings.timeout)
            .set_memory_size($settings.memory_size)
            .set_environment($settings.environment)
            .set_layers($settings.layers)
            .set_ephemeral_storage($settings.ephemeral_storage)
            .set_tracing_config($settings.tracing)
            .set_logging_config($settings.logging)
            .set_dead_letter_config($settings.dead_letters)
            .set_vpc_config($settings.vpc)
            .set_kms_key_arn($settings.kms_key)
            .set_file_system_configs($settings.file_systems)
            .set_image_config($settings.image)
            .set_snap_start($settings.snap_start)
    };
}

impl Settings {
    /// The properties that `wanted` picks. One that the template leaves out is set to what Lambda takes as "none" or as its
    /// default: leaving it out of the request would leave it as it is.
    pub(super) fn of(properties: &Value, wanted: impl Fn(&str) -> bool) -> Self {
        let all = Fields(properties);
        let pick = |name: &str| wanted(name).then(|| all.object(name).unwrap_or(Fields(&Value::Null)));
        let text = |name: &str| wanted(name).then(|| all.text(name).unwrap_or_default());
        Self {
            runtime: text("Runtime").map(|runtime| Runtime::from(&*runtime)),
            handler: text("Handler"),
            role: text("Role"),
            description: text("Description"),
            timeout: wanted("Timeout").then(|| all.int32("Timeout").unwrap_or(3)),
            memory_size: wanted("MemorySize").then(|| all.int32("MemorySize").unwrap_or(128)),
            environment: pick("Environment").map(environment),
            layers: wanted("Layers").then(|| all.texts("Layers").unwrap_or_default()),
            ephemeral_storage: pick("EphemeralStorage").and_then(ephemeral_storage),
            tracing: pick("TracingConfig").map(tracing),
            logging: pick("LoggingConfig").map(logging),
            dead_letters: pick("DeadLetterConfig").map(dead_letters),
            vpc: pick("VpcConfig").map(vpc),
            kms_key: text("KmsKeyArn"),
            file_systems: wanted("FileSystemConfigs").then(|| file_systems(all)),
            image: pick("ImageConfig").map(image),
            snap_start: pick("SnapStart").map(snap_start),
        }
    }

    /// The same, where what left the template may be a part of how it logs: Lambda goes back to none by itself. Under another key go
    /// the variables once more, as Lambda seals only those that a call brings.
    pub(super) fn of_change(properties: &Value, name: &str, changed: impl Fn(&str) -> bool) -> Self {
        let logging =
            changed("LoggingConfig").then(|| logging(Fields(&whole_logging(&properties["LoggingConfig"], name))));
        let settings = Self::of(properties, |part| changed(part) || (part == "Environment" && changed("KmsKeyArn")));
        Self { logging: logging.or(settings.logging), ..settings }
    }

    pub(super) fn on_create(self, call: CreateFunctionFluentBuilder) -> CreateFunctionFluentBuilder {
        set_all!(call, self)
    }

    pub(super) fn on_update(
        self,
        call: UpdateFunctionConfigurationFluentBuilder,
    ) -> UpdateFunctionConfigurationFluentBuilder {
        set_all!(call, self)
    }
}

/// Which property each part of an UpdateFunctionConfiguration comes from.
pub(super) const CONFIGURED: [&str; 17] = [
    "Runtime",
    "Handler",
    "Role",
    "Description",
    "Timeout",
    "MemorySize",
    "Environment",
    "Layers",
    "EphemeralStorage",
    "TracingConfig",
    "LoggingConfig",
    "DeadLetterConfig",
    "VpcConfig",
    "KmsKeyArn",
    "FileSystemConfigs",
    "ImageConfig",
    "SnapStart",
];

fn environment(fields: Fields<'_>) -> Environment {
    Environment::builder().set_variables(Some(fields.text_map("Variables").unwrap_or_default())).build()
}

fn ephemeral_storage(fields: Fields<'_>) -> Option<EphemeralStorage> {
    EphemeralStorage::builder().size(fields.int32("Size").unwrap_or(512)).build().ok()
}

fn tracing(fields: Fields<'_>) -> TracingConfig {
    let mode = fields.text("Mode").unwrap_or_else(|| "PassThrough".into());
    TracingConfig::builder().mode(mode.as_str().into()).build()
}

/// How Lambda logs where nothing is said; levels are only of JSON.
fn default_logging(name: &str) -> [(&'static str, String); 4] {
    [
        ("LogFormat", "Text".to_owned()),
        ("LogGroup", format!("/aws/lambda/{name}")),
        ("ApplicationLogLevel", "INFO".to_owned()),
        ("SystemLogLevel", "INFO".to_owned()),
    ]
}

/// What a template says of logging, and Lambda's default for the rest.
fn whole_logging(wanted: &Value, name: &str) -> Value {
    let given = Fields(wanted);
    let has_levels = given.text("LogFormat").is_some_and(|format| format == "JSON");
    let fields = default_logging(name).into_iter().filter(|(field, _)| has_levels || !field.ends_with("Level"));
    fields.map(|(field, default)| (field.to_owned(), Value::from(given.text(field).unwrap_or(default)))).collect()
}

/// What was found of logging, without what is there by default and the template leaves out.
pub(super) fn logging_besides_defaults(found: &Value, wanted: &Value, name: &str) -> Value {
    let (found, wanted) = (Fields(found), Fields(wanted));
    let by_default = |field: &str, default: &String| !wanted.has(field) && found.text(field).as_ref() == Some(default);
    let kept = default_logging(name).into_iter().filter(|(field, default)| !by_default(field, default));
    let kept: Map<_, _> = kept.filter_map(|(field, _)| Some((field.to_owned(), found.get(field).cloned()?))).collect();
    if kept.is_empty() { Value::Null } else { Value::Object(kept) }
}

fn logging(fields: Fields<'_>) -> LoggingConfig {
    LoggingConfig::builder()
        .set_log_format(fields.text("LogFormat").map(|text| text.as_str().into()))
        .set_log_group(fields.text("LogGroup"))
        .set_application_log_level(fields.text("ApplicationLogLevel").map(|text| text.as_str().into()))
        .set_system_log_level(fields.text("SystemLogLevel").map(|text| text.as_str().into()))
        .build()
}

fn dead_letters(fields: Fields<'_>) -> DeadLetterConfig {
    DeadLetterConfig::builder().target_arn(fields.text("TargetArn").unwrap_or_default()).build()
}

fn vpc(fields: Fields<'_>) -> VpcConfig {
    VpcConfig::builder()
        .set_subnet_ids(Some(fields.texts("SubnetIds").unwrap_or_default()))
        .set_security_group_ids(Some(fields.texts("SecurityGroupIds").unwrap_or_default()))
        // Said out loud: left out of the call it would stay as it is.
        .ipv6_allowed_for_dual_stack(fields.boolean("Ipv6AllowedForDualStack").unwrap_or(false))
        .build()
}

fn file_systems(all: Fields<'_>) -> Vec<FileSystemConfig> {
    let mounts = all.objects("FileSystemConfigs").into_iter().filter_map(|mount| {
        let built = FileSystemConfig::builder().arn(mount.text("Arn")?).local_mount_path(mount.text("LocalMountPath")?);
        built.build().ok()
    });
    mounts.collect()
}

fn image(fields: Fields<'_>) -> ImageConfig {
    ImageConfig::builder()
        .set_command(fields.texts("Command"))
        .set_entry_point(fields.texts("EntryPoint"))
        .set_working_directory(fields.text("WorkingDirectory"))
        .build()
}

fn snap_start(fields: Fields<'_>) -> SnapStart {
    let apply_on = fields.text("ApplyOn").unwrap_or_else(|| "None".into());
    SnapStart::builder().apply_on(apply_on.as_str().into()).build()
}

/// The configuration in CloudFormation's shape, without `Code`.
pub(super) fn properties(found: &FunctionConfiguration) -> Value {
    let text = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(Value::from);
    let snap_start = found.snap_start().and_then(|snap| snap.apply_on());
    object([
        ("FunctionName", text(found.function_name())),
        ("PackageType", found.package_type().map(|kind| kind.as_str().into())),
        ("Runtime", found.runtime().map(|runtime| runtime.as_str().into())),
        ("Handler", text(found.handler())),
        ("Role", text(found.role())),
        ("Description", text(found.description())),
        ("Timeout", found.timeout().map(Value::from)),
        ("MemorySize", found.memory_size().map(Value::from)),
        ("Architectures", list(found.architectures().iter().map(|name| name.as_str().into()))),
        ("Environment", environment_of(found)),
        ("Layers", list(found.layers().iter().filter_map(|layer| layer.arn()).map(Value::from))),
        ("EphemeralStorage", found.ephemeral_storage().map(|storage| json!({"Size": storage.size()}))),
        ("TracingConfig", found.tracing_config().and_then(|t| t.mode()).map(|mode| json!({"Mode": mode.as_str()}))),
        ("LoggingConfig", logging_of(found)),
        (
            "DeadLetterConfig",
            text(found.dead_letter_config().and_then(|d| d.target_arn())).map(|arn| json!({"TargetArn": arn})),
        ),
        ("VpcConfig", vpc_of(found)),
        ("KmsKeyArn", text(found.kms_key_arn())),
        ("FileSystemConfigs", file_systems_of(found)),
        ("ImageConfig", image_of(found)),
        ("SnapStart", snap_start.map(|on| json!({"ApplyOn": on.as_str()}))),
    ])
}

fn environment_of(found: &FunctionConfiguration) -> Option<Value> {
    let variables = found.environment().and_then(|environment| environment.variables())?;
    (!variables.is_empty()).then(|| json!({"Variables": variables}))
}

fn logging_of(found: &FunctionConfiguration) -> Option<Value> {
    let logging = found.logging_config()?;
    Some(object([
        ("LogFormat", logging.log_format().map(|format| format.as_str().into())),
        ("LogGroup", logging.log_group().map(Value::from)),
        ("ApplicationLogLevel", logging.application_log_level().map(|level| level.as_str().into())),
        ("SystemLogLevel", logging.system_log_level().map(|level| level.as_str().into())),
    ]))
}

fn vpc_of(found: &FunctionConfiguration) -> Option<Value> {
    let vpc = found.vpc_config().filter(|vpc| !vpc.subnet_ids().is_empty())?;
    Some(object([
        ("SubnetIds", Some(json!(vpc.subnet_ids()))),
        ("SecurityGroupIds", Some(json!(vpc.security_group_ids()))),
        ("Ipv6AllowedForDualStack", vpc.ipv6_allowed_for_dual_stack().map(Value::from)),
    ]))
}

fn file_systems_of(found: &FunctionConfiguration) -> Option<Value> {
    let mounts = found.file_system_configs().iter();
    list(mounts.map(|mount| json!({"Arn": mount.arn(), "LocalMountPath": mount.local_mount_path()})))
}

fn image_of(found: &FunctionConfiguration) -> Option<Value> {
    let image = found.image_config_response().and_then(|response| response.image_config())?;
    Some(object([
        ("Command", list(image.command().iter().map(|text| text.as_str().into()))),
        ("EntryPoint", list(image.entry_point().iter().map(|text| text.as_str().into()))),
        ("WorkingDirectory", image.working_directory().map(Value::from)),
    ]))
}

/// Lambda remembers a key only where there are variables that it seals.
pub(super) fn forgets_the_key(found: &Value, wanted: &Value) -> bool {
    let has_variables = |of: &Value| of["Environment"]["Variables"].as_object().is_some_and(|all| !all.is_empty());
    !Fields(found).has("KmsKeyArn") && !has_variables(found) && !has_variables(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_go_with_another_key_and_a_network_says_that_it_takes_no_ipv6() {
        let wanted =
            json!({"KmsKeyArn": "new", "Environment": {"Variables": {"A": "1"}}, "VpcConfig": {"SubnetIds": ["s"]}});
        let settings = Settings::of_change(&wanted, "f", |name| name == "KmsKeyArn");
        let variables = settings.environment.and_then(|environment| environment.variables);
        assert_eq!(variables.unwrap_or_default().get("A").map(String::as_str), Some("1"));
        assert!(Settings::of_change(&wanted, "f", |name| name == "Timeout").environment.is_none());
        let network = Settings::of_change(&wanted, "f", |name| name == "VpcConfig").vpc;
        assert_eq!(network.and_then(|vpc| vpc.ipv6_allowed_for_dual_stack), Some(false));
    }

    #[test]
    fn a_key_without_variables_is_one_that_lambda_does_not_keep() {
        let (key, variables) = (json!({"KmsKeyArn": "k"}), json!({"Environment": {"Variables": {"A": "1"}}}));
        assert!(forgets_the_key(&json!({}), &key));
        assert!(
            !forgets_the_key(&key, &key)
                && !forgets_the_key(&variables, &key)
                && !forgets_the_key(&json!({}), &variables)
        );
    }
}
