use serde_json::json;

use crate::function;
use crate::stage::Stage;

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
    stage.delete(&made).await;
    stage.delete(&made).await;
    assert_eq!(stage.read(&first).await, None);
}
