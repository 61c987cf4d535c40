//! The built binary, as a person or a script runs it, where no AWS is needed: usage, configuration, template, credentials.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const TEMPLATE: &str = "Resources:\n  Jobs:\n    Type: AWS::SQS::Queue\n";

/// `provision` in an empty folder, with nothing of this machine's AWS set-up.
fn provision(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provision"));
    command.args(line.split_whitespace()).current_dir(folder).env_clear();
    command.env("HOME", folder).env("AWS_EC2_METADATA_DISABLED", "true").stdin(std::process::Stdio::null());
    command
}

fn run(folder: &Path, line: &str) -> Ran {
    Ran::new(line, provision(folder, line).output().unwrap())
}

/// What a run printed and how it ended; shown whole when an expectation fails.
#[derive(Debug)]
#[expect(dead_code, reason = "`line` is there to be shown")]
struct Ran {
    line: String,
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn new(line: &str, output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { line: line.into(), code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Ended with `code`, and told all of `words`.
    #[track_caller]
    fn tells(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is missing: {self:#?}");
        }
    }
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn the_help_is_whole() {
    let folder = folder(&[]);
    let commands = [
        "", "init", "secret", "package", "plan", "up", "down", "status", "launch", "simulate", "download", "run",
        "explain",
    ];
    let mut shown = String::new();
    for command in commands {
        let ran = run(folder.path(), &format!("{command} --help"));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:#?}");
        // The global options are the same everywhere.
        let own = ran.stdout.split("Global options:").next().unwrap_or_default().trim_end();
        let rest = if command.is_empty() { ran.stdout.as_str() } else { own };
        shown.push_str(&format!("$ provision {command} --help\n{rest}\n\n"));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn the_version_is_the_packages() {
    let ran = run(folder(&[]).path(), "--version");
    assert_eq!(ran.stdout.trim(), concat!("provision ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_command_or_flag_is_a_usage_error() {
    let folder = folder(&[]);
    run(folder.path(), "plam").tells(2, &["plam", "plan"]);
    run(folder.path(), "plan --regoin x").tells(2, &["--regoin", "--region"]);
    run(folder.path(), "").tells(2, &["Usage"]);
    run(folder.path(), "plan --quiet --verbose").tells(2, &["--verbose"]);
}

#[test]
fn an_unknown_configuration_key_is_told_with_place_and_nearest_name() {
    let folder = folder(&[("provision.toml", "stack = \"films\"\nregoin = \"eu-central-1\"\n")]);
    run(folder.path(), "plan")
        .tells(2, &["unknown key `regoin`", "provision.toml:2:1", "help: did you mean `region`?"]);
}

#[test]
fn a_configuration_that_is_named_and_missing_is_an_error() {
    run(folder(&[]).path(), "plan --config lost.toml").tells(2, &["lost.toml", "help: "]);
}

#[test]
fn a_missing_template_is_an_error_that_names_it() {
    run(folder(&[]).path(), "plan --template lost.yaml").tells(2, &["cannot read the template", "lost.yaml", "help: "]);
}

#[test]
fn a_template_with_an_unknown_type_tells_its_place_before_any_call() {
    let folder = folder(&[("a.yaml", "Resources:\n  Jobs:\n    Typ: AWS::SQS::Queue\n")]);
    run(folder.path(), "plan --template a.yaml").tells(2, &["a.yaml:3:5", "Typ", "help: "]);
}

/// A queue that feeds a function whose code is `code.zip`.
fn fed(visibility: u32) -> String {
    format!(
        "Resources:
  Jobs: {{Type: AWS::SQS::Queue, Properties: {{VisibilityTimeout: {visibility}}}}}
  Worker:
    Type: AWS::Lambda::Function
    Properties: {{Role: arn:aws:iam::1:role/r, Runtime: provided.al2023, Handler: b, Code: code.zip, Timeout: 60}}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {{EventSourceArn: !GetAtt Jobs.Arn, FunctionName: !Ref Worker, FunctionResponseTypes: []}}
"
    )
}

#[test]
fn e35_a_broken_rule_is_told_before_credentials_are_asked_for() {
    let folder = folder(&[("a.yaml", &fed(30))]);
    let told = ["(E35)", "a.yaml:2:46", "help: set VisibilityTimeout to 360"];
    run(folder.path(), "plan --template a.yaml --region eu-central-1").tells(2, &told);
}

#[test]
fn e23_a_finished_zip_is_looked_into_before_credentials_are_asked_for() {
    let folder = folder(&[("a.yaml", &fed(60))]);
    let mut zip = zip::ZipWriter::new(std::fs::File::create(folder.path().join("code.zip")).unwrap());
    zip.start_file("bin/bootstrap", zip::write::SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    let line = "plan --template a.yaml --region eu-central-1";
    run(folder.path(), line).tells(2, &["(E23)", "a.yaml:5:", "warning: a.yaml:2:46", "(E35)"]);
    run(folder.path(), "status --template a.yaml --region eu-central-1").tells(4, &["credentials"]);
}

#[test]
fn explain_tells_an_edge_an_error_code_and_a_type_without_any_call() {
    let folder = folder(&[]);
    let says = |line: &str, words: &[&str]| {
        let ran = run(folder.path(), line);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        words.iter().for_each(|word| assert!(ran.stdout.contains(word), "{word}: {ran:#?}"));
    };
    says("explain", &["E1 ", "E67 "]);
    says("explain e35", &["what AWS does", "what provision does", "what to do", "VisibilityTimeout"]);
    says("explain QueueDeletedRecently --json", &["\"number\": \"E43\""]);
    says("explain AWS::SQS::Queue", &["VisibilityTimeout", "replaces", "30", "QueueUrl"]);
    run(folder.path(), "explain QueueDeletedRecntly").tells(2, &["did you mean QueueDeletedRecently?"]);
}

#[test]
fn no_region_is_a_usage_error() {
    let folder = folder(&[("a.yaml", TEMPLATE)]);
    run(folder.path(), "plan --template a.yaml").tells(2, &["no region is set", "stack a", "--region"]);
}

#[test]
fn e4_no_credentials_is_exit_code_4() {
    let folder = folder(&[("a.yaml", TEMPLATE)]);
    let ran = run(folder.path(), "plan --template a.yaml --region eu-central-1");
    ran.tells(4, &["credentials are not usable", "which: the caller's identity", "help: sign in"]);
}

#[test]
fn no_network_is_told_within_seconds() {
    let folder = folder(&[("a.yaml", TEMPLATE)]);
    let started = std::time::Instant::now();
    let line = "plan --template a.yaml --region eu-central-1 --endpoint-url http://127.0.0.1:9";
    let output = provision(folder.path(), line)
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
        .output()
        .unwrap();
    Ran::new(line, output).tells(1, &["sts:GetCallerIdentity got no answer", "help: check the network"]);
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

#[test]
fn with_json_a_failure_is_one_document_on_stdout() {
    let ran = run(folder(&[]).path(), "plan --json --template lost.yaml");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["exit_code"], 2);
    assert!(document["error"]["which"].as_str().unwrap().contains("lost.yaml"), "{document}");
    assert!(ran.stderr.contains("lost.yaml"), "the person is told too: {ran:#?}");
}

#[test]
fn init_writes_what_the_flags_say_and_never_the_key() {
    let folder = folder(&[]);
    let line = "init --stack films --region eu-central-1 --bucket lake --param LogLevel=debug";
    let ran = run(folder.path(), line);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let written = std::fs::read_to_string(folder.path().join("provision.toml")).unwrap();
    insta::assert_snapshot!(written, @r#"
    stack = "films"
    region = "eu-central-1"
    bucket = "lake"

    [params]
    LogLevel = "debug"
    "#);
    run(folder.path(), line).tells(2, &["is there already", "provision.toml", "--force"]);
}

#[test]
fn e4_secret_check_without_a_key_asks_aws_and_tells_missing_credentials() {
    let folder = folder(&[]);
    run(folder.path(), "secret check --region eu-central-1").tells(4, &["credentials"]);
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    use std::io::Read;
    let folder = folder(&[]);
    let mut child = provision(folder.path(), "--help").stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
