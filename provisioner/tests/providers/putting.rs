//! What one resource puts into another that goes over Cloud Control, whose lists are sent whole.

use aws_sdk_cloudcontrol::Client as CloudControl;
use serde_json::{Value, json};

use crate::cloud_control::proxy;
use crate::stage::Stage;

const USER: &str = "AWS::IAM::User";
const USER_POLICY: &str = "AWS::IAM::UserPolicy";

fn statement(action: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": "*"})
}

fn document(statement: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// The user's properties as AWS has them.
async fn there(cloud: &CloudControl, user: &str) -> Value {
    let found = cloud.get_resource().type_name(USER).identifier(user).send().await.unwrap();
    serde_json::from_str(found.resource_description.unwrap().properties().unwrap()).unwrap()
}

async fn set(cloud: &CloudControl, user: &str, property: &str, value: Value) {
    let patch = json!([{"op": "add", "path": format!("/{property}"), "value": value}]).to_string();
    cloud.update_resource().type_name(USER).identifier(user).patch_document(patch).send().await.unwrap();
}

#[tokio::test]
async fn a_policy_that_was_put_into_a_user_is_there_whole_after_each_change_of_the_user() {
    const NAME: &str = "putting-extra";
    let proxy = proxy();
    let stage = Stage::at("putting-extra", &proxy.url()).await.with_types(&[USER, USER_POLICY]).await;
    let cloud = CloudControl::new(&stage.config);
    let mut narrow = statement("sqs:SendMessage");
    narrow["Condition"] = json!({"Bool": {"aws:SecureTransport": "true"}});
    let extra = json!({"PolicyName": "extra", "PolicyDocument": document(narrow)});
    let of = |team: &str, own: Option<&str>| {
        let mut user = json!({"UserName": NAME, "Tags": [{"Key": "team", "Value": team}]});
        if let Some(action) = own {
            let own = json!({"PolicyName": "own", "PolicyDocument": document(statement(action))});
            user["Policies"] = json!([own]);
        }
        let mut put = extra.clone();
        put["UserName"] = json!({"Ref": "User"});
        json!({"User": {"Type": USER, "Properties": user}, "Extra": {"Type": USER_POLICY, "Properties": put}})
    };
    let (own, changed) = (Some("s3:GetObject"), Some("s3:*"));
    stage.up(&of("a", own)).await;
    // The emulator does not put it there.
    let mut policies = there(&cloud, NAME).await["Policies"].clone();
    policies.as_array_mut().unwrap().push(extra.clone());
    set(&cloud, NAME, "Policies", policies).await;
    for (team, own) in [("b", own), ("b", changed), ("b", None), ("c", None), ("c", changed)] {
        stage.up(&of(team, own)).await;
        let policies = there(&cloud, NAME).await["Policies"].clone();
        assert!(policies.as_array().unwrap().contains(&extra), "{team} {own:?}: {policies}");
        assert_eq!(policies.as_array().unwrap().len(), 1 + usize::from(own.is_some()), "{team} {own:?}: {policies}");
    }
    stage.down(&of("c", changed)).await;
}

#[tokio::test]
async fn a_policy_stays_on_its_user_whichever_of_the_two_names_the_other() {
    const NAME: &str = "putting-moves";
    let proxy = proxy();
    let stage = Stage::at("putting-moves", &proxy.url()).await.with_types(&[USER]).await;
    let (cloud, iam) = (CloudControl::new(&stage.config), aws_sdk_iam::Client::new(&stage.config));
    // What goes over Cloud Control the emulator does not make in IAM: it is done here.
    iam.create_user().user_name(NAME).send().await.unwrap();
    let of = |by_policy: bool| {
        let mut user = json!({"Type": USER, "Properties": {"UserName": NAME}});
        let mut policy = json!({"PolicyDocument": document(statement("s3:GetObject"))});
        match by_policy {
            true => policy["Users"] = json!([{"Ref": "User"}]),
            false => user["Properties"]["ManagedPolicyArns"] = json!([{"Ref": "Policy"}]),
        }
        json!({"User": user, "Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": policy}})
    };
    stage.up(&of(false)).await;
    let arn = there(&cloud, NAME).await["ManagedPolicyArns"][0].clone();
    iam.attach_user_policy().user_name(NAME).policy_arn(arn.as_str().unwrap()).send().await.unwrap();
    for by_policy in [true, false, true] {
        stage.up(&of(by_policy)).await;
        assert_eq!(there(&cloud, NAME).await["ManagedPolicyArns"], json!([arn]), "by policy: {by_policy}");
        let attached = iam.list_attached_user_policies().user_name(NAME).send().await.unwrap();
        assert_eq!(attached.attached_policies().len(), 1, "by policy: {by_policy}");
    }
    stage.down(&of(true)).await;
    iam.delete_user().user_name(NAME).send().await.unwrap();
}
