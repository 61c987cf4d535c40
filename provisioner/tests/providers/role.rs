use serde_json::{Value, json};

use crate::stage::Stage;

const ROLE: &str = "AWS::IAM::Role";

fn trust() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    })
}

fn policy(name: &str, action: &str) -> Value {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": ["*"]});
    json!({"PolicyName": name, "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}})
}

#[tokio::test]
async fn a_role_lives_from_create_to_delete() {
    let stage = Stage::new("role-life").await;
    let first = json!({
        "RoleName": "role-life", "Description": "first", "AssumeRolePolicyDocument": trust(),
        "Policies": [policy("a", "s3:GetObject"), policy("b", "sqs:SendMessage")],
    });
    let second = json!({
        "RoleName": "role-life", "MaxSessionDuration": 7200, "AssumeRolePolicyDocument": trust(),
        "Policies": [policy("a", "s3:PutObject")],
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
    });
    let first = stage.resource(ROLE, "Role", first).await;
    let second = stage.resource(ROLE, "Role", second).await;
    let changed = ["Description", "MaxSessionDuration", "ManagedPolicyArns", "Policies"];
    stage.live_through(&first, &second, &changed).await;
}

#[tokio::test]
async fn e10_a_policy_attached_by_hand_shows_and_does_not_hold_up_the_delete() {
    let stage = Stage::new("role-hand").await;
    let role = stage.resource(ROLE, "Role", json!({"AssumeRolePolicyDocument": trust()})).await;
    let made = stage.create(&role).await;
    let iam = aws_sdk_iam::Client::new(&stage.config);
    let document = policy("x", "s3:*")["PolicyDocument"].to_string();
    let put = iam.put_role_policy().role_name(&role.physical_id).policy_name("by-hand").policy_document(document);
    put.send().await.unwrap();
    assert_eq!(stage.paths(&role).await, ["Policies"]);
    stage.delete(&made).await;
    assert_eq!(stage.read(&role).await, None);
}

#[tokio::test]
async fn e9_a_role_that_an_interrupted_run_made_is_finished() {
    let stage = Stage::new("role-half").await;
    let whole = json!({"AssumeRolePolicyDocument": trust(), "Policies": [policy("a", "s3:GetObject")]});
    let half = stage.resource(ROLE, "Role", json!({"AssumeRolePolicyDocument": trust()})).await;
    let whole = stage.resource(ROLE, "Role", whole).await;
    stage.create(&half).await;
    stage.create(&whole).await;
    assert_eq!(stage.paths(&whole).await, Vec::<String>::new());
}
