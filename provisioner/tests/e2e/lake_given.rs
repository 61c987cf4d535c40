//! A lake that was there before: used, and never owned, changed or deleted.

use serde_json::json;
use testkit::titles;

use super::stage::{KEY, STACK, Stage, words};

const GIVEN: &str = "our-own-lake";

#[test]
fn a_given_bucket_is_filled_and_outlives_the_stack_untouched() {
    let stage = Stage::new();
    assert!(stage.aws(&format!("s3api create-bucket --bucket {GIVEN}")).status.success());
    assert!(stage.aws(&format!("s3api put-object --bucket {GIVEN} --key notes.txt")).status.success());
    let init = format!("init --stack {STACK} --region us-east-1 --bucket {GIVEN}");
    stage.user.run(words(&init)).succeeds().never_says(KEY);
    let written = std::fs::read_to_string(stage.user.folder().join("provision.toml")).unwrap();
    assert!(written.contains(GIVEN) && !written.contains(KEY), "{written}");

    stage.user.run(["secret", "set"]).succeeds();
    let source = titles::sample().display().to_string();
    let run = format!("run --yes --years 2014 --titles-source {source} --param TmdbRate=800");
    stage.user.run(words(&run)).succeeds();
    assert_eq!(stage.check_lake(GIVEN, 2014..=2014)["failed"], 0);

    let settings = stage.changes().into_iter().find(|call| call.starts_with("s3:") && !call.ends_with("Object"));
    assert_eq!(settings, None, "the bucket itself is changed");
    stage.user.run(words("down --yes --delete-data")).succeeds();
    assert_eq!(stage.account()["buckets"], json!([GIVEN]));
    assert!(stage.aws(&format!("s3api head-object --bucket {GIVEN} --key notes.txt")).status.success());
}
