use provisioner::engine::{Observed, Resource};
use serde_json::{Value, json};
use testkit::FaultProxy;
use testkit::fault_proxy::Rule;

use crate::function;
use crate::stage::{Stage, endpoint};

const POLICY: &str = "AWS::IAM::ManagedPolicy";

fn document(action: &str) -> Value {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

async fn of(stage: &Stage, properties: Value) -> Resource {
    stage.resource(POLICY, "Policy", properties).await
}

#[tokio::test]
async fn a_managed_policy_lives_from_create_to_delete() {
    let stage = Stage::new("managedpolicy-life").await;
    let role = function::role(&stage).await;
    let first = of(&stage, json!({"Path": "/team/", "PolicyDocument": document("s3:GetObject"), "Roles": []})).await;
    let second = json!({
        "Path": "/team/", "PolicyDocument": document("s3:PutObject"), "Roles": [role.physical_id],
    });
    let second = of(&stage, second).await;
    stage.live_through(&first, &second, &["PolicyDocument", "Roles", "Tags.provision:attached"]).await;
}

#[tokio::test]
async fn a_policy_that_attaches_itself_is_no_drift_of_its_role_and_one_by_hand_is() {
    let stage = Stage::new("managedpolicy-role").await;
    let role = function::role(&stage).await;
    let named = json!({"PolicyDocument": document("s3:GetObject"), "Roles": [role.physical_id]});
    let policy = of(&stage, named).await;
    let made = stage.create(&policy).await;
    assert_eq!(stage.paths(&role).await, Vec::<String>::new());
    let unnamed = of(&stage, json!({"PolicyDocument": document("s3:GetObject")})).await;
    stage.update(&unnamed).await;
    assert_eq!(attached(&stage, &role.physical_id).await.len(), 0, "nothing in the template attaches it any more");
    attach(&stage, &role.physical_id, &made).await;
    assert_eq!(stage.paths(&role).await, ["ManagedPolicyArns"]);
    stage.delete(&made).await;
    assert_eq!(stage.read(&policy).await, None, "an attachment does not hold up the delete");
}

#[tokio::test]
async fn kinds_of_holders_that_left_the_template_are_let_go_and_the_others_kept() {
    let stage = Stage::new("managedpolicy-kinds").await;
    let (role, name) = (function::role(&stage).await, "managedpolicy-kinds");
    let iam = aws_sdk_iam::Client::new(&stage.config);
    iam.create_user().user_name(name).send().await.unwrap();
    iam.create_role().role_name(name).assume_role_policy_document("{}").send().await.unwrap();
    let roles = json!([role.physical_id, name]);
    let holders = json!({"PolicyDocument": document("s3:GetObject"), "Roles": roles, "Users": [name]});
    stage.create(&of(&stage, holders).await).await;
    let users = json!({"PolicyDocument": document("s3:GetObject"), "Users": [name]});
    let users = of(&stage, users).await;
    stage.update(&users).await;
    let seen = stage.read(&users).await.unwrap().properties;
    assert_eq!((seen.get("Roles"), &seen["Users"]), (None, &json!([name])));
    for role in [name, &role.physical_id] {
        assert_eq!(attached(&stage, role).await.len(), 0, "{role}");
    }
    assert_eq!(stage.paths(&users).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_holder_that_the_template_names_gets_it_again_and_one_of_somebody_else_keeps_it() {
    let stage = Stage::new("managedpolicy-others").await;
    let (role, name) = (function::role(&stage).await, "managedpolicy-others");
    let iam = aws_sdk_iam::Client::new(&stage.config);
    iam.create_role().role_name(name).assume_role_policy_document("{}").send().await.unwrap();
    let named = json!({"PolicyDocument": document("s3:GetObject"), "Roles": [role.physical_id]});
    let policy = of(&stage, named).await;
    let made = stage.create(&policy).await;
    attach(&stage, name, &made).await;
    assert_eq!(stage.paths(&policy).await, Vec::<String>::new());
    let arn = made.attributes["PolicyArn"].as_str().unwrap();
    iam.detach_role_policy().role_name(&role.physical_id).policy_arn(arn).send().await.unwrap();
    assert_eq!(stage.paths(&policy).await, ["Roles"]);
    stage.update(&policy).await;
    let nobody = of(&stage, json!({"PolicyDocument": document("s3:GetObject"), "Roles": []})).await;
    for (policy, held) in [(policy, 1), (nobody, 0)] {
        stage.update(&policy).await;
        assert_eq!((attached(&stage, &role.physical_id).await.len(), attached(&stage, name).await.len()), (held, 1));
    }
}

#[tokio::test]
async fn a_sixth_version_takes_the_place_of_the_oldest() {
    let stage = Stage::new("managedpolicy-versions").await;
    for action in ["s3:A", "s3:B", "s3:C", "s3:D", "s3:E", "s3:F", "s3:G"] {
        let policy = of(&stage, json!({"PolicyDocument": document(action)})).await;
        match stage.read(&policy).await {
            None => drop(stage.create(&policy).await),
            Some(_) => drop(stage.update(&policy).await),
        }
        assert_eq!(stage.paths(&policy).await, Vec::<String>::new(), "{action} is in force");
    }
    let arn = of(&stage, json!({"PolicyDocument": document("s3:G")})).await.attributes["Ref"].clone();
    let iam = aws_sdk_iam::Client::new(&stage.config);
    let listed = iam.list_policy_versions().policy_arn(arn.as_str().unwrap()).send().await.unwrap();
    let mut kept: Vec<_> = listed.versions().iter().filter_map(|version| version.version_id()).collect();
    kept.sort_unstable();
    assert_eq!(kept, ["v3", "v4", "v5", "v6", "v7"]);
}

#[tokio::test]
async fn a_run_that_loses_the_last_place_for_a_version_to_another_makes_room_again() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at("managedpolicy-race", &proxy.url()).await;
    stage.create(&of(&stage, json!({"PolicyDocument": document("s3:A")})).await).await;
    let full = "A managed policy can have up to 5 versions.";
    proxy.rule(Rule::on("iam", "CreatePolicyVersion").nth(1).answer(409, "LimitExceeded", full));
    let policy = of(&stage, json!({"PolicyDocument": document("s3:B")})).await;
    stage.update(&policy).await;
    assert_eq!(stage.paths(&policy).await, Vec::<String>::new());
}

#[tokio::test]
async fn e9_a_holder_that_iam_does_not_know_yet_is_waited_for_and_costs_no_versions() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at("managedpolicy-waits", &proxy.url()).await;
    let role = function::role(&stage).await;
    stage.create(&of(&stage, json!({"PolicyDocument": document("s3:A")})).await).await;
    proxy.rule(Rule::on("iam", "AttachRolePolicy").times(2).answer(404, "NoSuchEntity", "no such role"));
    let policy = of(&stage, json!({"PolicyDocument": document("s3:B"), "Roles": [role.physical_id]})).await;
    stage.update(&policy).await;
    assert_eq!(stage.paths(&policy).await, Vec::<String>::new());
    let calls = |operation: &str| proxy.calls().iter().filter(|call| call.operation == operation).count();
    assert_eq!((calls("AttachRolePolicy"), calls("CreatePolicyVersion")), (3, 1));
}

const ROLE: &str = "AWS::IAM::Role";

/// A role and a policy, which names the role or is named by it.
fn role_and_policy(by_policy: bool, path: &str) -> Value {
    let principal = json!({"Service": "lambda.amazonaws.com"});
    let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
    let trust = json!({"Version": "2012-10-17", "Statement": [statement]});
    let mut both = json!({
        "Role": {"Type": ROLE, "Properties": {"AssumeRolePolicyDocument": trust}},
        "Policy": {"Type": POLICY, "Properties": {"Path": path, "PolicyDocument": document("s3:GetObject")}},
    });
    match by_policy {
        true => both["Policy"]["Properties"]["Roles"] = json!([{"Ref": "Role"}]),
        false => both["Role"]["Properties"]["ManagedPolicyArns"] = json!([{"Ref": "Policy"}]),
    }
    both
}

async fn attach(stage: &Stage, role: &str, policy: &Observed) {
    let iam = aws_sdk_iam::Client::new(&stage.config);
    let arn = policy.attributes["PolicyArn"].as_str().unwrap();
    iam.attach_role_policy().role_name(role).policy_arn(arn).send().await.unwrap();
}

async fn attached(stage: &Stage, role: &str) -> Vec<String> {
    let iam = aws_sdk_iam::Client::new(&stage.config);
    let listed = iam.list_attached_role_policies().role_name(role).send().await.unwrap();
    listed.attached_policies().iter().filter_map(|policy| policy.policy_arn().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_policy_stays_on_its_role_whichever_of_the_two_names_the_other() {
    let stage = Stage::new("managedpolicy-moves").await;
    for by_policy in [false, true, false] {
        stage.up(&role_and_policy(by_policy, "/")).await;
        assert_eq!(attached(&stage, "managedpolicy-moves-Role-us-east-1").await.len(), 1, "by policy: {by_policy}");
    }
    stage.down(&role_and_policy(false, "/")).await;
}

#[tokio::test]
async fn a_policy_that_names_one_role_and_is_named_by_another_is_on_those_that_name_it_or_that_it_names() {
    let stage = Stage::new("managedpolicy-both").await;
    let both = |by_policy: bool, by_role: bool| {
        let mut all = role_and_policy(by_policy, "/");
        all["Other"] = role_and_policy(false, "/")["Role"].clone();
        if !by_role {
            all["Other"]["Properties"]["ManagedPolicyArns"] = json!([]);
        }
        if !by_policy {
            all["Role"]["Properties"]["ManagedPolicyArns"] = json!([]);
        }
        all
    };
    // Each ends with a second plan, which must be empty.
    for (by_policy, by_role) in [(true, true), (true, false), (true, true), (false, true), (false, false)] {
        stage.up(&both(by_policy, by_role)).await;
        let on = async |role| !attached(&stage, &format!("managedpolicy-both-{role}-us-east-1")).await.is_empty();
        assert_eq!((on("Role").await, on("Other").await), (by_policy, by_role));
    }
    stage.down(&both(false, false)).await;
}

#[tokio::test]
async fn e14_a_policy_at_another_path_is_replaced_and_down_finds_it() {
    let stage = Stage::new("managedpolicy-path").await;
    stage.up(&role_and_policy(true, "/a/")).await;
    let plan = stage.plan(&role_and_policy(true, "/b/")).await.unwrap();
    let replaced: Vec<_> = plan.destructive().into_iter().map(|change| change.logical_id.as_str()).collect();
    assert_eq!(replaced, ["Policy"]);
    stage.up(&role_and_policy(true, "/b/")).await;
    let arns = attached(&stage, "managedpolicy-path-Role-us-east-1").await;
    assert!(arns.len() == 1 && arns[0].contains(":policy/b/"), "{arns:?}");
    // The template of before, which would have it elsewhere.
    stage.down(&role_and_policy(true, "/a/")).await;
    let iam = aws_sdk_iam::Client::new(&stage.config);
    assert!(iam.get_policy().policy_arn(&arns[0]).send().await.is_err(), "it is left");
}

#[tokio::test]
async fn what_cloudformation_attached_stays_attached_when_it_is_taken_over() {
    let theirs = Stage::new("managedpolicy-cfn").await;
    let iam = aws_sdk_iam::Client::new(&theirs.config);
    let mut resources = role_and_policy(true, "/");
    resources["Role"]["Properties"]["RoleName"] = "managedpolicy-cfn".into();
    resources["Policy"]["Properties"]["ManagedPolicyName"] = "managedpolicy-cfn".into();
    let own = json!({"PolicyName": "own", "Roles": [{"Ref": "Role"}], "PolicyDocument": document("s3:ListBucket")});
    resources["Own"] = json!({"Type": "AWS::IAM::Policy", "Properties": own});
    let trust = resources["Role"]["Properties"]["AssumeRolePolicyDocument"].to_string();
    iam.create_role().role_name("managedpolicy-cfn").assume_role_policy_document(trust).send().await.unwrap();
    let policy = iam.create_policy().policy_name("managedpolicy-cfn");
    let policy = policy.policy_document(document("s3:GetObject").to_string()).send().await.unwrap().policy.unwrap();
    let arn = policy.arn.unwrap();
    iam.attach_role_policy().role_name("managedpolicy-cfn").policy_arn(&arn).send().await.unwrap();
    let put = iam.put_role_policy().role_name("managedpolicy-cfn").policy_name("own");
    put.policy_document(document("s3:ListBucket").to_string()).send().await.unwrap();

    let paths = theirs.adopt(&resources).await;
    assert!(paths.iter().all(|path| path.starts_with("Tags.")), "{paths:?}");
    assert_eq!(attached(&theirs, "managedpolicy-cfn").await, [arn]);
    assert!(theirs.plan(&resources).await.unwrap().is_empty());
    theirs.down(&resources).await;
}

/// Of users and groups, which go over Cloud Control, the emulator makes none.
#[tokio::test]
async fn a_policy_that_attaches_itself_is_no_drift_of_users_and_groups_either() {
    let stage = Stage::new("managedpolicy-puts").await;
    let named = json!({"PolicyDocument": document("s3:GetObject"), "Users": ["ann"], "Groups": ["readers"]});
    let policy = of(&stage, named).await;
    let puts = stage.provider(POLICY).puts(&policy);
    let into: Vec<_> = puts.iter().map(|put| (put.type_name, put.physical_id.as_str(), put.property)).collect();
    let property = "ManagedPolicyArns";
    assert_eq!(into, [("AWS::IAM::User", "ann", property), ("AWS::IAM::Group", "readers", property)]);
    assert!(puts.iter().all(|put| put.item == policy.attributes["PolicyArn"]));
}
