//! Lists that AWS cuts at a page, which may be empty: what is not on the first one is not absent (E3).

use provisioner::engine::Resource;
use serde_json::{Value, json};
use testkit::fault_proxy::Edge;
use testkit::{Emulator, FaultProxy};

use crate::function;
use crate::stage::Stage;

const KINDS: [&str; 6] = [
    "AWS::IAM::Role",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::SQS::Queue",
    "AWS::SSM::Parameter",
];

fn role(policies: &[&str]) -> Value {
    let trusted =
        json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
    let allowed = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
    let document = |statement: &Value| json!({"Version": "2012-10-17", "Statement": [statement]});
    let policies: Vec<_> =
        policies.iter().map(|name| json!({"PolicyName": name, "PolicyDocument": document(&allowed)})).collect();
    let attached = ["ReadOnlyAccess", "SecurityAudit"].map(|name| format!("arn:aws:iam::aws:policy/{name}"));
    json!({"AssumeRolePolicyDocument": document(&trusted), "Policies": policies, "ManagedPolicyArns": attached})
}

/// Three of each kind, of which the last stands on the last page of its list.
async fn threes(stage: &Stage) -> Vec<Resource> {
    let mut made = Vec::new();
    for n in 1..=3 {
        let role = stage.resource(KINDS[0], &format!("Role{n}"), role(&["a", "b", "c"])).await;
        let queue = stage.resource(KINDS[4], &format!("Queue{n}"), json!({})).await;
        let function = function::properties(&role, "code");
        let function = stage.resource(KINDS[2], &format!("Function{n}"), function).await;
        let first_queue = made.iter().find(|one: &&Resource| one.type_name == KINDS[4]).unwrap_or(&queue);
        let joined = json!({"EventSourceArn": first_queue.attributes["Arn"], "FunctionName": function.physical_id});
        let mapping = stage.resource(KINDS[1], &format!("Mapping{n}"), joined).await;
        let group = stage.resource(KINDS[3], &format!("Group{n}"), json!({})).await;
        let parameter =
            stage.resource(KINDS[5], &format!("Parameter{n}"), json!({"Type": "String", "Value": "v"})).await;
        let these = [role, queue, function, mapping, group, parameter];
        for resource in &these {
            stage.create(resource).await;
        }
        made.extend(these);
    }
    made
}

#[tokio::test]
async fn e3_what_is_not_on_the_first_page_is_there() {
    let emulator = Emulator::start().unwrap();
    let proxy = FaultProxy::start(&emulator.endpoint()).unwrap();
    proxy.play(Edge::PagesOfOne);
    let stage = Stage::at("pages", &proxy.url()).await;
    let made = threes(&stage).await;
    proxy.forget();
    for resource in &made {
        assert_eq!(stage.paths(resource).await, Vec::<String>::new(), "{}", resource.physical_id);
    }
    for kind in KINDS {
        let of_kind = made.iter().filter(|resource| resource.type_name == kind);
        let mut names: Vec<_> = of_kind.map(|resource| resource.physical_id.clone()).collect();
        let mut found = stage.found(kind).await;
        names.sort();
        found.sort();
        assert_eq!(found, names, "{kind}");
    }
    let lists = proxy.calls().into_iter().filter(|call| call.operation.starts_with("ListQueues")).count();
    assert_eq!(lists, 4, "an empty page, and one for each queue");
}

#[tokio::test]
async fn e3_a_bucket_is_emptied_page_by_page() {
    let proxy = FaultProxy::start(&crate::stage::endpoint()).unwrap();
    proxy.play(Edge::PagesOfOne);
    let stage = Stage::at("pages-bucket", &proxy.url()).await;
    let versioned = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    let bucket = stage.resource("AWS::S3::Bucket", "Lake", versioned).await;
    let made = stage.create(&bucket).await;
    let s3 = provisioner::providers::s3_client(&stage.config);
    for (key, body) in [("a", "1"), ("a", "2"), ("b", "1"), ("c", "1")] {
        let put = s3.put_object().bucket(&bucket.physical_id).key(key).body(body.as_bytes().to_vec().into());
        put.send().await.unwrap();
    }
    s3.delete_object().bucket(&bucket.physical_id).key("b").send().await.unwrap();
    stage.delete(&made).await;
    assert_eq!(stage.read(&bucket).await, None);
    let lists = proxy.calls().into_iter().filter(|call| call.operation == "ListObjectVersions").count();
    assert!(lists >= 6, "{lists} pages of five versions, and one that is empty");
}
