//! Whose a resource is: by its own tags, by those of what it hangs on, under a name that is known late.

use aws_sdk_sqs::types::QueueAttributeName;
use provisioner::engine::{Action, DestroyOptions, EngineError, Look};
use provisioner::policy::{Command, Policy};
use serde_json::{Value, json};
use testkit::FaultProxy;
use testkit::fault_proxy::{Edge, Rule};

use crate::function;
use crate::in_process::observer;
use crate::stage::{Stage, endpoint};

fn statement(action: &str) -> Value {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

#[tokio::test]
async fn what_has_its_name_by_another_resource_is_found_again_and_no_leftover() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    proxy.play(Edge::Registry);
    proxy.play(Edge::CloudControlIdentifiers);
    let stage = Stage::at("own-late", &proxy.url()).await.with_types(&["AWS::SNS::Topic"]).await;
    let resources = json!({
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "own-late"}},
        "Told": {"Type": "AWS::Logs::LogGroup", "Properties": {
            "LogGroupName": {"Fn::Select": [5, {"Fn::Split": [":", {"Ref": "Topic"}]}]},
        }},
    });
    // Ends with a second plan, which must be empty.
    stage.up(&resources).await;
    stage.down(&resources).await;
}

#[tokio::test]
async fn a_policy_on_a_role_of_somebody_else_wants_adopt() {
    let theirs = function::role(&Stage::new("own-theirs").await).await;
    let stage = Stage::new("own-policy").await;
    let policy = json!({"Policy": {"Type": "AWS::IAM::Policy", "Properties": {
        "PolicyName": "more", "Roles": [theirs.physical_id], "PolicyDocument": statement("s3:GetObject"),
    }}});
    let refused = stage.plan(&policy).await.unwrap_err();
    assert!(matches!(&refused, EngineError::OnForeign { resources } if resources[0].0 == "Policy"), "{refused}");
    let template = stage.template(policy);
    let plan = stage.stack(&template).plan(true).await.unwrap();
    assert_eq!(plan.changes[0].action, Action::Create);
}

#[tokio::test]
async fn what_was_put_on_something_of_somebody_elses_is_found_after_it_left_the_template_and_goes_with_the_stack() {
    let theirs = Stage::new("own-elsewhere").await;
    let s3 = provisioner::providers::s3_client(&theirs.config);
    s3.create_bucket().bucket("own-elsewhere").send().await.unwrap();
    let sqs = aws_sdk_sqs::Client::new(&theirs.config);
    let queue = sqs.create_queue().queue_name("own-elsewhere").send().await.unwrap().queue_url.unwrap();
    let role = function::role(&theirs).await;
    let function = function::properties(&role, "code");
    let function = theirs.resource("AWS::Lambda::Function", "Function", function).await;
    theirs.create(&function).await;
    let stage = Stage::new("own-kept").await.with_types(&[]).await;
    let keeper = json!({"Keeper": {"Type": "AWS::SQS::Queue", "Properties": {}}});
    let mut all = keeper.clone();
    all["OnBucket"] = json!({"Type": "AWS::S3::BucketPolicy", "Properties": {
        "Bucket": "own-elsewhere", "PolicyDocument": statement("s3:GetObject"),
    }});
    all["OnQueues"] = json!({"Type": "AWS::SQS::QueuePolicy", "Properties": {
        "Queues": [{"Ref": "Keeper"}, queue], "PolicyDocument": statement("sqs:SendMessage"),
    }});
    all["OnRole"] = json!({"Type": "AWS::IAM::Policy", "Properties": {
        "PolicyName": "more", "Roles": [role.physical_id], "PolicyDocument": statement("s3:GetObject"),
    }});
    all["OnFunction"] = json!({"Type": "AWS::Lambda::Permission", "Properties": {
        "FunctionName": function.physical_id, "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com",
    }});
    let kinds = ["OnBucket", "OnQueues", "OnRole", "OnFunction"];
    let tags = |resources: &Value| {
        let template = stage.template(resources.clone());
        let policy = Policy::of(&stage.stack(&template), &[Command::Up], false).unwrap();
        policy.statements().iter().any(|statement| statement.actions.contains(&"tag:TagResources".to_owned()))
    };
    assert!(tags(&all) && !tags(&keeper), "who may do this may set the keeper's tag");

    for leaves_by_up in [true, false] {
        stage.adopt(&all).await;
        let plan = stage.plan(&all).await.unwrap();
        assert!(plan.is_empty(), "they are ours by now: {:?}", plan.changes);
        assert!(plan.changes.iter().all(|change| !change.untracked));
        let there = async || {
            let looks = stage.looks(&all).await;
            let found = looks.into_iter().filter(|look| look.observed.is_some()).map(|look| look.resource.logical_id);
            found.filter(|id| kinds.contains(&id.as_str())).collect::<Vec<_>>()
        };
        assert_eq!(there().await.len(), 4);
        match leaves_by_up {
            true => stage.up(&keeper).await,
            false => stage.down(&keeper).await,
        }
        assert_eq!(there().await, Vec::<String>::new());
    }
    stage.adopt(&all).await;
    stage.down(&all).await;
    assert!(s3.get_bucket_policy().bucket("own-elsewhere").send().await.is_err());
}

/// A queue that may keep, and a policy on these queues of somebody else's.
fn on_queues(keeper: &str, queues: &[&str]) -> Value {
    let mut all = json!({keeper: {"Type": "AWS::SQS::Queue", "Properties": {}}});
    if !queues.is_empty() {
        let properties = json!({"Queues": queues, "PolicyDocument": statement("sqs:SendMessage")});
        all["Policy"] = json!({"Type": "AWS::SQS::QueuePolicy", "Properties": properties});
    }
    all
}

/// Two queues of somebody else's, by their URLs, and of each whether it has a policy.
async fn two_queues(stage: &Stage) -> ([String; 2], impl AsyncFn() -> [bool; 2]) {
    let sqs = aws_sdk_sqs::Client::new(&stage.config);
    let queue = async |end: &str| {
        let name = format!("{}-theirs-{end}", stage.scope.stack);
        sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap()
    };
    let urls = [queue("a").await, queue("b").await];
    let asked = urls.clone();
    let has = async move || {
        let mut has = [false; 2];
        for (url, has) in asked.iter().zip(&mut has) {
            let call = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::Policy);
            let attributes = call.send().await.unwrap().attributes.unwrap_or_default();
            *has = attributes.get(&QueueAttributeName::Policy).is_some_and(|text| !text.is_empty());
        }
        has
    };
    (urls, has)
}

#[tokio::test]
async fn a_policy_on_more_or_fewer_of_somebody_elses_queues_is_on_exactly_those() {
    let stage = Stage::new("own-queues").await.with_types(&[]).await;
    let ([a, b], has) = two_queues(&stage).await;
    stage.adopt(&on_queues("Keeper", &[&a, &b])).await;
    stage.adopt(&on_queues("Keeper", &[&a])).await;
    assert_eq!(has().await, [true, false]);
    stage.up(&on_queues("Keeper", &[])).await;
    assert_eq!(has().await, [false, false]);

    stage.adopt(&on_queues("Keeper", &[&a])).await;
    stage.adopt(&on_queues("Keeper", &[&a, &b])).await;
    assert_eq!(has().await, [true, true]);
    stage.up(&on_queues("Keeper", &[&b])).await;
    assert_eq!(has().await, [false, true], "what the template names stays, adopted or not");
    stage.down(&on_queues("Keeper", &[])).await;
}

#[tokio::test]
async fn what_was_put_on_somebody_elses_is_remembered_by_another_when_its_keeper_leaves() {
    let stage = Stage::new("own-heir").await.with_types(&[]).await;
    let ([a, _], has) = two_queues(&stage).await;
    stage.adopt(&on_queues("Keeper", &[&a])).await;
    stage.up(&on_queues("Heir", &[&a])).await;
    assert_eq!(has().await, [true, false]);
    stage.up(&on_queues("Heir", &[])).await;
    assert_eq!(has().await, [false, false]);
    stage.down(&on_queues("Heir", &[])).await;
}

#[tokio::test]
async fn what_is_on_somebody_elses_and_fails_to_go_is_this_stacks_still() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    let stage = Stage::at("own-fails", &proxy.url()).await.with_types(&[]).await;
    let s3 = provisioner::providers::s3_client(&stage.config);
    s3.create_bucket().bucket("own-fails").send().await.unwrap();
    let mut all = on_queues("Keeper", &[]);
    let properties = json!({"Bucket": "own-fails", "PolicyDocument": statement("s3:GetObject")});
    all["Policy"] = json!({"Type": "AWS::S3::BucketPolicy", "Properties": properties});
    stage.adopt(&all).await;
    proxy.rule(Rule::on("s3", "DeleteBucketPolicy").times(1).answer(403, "AccessDenied", "not allowed"));
    let template = stage.template(all.clone());
    let stack = stage.stack(&template);
    let options = DestroyOptions { no_wait: true, ..DestroyOptions::default() };
    let plan = stack.plan_destroy(options).await.unwrap();
    let report = stack.destroy(&plan, options, &observer(), &Default::default()).await;
    assert_eq!(report.failed.len(), 1, "{report:?}");
    assert_eq!(report.skipped, [("Keeper".to_owned(), "Policy".to_owned())]);
    stage.down(&all).await;
    assert!(s3.get_bucket_policy().bucket("own-fails").send().await.is_err());
}

#[tokio::test]
async fn what_has_the_name_of_a_resource_of_ours_or_stands_beside_one_is_not_ours() {
    let theirs = Stage::new("own-namesake").await;
    let s3 = provisioner::providers::s3_client(&theirs.config);
    s3.create_bucket().bucket("own-namesake-bucket").send().await.unwrap();
    let sqs = aws_sdk_sqs::Client::new(&theirs.config);
    let queue = sqs.create_queue().queue_name("own-namesake-queue").send().await.unwrap().queue_url.unwrap();
    let stage = Stage::new("own-same").await;
    // A parameter whose value is the bucket's name, and a queue that has it.
    let resources = json!({
        "Told": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "own-namesake-bucket"}},
        "Same": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "own-namesake-bucket"}},
        "Own": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "BucketPolicy": {"Type": "AWS::S3::BucketPolicy", "Properties": {
            "Bucket": "own-namesake-bucket", "PolicyDocument": statement("s3:GetObject"),
        }},
        "QueuePolicy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {
            "Queues": [{"Ref": "Own"}, queue], "PolicyDocument": statement("sqs:SendMessage"),
        }},
    });
    let refused = stage.plan(&resources).await.unwrap_err();
    let EngineError::OnForeign { resources } = &refused else { panic!("{refused}") };
    let ids: Vec<_> = resources.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["BucketPolicy", "QueuePolicy"]);
}

#[tokio::test]
async fn a_permission_on_an_alias_of_the_templates_own_function_is_ours() {
    let stage = Stage::new("own-alias").await;
    let role = function::role(&Stage::new("own-alias-role").await).await;
    let function = json!({"Type": "AWS::Lambda::Function", "Properties": function::properties(&role, "code")});
    let permission = |on: Value| {
        json!({"Type": "AWS::Lambda::Permission", "Properties": {
            "FunctionName": on, "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com",
        }})
    };
    let resources = json!({
        "Function": function,
        "ByName": permission(json!({"Fn::Sub": "${Function}:live"})),
        "ByArn": permission(json!({"Fn::Sub": "${Function.Arn}:live"})),
    });
    let plan = stage.plan(&resources).await.unwrap();
    assert!(plan.changes.iter().all(|change| change.action == Action::Create), "{plan:?}");
    let other = json!({"One": permission("own-alias-Other:live".into()), "Function": resources["Function"]});
    assert!(matches!(stage.plan(&other).await, Err(EngineError::OnForeign { .. })));
}

#[tokio::test]
async fn what_is_somebody_elses_is_never_replaced() {
    let theirs = function::role(&Stage::new("own-elses").await).await;
    let stage = Stage::new("own-replace").await;
    let role = json!({"Role": {"Type": "AWS::IAM::Role", "Properties": {
        "RoleName": theirs.physical_id, "Path": "/moved/",
        "AssumeRolePolicyDocument": theirs.properties["AssumeRolePolicyDocument"],
    }}});
    let template = stage.template(role);
    let refused = stage.stack(&template).plan(true).await.unwrap_err();
    assert!(matches!(refused, EngineError::ReplaceForeign { .. }), "{refused}");
}

#[tokio::test]
async fn e43_what_has_vanished_after_up_counts_as_failed() {
    let stage = Stage::new("own-vanished").await;
    let queue = json!({"Queue": {"Type": "AWS::SQS::Queue", "Properties": {}}});
    let mut report = stage.try_up(&queue).await;
    let looks = stage.looks(&queue).await;
    report.miss(&looks);
    assert!(report.is_whole(), "{report:?}");
    stage.down(&queue).await;
    report.miss(&stage.looks(&queue).await);
    assert!(matches!(&report.failed[..], [(id, EngineError::Vanished { .. })] if id == "Queue"), "{report:?}");
}

/// One of every kind with tags, with these tags of the template's.
fn one_of_each(name: &str, tags: &[(&str, &str)]) -> Value {
    let list: Vec<_> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let map: serde_json::Map<_, _> = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ]});
    json!({
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"Tags": list}},
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name, "Tags": list}},
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"Tags": list}},
        "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v", "Tags": map}},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust, "Tags": list}},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": {
            "Code": "one", "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Tags": list,
        }},
        "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {
            "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}, "FunctionName": {"Ref": "Function"}, "Tags": list,
        }},
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {
            "Namespace": "AWS/SQS", "MetricName": "m", "Statistic": "Maximum", "Period": 300, "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanThreshold", "Threshold": 1, "Tags": list,
        }},
    })
}

#[tokio::test]
async fn e58_a_tag_that_left_the_template_is_taken_off_everything_and_one_of_somebody_else_stays() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    proxy.play(Edge::Registry);
    proxy.play(Edge::CloudControlIdentifiers);
    let stage = Stage::at("own-tags", &proxy.url()).await.with_types(&["AWS::CloudWatch::Alarm"]).await;
    let both = one_of_each("own-tags", &[("the stage", "test"), ("team", "data")]);
    stage.up(&both).await;
    let sqs = aws_sdk_sqs::Client::new(&stage.config);
    let looks = stage.looks(&both).await;
    let queue = looks.iter().find(|look| look.resource.logical_id == "Queue").unwrap();
    let url = queue.observed.as_ref().unwrap().handle["QueueUrl"].as_str().unwrap();
    sqs.tag_queue().queue_url(url).tags("cost-centre", "7").tags("team", "drifted").send().await.unwrap();

    let one = one_of_each("own-tags", &[("the stage", "test")]);
    let plan = stage.plan(&one).await.unwrap();
    for change in &plan.changes {
        let paths: Vec<_> = change.differences.iter().map(|difference| difference.path.as_str()).collect();
        assert_eq!(paths, ["Tags.provision:tags", "Tags.team"], "{}", change.logical_id);
        assert_eq!(change.differences[1].after, None);
    }
    stage.up(&one).await;
    for Look { resource, observed } in stage.looks(&one).await {
        let tags = observed.unwrap().tags;
        assert_eq!((tags.get("the stage").map(String::as_str), tags.get("team")), (Some("test"), None), "{resource:?}");
        assert_eq!(tags.contains_key("cost-centre"), resource.logical_id == "Queue");
    }
    let none = one_of_each("own-tags", &[]);
    stage.up(&none).await;
    let looks = stage.looks(&none).await;
    let left = |key: &str| looks.iter().filter(|look| look.observed.as_ref().unwrap().tags.contains_key(key)).count();
    assert_eq!((left("the stage"), left("provision:tags"), left("cost-centre")), (0, 0, 1));
    stage.down(&none).await;
}

#[tokio::test]
async fn what_takes_no_tags_is_kept_or_goes_by_its_own_deletion_policy() {
    let stage = Stage::new("own-children").await;
    let of_service = |action: &str| {
        let service = json!({"Service": "s3.amazonaws.com"});
        let statement = json!({"Effect": "Allow", "Principal": service, "Action": action, "Resource": "*"});
        json!({"Version": "2012-10-17", "Statement": [statement]})
    };
    let parents = json!({
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain",
            "Properties": {"BucketName": "own-children"}},
    });
    let with = |policy: &str| {
        let mut all = parents.clone();
        all["QueuePolicy"] = json!({"Type": "AWS::SQS::QueuePolicy", "DeletionPolicy": policy, "Properties": {
            "Queues": [{"Ref": "Queue"}], "PolicyDocument": of_service("sqs:SendMessage"),
        }});
        all["BucketPolicy"] = json!({"Type": "AWS::S3::BucketPolicy", "Properties": {
            "Bucket": {"Ref": "Bucket"}, "PolicyDocument": of_service("s3:GetObject"),
        }});
        all
    };
    let kept = async || {
        let plan = stage.plan(&parents).await.unwrap();
        let gone = plan.destructive().into_iter().map(|change| change.type_name.clone()).collect::<Vec<_>>();
        (plan.kept.into_iter().map(|kept| kept.type_name).collect::<Vec<_>>(), gone)
    };
    let (queues, buckets) = ("AWS::SQS::QueuePolicy".to_owned(), "AWS::S3::BucketPolicy".to_owned());
    stage.up(&with("Retain")).await;
    assert_eq!(
        kept().await,
        (vec![queues.clone()], vec![buckets.clone()]),
        "whatever that of the bucket and the queue is"
    );
    stage.up(&parents).await;
    assert_eq!(kept().await, (vec![queues.clone()], vec![]), "it is remembered after it has left");
    stage.up(&with("Delete")).await;
    let (none, both) = kept().await;
    assert!(none.is_empty() && both.len() == 2 && both.contains(&queues), "the last word counts: {both:?}");
    stage.up(&parents).await;
    assert_eq!(kept().await, (vec![], vec![]));
    stage.down(&parents).await;
}
