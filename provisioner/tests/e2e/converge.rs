//! From anywhere to what the template says, and back to nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::fault_proxy::{Edge, Rule};
use testkit::{Emulator, reader, titles};

use super::stage::{STACK, Stage, light_template, light_user, words};

#[test]
fn a_second_up_changes_nothing() {
    let stage = Stage::new();
    stage.user.run(["up", "--yes"]).succeeds();
    stage.proxy.forget();
    stage.user.run(["plan", "--exit-code"]).succeeds();
    stage.user.run(["up", "--yes"]).succeeds().says("Nothing to change");
    assert_eq!(stage.changes(), Vec::<String>::new());
}

#[test]
fn up_after_kill_finishes() {
    let stage = Stage::new();
    let killer = stage.user.killer();
    // Killed in the middle: the call is performed, its answer never comes.
    stage.proxy.rule(Rule::on("lambda", "CreateFunction").notify(move || killer.kill()).lose_answer());
    let killed = stage.user.run(["up", "--yes"]);
    assert_ne!(killed.status.code(), Some(0));
    stage.proxy.behave();
    stage.user.run(["up", "--yes"]).succeeds();
    stage.user.run(["plan", "--exit-code"]).succeeds();
    let account = stage.account();
    for (kind, count) in
        [("queues", 2), ("roles", 1), ("functions", 1), ("mappings", 1), ("log_groups", 1), ("buckets", 1)]
    {
        assert_eq!(account[kind].as_array().map(Vec::len), Some(count), "{kind}: {account}");
    }
}

#[test]
fn down_with_delete_data_leaves_nothing() {
    let stage = Stage::new();
    stage.user.run(["secret", "set"]).succeeds();
    stage.user.run(["up", "--yes"]).succeeds();
    stage.user.run(words("down --yes --keep-secret")).succeeds();
    let account = stage.account();
    assert_eq!(account["parameters"].as_array().map(Vec::len), Some(1), "the key is kept: {account}");
    stage.user.run(words("down --yes --delete-data")).succeeds();
    let account = stage.account();
    for (kind, names) in account.as_object().unwrap() {
        assert_eq!(*names, json!([]), "{kind} are left");
    }
    stage.proxy.forget();
    stage.user.run(words("down --yes --delete-data")).succeeds().says("Nothing to delete");
    assert_eq!(stage.changes(), Vec::<String>::new());
}

#[test]
fn e62_down_with_delete_data_waits_for_running_functions_and_not_one_late_line_is_left() {
    let stage = Stage::new();
    let source = titles::sample().display().to_string();
    stage.user.run(["secret", "set"]).succeeds();
    stage.user.run(words("up --yes --param TmdbRate=800")).succeeds();
    // Seconds for a job: there is one in hand when `down` looks.
    stage.tmdb.behave(|behaviour| behaviour.latency_ms = 200);
    let launch = format!("launch --years 2014 --initials TH --titles-source {source} --param TmdbRate=800");
    stage.user.run(words(&launch)).succeeds();
    let deadline = Instant::now() + Duration::from_secs(60);
    while stage.tmdb.requests().len() < 10 {
        assert!(Instant::now() < deadline, "the crawl does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    stage.user.run(words("down --yes --delete-data")).succeeds().complains("waiting for the functions that run");
    for (kind, names) in stage.account().as_object().unwrap() {
        assert_eq!(*names, json!([]), "{kind} are left");
    }
}

#[test]
fn e35_a_raised_timeout_changes_the_queue_first_and_a_lowered_one_the_function() {
    let (_emulator, proxy) = Emulator::start_behind_proxy(&Default::default()).unwrap();
    let user = light_user(&proxy.url());
    let order_of = |seconds: u32| {
        proxy.forget();
        user.run(words(&format!("up --yes --param FunctionTimeout={seconds}"))).succeeds();
        proxy.mutating_calls().into_iter().map(|call| call.operation).collect::<Vec<_>>()
    };
    order_of(60);
    assert_eq!(order_of(300), ["SetQueueAttributes", "UpdateFunctionConfiguration"]);
    assert_eq!(order_of(60), ["UpdateFunctionConfiguration", "SetQueueAttributes"]);
    user.run(words("plan --exit-code --param FunctionTimeout=60")).succeeds();
}

/// What people have changed by hand, as `meddle.py` does.
const DRIFT: [(&str, &str); 21] = [
    ("CrawlerFunction", "Code"),
    ("CrawlerFunction", "MemorySize"),
    ("CrawlerFunction", "ReservedConcurrentExecutions"),
    ("CrawlerFunction", "Tags.provision:logical-id"),
    ("CrawlerLogGroup", "RetentionInDays"),
    ("CrawlerLogGroup", "Tags.provision:logical-id"),
    ("CrawlerRole", "AssumeRolePolicyDocument"),
    ("CrawlerRole", "Description"),
    ("CrawlerRole", "ManagedPolicyArns"),
    ("CrawlerRole", "MaxSessionDuration"),
    ("CrawlerRole", "PermissionsBoundary"),
    ("CrawlerRole", "Policies"),
    ("CrawlerRole", "Tags.provision:logical-id"),
    ("JobsMapping", "ScalingConfig.MaximumConcurrency"),
    ("JobsQueue", "DelaySeconds"),
    ("JobsQueue", "Tags.provision:logical-id"),
    ("LakeBucket", "BucketEncryption"),
    ("LakeBucket", "OwnershipControls"),
    ("LakeBucket", "PublicAccessBlockConfiguration"),
    ("LakeBucket", "Tags.provision:logical-id"),
    ("LakeBucket", "VersioningConfiguration"),
];

#[test]
fn what_was_changed_by_hand_shows_in_plan_and_up_puts_it_back() {
    let (emulator, proxy) = Emulator::start_behind_proxy(&Default::default()).unwrap();
    let user = light_user(&proxy.url());
    user.run(["up", "--yes"]).succeeds();
    reader::meddle(&emulator.endpoint(), STACK);
    let plan = user.run(["plan", "--json"]).succeeds().json();
    let changed: Vec<(String, String)> = plan["changes"].as_array().unwrap().iter().flat_map(paths).collect();
    let is_drift = |(id, path): &(String, String)| DRIFT.iter().any(|(of, begin)| id == of && path.starts_with(begin));
    assert!(changed.iter().all(is_drift), "{changed:?}");
    for (id, begin) in DRIFT {
        assert!(changed.iter().any(|(of, path)| of == id && path.starts_with(begin)), "{id} {begin}: {changed:?}");
    }
    user.run(["up", "--yes"]).succeeds();
    user.run(["plan", "--exit-code"]).succeeds();
}

/// The logical id and the path of each property that is to be changed.
fn paths(change: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let properties = change["properties"].as_array().into_iter().flatten();
    properties.map(|property| (text(&change["logical_id"]), text(&property["path"]))).collect()
}

/// A role whose path changes is another role: what hung on it went with it.
const REPLACED: &str = "Parameters:
  Path: { Type: String, Default: / }
Resources:
  Worker:
    Type: AWS::IAM::Role
    Properties:
      Path: !Ref Path
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: sts:AssumeRole }]
  Own:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: own
      Roles: [!Ref Worker]
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{ Effect: Allow, Action: s3:GetObject, Resource: '*' }]
  Shared:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Roles: [!Ref Worker]
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{ Effect: Allow, Action: s3:GetObject, Resource: '*' }]
";

#[test]
fn what_hung_on_something_that_was_replaced_is_there_again_after_the_same_up() {
    let (_emulator, proxy) = Emulator::start_behind_proxy(&Default::default()).unwrap();
    let user = light_user(&proxy.url()).file("replaced.yaml", REPLACED);
    user.run(words("up --yes --template replaced.yaml")).succeeds();
    user.run(words("up --yes --template replaced.yaml --param Path=/workers/"))
        .succeeds()
        .says("1 replaced, 1 updated, 1 created");
    user.run(words("plan --exit-code --template replaced.yaml --param Path=/workers/")).succeeds();
}

/// A function of that role, made anew with it, and what hangs on the function.
const INVOKED: &str = "
  Work:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handle
      Role: !GetAtt Worker.Arn
      Code: { ZipFile: 'def handle(event, context): return 1' }
  Invoke:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !GetAtt Work.Arn
      Action: lambda:InvokeFunction
      Principal: s3.amazonaws.com
";

#[test]
fn what_hung_on_what_was_replaced_by_the_second_plan_is_there_again_after_the_same_up() {
    let (_emulator, proxy) = Emulator::start_behind_proxy(&Default::default()).unwrap();
    // A function that was updated under the role's earlier id is made anew when that is seen.
    proxy.play(Edge::ReadsLag(1));
    let user = light_user(&proxy.url()).file("replaced.yaml", format!("{REPLACED}{INVOKED}"));
    user.run(words("up --yes --template replaced.yaml")).succeeds();
    user.run(words("up --yes --template replaced.yaml --param Path=/workers/")).succeeds();
    user.run(words("plan --exit-code --template replaced.yaml --param Path=/workers/")).succeeds();
}

#[test]
fn a_new_logical_id_under_the_same_name_is_tagged_anew_and_nothing_else() {
    let (_emulator, proxy) = Emulator::start_behind_proxy(&Default::default()).unwrap();
    let user = light_user(&proxy.url());
    user.run(["up", "--yes"]).succeeds();
    let renamed = light_template().replace("CrawlerLogGroup", "FilmsLogGroup");
    std::fs::write(user.folder().join("templates/crawler.yaml"), renamed).unwrap();
    proxy.forget();
    user.run(["up", "--yes"]).succeeds();
    let calls: Vec<_> = proxy.mutating_calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["TagResource"]);
    user.run(["plan", "--exit-code"]).succeeds();
}
