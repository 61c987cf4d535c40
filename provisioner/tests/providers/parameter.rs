use provisioner::engine::diff;
use serde_json::json;
use testkit::FaultProxy;
use testkit::fault_proxy::Rule;

use crate::stage::{Stage, endpoint, silent};

const PARAMETER: &str = "AWS::SSM::Parameter";

#[tokio::test]
async fn a_parameter_lives_from_create_to_delete() {
    let stage = Stage::new("parameter-life").await;
    let first = json!({"Name": "/parameter-life/a", "Type": "String", "Value": "1", "Description": "first",
        "AllowedPattern": "[0-9]+"});
    let second = json!({"Name": "/parameter-life/a", "Type": "String", "Value": "2"});
    let first = stage.resource(PARAMETER, "Parameter", first).await;
    let second = stage.resource(PARAMETER, "Parameter", second).await;
    stage.live_through(&first, &second, &["Value", "Description", "AllowedPattern"]).await;
}

#[tokio::test]
async fn e56_a_parameter_whose_name_is_not_free_yet_is_waited_for() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at("parameter-name", &proxy.url()).await;
    let of_type = |kind: &str| json!({"Parameter": {"Type": PARAMETER, "Properties": {"Type": kind, "Value": "1"}}});
    stage.up(&of_type("String")).await;
    proxy.forget();
    let taken = Rule::on("ssm", "PutParameter").times(2);
    proxy.rule(taken.answer(400, "ParameterAlreadyExists", "The parameter already exists."));
    stage.up(&of_type("StringList")).await;
    let changing: Vec<_> = proxy.mutating_calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(changing, ["DeleteParameter", "PutParameter", "PutParameter", "PutParameter"]);
    stage.down(&of_type("StringList")).await;
}

#[tokio::test]
async fn e14_a_parameter_that_another_call_changes_is_waited_for() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at("parameter-busy", &proxy.url()).await;
    let busy = |operation: &str| Rule::on("ssm", operation).times(1).answer(400, "TooManyUpdates", "");
    proxy.rule(busy("PutParameter"));
    let mut parameter = stage.resource(PARAMETER, "P", json!({"Type": "String", "Value": "1"})).await;
    stage.create(&parameter).await;
    proxy.rule(busy("PutParameter"));
    proxy.rule(busy("AddTagsToResource"));
    parameter.properties["Value"] = "2".into();
    parameter.tags.insert("team".into(), "films".into());
    stage.update(&parameter).await;
    assert_eq!(stage.paths(&parameter).await, Vec::<String>::new());
}

#[tokio::test]
async fn e14_a_parameter_that_is_deleted_while_it_is_changed_is_made_anew_with_its_tags() {
    let stage = Stage::at("parameter-gone", &endpoint()).await;
    let mut parameter = stage.resource(PARAMETER, "P", json!({"Type": "String", "Value": "1"})).await;
    let made = stage.create(&parameter).await;
    let before = stage.read(&parameter).await.unwrap();
    stage.delete(&made).await;
    parameter.properties["Value"] = "2".into();
    let provider = stage.provider(PARAMETER);
    let differences = diff(&parameter, &before, provider.schema());
    provider.update(&parameter, &before, &differences, &silent()).await.unwrap();
    assert_eq!(stage.paths(&parameter).await, Vec::<String>::new(), "it is this stack's");
    assert_eq!(stage.found(PARAMETER).await, [parameter.physical_id.as_str()]);
}
