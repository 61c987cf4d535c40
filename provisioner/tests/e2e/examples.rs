//! The example templates: each made, made again, held beside CloudFormation's own deploy of it, and taken down.

use serde_json::{Value, json};
use testkit::emulator;
use testkit::fault_proxy::Edge;
use testkit::provision::Provision;
use testkit::{Emulator, FaultProxy, reader};

use super::stage::{self, words, workspace};

/// An account with a registry and with Cloud Control as AWS has it, and a user with the examples.
struct Examples {
    emulator: Emulator,
    proxy: FaultProxy,
    user: Provision,
}

impl Examples {
    fn new() -> Self {
        let (emulator, proxy) = Emulator::start_behind_proxy(&emulator::Options::default()).unwrap();
        proxy.play(Edge::Registry);
        proxy.play(Edge::CloudControlIdentifiers);
        let user = Provision::new(env!("CARGO_BIN_EXE_provision")).endpoint(&proxy.url());
        Self { emulator, proxy, user }
    }

    fn provision(&self, command: &str, example: &str) -> Value {
        let template = workspace().join("templates/examples").join(format!("{example}.yaml"));
        let flags =
            ["--template", &template.display().to_string(), "--stack", &ours(example), "--json"].map(str::to_owned);
        let words = words(command).into_iter().map(str::to_owned).chain(flags);
        self.user.run(words).succeeds().json()
    }

    /// Deploys an example by AWS's own tool.
    fn deploy(&self, example: &str) {
        let template = workspace().join("templates/examples").join(format!("{example}.yaml"));
        let packaged = self.user.folder().join(format!("{example}.yaml"));
        for line in [
            format!(
                "cloudformation package --template-file {} --s3-bucket artifacts --output-template-file {}",
                template.display(),
                packaged.display()
            ),
            format!(
                "cloudformation deploy --template-file {} --stack-name {} --capabilities CAPABILITY_NAMED_IAM",
                packaged.display(),
                theirs(example)
            ),
        ] {
            let output = stage::aws(&self.emulator.endpoint(), &line);
            assert!(output.status.success(), "aws {line}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }

    fn described(&self, stack: &str) -> Value {
        reader::stack(&self.emulator.endpoint(), stack)
    }
}

fn ours(example: &str) -> String {
    format!("ours-{example}")
}

fn theirs(example: &str) -> String {
    format!("theirs-{example}")
}

#[test]
fn every_example_is_made_as_cloudformation_makes_it_and_taken_down_whole() {
    let examples = Examples::new();
    assert!(stage::aws(&examples.emulator.endpoint(), "s3 mb s3://artifacts").status.success());
    for example in ["queue-worker", "archive-bucket", "nightly-work"] {
        examples.provision("up --yes", example);
        let plan = examples.provision("plan", example);
        let changed: Vec<_> =
            plan["changes"].as_array().unwrap().iter().filter(|change| change["action"] != "none").collect();
        assert!(changed.is_empty(), "{example}: {changed:#?}");
        examples.deploy(example);
        let (made, deployed) = (examples.described(&ours(example)), examples.described(&theirs(example)));
        assert!(made.as_object().is_some_and(|made| !made.is_empty()), "{example} is made");
        for (name, deployed) in deployed.as_object().unwrap() {
            assert_eq!(pretty(&made[name]), pretty(deployed), "{example}: {name} is as CloudFormation makes it");
        }
        assert_eq!(made.as_object().unwrap().len(), deployed.as_object().unwrap().len(), "{made:#}");
        let down = examples.provision("down --yes --delete-data", example);
        assert_eq!(down["remaining"], json!([]), "{down}");
        assert_eq!(examples.described(&ours(example)), json!({}), "{example} leaves nothing");
    }
    let left = examples.proxy.calls().into_iter().filter(|call| call.operation == "DeleteResource").count();
    assert_eq!(left, 4, "topic, alarm, schedule and table are deleted");
}

#[test]
fn an_unknown_property_of_a_type_without_a_provider_is_told_with_its_place() {
    let examples = Examples::new();
    let template = "Resources:\n  Told:\n    Type: AWS::SNS::Topic\n    Properties:\n      DisplayNaem: x\n  Mail:\n    Type: AWS::SQS::Queue\n";
    let user = examples.user.file("topic.yaml", template);
    let told = user.run(words("plan --template topic.yaml")).exits(2).to_string();
    assert!(told.contains("topic.yaml:5:7") && told.contains("did you mean DisplayName?"), "{told}");
    let subscription =
        template.replace("DisplayNaem: x", "Protocol: email").replace("AWS::SNS::Topic", "AWS::SNS::Subscription");
    let user = user.file("topic.yaml", subscription);
    let told = user.run(words("plan --template topic.yaml")).exits(2).to_string();
    assert!(told.contains("topic.yaml:3:11") && told.contains("AWS::SNS::Subscription takes no tags"), "{told}");
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}
