//! Each command under exactly the policy that `provision policy` prints for it, with the emulator enforcing IAM, and refused with one
//! action less.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::emulator::Options;
use testkit::fault_proxy::Rule;
use testkit::provision::Provision;
use testkit::reader;

use super::stage::{STACK, Stage, template, user, words};

/// What the emulator lets anybody do; the proxy denies it instead. Of the operation that IAM asks for the action on.
const NOT_ENFORCED: [(&str, &str, &str); 7] = [
    ("iam:PassRole", "lambda", "CreateFunction"),
    ("lambda:DeleteEventSourceMapping", "lambda", "DeleteEventSourceMapping"),
    ("lambda:DeleteFunctionConcurrency", "lambda", "DeleteFunctionConcurrency"),
    ("lambda:GetAccountSettings", "lambda", "GetAccountSettings"),
    ("lambda:GetEventSourceMapping", "lambda", "GetEventSourceMapping"),
    ("lambda:UpdateEventSourceMapping", "lambda", "UpdateEventSourceMapping"),
    ("s3:TagResource", "s3", "CreateBucket"),
];

/// Whose refusal keeps this stack's commands from nothing: the quota is asked for warnings' sake, this account has no managed policies
/// of its own, nothing holds up the role's deletion, mappings are Enabled at once, the emulator has no keys for log groups, and there are
/// neither dead letters nor a pause when the stack goes. PutFunctionConcurrency is the emulator's own wish.
const SPARED: [&str; 13] = [
    "iam:ListInstanceProfilesForRole",
    "iam:ListPolicyTags",
    "iam:RemoveRoleFromInstanceProfile",
    "lambda:GetAccountSettings",
    "lambda:GetEventSourceMapping",
    "lambda:PutFunctionConcurrency",
    "logs:DisassociateKmsKey",
    "s3:DeleteObject",
    "sqs:ChangeMessageVisibility",
    "sqs:ChangeMessageVisibilityBatch",
    "sqs:DeleteMessage",
    "sqs:DeleteMessageBatch",
    "sqs:ReceiveMessage",
];

impl Stage {
    fn enforcing() -> Self {
        let stage = Self::with(&Options { auth: true, ..Options::default() });
        stage.proxy.say_https();
        stage
    }

    /// The policy that a line prints, with what the emulator asks otherwise than AWS: it knows no `lambda:FunctionArn`, asks for
    /// CreateFunction without the function's name, for PutFunctionConcurrency where it is deleted, and for a batch's action where AWS asks
    /// for that of one message.
    fn policy(&self, line: &str) -> Value {
        let mut policy = self.user.run(words(line)).succeeds().json();
        let statements = policy["Statement"].as_array_mut().unwrap();
        let mut more = vec![];
        for statement in statements.iter_mut() {
            let allows = |action: &str| statement["Action"].as_array().unwrap().contains(&json!(action));
            let (maps, makes) = (allows("lambda:CreateEventSourceMapping"), allows("lambda:CreateFunction"));
            let singles = ["sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"];
            let batches =
                singles.into_iter().filter(|action| allows(action)).map(|action| json!(format!("{action}Batch")));
            let batches: Vec<_> = batches.collect();
            if maps {
                statement.as_object_mut().unwrap().remove("Condition");
            }
            if makes {
                let emulators = ["lambda:CreateFunction", "lambda:PutFunctionConcurrency"];
                more.push(json!({"Effect": "Allow", "Action": emulators, "Resource": ["*"]}));
            }
            statement["Action"].as_array_mut().unwrap().extend(batches);
        }
        statements.extend(more);
        policy
    }

    /// A person for each policy.
    fn people(&self, policies: &[Value]) -> Vec<Provision> {
        let keys = reader::make_users(&self.emulator.endpoint(), policies);
        let person = |key: &Value| {
            user(&self.proxy.url(), &self.tmdb.url())
                .env("AWS_ACCESS_KEY_ID", key["id"].as_str().unwrap())
                .env("AWS_SECRET_ACCESS_KEY", key["secret"].as_str().unwrap())
                .file("templates/tagged.yaml", tagged_template())
        };
        keys.as_array().unwrap().iter().map(person).collect()
    }

    /// Denies by the proxy what the emulator does not, unless the policy allows it.
    fn deny_what_the_emulator_allows(&self, policy: &Value) {
        self.proxy.behave();
        let allowed = actions(policy);
        for (action, service, operation) in NOT_ENFORCED {
            if !allowed.iter().any(|allowed| allowed == action) {
                let message =
                    format!("User: arn:aws:iam::000000000000:user/person is not authorized to perform: {action}");
                self.proxy.rule(Rule::on(service, operation).answer(403, "AccessDeniedException", &message));
            }
        }
    }
}

fn actions(policy: &Value) -> Vec<String> {
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|statement| statement["Action"].as_array().unwrap());
    let mut actions: Vec<_> = actions.map(|action| action.as_str().unwrap().to_owned()).collect();
    actions.sort();
    actions.dedup();
    actions
}

/// The same policy without an action.
fn without(policy: &Value, action: &str) -> Value {
    let mut policy = policy.clone();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        statement["Action"].as_array_mut().unwrap().retain(|allowed| allowed != action);
    }
    policy["Statement"].as_array_mut().unwrap().retain(|statement| statement["Action"] != json!([]));
    policy
}

/// Actions that are missing together, for each line of the life below. What stands on the first row's is not tried: row by row the stack
/// comes further.
const MADE: [&[&str]; 8] = [
    &["iam:CreateRole", "logs:CreateLogGroup", "s3:TagResource", "sqs:CreateQueue"],
    &["logs:PutRetentionPolicy", "s3:CreateBucket"],
    &["s3:PutBucketPublicAccessBlock"],
    &["s3:PutLifecycleConfiguration"],
    &["iam:PutRolePolicy", "s3:PutBucketPolicy"],
    &["iam:PassRole"],
    &["lambda:CreateFunction"],
    &["lambda:CreateEventSourceMapping"],
];
const CHANGED: [&[&str]; 6] = [
    &["logs:PutRetentionPolicy", "s3:PutBucketTagging", "sqs:UntagQueue"],
    &["logs:UntagResource", "sqs:SetQueueAttributes"],
    &["iam:UntagRole"],
    &["lambda:UpdateFunctionConfiguration"],
    &["lambda:UntagResource"],
    &["lambda:UpdateEventSourceMapping"],
];
const PUT_BACK: [&[&str]; 17] = [
    &["logs:PutRetentionPolicy", "s3:PutBucketOwnershipControls", "sqs:TagQueue"],
    &["logs:TagResource", "s3:PutBucketPublicAccessBlock"],
    &["s3:PutEncryptionConfiguration"],
    &["s3:PutBucketVersioning"],
    &["s3:PutBucketTagging"],
    &["iam:UpdateAssumeRolePolicy"],
    &["iam:UpdateRoleDescription"],
    &["iam:UpdateRole"],
    &["iam:DeleteRolePermissionsBoundary"],
    &["iam:PutRolePolicy"],
    &["iam:DeleteRolePolicy"],
    &["iam:DetachRolePolicy"],
    &["iam:TagRole"],
    &["lambda:UpdateFunctionConfiguration"],
    &["lambda:UpdateFunctionCode"],
    &["lambda:DeleteFunctionConcurrency"],
    &["lambda:TagResource"],
];
const SENT: [&[&str]; 5] = [
    &["s3:GetObject"],
    &["s3:PutObject"],
    &["s3:ListBucket"],
    &["ssm:GetParameter"],
    &["sqs:SendMessage", "sqs:SendMessageBatch"],
];
const GONE: [&[&str]; 4] = [
    &["lambda:DeleteEventSourceMapping"],
    &["lambda:DeleteFunction"],
    &["iam:DeleteRolePolicy", "logs:DeleteLogGroup", "sqs:DeleteQueue", "ssm:DeleteParameter"],
    &["iam:DeleteRole", "sqs:GetQueueUrl"],
];
const MAKE: &str = "up --yes --template templates/tagged.yaml";
const CHANGE: &str = "up --yes --param FunctionMemorySize=512 --param LogRetentionInDays=30 --param MessageRetentionPeriod=86400 \
                      --param MaximumConcurrency=4";

/// The crawler's template with a tag on all that takes one.
fn tagged_template() -> String {
    let first =
        ["BucketName: !Sub", "QueueName:", "LogGroupName:", "RoleName:", "FunctionName: !Sub", "EventSourceArn:"];
    let tagged = |text: String, property: &&str| {
        let line = format!("\n      {property}");
        text.replace(&line, &format!("\n      Tags: [{{ Key: team, Value: films }}]{line}"))
    };
    first.iter().fold(template(), tagged)
}

#[test]
fn e13_each_command_runs_under_exactly_its_policy_and_is_refused_with_one_action_less() {
    let stage = Stage::enforcing();
    stage.user.run(["secret", "set"]).succeeds();
    let titles = testkit::titles::sample().display().to_string();
    let launch = format!("launch --years 1940 --titles-source {titles}");
    let plan = stage.policy("policy --for plan");
    let life: [(&str, &[&[&str]]); 8] = [
        ("plan", &[]),
        (MAKE, &MADE),
        (CHANGE, &CHANGED),
        (CHANGE, &PUT_BACK),
        ("plan", &[]),
        (&launch, &SENT),
        ("status", &[]),
        ("down --yes", &GONE),
    ];
    let rows = life.iter().flat_map(|(_, rows)| rows.iter().copied().flatten().copied());
    let (tried, mut untried): (Vec<_>, _) = (rows.chain(SPARED).collect(), BTreeSet::new());
    for (line, rows) in life {
        let policy = stage.policy(&format!("policy --for {}", words(line)[0]));
        if rows == PUT_BACK {
            reader::meddle(&stage.emulator.endpoint(), STACK);
        }
        if line == "status" {
            reads_are_all_needed(&stage, &plan, &policy);
        }
        let person = is_refused_without(&stage, line, &policy, rows);
        stage.deny_what_the_emulator_allows(&policy);
        person.run(words(line)).succeeds();
        untried.extend(actions(&policy));
    }
    untried.retain(|action| !tried.contains(&action.as_str()) && !actions(&plan).contains(action));
    assert_eq!(untried, BTreeSet::new(), "every action is missing once");
    let left = stage.account();
    assert_eq!((&left["queues"], &left["roles"], &left["functions"]), (&json!([]), &json!([]), &json!([])), "{left}");
}

/// Row by row: without its actions, and those of the rows after it, the command is refused, and tells each that it lacks. The person who
/// has them all is given back.
fn is_refused_without(stage: &Stage, line: &str, policy: &Value, rows: &[&[&str]]) -> Provision {
    let missing = |row: usize| rows[row..].iter().copied().flatten();
    let policies: Vec<_> =
        (0..=rows.len()).map(|row| missing(row).fold(policy.clone(), |less, action| without(&less, action))).collect();
    let mut people = stage.people(&policies);
    for ((person, policy), row) in people.iter().zip(&policies).zip(rows) {
        stage.deny_what_the_emulator_allows(policy);
        let refused = person.run(words(line)).exits(4);
        assert!(row.iter().all(|action| refused.stderr.contains(action)), "not all of {row:?} is told: {refused}");
    }
    people.pop().unwrap()
}

/// Of every action of `plan`, and of those that `status` has besides, of a stack that is up: without it the command is refused.
fn reads_are_all_needed(stage: &Stage, plan: &Value, status: &Value) {
    let spared: Vec<String> = SPARED.map(str::to_owned).into();
    for (line, policy, tried) in [("plan", plan, spared.clone()), ("status", status, [spared, actions(plan)].concat())]
    {
        let needed: Vec<_> = actions(policy).into_iter().filter(|action| !tried.contains(action)).collect();
        let less: Vec<_> = needed.iter().map(|action| without(policy, action)).collect();
        for ((person, policy), action) in stage.people(&less).iter().zip(&less).zip(&needed) {
            stage.deny_what_the_emulator_allows(policy);
            let refused = person.run([line]);
            assert_ne!(refused.status.code(), Some(0), "without {action}: {refused}");
        }
    }
}

#[test]
fn the_proxy_denies_all_that_the_emulator_does_not() {
    let stage = Stage::enforcing();
    let policy = stage.user.run(words("policy --delete-data")).succeeds().json();
    let unenforced = reader::unenforced(&stage.emulator.endpoint(), &actions(&policy));
    assert_eq!(unenforced, json!(NOT_ENFORCED.map(|(action, ..)| action)));
}

#[test]
fn every_policy_fits_iam_and_names_no_more_than_the_stack() {
    let stage = Stage::new();
    let policy = stage.user.run(words("policy --delete-data")).succeeds().json();
    assert!(policy.to_string().len() <= 6144, "a managed policy takes 6144 characters: {}", policy.to_string().len());
    for statement in policy["Statement"].as_array().unwrap() {
        let everywhere = statement["Resource"].as_array().unwrap().contains(&json!("*"));
        for action in statement["Action"].as_array().unwrap().iter().filter_map(Value::as_str) {
            let listing = [
                "List",
                "Describe",
                "GetAccount",
                "GetResources",
                "CreateEventSourceMapping",
                "RemoveRoleFromInstanceProfile",
            ];
            assert!(!everywhere || listing.iter().any(|word| action.contains(word)), "{action} on everything");
        }
    }
    let look = stage.user.run(words("policy --for status")).succeeds().json();
    assert!(actions(&look).iter().all(|action| !action.contains("Create") && !action.contains("Delete")), "{look}");
    stage.user.run(words("policy --for nothing")).exits(2);
    let down = |flags: &str| actions(&stage.user.run(words(&format!("policy --for down {flags}"))).succeeds().json());
    let stops = "lambda:UpdateEventSourceMapping".to_owned();
    assert!(["", "--delete-data"].iter().all(|flags| down(flags).contains(&stops)), "the fleet is stopped first");
    let up = stage.user.run(words("policy --for up")).succeeds().json();
    let (remade, kept) = (["iam:DeleteRole", "lambda:DeleteFunction", "logs:DeleteLogGroup"], ["s3:DeleteBucket"]);
    assert!(remade.iter().all(|action| actions(&up).contains(&(*action).to_owned())), "what a change replaces: {up}");
    assert!(kept.iter().all(|action| !actions(&up).contains(&(*action).to_owned())), "{up}");
}

#[test]
fn a_policy_lets_every_command_read_the_parameters_that_the_template_names() {
    let stage = Stage::new();
    let parameter =
        "    Type: AWS::SSM::Parameter\n    Properties: {Type: String, Value: '{{resolve:ssm:/shared/a:2}}'}\n";
    let user = stage.user.file("named.yaml", format!("Resources:\n  Copy:\n{parameter}"));
    for command in ["plan", "up", "down", "status"] {
        let policy = user.run(words(&format!("policy --template named.yaml --for {command}"))).succeeds().json();
        let arn = json!("arn:aws:ssm:us-east-1:000000000000:parameter/shared/a");
        let reads = |statement: &&Value| statement["Resource"].as_array().unwrap().contains(&arn);
        let statement =
            policy["Statement"].as_array().unwrap().iter().find(reads).unwrap_or_else(|| panic!("{policy}"));
        assert_eq!(statement["Action"], json!(["ssm:GetParameter"]), "{command}");
    }
}

#[test]
fn doctor_tells_what_is_well_and_what_the_caller_may_not_do() {
    let stage = Stage::enforcing();
    let well = stage.user.run(words("doctor --json")).succeeds().json();
    let checks = well["checks"].as_array().unwrap();
    let named: Vec<_> = checks.iter().map(|check| check["check"].as_str().unwrap()).collect();
    assert_eq!(named, ["template", "endpoint", "clock", "credentials", "account", "quota", "rights", "TMDb"], "{well}");
    assert!(checks.iter().all(|check| check["state"] == "ok"), "{well}");
    assert_eq!(stage.changes(), Vec::<String>::new());

    let all = stage.policy("policy");
    let mut policies = [without(&all, "sqs:CreateQueue"), without(&all, "sqs:CreateQueue")];
    let simulator = json!({"Effect": "Allow", "Action": ["iam:SimulatePrincipalPolicy"], "Resource": ["*"]});
    policies[1]["Statement"].as_array_mut().unwrap().push(simulator);
    let people = stage.people(&policies);
    people[0].run(words("doctor")).succeeds().says("?      rights").says("iam:SimulatePrincipalPolicy is not allowed");
    people[1].run(words("doctor")).exits(3).says("wrong  rights").says("sqs:CreateQueue").says("provision policy");
}
