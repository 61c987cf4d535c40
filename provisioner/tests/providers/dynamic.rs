use provisioner::engine::Action;
use provisioner::template::Template;
use serde_json::{Value, json};
use testkit::FaultProxy;

use crate::stage::{Stage, endpoint};

fn queue(seconds: &str) -> Value {
    json!({"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": seconds}})
}

async fn store(stage: &Stage, name: &str, value: &str, secure: bool) {
    let kind = if secure { "SecureString" } else { "String" };
    let ssm = aws_sdk_ssm::Client::new(&stage.config);
    ssm.put_parameter().name(name).value(value).r#type(kind.into()).overwrite(true).send().await.unwrap();
}

#[tokio::test]
async fn a_stored_parameter_is_read_once_and_its_change_shows() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at("dynamic-value", &proxy.url()).await;
    store(&stage, "/dynamic/seconds", "40", false).await;
    let of = queue("{{resolve:ssm:/dynamic/seconds}}");
    let resources = json!({"One": of, "Two": of, "Three": queue("4{{resolve:ssm:/dynamic/seconds:1}}")});
    proxy.forget();
    let plan = stage.plan(&resources).await.unwrap();
    assert_eq!(plan.changes[0].resource.as_ref().unwrap().properties["VisibilityTimeout"], "40");
    assert_eq!(plan.changes[2].resource.as_ref().unwrap().properties["VisibilityTimeout"], "440");
    let reads = proxy.calls().iter().filter(|call| call.operation == "GetParameter").count();
    assert_eq!(reads, 2, "the latest, and one version");
    stage.up(&resources).await;

    store(&stage, "/dynamic/seconds", "50", false).await;
    let stage = Stage::at("dynamic-value", &proxy.url()).await;
    let plan = stage.plan(&resources).await.unwrap();
    let changed: Vec<_> = plan.changes.iter().filter(|change| change.action == Action::Update).collect();
    assert_eq!(changed.iter().map(|change| change.logical_id.as_str()).collect::<Vec<_>>(), ["One", "Two"]);
    stage.down(&resources).await;
}

#[tokio::test]
async fn an_output_has_the_value_that_ssm_keeps() {
    let stage = Stage::new("dynamic-output").await;
    store(&stage, "/dynamic-output/image", "ami-1", false).await;
    let template = json!({
        "Parameters": {"Image": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/dynamic-output/image"}},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {"Image": {"Value": {"Fn::Sub": "of ${Image}"}}, "Lost": {"Value": "{{resolve:ssm:/dynamic-output/lost}}"}},
    });
    let template = Template::parse("template.json", &template.to_string()).unwrap();
    let stack = stage.stack(&template);
    let looks = stack.look().await.unwrap();
    let outputs = stack.outputs(&looks).unwrap();
    assert_eq!(
        (&outputs["Image"], &outputs["Lost"]),
        (&json!("of ami-1"), &json!("{{resolve:ssm:/dynamic-output/lost}}"))
    );
}

#[tokio::test]
async fn a_parameter_that_the_template_makes_is_known_after_apply_and_a_missing_one_is_told() {
    let stage = Stage::new("dynamic-made").await;
    let mut waits = queue("{{resolve:ssm:/dynamic-made/seconds}}");
    waits["DependsOn"] = "Seconds".into();
    let parameter = json!({"Name": "/dynamic-made/seconds", "Type": "String", "Value": "70"});
    let resources = json!({"Queue": waits, "Seconds": {"Type": "AWS::SSM::Parameter", "Properties": parameter}});
    let plan = stage.plan(&resources).await.unwrap();
    let queue_of = |plan: &provisioner::engine::Plan| {
        plan.changes.iter().find(|change| change.logical_id == "Queue").unwrap().resource.clone().unwrap()
    };
    assert_eq!(queue_of(&plan).after_apply["/VisibilityTimeout"], "ssm:/dynamic-made/seconds");
    stage.up(&resources).await;
    let plan = stage.plan(&resources).await.unwrap();
    assert_eq!(queue_of(&plan).properties["VisibilityTimeout"], "70");
    stage.down(&resources).await;

    let report = stage.try_up(&json!({"Queue": queue("{{resolve:ssm:/dynamic-made/lost}}")})).await;
    let told = report.failed[0].1.to_string();
    assert!(told.contains("the parameter /dynamic-made/lost") && told.contains("does not exist"), "{told}");
}

#[tokio::test]
async fn a_parameter_that_the_same_up_changes_is_read_as_it_will_be() {
    let resources = |seconds: &str| {
        let parameter = json!({"Name": "/dynamic-changed/seconds", "Type": "String", "Value": seconds});
        let mut waits = queue("{{resolve:ssm:/dynamic-changed/seconds}}");
        waits["DependsOn"] = "Seconds".into();
        json!({"Queue": waits, "Seconds": {"Type": "AWS::SSM::Parameter", "Properties": parameter}})
    };
    Stage::new("dynamic-changed").await.up(&resources("70")).await;
    Stage::new("dynamic-changed").await.up(&resources("80")).await;
    let later = Stage::new("dynamic-changed").await;
    assert!(later.plan(&resources("80")).await.unwrap().is_empty(), "one up has done it");
    later.down(&resources("80")).await;
}

#[tokio::test]
async fn a_secret_is_no_value_for_a_property() {
    let stage = Stage::new("dynamic-secret").await;
    store(&stage, "/dynamic/secret", "30", true).await;
    let told = stage.plan(&json!({"Queue": queue("{{resolve:ssm:/dynamic/secret}}")})).await.unwrap_err().to_string();
    assert!(told.contains("/dynamic/secret is a SecureString"), "{told}");
}
