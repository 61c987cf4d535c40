use provisioner::engine::Resource;
use serde_json::{Value, json};
use testkit::FaultProxy;
use testkit::fault_proxy::Rule;

use crate::stage::{Stage, endpoint};

const FUNCTION: &str = "AWS::Lambda::Function";
const ROLE: &str = "AWS::IAM::Role";

pub async fn role(stage: &Stage) -> Resource {
    role_named(stage, "Role").await
}

fn trust() -> Value {
    let statement =
        json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
    json!({"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}})
}

/// A template's resources: a function, and its role.
pub fn with_role() -> Value {
    let role = json!({"Fn::GetAtt": ["Role", "Arn"]});
    let function = json!({"Code": "code", "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": role});
    json!({"Role": {"Type": ROLE, "Properties": trust()}, "F": {"Type": FUNCTION, "Properties": function}})
}

async fn role_named(stage: &Stage, logical_id: &str) -> Resource {
    let role = stage.resource(ROLE, logical_id, trust()).await;
    stage.create(&role).await;
    role
}

pub fn properties(role: &Resource, code: &str) -> Value {
    json!({
        "Code": code, "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": role.attributes["Arn"],
        "Architectures": ["x86_64"],
    })
}

#[tokio::test]
async fn a_function_lives_from_create_to_delete() {
    let stage = Stage::new("function-life").await;
    let role = role(&stage).await;
    let mut first = properties(&role, "one");
    first["MemorySize"] = "256".into();
    first["Environment"] = json!({"Variables": {"A": "1", "B": "2"}});
    first["LoggingConfig"] = json!({"LogFormat": "JSON", "LogGroup": "/function-life"});
    let mut second = properties(&role, "two");
    second["Timeout"] = 60.into();
    second["Description"] = "second".into();
    second["ReservedConcurrentExecutions"] = 5.into();
    let first = stage.resource(FUNCTION, "Function", first).await;
    let second = stage.resource(FUNCTION, "Function", second).await;
    let changed = [
        "Code",
        "Description",
        "MemorySize",
        "Timeout",
        "Environment",
        "LoggingConfig",
        "ReservedConcurrentExecutions",
    ];
    let schema = stage.provider(FUNCTION).schema();
    let in_order: Vec<&str> =
        schema.properties.iter().map(|p| p.name.as_str()).filter(|name| changed.contains(name)).collect();
    stage.live_through(&first, &second, &in_order).await;
}

#[tokio::test]
async fn a_part_of_how_it_logs_that_left_the_template_is_lambdas_default_again() {
    let stage = Stage::new("function-logging").await;
    let role = role(&stage).await;
    let logging = |logging: Value| {
        let mut properties = properties(&role, "one");
        properties["LoggingConfig"] = logging;
        properties
    };
    let whole =
        json!({"LogFormat": "JSON", "LogGroup": "/mine", "ApplicationLogLevel": "WARN", "SystemLogLevel": "WARN"});
    stage.create(&stage.resource(FUNCTION, "Function", logging(whole)).await).await;
    for (rest, left) in [
        (json!({"LogFormat": "JSON", "LogGroup": "/mine", "SystemLogLevel": "WARN"}), vec!["ApplicationLogLevel"]),
        (json!({"LogFormat": "JSON"}), vec!["LogGroup", "SystemLogLevel"]),
    ] {
        let function = stage.resource(FUNCTION, "Function", logging(rest)).await;
        let left: Vec<String> = left.iter().map(|name| format!("LoggingConfig.{name}")).collect();
        assert_eq!(stage.paths(&function).await, left);
        stage.update(&function).await;
        assert_eq!(stage.paths(&function).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn e7_a_new_role_of_a_function_that_exists_is_waited_for_too() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at("function-new-role", &proxy.url()).await;
    let first = stage.resource(FUNCTION, "Function", properties(&role(&stage).await, "code")).await;
    stage.create(&first).await;
    let other = role_named(&stage, "Other").await;
    let second = stage.resource(FUNCTION, "Function", properties(&other, "code")).await;
    let told = "The role defined for the function cannot be assumed by Lambda.";
    let update = Rule::on("lambda", "UpdateFunctionConfiguration").times(2);
    proxy.rule(update.answer(400, "InvalidParameterValueException", told));
    assert_eq!(stage.paths(&second).await, ["Role"]);
    stage.update(&second).await;
    assert_eq!(stage.paths(&second).await, Vec::<String>::new());
    let updates = proxy.calls().into_iter().filter(|call| call.operation == "UpdateFunctionConfiguration");
    assert_eq!(updates.count(), 3);
}

#[tokio::test]
async fn e11_a_role_remade_under_its_name_remakes_the_function() {
    let stage = Stage::new("function-role").await;
    let first_role = role(&stage).await;
    let function = stage.resource(FUNCTION, "Function", properties(&first_role, "code")).await;
    stage.create(&function).await;
    let old = stage.read(&first_role).await.unwrap();
    stage.delete(&old).await;
    assert_eq!(stage.paths(&function).await, ["Role"], "a function whose role is gone is no longer as it was made");
    role(&stage).await;
    assert_eq!(stage.paths(&function).await, ["Role"], "nor is one whose role is another");
    stage.update(&function).await;
    assert_eq!(stage.paths(&function).await, Vec::<String>::new());
}

#[tokio::test]
async fn e17_new_code_never_runs_with_old_settings() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at("function-order", &proxy.url()).await;
    let role = role(&stage).await;
    let first = stage.resource(FUNCTION, "Function", properties(&role, "one")).await;
    stage.create(&first).await;
    let mut second = properties(&role, "two");
    second["Environment"] = json!({"Variables": {"NEW": "setting"}});
    let second = stage.resource(FUNCTION, "Function", second).await;
    stage.update(&second).await;
    let updates = proxy.calls().into_iter().filter(|call| call.operation.starts_with("UpdateFunction"));
    let updates: Vec<_> = updates.map(|call| call.operation).collect();
    assert_eq!(updates, ["UpdateFunctionConfiguration", "UpdateFunctionCode"]);
}

#[tokio::test]
async fn e25_ten_changes_of_code_leave_one_version() {
    let stage = Stage::new("function-versions").await;
    let role = role(&stage).await;
    let with = async |code: &str| stage.resource(FUNCTION, "Function", properties(&role, code)).await;
    stage.create(&with("0").await).await;
    for code in 1..=10 {
        stage.update(&with(&code.to_string()).await).await;
    }
    let lambda = aws_sdk_lambda::Client::new(&stage.config);
    let function = with("10").await;
    let listed = lambda.list_versions_by_function().function_name(&function.physical_id).send().await.unwrap();
    let versions: Vec<_> = listed.versions().iter().filter_map(|version| version.version()).collect();
    assert_eq!(versions, ["$LATEST"]);
}

#[tokio::test]
async fn a_code_in_s3_is_compared_by_its_hash() {
    let stage = Stage::new("function-s3").await;
    let role = role(&stage).await;
    let inline = stage.resource(FUNCTION, "Function", {
        let mut properties = properties(&role, "");
        properties["Runtime"] = "python3.12".into();
        properties["Handler"] = "index.handler".into();
        properties["Code"] = json!({"ZipFile": "def handler(event, context): return 1\n"});
        properties
    });
    let inline = inline.await;
    stage.create(&inline).await;
    assert_eq!(stage.paths(&inline).await, Vec::<String>::new());

    let s3 = provisioner::providers::s3_client(&stage.config);
    s3.create_bucket().bucket("function-s3-code").send().await.unwrap();
    s3.put_object().bucket("function-s3-code").key("code.zip").body(zip_of("return 2").into()).send().await.unwrap();
    let mut properties = inline.properties.clone();
    properties["Code"] = json!({"S3Bucket": "function-s3-code", "S3Key": "code.zip"});
    let packaged = stage.resource(FUNCTION, "Function", properties).await;
    assert_eq!(stage.paths(&packaged).await, ["Code"]);
    stage.update(&packaged).await;
    assert_eq!(stage.paths(&packaged).await, Vec::<String>::new());
}

fn zip_of(text: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("index.py", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

#[tokio::test]
async fn what_lambda_looks_at_in_the_caller_s_name_is_asked_for_where_the_template_gives_it() {
    let stage = Stage::new("function-rights").await;
    let provider = stage.provider(FUNCTION);
    let key = "arn:aws:kms:us-east-1:000000000000:key/k";
    let system = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/a";
    let plain = properties(&stage.resource(ROLE, "Role", trust()).await, "code");
    let mut more = plain.clone();
    more["KmsKeyArn"] = key.into();
    more["FileSystemConfigs"] = json!([{"Arn": system, "LocalMountPath": "/mnt/a"}]);
    let own = ["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "elasticfilesystem:DescribeMountTargets"];
    let permissions = provider.permissions();
    for (properties, needed) in [(plain, false), (more.clone(), true)] {
        let all: Vec<&str> = permissions.needed(&properties, true, false).collect();
        assert!(own.iter().all(|action| all.contains(action) == needed), "{needed}");
    }
    let arns = provider.arns(&stage.resource(FUNCTION, "Function", more).await, &stage.scope);
    assert!(arns.iter().any(|arn| arn == key) && arns.iter().any(|arn| arn == system), "{arns:?}");
}

#[tokio::test]
async fn e8_a_role_whose_policy_is_not_in_force_yet_is_waited_for() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at("function-network", &proxy.url()).await;
    let message = "The provided execution role does not have permissions to call CreateNetworkInterface on EC2";
    let refusal =
        |operation: &str| Rule::on("lambda", operation).nth(1).answer(400, "InvalidParameterValueException", message);
    proxy.rule(refusal("CreateFunction"));
    proxy.rule(refusal("UpdateFunctionConfiguration"));
    stage.up(&with_role()).await;
    let mut changed = with_role();
    changed["F"]["Properties"]["Timeout"] = 9.into();
    stage.up(&changed).await;
    stage.down(&changed).await;
}

#[tokio::test]
async fn e11_a_change_of_role_that_was_cut_off_does_not_look_like_a_role_that_was_made_anew() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at("function-cut", &proxy.url()).await;
    let mut resources = with_role();
    resources["Other"] = resources["Role"].clone();
    stage.up(&resources).await;
    resources["F"]["Properties"]["Role"] = json!({"Fn::GetAtt": ["Other", "Arn"]});
    resources["F"]["Properties"]["Code"] = "other code".into();
    proxy.rule(Rule::on("lambda", "UpdateFunctionCode").nth(1).answer(403, "AccessDeniedException", "not now"));
    assert!(!stage.try_up(&resources).await.is_whole());
    let plan = stage.plan(&resources).await.unwrap();
    assert!(plan.destructive().is_empty(), "{:?}", plan.destructive());
    stage.up(&resources).await;
    stage.down(&resources).await;
}
