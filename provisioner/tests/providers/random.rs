//! Random templates out of the types with providers of their own: made, changed into another, held beside a fresh one, taken down.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use crate::stage::Stage;

/// Few, as each makes, changes and removes two whole stacks; the seed is fixed.
const CASES: u32 = 4;

fn policy(action: &str) -> Value {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn resource(kind: &str, properties: Value) -> Value {
    json!({"Type": kind, "Properties": properties})
}

/// A name that the template gives, or none; by a condition or without. A queue has none: AWS and the engine wait long for an
/// old one's end.
fn names() -> impl Strategy<Value = Value> {
    let condition = |holds: bool, name: Value| match holds {
        true => json!({"Fn::If": ["Holds", name, "unused"]}),
        false => json!({"Fn::If": ["Fails", "unused", name]}),
    };
    let name =
        select(vec!["first", "second"]).prop_map(|word| json!({"Fn::Sub": format!("${{AWS::StackName}}-{word}")}));
    prop_oneof![
        Just(json!({"Ref": "AWS::NoValue"})),
        name.clone(),
        (any::<bool>(), name).prop_map(move |(holds, name)| condition(holds, name)),
    ]
}

fn queues() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let actions = select(vec!["sqs:SendMessage", "sqs:ReceiveMessage"]);
    (select(vec![60, 90, 120]), any::<bool>(), proptest::option::of(actions)).prop_map(
        |(seconds, redrives, allowed)| {
            let mut jobs = json!({"VisibilityTimeout": seconds});
            if redrives {
                jobs["RedrivePolicy"] =
                    json!({"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": seconds / 10});
            }
            let queue_policy = allowed.map(|action| {
                let mut document = policy(action);
                document["Statement"][0]["Principal"] = json!({"Service": "s3.amazonaws.com"});
                let properties = json!({"Queues": [{"Ref": "Jobs"}], "PolicyDocument": document});
                ("JobsPolicy", resource("AWS::SQS::QueuePolicy", properties))
            });
            let both = [("Dead", resource("AWS::SQS::Queue", json!({}))), ("Jobs", resource("AWS::SQS::Queue", jobs))];
            both.into_iter().chain(queue_policy).collect()
        },
    )
}

fn roles() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let names = subsequence(vec!["a", "b", "c"], 0..=3);
    let apart = subsequence(vec!["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"], 0..=2);
    (names, apart, select(vec!["s3:GetObject", "s3:PutObject"]), select(vec![3600, 7200])).prop_map(
        |(names, apart, action, session)| {
            let trusted = json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
            let inline: Vec<_> =
                names.iter().map(|name| json!({"PolicyName": name, "PolicyDocument": policy(action)})).collect();
            let role = json!({
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trusted]},
                "Policies": inline, "MaxSessionDuration": session,
            });
            let mut all = vec![("Role", resource("AWS::IAM::Role", role))];
            for kind in apart {
                let mut properties = json!({"Roles": [{"Ref": "Role"}], "PolicyDocument": policy(action)});
                let id = if kind == "AWS::IAM::Policy" { "Apart" } else { "Managed" };
                if id == "Apart" {
                    properties["PolicyName"] = "apart".into();
                }
                all.push((id, resource(kind, properties)));
            }
            all
        },
    )
}

fn functions() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let variables = subsequence(vec!["A", "B", "C"], 0..=3);
    (select(vec!["one", "two"]), variables, select(vec![128, 256]), any::<bool>(), any::<bool>()).prop_map(
        |(code, variables, memory, mapped, invoked)| {
            let variables: Map<String, Value> =
                variables.into_iter().map(|name| (name.to_owned(), memory.to_string().into())).collect();
            let function = json!({
                "Code": code, "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 30,
                "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "MemorySize": memory, "Environment": {"Variables": variables},
            });
            let mapping = json!({
                "EventSourceArn": {"Fn::GetAtt": ["Jobs", "Arn"]}, "FunctionName": {"Ref": "Function"}, "BatchSize": memory / 32,
            });
            let permission = json!({
                "FunctionName": {"Ref": "Function"}, "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com",
            });
            let mapping = mapped.then(|| ("Mapping", resource("AWS::Lambda::EventSourceMapping", mapping)));
            let permission = invoked.then(|| ("Permission", resource("AWS::Lambda::Permission", permission)));
            std::iter::once(("Function", resource("AWS::Lambda::Function", function)))
                .chain(mapping)
                .chain(permission)
                .collect()
        },
    )
}

fn stores() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let bucket =
        (any::<bool>(), proptest::option::of(1..30_i32), any::<bool>()).prop_map(|(versions, days, policed)| {
            let mut properties = json!({});
            if versions {
                properties["VersioningConfiguration"] = json!({"Status": "Enabled"});
            }
            if let Some(days) = days {
                properties["LifecycleConfiguration"] =
                    json!({"Rules": [{"Id": "gone", "Status": "Enabled", "ExpirationInDays": days}]});
            }
            let mut document = policy("s3:*");
            document["Statement"][0]["Principal"] = "*".into();
            document["Statement"][0]["Effect"] = "Deny".into();
            document["Statement"][0]["Resource"] = json!({"Fn::GetAtt": ["Bucket", "Arn"]});
            let of_bucket = json!({"Bucket": {"Ref": "Bucket"}, "PolicyDocument": document});
            let policed = policed.then(|| ("BucketPolicy", resource("AWS::S3::BucketPolicy", of_bucket)));
            std::iter::once(("Bucket", resource("AWS::S3::Bucket", properties))).chain(policed).collect::<Vec<_>>()
        });
    let logs = proptest::option::of(select(vec![1, 7, 30]));
    (bucket, logs, "[a-z]{1,8}", any::<bool>(), names()).prop_map(|(mut all, days, value, described, name)| {
        let mut logs = json!({"LogGroupName": name});
        if let Some(days) = days {
            logs["RetentionInDays"] = days.into();
        }
        let mut parameter = json!({"Type": "String", "Value": value, "Name": name});
        if described {
            parameter["Description"] = "described".into();
        }
        all.push(("Logs", resource("AWS::Logs::LogGroup", logs)));
        all.push(("Parameter", resource("AWS::SSM::Parameter", parameter)));
        all
    })
}

/// Some of the four groups, a function with the role and the queues that it names. What nothing refers to may have a condition.
fn templates() -> impl Strategy<Value = Value> {
    let function = proptest::option::of(functions());
    let leaves = vec!["JobsPolicy", "Apart", "Managed", "Mapping", "Permission", "BucketPolicy", "Logs", "Parameter"];
    let groups = (queues(), roles(), function, proptest::option::of(stores()));
    (groups, subsequence(leaves, 0..=4), any::<bool>()).prop_map(|(groups, leaves, holds)| {
        let (queues, roles, function, stores) = groups;
        let all = [queues, roles, function.unwrap_or_default(), stores.unwrap_or_default()].into_iter().flatten();
        let conditioned = all.map(|(id, mut resource)| {
            if let Some(place) = leaves.iter().position(|leaf| *leaf == id) {
                // One holds, the next fails, and so on.
                resource["Condition"] = if (place % 2 == 0) == holds { "Holds" } else { "Fails" }.into();
            }
            (id.to_owned(), resource)
        });
        Value::Object(conditioned.collect())
    })
}

/// What AWS has, without what is a stack's own: its name, and ids.
async fn seen(stage: &Stage, resources: &Value) -> Vec<Value> {
    let looks = stage.looks(resources).await;
    let told = looks.into_iter().map(|look| {
        let observed = look.observed.map(|observed| json!([observed.properties, observed.tags]));
        let text = json!([look.resource.logical_id, observed]).to_string().replace(&stage.scope.stack, "STACK");
        let mut value: Value = serde_json::from_str(&text).unwrap();
        if let Some(tags) = value.pointer_mut("/1/1").and_then(Value::as_object_mut) {
            tags.shift_remove("provision:role-id");
        }
        value
    });
    let mut told: Vec<Value> = told.collect();
    told.sort_by_key(Value::to_string);
    told
}

#[test]
fn any_template_changed_into_any_other_ends_as_the_other_made_anew() {
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cases = std::cell::Cell::new(0);
    let ran = runner.run(&(templates(), templates()), |(first, second)| {
        cases.set(cases.get() + 1);
        let case = cases.get();
        runtime.block_on(async {
            let (changed, fresh) =
                (Stage::new(&format!("random{case}x")).await, Stage::new(&format!("random{case}y")).await);
            changed.up(&first).await;
            changed.up(&second).await;
            fresh.up(&second).await;
            let (one, other) = (seen(&changed, &second).await, seen(&fresh, &second).await);
            assert_eq!(one, other, "{first:#}\nchanged into\n{second:#}");
            changed.down(&second).await;
            fresh.down(&second).await;
        });
        Ok(())
    });
    ran.unwrap_or_else(|failure| panic!("{failure}"));
}
