use std::time::Duration;

use serde_json::json;
use testkit::FaultProxy;
use testkit::fault_proxy::Rule;

use crate::function;
use crate::stage::{Stage, endpoint};

const PERMISSION: &str = "AWS::Lambda::Permission";

#[tokio::test]
async fn a_permission_is_made_replaced_and_deleted() {
    let stage = Stage::new("permission-life").await;
    let role = function::role(&stage).await;
    let function = stage.resource("AWS::Lambda::Function", "Function", function::properties(&role, "code")).await;
    stage.create(&function).await;
    let properties = json!({
        "FunctionName": function.physical_id, "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com",
        "SourceArn": "arn:aws:events:us-east-1:000000000000:rule/a",
    });
    let first = stage.resource(PERMISSION, "Permission", properties).await;
    let mut second = first.clone();
    second.properties["SourceArn"] = "arn:aws:events:us-east-1:000000000000:rule/b".into();
    assert_eq!(stage.read(&first).await, None);
    let made = stage.create(&first).await;
    assert_eq!(stage.paths(&first).await, Vec::<String>::new());
    assert_eq!(stage.paths(&second).await, ["SourceArn"]);
    stage.update(&second).await;
    assert_eq!(stage.paths(&second).await, Vec::<String>::new());
    let by_hand = aws_sdk_lambda::Client::new(&stage.config).add_permission().function_name(&function.physical_id);
    let by_hand = by_hand.statement_id("by-hand").action("lambda:InvokeFunction").principal("sns.amazonaws.com");
    by_hand.send().await.unwrap();
    assert_eq!(
        stage.found_on(PERMISSION, &function).await,
        [first.physical_id.as_str()],
        "its function's policy finds it"
    );
    stage.delete(&made).await;
    stage.delete(&made).await;
    assert_eq!(stage.read(&first).await, None);
    assert_eq!(stage.found_on(PERMISSION, &function).await, Vec::<String>::new());
}

#[tokio::test]
async fn statements_of_one_function_are_added_one_after_the_other() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    proxy.rule(Rule::on("lambda", "AddPermission").latency(Duration::from_millis(150)));
    let stage = Stage::at("permission-many", &proxy.url()).await;
    let mut resources = function::with_role();
    for service in ["events", "sns", "s3"] {
        let properties = json!({
            "FunctionName": {"Ref": "F"}, "Action": "lambda:InvokeFunction",
            "Principal": format!("{service}.amazonaws.com"),
        });
        resources[service.to_uppercase()] = json!({"Type": PERMISSION, "Properties": properties});
    }
    stage.up(&resources).await;
    let mut added: Vec<_> = proxy.calls().into_iter().filter(|call| call.operation == "AddPermission").collect();
    added.sort_by_key(|call| call.begin);
    assert_eq!(added.len(), 3);
    assert!(added.windows(2).all(|two| two[0].end.unwrap() <= two[1].begin), "{added:?}");
    stage.down(&resources).await;
}

#[tokio::test]
async fn e14_another_change_of_the_function_is_waited_for_by_its_policy_its_concurrency_and_its_tags() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let message = "The function could not be updated due to a concurrent update operation.";
    let changing = ["AddPermission", "PutFunctionConcurrency", "UpdateFunctionConfiguration", "RemovePermission"];
    for operation in changing.into_iter().chain(["TagResource"]) {
        proxy.rule(Rule::on("lambda", operation).times(1).answer(409, "ResourceConflictException", message));
    }
    let stage = Stage::at("permission-busy", &proxy.url()).await;
    let mut resources = function::with_role();
    resources["F"]["Properties"]["ReservedConcurrentExecutions"] = 5.into();
    let permission = json!({
        "FunctionName": {"Ref": "F"}, "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com",
    });
    resources["Sns"] = json!({"Type": PERMISSION, "Properties": permission});
    stage.up(&resources).await;
    resources["F"]["Properties"]["Timeout"] = 60.into();
    resources["F"]["Properties"]["Tags"] = json!([{"Key": "team", "Value": "data"}]);
    resources.as_object_mut().unwrap().shift_remove("Sns");
    stage.up(&resources).await;
    let calls = |operation: &str| proxy.calls().iter().filter(|call| call.operation == operation).count();
    let first = ["AddPermission", "PutFunctionConcurrency", "TagResource"].map(calls);
    assert_eq!(first, [2, 2, 2]);
    assert_eq!(
        (calls("UpdateFunctionConfiguration"), calls("RemovePermission")),
        (2, 2),
        "and nothing is removed before"
    );
    stage.down(&resources).await;
}

#[tokio::test]
async fn e14_a_statement_that_runs_beside_this_one_make_is_taken_as_it_is_or_made_anew() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at("permission-beside", &proxy.url()).await;
    let mut resources = function::with_role();
    stage.up(&resources).await;
    let permission = json!({
        "FunctionName": {"Ref": "F"}, "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com",
    });
    resources["Sns"] = json!({"Type": PERMISSION, "Properties": permission});
    let taken = "The statement id (permission-beside-Sns) provided already exists.";
    // Two others are faster in turn, and take theirs away again.
    proxy.rule(Rule::on("lambda", "AddPermission").times(3).answer(409, "ResourceConflictException", taken));
    stage.up(&resources).await;
    proxy.forget();
    let made = stage.looks(&resources).await.into_iter().find(|look| look.resource.logical_id == "Sns").unwrap();
    stage.create(&made.resource).await;
    let calls: Vec<_> = proxy.mutating_calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["AddPermission"], "what another has made is as it is wanted");
    stage.down(&resources).await;
}
