//! What AWS does and the emulator does not, played by the fault proxy.

use std::time::Duration;

use provisioner::engine::{DeleteOptions, ProviderError};
use serde_json::json;
use testkit::fault_proxy::{Edge, FaultProxy, Rule};

use crate::function;
use crate::stage::{Stage, endpoint, silent};

async fn stage(stack: &str) -> (FaultProxy, Stage) {
    let proxy = FaultProxy::start(&endpoint()).expect("the proxy starts");
    let stage = Stage::at(stack, &proxy.url()).await;
    (proxy, stage)
}

fn calls(proxy: &FaultProxy, operation: &str) -> usize {
    proxy.calls().iter().filter(|call| call.operation == operation).count()
}

#[tokio::test]
async fn e6_tags_that_may_not_be_read_stop_everything() {
    let (proxy, stage) = stage("edge-tags").await;
    let queue = stage.resource("AWS::SQS::Queue", "Jobs", json!({})).await;
    stage.create(&queue).await;
    proxy.rule(Rule::on("sqs", "ListQueueTags").answer(403, "AccessDenied", "no"));
    let refused = stage.provider("AWS::SQS::Queue").read(&queue).await.unwrap_err();
    assert!(matches!(refused, ProviderError::Denied { .. }), "{refused}");
}

#[tokio::test]
async fn a_queue_of_somebody_else_that_refuses_to_tell_its_tags_stops_nothing() {
    let (proxy, stage) = stage("edge-closed").await;
    let (ours, theirs) = (json!({"Jobs": {"Type": "AWS::SQS::Queue"}}), "edge-theirs-closed");
    stage.up(&ours).await;
    aws_sdk_sqs::Client::new(&stage.config).create_queue().queue_name(theirs).send().await.unwrap();
    proxy.rule(Rule::on("sqs", "ListQueueTags").of(theirs).answer(403, "AccessDenied", "by its policy"));
    assert!(stage.plan(&ours).await.unwrap().is_empty());
    stage.down(&ours).await;
    let refused = |call: &testkit::fault_proxy::Call| call.operation == "ListQueueTags" && call.status == 403;
    assert!(proxy.calls().iter().any(refused), "it was asked");
}

#[tokio::test]
async fn queues_that_all_refuse_to_tell_their_tags_tell_that_a_right_is_missing_unless_their_policies_refuse() {
    let (proxy, stage) = stage("edge-right").await;
    let queue = stage.resource("AWS::SQS::Queue", "Left", json!({})).await;
    stage.create(&queue).await;
    let find = async || stage.provider("AWS::SQS::Queue").find(&stage.scope, &Default::default()).await;
    let message = "not authorized because no identity-based policy allows the sqs:ListQueueTags action";
    proxy.rule(Rule::on("sqs", "ListQueueTags").answer(403, "AccessDenied", message));
    let refused = find().await.unwrap_err();
    assert!(matches!(&refused, ProviderError::Denied { operation, .. } if operation == "sqs:ListQueueTags"));
    proxy.behave();
    let message = "not authorized with an explicit deny in a resource-based policy";
    proxy.rule(Rule::on("sqs", "ListQueueTags").answer(403, "AccessDenied", message));
    assert_eq!(find().await.unwrap(), vec![]);
}

#[tokio::test]
async fn e7_a_new_role_is_waited_for() {
    let (proxy, stage) = stage("edge-role").await;
    proxy.play(Edge::RoleNotAssumable(Duration::from_millis(600)));
    let role = function::role(&stage).await;
    let function = stage.resource("AWS::Lambda::Function", "F", function::properties(&role, "code")).await;
    stage.create(&function).await;
    assert!(calls(&proxy, "CreateFunction") > 1);
    assert_eq!(stage.paths(&function).await, Vec::<String>::new());
}

#[tokio::test]
async fn e7_a_wrong_trust_policy_fails_after_one_call() {
    let (proxy, stage) = stage("edge-trust").await;
    let statement =
        json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"});
    let trust = json!({"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}});
    let role = stage.resource("AWS::IAM::Role", "Role", trust).await;
    stage.create(&role).await;
    let message = "The role defined for the function cannot be assumed by Lambda.";
    proxy.rule(Rule::on("lambda", "CreateFunction").answer(400, "InvalidParameterValueException", message));
    let function = stage.resource("AWS::Lambda::Function", "F", function::properties(&role, "code")).await;
    let refused = stage.provider("AWS::Lambda::Function").create(&function, &silent()).await.unwrap_err();
    assert!(refused.to_string().contains("trust policy"), "{refused}");
    assert_eq!(calls(&proxy, "CreateFunction"), 1);
}

#[tokio::test]
async fn e9_a_principal_that_is_new_is_waited_for() {
    let (proxy, stage) = stage("edge-principal").await;
    let arn = "arn:aws:iam::000000000000:role/new";
    let role = function::role(&stage).await;
    let function = stage.resource("AWS::Lambda::Function", "F", function::properties(&role, "code")).await;
    stage.create(&function).await;
    let queue = stage.resource("AWS::SQS::Queue", "Jobs", json!({})).await;
    stage.create(&queue).await;
    let bucket = stage.resource("AWS::S3::Bucket", "Lake", json!({})).await;
    stage.create(&bucket).await;

    let statement = |action: &str, on: &str| json!({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": action, "Resource": on});
    let document = |action: &str, on: &str| json!({"Version": "2012-10-17", "Statement": [statement(action, on)]});
    let mut trust = document("sts:AssumeRole", "");
    trust["Statement"][0].as_object_mut().unwrap().remove("Resource");
    let url = stage.read(&queue).await.unwrap().attributes["QueueUrl"].clone();
    let lake = format!("arn:aws:s3:::{}/*", bucket.physical_id);
    let policies = [
        ("AWS::IAM::Role", json!({"AssumeRolePolicyDocument": trust})),
        (
            "AWS::S3::BucketPolicy",
            json!({"Bucket": bucket.physical_id, "PolicyDocument": document("s3:GetObject", &lake)}),
        ),
        ("AWS::SQS::QueuePolicy", json!({"Queues": [url], "PolicyDocument": document("sqs:SendMessage", "*")})),
        (
            "AWS::Lambda::Permission",
            json!({"FunctionName": function.physical_id, "Action": "lambda:InvokeFunction", "Principal": arn}),
        ),
    ];
    let answers = [
        (
            "CreateRole",
            "MalformedPolicyDocument",
            "Invalid principal in policy: \"AWS\":\"arn:aws:iam::000000000000:role/new\"",
        ),
        ("PutBucketPolicy", "MalformedPolicy", "Invalid principal in policy"),
        ("SetQueueAttributes", "InvalidAttributeValue", "Invalid value for the parameter Policy."),
        (
            "AddPermission",
            "InvalidParameterValueException",
            "The provided principal was invalid. Please check the principal and try again.",
        ),
    ];
    for ((type_name, properties), (operation, code, message)) in policies.into_iter().zip(answers) {
        proxy.rule(Rule::on("*", operation).times(1).answer(400, code, message));
        let before = calls(&proxy, operation);
        let resource = stage.resource(type_name, "Policy", properties).await;
        stage.create(&resource).await;
        assert_eq!(calls(&proxy, operation) - before, 2, "{operation}");
        assert_eq!(stage.paths(&resource).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn e9_a_dead_letter_queue_and_a_bucket_that_are_new_are_waited_for() {
    let (proxy, stage) = stage("edge-new").await;
    let unknown = "Value {} for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.";
    proxy.rule(Rule::on("sqs", "CreateQueue").times(1).answer(400, "InvalidParameterValue", unknown));
    let queue = stage.resource("AWS::SQS::Queue", "Jobs", json!({})).await;
    stage.create(&queue).await;
    assert_eq!(calls(&proxy, "CreateQueue"), 2);
    // A queue that is there gets dead letters, and their queue is as new.
    proxy.rule(Rule::on("sqs", "SetQueueAttributes").times(1).answer(400, "InvalidParameterValue", unknown));
    let dead = stage.resource("AWS::SQS::Queue", "Dead", json!({})).await;
    stage.create(&dead).await;
    let redrive = json!({"RedrivePolicy": {"deadLetterTargetArn": dead.attributes["Arn"], "maxReceiveCount": 5}});
    let queue = stage.resource("AWS::SQS::Queue", "Jobs", redrive).await;
    stage.update(&queue).await;
    assert_eq!(calls(&proxy, "SetQueueAttributes"), 2);
    assert_eq!(stage.paths(&queue).await, Vec::<String>::new());
    proxy.rule(Rule::on("s3", "PutPublicAccessBlock").times(1).answer(
        404,
        "NoSuchBucket",
        "The specified bucket does not exist",
    ));
    let blocked = json!({"PublicAccessBlockConfiguration": {"BlockPublicAcls": true}});
    let bucket = stage.resource("AWS::S3::Bucket", "Lake", blocked).await;
    stage.create(&bucket).await;
    assert_eq!(calls(&proxy, "PutPublicAccessBlock"), 2);
}

#[tokio::test]
async fn e15_e16_e27_a_function_is_waited_for_at_every_change() {
    let (proxy, stage) = stage("edge-busy").await;
    proxy.play(Edge::FunctionPending(2));
    proxy.play(Edge::UpdateInProgress(2));
    proxy.play(Edge::FunctionDeleting(2));
    let role = function::role(&stage).await;
    let first = stage.resource("AWS::Lambda::Function", "F", function::properties(&role, "one")).await;
    stage.create(&first).await;
    let mut second = function::properties(&role, "two");
    second["Timeout"] = 60.into();
    let second = stage.resource("AWS::Lambda::Function", "F", second).await;
    let updated = stage.update(&second).await;
    assert_eq!(stage.paths(&second).await, Vec::<String>::new());
    stage.delete(&updated).await;
    assert_eq!(stage.read(&second).await, None);
}

#[tokio::test]
async fn e16_what_is_as_the_template_says_and_is_being_changed_still_is_waited_for() {
    let (proxy, stage) = stage("edge-unready").await;
    let template = function::with_role();
    stage.up(&template).await;
    proxy.play(Edge::UpdateInProgress(3));
    let lambda = aws_sdk_lambda::Client::new(&stage.config);
    lambda.update_function_configuration().function_name("edge-unready-F").timeout(3).send().await.unwrap();
    proxy.forget();
    let report = stage.try_up(&template).await;
    assert!(report.is_whole() && report.done.is_empty(), "{report:?}");
    assert_eq!(calls(&proxy, "GetFunction"), 4, "three find it being updated");
    assert_eq!(proxy.mutating_calls().len(), 0);
}

#[tokio::test]
async fn e8_e33_a_mapping_is_waited_for_at_every_change() {
    let (proxy, stage) = stage("edge-mapping").await;
    proxy.play(Edge::PolicyNotYetEffective(Duration::from_millis(600)));
    proxy.play(Edge::MappingStates(2));
    let role = function::role(&stage).await;
    let queue = stage.resource("AWS::SQS::Queue", "Jobs", json!({})).await;
    stage.create(&queue).await;
    let function = stage.resource("AWS::Lambda::Function", "F", function::properties(&role, "code")).await;
    stage.create(&function).await;
    let joined = json!({"EventSourceArn": queue.attributes["Arn"], "FunctionName": function.physical_id});
    let mut mapping = stage.resource("AWS::Lambda::EventSourceMapping", "M", joined).await;
    stage.create(&mapping).await;
    mapping.properties["BatchSize"] = 5.into();
    let code = "InvalidParameterValueException";
    let missing = "The provided execution role does not have permissions to call SendMessage on SQS";
    proxy.rule(Rule::on("lambda", "UpdateEventSourceMapping").nth(1).answer(400, code, missing));
    let unknown = "The role defined for the function cannot be assumed by Lambda.";
    proxy.rule(Rule::on("lambda", "UpdateEventSourceMapping").nth(2).answer(400, code, unknown));
    let updated = stage.update(&mapping).await;
    assert_eq!(stage.paths(&mapping).await, Vec::<String>::new());
    stage.delete(&updated).await;
    assert_eq!(stage.read(&mapping).await, None);
}

#[tokio::test]
async fn e27_e33_what_is_still_being_deleted_is_waited_for_and_made_anew() {
    let (proxy, stage) = stage("edge-anew").await;
    let role = function::role(&stage).await;
    let queue = stage.resource("AWS::SQS::Queue", "Jobs", json!({})).await;
    stage.create(&queue).await;
    let function = stage.resource("AWS::Lambda::Function", "F", function::properties(&role, "code")).await;
    let joined = json!({"EventSourceArn": queue.attributes["Arn"], "FunctionName": function.physical_id});
    let mapping = stage.resource("AWS::Lambda::EventSourceMapping", "M", joined).await;
    proxy.play(Edge::FunctionDeleting(3));
    for resource in [&function, &mapping] {
        let made = stage.create(resource).await;
        // The run that deleted it was cut off before it was gone.
        let provider = stage.provider(&resource.type_name);
        provider.delete(&made, DeleteOptions::default(), &silent()).await.unwrap();
        assert_eq!(stage.read(resource).await, None, "{}", resource.physical_id);
        stage.create(resource).await;
        assert_eq!(stage.paths(resource).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn e43_a_deleted_queue_is_waited_out_before_and_after() {
    let (proxy, stage) = stage("edge-queue").await;
    proxy.play(Edge::QueueLingers(3));
    proxy.play(Edge::QueueDeletedRecently(Duration::from_millis(2500)));
    let queue = stage.resource("AWS::SQS::Queue", "Jobs", json!({})).await;
    let made = stage.create(&queue).await;
    stage.delete(&made).await;
    stage.create(&queue).await;
    assert!(stage.read(&queue).await.is_some());
}

#[tokio::test]
async fn e67_a_buckets_settings_go_one_after_another() {
    let (proxy, stage) = stage("edge-bucket").await;
    proxy.play(Edge::OneWriterABucket);
    let properties = json!({
        "BucketName": "edge-bucket", "VersioningConfiguration": {"Status": "Enabled"},
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": true},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    });
    let bucket = stage.resource("AWS::S3::Bucket", "Lake", properties).await;
    stage.create(&bucket).await;
    assert_eq!(stage.paths(&bucket).await, Vec::<String>::new());
    assert!(proxy.calls().iter().all(|call| call.status != 409));
}

#[tokio::test]
async fn e53_a_bucket_name_that_someone_else_owns_is_told() {
    let (proxy, stage) = stage("edge-taken").await;
    let bucket = stage.resource("AWS::S3::Bucket", "Lake", json!({"BucketName": "edge-taken"})).await;
    proxy.rule(Rule::on("s3", "CreateBucket").answer(409, "BucketAlreadyExists", "taken"));
    let refused = stage.provider("AWS::S3::Bucket").create(&bucket, &silent()).await.unwrap_err();
    assert!(refused.to_string().contains("taken by someone else"), "{refused}");
}

#[tokio::test]
async fn e14_another_change_of_the_role_is_waited_for_when_its_policy_goes() {
    let (proxy, stage) = stage("edge-role-busy").await;
    let role = function::role(&stage).await;
    let statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
    let own = json!({
        "PolicyName": "own", "Roles": [role.physical_id],
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    });
    let policy = stage.resource("AWS::IAM::Policy", "Policy", own).await;
    let made = stage.create(&policy).await;
    let busy =
        "The request was rejected because multiple requests to change this object were submitted simultaneously.";
    for operation in ["DeleteRolePolicy", "UntagRole"] {
        proxy.rule(Rule::on("iam", operation).times(1).answer(409, "ConcurrentModification", busy));
    }
    stage.delete(&made).await;
    assert_eq!(stage.read(&policy).await, None);
    assert_eq!(stage.found("AWS::IAM::Policy").await, Vec::<String>::new(), "its mark is off");
}
