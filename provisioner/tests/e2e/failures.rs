//! What goes wrong, what is said of it in three parts, and the exit code.

use testkit::fault_proxy::Rule;
use testkit::provision::Provision;
use testkit::{Emulator, titles};

use super::stage::{LAKE, Stage, light_user, template, user, words};

const DEAD: &str = "http://127.0.0.1:9";

#[test]
fn without_credentials_up_says_how_to_sign_in() {
    let user = user(DEAD, DEAD).without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    user.run(["up", "--yes"]).exits(4).complains("credentials").complains("help:");
}

/// Each `up` comes further than the one before, until its token expires too.
#[test]
fn e4_a_token_that_expires_at_any_call_is_exit_code_4_and_the_next_up_goes_on() {
    let (_emulator, proxy) = Emulator::start_behind_proxy(&Default::default()).unwrap();
    let user = light_user(&proxy.url());
    for (calls, code) in
        [(0, "ExpiredTokenException"), (8, "ExpiredToken"), (40, "ExpiredTokenException"), (52, "ExpiredToken")]
    {
        let expired = "The security token included in the request is expired";
        proxy.rule(Rule::on("*", "*").after(calls).answer(400, code, expired));
        user.run(["up", "--yes"]).exits(4).complains(expired).complains("aws sso login");
        proxy.behave();
    }
    user.run(["up", "--yes"]).succeeds();
    user.run(["plan", "--exit-code"]).succeeds();
}

#[test]
fn e13_a_person_who_may_not_pass_the_role_is_told_so_and_not_sent_after_another_action() {
    let (_emulator, proxy) = Emulator::start_behind_proxy(&Default::default()).unwrap();
    let user = light_user(&proxy.url());
    let message = "User: arn:aws:iam::000000000000:user/ada is not authorized to perform: iam:PassRole on resource: \
                   arn:aws:iam::000000000000:role/films-crawler-us-east-1 because no identity-based policy allows the iam:PassRole action";
    proxy.rule(Rule::on("lambda", "CreateFunction").answer(403, "AccessDeniedException", message));
    let refused = user.run(["up", "--yes"]).exits(4).complains("CrawlerFunction").complains(message);
    refused.complains("help: allow iam:PassRole to the caller").complains("provision policy");
}

#[test]
fn what_ends_a_step_of_run_is_its_document() {
    let (_emulator, proxy) = Emulator::start_behind_proxy(&Default::default()).unwrap();
    let user = light_user(&proxy.url());
    let message = "User: arn:aws:iam::000000000000:user/ada is not authorized to perform: lambda:CreateFunction";
    proxy.rule(Rule::on("lambda", "CreateFunction").answer(403, "AccessDeniedException", message));
    let keyless = user.run(["run", "--yes"]).exits(1).complains("no TMDb key is stored");
    assert!(proxy.mutating_calls().is_empty(), "it is told before anything is made: {keyless}");
    let user = user.env("TMDB_API_KEY", super::stage::KEY);
    user.run(["secret", "set"]).succeeds();
    let document = user.run(["run", "--yes", "--json"]).exits(4).json();
    assert_eq!(document["exit_code"], 4, "{document}");
    assert!(document["error"]["what"].as_str().unwrap().contains("lambda:CreateFunction"), "{document}");
}

#[test]
fn e25_a_quota_that_is_used_up_is_told_in_awss_words() {
    let (_emulator, proxy) = Emulator::start_behind_proxy(&Default::default()).unwrap();
    let user = light_user(&proxy.url());
    let roles = "Cannot exceed quota for RolesPerAccount: 1000";
    proxy.rule(Rule::on("iam", "CreateRole").answer(409, "LimitExceeded", roles));
    user.run(["up", "--yes"]).exits(1).complains(roles).complains("CrawlerRole").complains("it goes on");
    proxy.behave();
    let storage = "Code storage limit exceeded.";
    proxy.rule(Rule::on("lambda", "CreateFunction").answer(400, "CodeStorageExceededException", storage));
    proxy.forget();
    user.run(["up", "--yes"]).exits(1).complains("CodeStorageExceededException").complains(storage);
    let tries = proxy.calls().into_iter().filter(|call| call.operation == "CreateFunction").count();
    assert_eq!(tries, 1, "waiting would not help");
    proxy.behave();
    let rate = "Rate exceeded";
    proxy.rule(Rule::on("lambda", "CreateFunction").answer(429, "TooManyRequestsException", rate));
    user.run(["up", "--yes"]).exits(1).complains("TooManyRequestsException").complains(rate);
}

#[test]
fn without_network_up_names_the_call_and_the_remedy() {
    user(DEAD, DEAD).run(["up", "--yes"]).exits(1).complains("sts:GetCallerIdentity").complains("network");
}

#[test]
fn without_tmdb_secret_check_says_so() {
    let stage = Stage::new();
    let user = user(&stage.proxy.url(), DEAD);
    let told =
        user.run(["secret", "check"]).exits(1).complains("TMDb does not answer").complains("the key in TMDB_API_KEY");
    told.complains("help: check the network").never_says(super::stage::KEY);
}

#[test]
fn a_wrong_key_is_told_and_never_shown() {
    let stage = Stage::new();
    stage.tmdb.behave(|behaviour| behaviour.key = Some("f".repeat(32)));
    stage
        .user
        .run(["secret", "check"])
        .exits(1)
        .complains("set TMDB_API_KEY to a valid one")
        .never_says(super::stage::KEY);
}

#[test]
fn e53_a_bucket_of_somebody_else_is_named_and_nothing_half_made_stays_in_the_way() {
    let stage = Stage::new();
    let taken = "The requested bucket name is not available.";
    stage.proxy.rule(Rule::on("s3", "CreateBucket").answer(409, "BucketAlreadyExists", taken));
    stage.user.run(["up", "--yes"]).exits(1).complains(LAKE).complains("help:");
    stage.proxy.behave();
    stage.user.run(["up", "--yes"]).succeeds();
    stage.user.run(["plan", "--exit-code"]).succeeds();
}

#[test]
fn e44_a_queue_of_our_name_without_our_tag_is_not_touched() {
    let stage = Stage::new();
    let created = stage.aws("sqs create-queue --queue-name films-jobs");
    assert!(created.status.success(), "{created:?}");
    stage.user.run(["status"]).succeeds().says("Foreign: it has no tag of this stack");
    stage.proxy.forget();
    stage.user.run(["up", "--yes"]).exits(5).complains("films-jobs").complains("--adopt");
    assert_eq!(stage.changes(), Vec::<String>::new());
    stage.user.run(["up", "--yes", "--adopt"]).succeeds();
    stage.user.run(["plan", "--exit-code"]).succeeds();
}

#[test]
fn a_lake_that_somebody_deleted_is_no_failure_of_down() {
    let stage = Stage::new();
    stage.user.run(["up", "--yes"]).succeeds();
    let deleted = stage.aws(&format!("s3 rb s3://{LAKE}"));
    assert!(deleted.status.success(), "{deleted:?}");
    stage.user.run(["down", "--yes", "--no-wait"]).succeeds().says("deleted in");
}

#[test]
fn an_unknown_property_is_told_with_its_place_before_any_call() {
    let text = template().replace("      BatchSize: 1\n", "      BatchSice: 1\n");
    let user = user(DEAD, DEAD).file("templates/crawler.yaml", text);
    user.run(["up", "--yes"]).exits(2).complains("crawler.yaml:").complains("BatchSice").complains("BatchSize");
}

#[test]
fn before_up_every_command_of_the_fleet_says_what_is_missing_and_what_to_do() {
    let stage = Stage::new();
    let source = titles::sample().display().to_string();
    let launch = format!("launch --years 2014 --titles-source {source}");
    for line in [&launch, "simulate", "pause", "resume", "dead-letters", "redrive"] {
        let told = stage.user.run(words(line)).exits(1).complains("provision up").complains("help: ");
        // Nobody wants to read a program's own notes.
        told.never_says("ServiceError").never_says("NonExistentQueue");
    }
    stage.user.run(["status"]).succeeds().says("Missing");
    assert_eq!(stage.changes(), Vec::<String>::new());
}

#[test]
fn a_title_source_that_is_not_there_is_named() {
    let stage = Stage::new();
    let lost = words("download --all --lake ./lake --titles-source lost.tsv.gz");
    stage
        .user
        .run(lost)
        .exits(1)
        .complains("titles cannot be read")
        .complains("which: lost.tsv.gz")
        .complains("help: ");
}

#[test]
fn without_a_terminal_down_wants_a_yes() {
    let stage = Stage::new();
    stage.user.run(["up", "--yes"]).succeeds();
    stage.user.run(["down"]).exits(2).complains("--yes");
}

#[test]
fn the_wrong_flag_is_a_usage_error() {
    Provision::new(env!("CARGO_BIN_EXE_provision")).run(["up", "--frobnicate"]).exits(2).complains("--frobnicate");
}
