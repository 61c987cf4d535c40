use serde_json::json;

use crate::stage::Stage;

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
