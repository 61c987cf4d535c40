//! The built binary, as a person or a script runs it, where no AWS is needed: usage, configuration, template, credentials.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::io::Read as _;

use clap::CommandFactory as _;
use provisioner::cli::Cli;
use testkit::provision::Provision;

const TEMPLATE: &str = "Resources:\n  Jobs:\n    Type: AWS::SQS::Queue\n";

/// A user of the binary with these files in the working folder, and nothing of this machine's AWS set-up.
fn user(files: &[(&str, &str)]) -> Provision {
    let nobody = Provision::new(env!("CARGO_BIN_EXE_provision"));
    files.iter().fold(nobody, |user, (name, text)| user.file(name, text))
}

/// A command line's words.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// A run of `line` ends with `code` and complains with all of `expected`.
#[track_caller]
fn tells(user: &Provision, line: &str, code: i32, expected: &[&str]) {
    let outcome = user.run(words(line)).exits(code);
    expected.iter().fold(outcome, |outcome, word| outcome.complains(word));
}

#[test]
fn the_help_is_whole() {
    let user = user(&[]);
    let listed = Cli::command();
    let commands = listed.get_subcommands().map(|command| command.get_name()).filter(|name| *name != "help");
    let mut shown = String::new();
    for command in std::iter::once("").chain(commands) {
        let ran = user.run(words(&format!("{command} --help"))).succeeds();
        assert_eq!(ran.stderr, "");
        // The global options are the same everywhere.
        let own = ran.stdout.split("Global options:").next().unwrap_or_default().trim_end();
        let rest = if command.is_empty() { ran.stdout.as_str() } else { own };
        shown.push_str(&format!("$ provision {command} --help\n{rest}\n\n"));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn the_version_is_the_packages() {
    let ran = user(&[]).run(["--version"]).succeeds();
    assert_eq!(ran.stdout.trim(), concat!("provision ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_command_or_flag_is_a_usage_error() {
    let user = user(&[]);
    tells(&user, "plam", 2, &["plam", "plan"]);
    tells(&user, "plan --regoin x", 2, &["--regoin", "--region"]);
    tells(&user, "", 2, &["Usage"]);
    tells(&user, "plan --quiet --verbose", 2, &["--verbose"]);
}

#[test]
fn with_json_a_mistake_on_the_command_line_is_a_document_too() {
    let user = user(&[]);
    let ran = user.run(words("plam --json")).exits(2);
    let document = ran.json();
    assert_eq!(document["exit_code"], 2);
    assert_eq!(document["error"]["what"], "unrecognized subcommand 'plam'");
    assert!(document["error"]["help"].as_str().unwrap().contains("'plan'"), "{document}");
    ran.complains("plam");
    assert_eq!(user.run(words("plam")).exits(2).stdout, "");
    assert_eq!(user.run(words("--json")).exits(2).json()["error"]["what"], "a command is missing");
}

#[test]
fn run_wants_its_yes_before_the_hours_and_not_after_them() {
    let user = user(&[("templates/crawler.yaml", TEMPLATE)]);
    tells(&user, "run", 2, &["needs a yes", "this deletes stack crawler", "--yes"]);
}

#[test]
fn what_is_typed_wrong_is_told_before_anything_is_asked() {
    let user = user(&[("templates/crawler.yaml", TEMPLATE)]);
    for command in ["launch", "run", "redrive", "download --all"] {
        let help = "help: write 2004, 2000..2020, none";
        tells(&user, &format!("{command} --years foo"), 2, &["\"foo\" is no year", "which: --years", help]);
        tells(
            &user,
            &format!("{command} --initials TOO"),
            2,
            &["\"TOO\"", "which: --initials", "help: write two letters"],
        );
    }
    for command in ["launch", "run", "simulate", "download"] {
        tells(&user, &format!("{command} --title-types tvmovie"), 2, &["\"tvmovie\"", "did you mean tvMovie?"]);
    }
    let one = user.run(words("download --initial TOO")).exits(2).complains("write two letters or digits");
    assert!(!one.stderr.contains("commas"), "{one}");
    tells(&user, "download --year soon", 2, &["\"soon\" is no year", "--year"]);
    tells(&user, "download --jobs 0", 2, &["0 is not in 1..=255"]);
    tells(&user, "dead-letters --limit 0", 2, &["0 is not in 1..=65535"]);
    tells(&user, "download --param TmdbRat=1", 2, &["no parameter TmdbRat", "did you mean TmdbRate?"]);
}

#[test]
fn a_file_is_no_lake_and_a_word_no_address() {
    let user = user(&[("titles.gz", "")]).env("TMDB_API_KEY", "key");
    tells(&user, "download --tmdb-url foo", 2, &["which: --tmdb-url", "help: write the address as https://"]);
    tells(&user, "download --lake titles.gz", 1, &["cannot look through the lake", "help: name a folder"]);
}

#[test]
fn a_wrong_value_of_a_parameter_is_not_blamed_on_the_template_alone() {
    let template = "Parameters: {Size: {Type: Number, MaxValue: 3}}\n".to_owned() + TEMPLATE;
    let user = user(&[("a.yaml", &template)]);
    tells(
        &user,
        "plan --template a.yaml --param Size=5",
        2,
        &["or the value given by --param, a flag or provision.toml"],
    );
}

#[test]
fn verbose_shows_calls_where_there_are_any_and_nothing_else() {
    let user = user(&[("a.yaml", TEMPLATE)]).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    for line in ["explain E1 -v", "explain E1 -vv"] {
        assert_eq!(user.run(words(line)).succeeds().stderr, "");
    }
    let line = "status -vv --template a.yaml --region eu-central-1 --endpoint-url http://127.0.0.1:9";
    user.run(words(line)).exits(1).complains("DEBUG").complains("aws_smithy_runtime").never_says("\u{1b}");
}

#[test]
fn an_unknown_configuration_key_is_told_with_place_and_nearest_name() {
    let user = user(&[("provision.toml", "stack = \"films\"\nregoin = \"eu-central-1\"\n")]);
    tells(&user, "plan", 2, &["unknown key `regoin`", "provision.toml:2:1", "help: did you mean `region`?"]);
}

#[test]
fn a_configuration_that_is_named_and_missing_is_an_error() {
    tells(&user(&[]), "plan --config lost.toml", 2, &["lost.toml", "help: "]);
}

#[test]
fn a_missing_template_is_an_error_that_names_it() {
    tells(&user(&[]), "plan --template lost.yaml", 2, &["cannot read the template", "lost.yaml", "help: "]);
}

#[test]
fn a_template_with_an_unknown_attribute_tells_its_place_before_any_call() {
    let user = user(&[("a.yaml", "Resources:\n  Jobs:\n    Typ: AWS::SQS::Queue\n")]);
    tells(&user, "plan --template a.yaml", 2, &["a.yaml:3:5", "Typ", "help: "]);
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
    let user = user(&[("a.yaml", &fed(30))]);
    let told = ["(E35)", "a.yaml:2:46", "help: set VisibilityTimeout to 360"];
    tells(&user, "plan --template a.yaml --region eu-central-1", 2, &told);
}

#[test]
fn e23_a_finished_zip_is_looked_into_before_credentials_are_asked_for() {
    let user = user(&[("a.yaml", &fed(60))]);
    let mut zip = zip::ZipWriter::new(std::fs::File::create(user.folder().join("code.zip")).unwrap());
    zip.start_file("bin/bootstrap", zip::write::SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    let line = "plan --template a.yaml --region eu-central-1";
    tells(&user, line, 2, &["(E23)", "a.yaml:5:", "warning: a.yaml:2:46", "(E35)"]);
    tells(&user, "status --template a.yaml --region eu-central-1", 4, &["credentials"]);
}

#[test]
fn explain_tells_an_edge_an_error_code_and_a_type_without_any_call() {
    let user = user(&[]);
    let says = |line: &str, expected: &[&str]| {
        expected.iter().fold(user.run(words(line)).succeeds(), |ran, word| ran.says(word));
    };
    says("explain", &["E1 ", "E67 "]);
    says("explain e35", &["what AWS does", "what provision does", "what to do", "VisibilityTimeout"]);
    says("explain QueueDeletedRecently --json", &["\"number\": \"E43\""]);
    says("explain AWS::SQS::Queue", &["VisibilityTimeout", "replaces", "30", "QueueUrl"]);
    says("explain AWS::DynamoDB::Table", &["no provider of its own", "Cloud Control", "  AWS::SQS::QueuePolicy"]);
    says("explain AWS::SQS::Quue", &["Did you mean AWS::SQS::Queue?"]);
    says("explain accessdenied", &["provision policy", "exit code 4", "explain E6, E13", "E13  "]);
    tells(&user, "explain QueueDeletedRecntly", 2, &["did you mean QueueDeletedRecently?"]);
    tells(
        &user,
        "explain validationexeption",
        2,
        &["did you mean ValidationException? `provision explain` lists the edges"],
    );
    let broken = self::user(&[("provision.toml", "regoin = 1")]);
    broken.run(words("explain E1")).succeeds();
    broken.run(words("explain AWS::SQS::Queue --config lost.toml")).succeeds();
}

/// Answers one call as an AWS that lives in the year 2020.
fn an_old_clock() -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        let answer =
            "HTTP/1.1 200 OK\r\nDate: Wed, 01 Jan 2020 00:00:00 GMT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    format!("http://{address}")
}

#[test]
fn doctor_tells_every_trouble_by_itself_and_how_to_mend_it() {
    let user = user(&[("a.yaml", &fed(30))]);
    let line = format!("doctor --template a.yaml --region eu-central-1 --endpoint-url {}", an_old_clock());
    let told = [
        "wrong  template",
        "(E35)",
        "ok     endpoint",
        "wrong  clock",
        "s off AWS's",
        "help: set the clock",
        "wrong  credentials",
        "help: sign in",
        "?      account      not checked: the credentials are not usable",
        "?      quota        not checked",
        "?      rights       not checked",
    ];
    told.iter().fold(user.run(words(&line)).exits(3), |outcome, words| outcome.says(words));
}

#[test]
fn no_region_is_a_usage_error() {
    let user = user(&[("a.yaml", TEMPLATE)]);
    tells(&user, "plan --template a.yaml", 2, &["no region is set", "stack a", "--region"]);
}

#[test]
fn e4_no_credentials_is_exit_code_4() {
    let user = user(&[("a.yaml", TEMPLATE)]);
    tells(
        &user,
        "plan --template a.yaml --region eu-central-1",
        4,
        &["credentials are not usable", "which: the caller's identity", "help: sign in"],
    );
}

#[test]
fn a_misspelt_profile_is_named() {
    let user = user(&[("a.yaml", TEMPLATE)]);
    let told = ["which: profile nope", "check its name in ~/.aws/config"];
    tells(&user, "plan --template a.yaml --profile nope", 2, &[&["no region is set"], &told[..]].concat());
    let line = "plan --template a.yaml --profile nope --region eu-central-1";
    tells(&user, line, 4, &[&["credentials are not usable"], &told[..]].concat());
}

#[test]
fn no_network_is_told_within_seconds() {
    let user = user(&[("a.yaml", TEMPLATE)]).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let started = std::time::Instant::now();
    let line = "plan --template a.yaml --region eu-central-1 --endpoint-url http://127.0.0.1:9";
    tells(&user, line, 1, &["sts:GetCallerIdentity got no answer", "help: check the network"]);
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

#[test]
fn with_json_a_failure_is_one_document_on_stdout() {
    let ran = user(&[]).run(words("plan --json --template lost.yaml"));
    let document = ran.json();
    assert_eq!(document["exit_code"], 2);
    assert!(document["error"]["which"].as_str().unwrap().contains("lost.yaml"), "{document}");
    ran.complains("lost.yaml");
}

#[test]
fn with_json_every_problem_of_a_template_has_its_place() {
    let user = user(&[("a.yaml", &fed(30).replace("Code: code.zip", "Cod: code.zip")), ("bad.toml", "regoin = 1")]);
    let document = user.run(words("plan --json --template a.yaml --region eu-central-1")).exits(2).json();
    let error = &document["error"];
    assert_eq!((&error["what"], &error["which"]), (&"the template has 3 problems".into(), &"a.yaml".into()));
    let [visibility, missing, unknown] = error["problems"].as_array().unwrap().as_slice() else { panic!("{error}") };
    assert_eq!(
        *unknown,
        serde_json::json!({
            "file": "a.yaml", "line": 5, "column": 85, "path": "Resources.Worker.Properties.Cod", "edge": null,
            "what": "AWS::Lambda::Function has no property Cod", "help": "did you mean Code?",
        })
    );
    assert_eq!((&visibility["edge"], &visibility["line"]), (&"E35".into(), &2.into()));
    assert_eq!(missing["path"], "Resources.Worker.Properties");
    let document = user.run(words("plan --json --config bad.toml")).exits(2).json();
    let problem = &document["error"]["problems"][0];
    assert_eq!((&problem["line"], &problem["column"]), (&1.into(), &1.into()));
    assert!(problem["help"].as_str().unwrap().contains("did you mean `region`?"), "{problem}");
}

#[test]
fn an_account_that_is_not_known_yet_is_no_mistake_of_the_template() {
    let template = "Mappings:
  Sizes: {'210987654321': {Seconds: 30}}
Conditions:
  Mine: !Equals [!Ref AWS::AccountId, '210987654321']
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Condition: Mine
    Properties: {VisibilityTimeout: !FindInMap [Sizes, !Ref AWS::AccountId, Seconds]}
Outputs:
  Url: {Value: !Ref Jobs, Condition: Mine}
";
    let user = user(&[("a.yaml", template)]);
    tells(&user, "plan --template a.yaml --region eu-central-1", 4, &["credentials are not usable"]);
}

#[test]
fn all_that_is_wrong_is_told_at_once_though_aws_tells_no_schema() {
    let template = fed(30).replace("FunctionName: !Ref Worker", "FunctionName: !Ref Wroker");
    let user =
        user(&[("a.yaml", &(template.clone() + "  Alarm: {Type: AWS::CloudWatch::Alarm}\n")), ("b.yaml", &template)]);
    let line = "--param Size=1 --region eu-central-1 --endpoint-url http://127.0.0.1:9";
    let told = ["has 2 problems", "there is no parameter and no resource 'Wroker'", "no parameter 'Size'"];
    tells(&user, &format!("plan --template a.yaml {line}"), 2, &told);
    tells(&user, &format!("plan --template b.yaml {line}"), 2, &["has 3 problems", "cannot read code.zip"]);
}

#[test]
fn init_writes_what_the_flags_say_and_never_the_key() {
    let user = user(&[]);
    let line = "init --stack films --region eu-central-1 --bucket lake --param LogLevel=warn";
    user.run(words(line)).succeeds();
    let written = std::fs::read_to_string(user.folder().join("provision.toml")).unwrap();
    insta::assert_snapshot!(written, @r#"
    stack = "films"
    region = "eu-central-1"
    bucket = "lake"

    [params]
    LogLevel = "warn"
    "#);
    tells(&user, line, 2, &["is there already", "provision.toml", "--force"]);
}

#[test]
fn init_writes_a_file_that_is_not_there_or_broken_and_warns_of_what_is_missing() {
    let user = user(&[("provision.toml", "stack ="), ("etc/keep", ""), ("mine/x.yaml", TEMPLATE)]);
    let written = |name: &str| std::fs::read_to_string(user.folder().join(name)).unwrap();
    tells(&user, "init --region r", 2, &["is there already"]);
    let bare = user.run(words("init --force")).succeeds();
    bare.complains("there is no templates/crawler.yaml here").complains("no region is set");
    assert_eq!(written("provision.toml"), "stack = \"crawler\"\n");
    let sound = user.run(words("init --config etc/films.toml --template mine/x.yaml --region r")).succeeds();
    assert!(!sound.stderr.contains("warning"), "{sound}");
    assert!(written("etc/films.toml").contains("template = \"../mine/x.yaml\""), "{}", written("etc/films.toml"));
    tells(&user, "package --config etc/films.toml", 2, &["there is nothing to package", "mine/x.yaml"]);
    tells(&user, "init --force --account 1234", 2, &["--account 1234", "twelve digits"]);
    tells(&user, "init --force --bucket Our_Lake", 2, &["`Our_Lake`", "help: name an existing bucket"]);
}

#[test]
fn e4_init_says_that_its_file_is_written_though_the_key_is_not_stored() {
    let user = user(&[]).env("TMDB_API_KEY", "0123456789abcdef0123456789abcdef");
    let told = ["provision.toml is written, and the key is not stored", "help: sign in", "then: provision secret set"];
    tells(&user, "init --region eu-central-1", 4, &told);
    assert!(user.folder().join("provision.toml").exists());
}

#[test]
fn e4_secret_check_without_a_key_asks_aws_and_tells_missing_credentials() {
    let user = user(&[]);
    tells(&user, "secret check --region eu-central-1", 4, &["credentials"]);
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_provision"))
        .arg("--help")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    drop(stdout);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_no_echo_value_is_in_no_message_though_it_is_what_is_wrong() {
    let template = "Parameters:
  Password: {Type: String, NoEcho: true}
Mappings:
  Sizes: {known: {Name: x}}
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !FindInMap [Sizes, !Ref Password, Name]
";
    let user = user(&[("t.yaml", template)]);
    for flags in ["", "--json"] {
        let line = format!("plan --template t.yaml --param Password=hunter2secret {flags}");
        let told = user.run(words(&line)).exits(2).to_string().replace("Password=hunter2secret", "");
        assert!(told.contains("****") && !told.contains("hunter2secret"), "{told}");
    }
}
