//! The fault proxy between AWS's own SDK and the emulator.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_lambda::{
    primitives::Blob,
    types::{EventSourceMappingConfiguration, FunctionCode, Runtime},
};
use testkit::{
    Emulator, FaultProxy,
    fault_proxy::{Edge, Rule},
};

/// A zip without a file: enough for a function that never runs.
const EMPTY_ZIP: [u8; 22] = [b'P', b'K', 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn proxy() -> FaultProxy {
    FaultProxy::start(&Emulator::shared().endpoint()).unwrap()
}

/// An SDK that takes the proxy for AWS and tries nothing twice.
async fn sdk(proxy: &FaultProxy) -> SdkConfig {
    let keys = aws_sdk_sqs::config::Credentials::new("test", "test", None, None, "test");
    let loader =
        aws_config::defaults(BehaviorVersion::latest()).endpoint_url(proxy.url()).region(Region::new("us-east-1"));
    loader.credentials_provider(keys).retry_config(RetryConfig::disabled()).load().await
}

fn names(proxy: &FaultProxy) -> Vec<String> {
    proxy
        .calls()
        .into_iter()
        .map(|call| format!("{} {} {} {}", call.service, call.operation, call.resource, call.status))
        .collect()
}

#[tokio::test]
async fn calls_pass_unchanged_and_are_recorded() {
    let proxy = proxy();
    let sdk = sdk(&proxy).await;
    let (sqs, s3, iam) =
        (aws_sdk_sqs::Client::new(&sdk), aws_sdk_s3::Client::new(&sdk), aws_sdk_iam::Client::new(&sdk));
    sqs.create_queue().queue_name("passed").send().await.unwrap();
    s3.create_bucket().bucket("passed").send().await.unwrap();
    s3.put_object().bucket("passed").key("a/b").body(b"text".to_vec().into()).send().await.unwrap();
    let object = s3.get_object().bucket("passed").key("a/b").send().await.unwrap();
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"text");
    s3.head_object().bucket("passed").key("none").send().await.unwrap_err();
    iam.get_role().role_name("none").send().await.unwrap_err();
    let expected = [
        "sqs CreateQueue passed 200",
        "s3 CreateBucket passed 200",
        "s3 PutObject passed 200",
        "s3 GetObject passed 200",
        "s3 HeadObject passed 404",
        "iam GetRole none 404",
    ];
    assert_eq!(names(&proxy), expected);
    assert_eq!(proxy.mutating_calls().len(), 3);
    assert_eq!(proxy.longest_chain().len(), 6, "one waited for another");
}

#[tokio::test]
async fn a_refused_call_is_that_services_own_error() {
    let proxy = proxy();
    let sdk = sdk(&proxy).await;
    proxy.rule(Rule::on("sqs", "CreateQueue").nth(2).answer(400, "QueueDeletedRecently", "wait"));
    proxy.rule(Rule::on("iam", "CreateRole").answer(409, "EntityAlreadyExists", "there <already>"));
    proxy.rule(Rule::on("s3", "CreateBucket").answer(409, "BucketAlreadyExists", "someone else's"));
    proxy.rule(Rule::on("s3", "HeadBucket").answer(403, "AccessDenied", ""));
    proxy.rule(Rule::on("lambda", "GetFunction").answer(429, "TooManyRequestsException", "slow down"));
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    sqs.create_queue().queue_name("refused").send().await.unwrap();
    let error = sqs.create_queue().queue_name("refused").send().await.unwrap_err().into_service_error();
    assert!(error.is_queue_deleted_recently(), "{error:?}");
    sqs.create_queue().queue_name("refused").send().await.unwrap();
    let iam = aws_sdk_iam::Client::new(&sdk);
    let role = iam.create_role().role_name("refused").assume_role_policy_document("{}").send().await;
    let error = role.unwrap_err().into_service_error();
    assert!(
        error.is_entity_already_exists_exception() && error.meta().message() == Some("there <already>"),
        "{error:?}"
    );
    let s3 = aws_sdk_s3::Client::new(&sdk);
    let error = s3.create_bucket().bucket("refused").send().await.unwrap_err().into_service_error();
    assert!(error.is_bucket_already_exists(), "{error:?}");
    let head = s3.head_bucket().bucket("refused").send().await.unwrap_err();
    assert_eq!(head.raw_response().unwrap().status().as_u16(), 403);
    let lambda = aws_sdk_lambda::Client::new(&sdk);
    let error = lambda.get_function().function_name("refused").send().await.unwrap_err().into_service_error();
    assert!(error.is_too_many_requests_exception(), "{error:?}");
}

#[tokio::test]
async fn a_cut_call_is_not_performed_and_a_lost_answer_is() {
    let proxy = proxy();
    let sqs = aws_sdk_sqs::Client::new(&sdk(&proxy).await);
    let notices = Arc::new(AtomicUsize::new(0));
    let count = |notices: &Arc<AtomicUsize>| {
        let notices = Arc::clone(notices);
        move || {
            notices.fetch_add(1, Ordering::Relaxed);
        }
    };
    proxy.rule(Rule::on("sqs", "CreateQueue").of("cut").notify(count(&notices)).cut());
    proxy.rule(Rule::on("sqs", "CreateQueue").of("lost").notify(count(&notices)).lose_answer());
    sqs.create_queue().queue_name("cut").send().await.unwrap_err();
    sqs.create_queue().queue_name("lost").send().await.unwrap_err();
    assert!(sqs.get_queue_url().queue_name("cut").send().await.is_err());
    assert!(sqs.get_queue_url().queue_name("lost").send().await.is_ok());
    assert_eq!(notices.load(Ordering::Relaxed), 2);
    assert_eq!(proxy.calls().iter().map(|call| call.status).collect::<Vec<_>>(), [0, 0, 400, 200]);
}

#[tokio::test]
async fn calls_beside_one_another_are_one_round() {
    let proxy = proxy();
    let sqs = aws_sdk_sqs::Client::new(&sdk(&proxy).await);
    proxy.rule(Rule::on("*", "*").latency(Duration::from_millis(100)));
    let queue = |name: &str| sqs.create_queue().queue_name(name).send();
    let (one, two, three) = tokio::join!(queue("beside-1"), queue("beside-2"), queue("beside-3"));
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    queue("after").await.unwrap();
    assert_eq!((proxy.calls().len(), proxy.longest_chain().len()), (4, 2));
}

#[tokio::test]
async fn a_rewritten_answer_is_what_the_client_sees() {
    let proxy = proxy();
    let sqs = aws_sdk_sqs::Client::new(&sdk(&proxy).await);
    proxy.rule(Rule::on("sqs", "CreateQueue").rewrite(|answer| answer["QueueUrl"] = "http://elsewhere/1/queue".into()));
    let made = sqs.create_queue().queue_name("rewritten").send().await.unwrap();
    assert_eq!(made.queue_url(), Some("http://elsewhere/1/queue"));
}

/// A role, a function and a queue of one name, made past the proxy.
struct Stack<'a> {
    name: &'a str,
    lambda: aws_sdk_lambda::Client,
    sqs: aws_sdk_sqs::Client,
    iam: aws_sdk_iam::Client,
}

impl<'a> Stack<'a> {
    async fn on(proxy: &FaultProxy, name: &'a str) -> Self {
        let sdk = sdk(proxy).await;
        let (lambda, sqs, iam) =
            (aws_sdk_lambda::Client::new(&sdk), aws_sdk_sqs::Client::new(&sdk), aws_sdk_iam::Client::new(&sdk));
        Self { name, lambda, sqs, iam }
    }

    async fn role(&self) {
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        self.iam.create_role().role_name(self.name).assume_role_policy_document(trust).send().await.unwrap();
    }

    async fn function(&self) -> Result<(), aws_sdk_lambda::Error> {
        let create = self
            .lambda
            .create_function()
            .function_name(self.name)
            .runtime(Runtime::Providedal2023)
            .handler("bootstrap");
        let code = FunctionCode::builder().zip_file(Blob::new(EMPTY_ZIP)).build();
        create.role(format!("arn:aws:iam::000000000000:role/{}", self.name)).code(code).timeout(60).send().await?;
        Ok(())
    }

    async fn state(&self) -> String {
        let read = self.lambda.get_function_configuration().function_name(self.name).send().await.unwrap();
        format!("{} {}", read.state().unwrap().as_str(), read.last_update_status().map_or("", |status| status.as_str()))
    }

    async fn queue(&self, visibility: u32) {
        let timeout = (aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout, visibility.to_string());
        self.sqs.create_queue().queue_name(self.name).attributes(timeout.0, timeout.1).send().await.unwrap();
    }

    async fn mapping(&self) -> Result<String, aws_sdk_lambda::Error> {
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{}", self.name);
        let made = self
            .lambda
            .create_event_source_mapping()
            .function_name(self.name)
            .event_source_arn(arn)
            .enabled(false)
            .send()
            .await?;
        Ok(made.uuid.unwrap_or_default())
    }

    async fn mappings(&self) -> Vec<EventSourceMappingConfiguration> {
        let list = self.lambda.list_event_source_mappings().function_name(self.name).send().await.unwrap();
        list.event_source_mappings.unwrap_or_default()
    }
}

fn says<T: std::fmt::Debug>(result: Result<T, aws_sdk_lambda::Error>, words: &str) {
    let error = format!("{:?}", result.unwrap_err());
    assert!(error.contains(words), "{error}");
}

#[tokio::test]
async fn e7_a_new_role_is_assumed_after_a_while() {
    let proxy = proxy();
    let stack = Stack::on(&proxy, "e7").await;
    proxy.play(Edge::RoleNotAssumable(Duration::from_millis(300)));
    stack.role().await;
    says(stack.function().await, "cannot be assumed by Lambda");
    while stack.function().await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(proxy.calls().last().unwrap().status, 201);
}

#[tokio::test]
async fn e15_e16_a_function_is_pending_then_active_and_its_update_in_progress() {
    let proxy = proxy();
    let stack = Stack::on(&proxy, "e15").await;
    stack.role().await;
    proxy.play(Edge::FunctionPending(2));
    proxy.play(Edge::UpdateInProgress(1));
    // The emulator has states of its own for a moment: asked past the edges until it is settled.
    let quiet = self::proxy();
    let plain = Stack::on(&quiet, "e15").await;
    let settled = async || loop {
        if plain.state().await == "Active Successful" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let update = async || {
        let update = stack.lambda.update_function_configuration().function_name("e15").memory_size(256).send().await;
        update.map(|_| ()).map_err(aws_sdk_lambda::Error::from)
    };
    stack.function().await.unwrap();
    settled().await;
    says(update().await, "following state: Pending");
    assert_eq!(
        [stack.state().await, stack.state().await, stack.state().await],
        ["Pending Successful", "Pending Successful", "Active Successful"]
    );
    update().await.unwrap();
    settled().await;
    says(update().await, "An update is in progress");
    assert_eq!([stack.state().await, stack.state().await], ["Active InProgress", "Active Successful"]);
    update().await.unwrap();
}

#[tokio::test]
async fn e27_a_deleted_function_lingers_and_holds_its_name() {
    let proxy = proxy();
    let stack = Stack::on(&proxy, "e27").await;
    stack.role().await;
    stack.function().await.unwrap();
    stack.state().await;
    proxy.play(Edge::FunctionDeleting(1));
    stack.lambda.delete_function().function_name("e27").send().await.unwrap();
    says(stack.function().await, "Deleting");
    assert!(stack.state().await.contains("Deleting"));
    assert!(stack.lambda.get_function_configuration().function_name("e27").send().await.is_err());
    stack.function().await.unwrap();
}

#[tokio::test]
async fn e31_e33_e35_a_mapping_is_refused_then_creating_and_never_doubled() {
    let proxy = proxy();
    let stack = Stack::on(&proxy, "e31").await;
    stack.role().await;
    stack.function().await.unwrap();
    stack.queue(30).await;
    for edge in [Edge::DuplicateMappingRefused, Edge::VisibilityBelowTimeoutRefused, Edge::MappingStates(2)] {
        proxy.play(edge);
    }
    says(stack.mapping().await, "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds");
    stack.sqs.delete_queue().queue_url("http://127.0.0.1/000000000000/e31").send().await.unwrap();
    stack.queue(360).await;
    let id = stack.mapping().await.unwrap();
    says(stack.mapping().await, "already exists");
    let delete = || stack.lambda.delete_event_source_mapping().uuid(&id).send();
    let state =
        async || stack.lambda.get_event_source_mapping().uuid(&id).send().await.map(|mapping| mapping.state.unwrap());
    assert!(delete().await.unwrap_err().into_service_error().is_resource_in_use_exception());
    assert_eq!(stack.mappings().await[0].state(), Some("Creating"));
    assert_eq!(state().await.unwrap(), "Disabled");
    delete().await.unwrap();
    assert_eq!((state().await.unwrap(), state().await.unwrap()), ("Deleting".to_owned(), "Deleting".to_owned()));
    assert!(state().await.is_err());
}

#[tokio::test]
async fn e43_a_deleted_queue_lingers_and_holds_its_name() {
    let proxy = proxy();
    let stack = Stack::on(&proxy, "e43").await;
    proxy.play(Edge::QueueLingers(1));
    proxy.play(Edge::QueueDeletedRecently(Duration::from_millis(300)));
    stack.queue(30).await;
    let found = stack.sqs.get_queue_url().queue_name("e43").send().await.unwrap();
    stack.sqs.delete_queue().queue_url(found.queue_url().unwrap()).send().await.unwrap();
    assert!(stack.sqs.get_queue_url().queue_name("e43").send().await.is_ok(), "it lingers");
    assert!(stack.sqs.get_queue_url().queue_name("e43").send().await.is_err(), "and is gone");
    let refused = stack.sqs.create_queue().queue_name("e43").send().await.unwrap_err().into_service_error();
    assert!(refused.is_queue_deleted_recently());
    while stack.sqs.create_queue().queue_name("e43").send().await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn e9_e45_reads_lag_behind_writes() {
    let proxy = proxy();
    let stack = Stack::on(&proxy, "e9").await;
    proxy.play(Edge::ReadsLag(1));
    proxy.play(Edge::QueueAttributesSettle(1));
    stack.role().await;
    let role = || stack.iam.get_role().role_name("e9").send();
    assert!(role().await.unwrap_err().into_service_error().is_no_such_entity_exception());
    role().await.unwrap();
    stack.queue(30).await;
    let url = "http://127.0.0.1/000000000000/e9";
    let name = aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
    let read = || stack.sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send();
    assert!(read().await.unwrap_err().into_service_error().is_queue_does_not_exist());
    let visibility = async || read().await.unwrap().attributes.unwrap()[&name].clone();
    assert_eq!(visibility().await, "30");
    stack.sqs.set_queue_attributes().queue_url(url).attributes(name.clone(), "60").send().await.unwrap();
    assert_eq!((visibility().await, visibility().await), ("30".to_owned(), "60".to_owned()));
}

#[tokio::test]
async fn e8_e9_a_mapping_waits_for_its_policy_and_is_listed_late() {
    let proxy = proxy();
    let stack = Stack::on(&proxy, "e8").await;
    stack.role().await;
    stack.function().await.unwrap();
    stack.queue(360).await;
    proxy.play(Edge::PolicyNotYetEffective(Duration::from_millis(300)));
    proxy.play(Edge::ReadsLag(1));
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*"}]}"#;
    stack.iam.put_role_policy().role_name("e8").policy_name("p").policy_document(policy).send().await.unwrap();
    says(stack.mapping().await, "does not have permissions to call ReceiveMessage on SQS");
    while stack.mapping().await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((stack.mappings().await.len(), stack.mappings().await.len()), (0, 1));
}

#[tokio::test]
async fn e28_the_control_plane_is_throttled_but_for_get_function() {
    let proxy = proxy();
    let lambda = aws_sdk_lambda::Client::new(&sdk(&proxy).await);
    proxy.play(Edge::ThrottledControlPlane(2));
    let list = || lambda.list_functions().send();
    assert!(list().await.is_ok() && list().await.is_ok());
    assert!(list().await.unwrap_err().into_service_error().is_too_many_requests_exception());
    let read = lambda.get_function().function_name("none").send().await.unwrap_err().into_service_error();
    assert!(read.is_resource_not_found_exception(), "GetFunction has a limit of its own: {read:?}");
}

#[tokio::test]
async fn e55_e67_a_bucket_has_one_writer_and_a_deleted_one_a_busy_name() {
    let proxy = proxy();
    let s3 = aws_sdk_s3::Client::new(&sdk(&proxy).await);
    proxy.play(Edge::OneWriterABucket);
    proxy.play(Edge::BucketDeletedRecently(Duration::from_millis(300)));
    let create = || s3.create_bucket().bucket("e67").send();
    create().await.unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::e67/*"}]}"#;
    let write = || s3.put_bucket_policy().bucket("e67").policy(policy).send();
    let writes = futures::future::join_all((0..4).map(|_| write())).await;
    assert!(writes.iter().any(Result::is_ok), "the first writes");
    for refused in writes.into_iter().filter_map(Result::err) {
        assert_eq!(refused.into_service_error().meta().code(), Some("OperationAborted"));
    }
    write().await.unwrap();
    s3.delete_bucket().bucket("e67").send().await.unwrap();
    assert_eq!(create().await.unwrap_err().into_service_error().meta().code(), Some("OperationAborted"));
    while create().await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
