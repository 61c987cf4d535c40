//! What the commands of a crawl call besides the template's resources: its queues, its lake, TMDb's key.

use serde_json::Value;

use super::Command;
use crate::config::key_parameter;
use crate::engine::{Grant, Look, Stack};
use crate::template::Diagnostics;

/// To save dead letters before their queue goes.
const DEAD_LETTERS: &[&str] =
    &["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"];

/// The ARNs that the template's outputs lead to.
#[derive(Debug)]
pub struct Crawl {
    jobs: String,
    dead_letters: String,
    lake: String,
    key: String,
}

impl Crawl {
    /// The crawl that a template carries; none for another template.
    ///
    /// # Errors
    /// The template's problems.
    pub fn of(stack: &Stack<'_>, looks: &[Look]) -> Result<Option<Self>, Diagnostics> {
        let outputs = stack.outputs(looks)?;
        let text = |name: &str| outputs.get(name).and_then(Value::as_str);
        // A queue's URL ends with its name.
        let queue =
            |name: &str| text(name).and_then(|url| url.rsplit('/').next()).map(|name| stack.scope.arn("sqs", name));
        let bucket = text("LakeBucketName").map(|name| format!("arn:{}:s3:::{name}", stack.scope.partition));
        let (Some(jobs), Some(dead_letters), Some(lake)) = (queue("JobsQueueUrl"), queue("DeadLetterQueueUrl"), bucket)
        else {
            return Ok(None);
        };
        let key = stack.scope.arn("ssm", &format!("parameter{}", key_parameter(&stack.scope.stack)));
        Ok(Some(Self { jobs, dead_letters, lake, key }))
    }

    pub(super) fn grants(&self, command: Command) -> Vec<Grant> {
        let Self { jobs, dead_letters, lake, key } = self;
        let objects = format!("{lake}/*");
        match command {
            Command::Plan | Command::Up => vec![],
            Command::Status => vec![
                Grant::on(lake, &["s3:ListBucket"]),
                Grant::on(objects, &["s3:GetObject"]),
                Grant { actions: &["sqs:GetQueueAttributes"], resources: vec![jobs.clone(), dead_letters.clone()] },
            ],
            Command::Launch => vec![
                Grant::on(lake, &["s3:ListBucket"]),
                // What an earlier index left over goes.
                Grant::on(objects, &["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]),
                Grant::anywhere(&["lambda:ListEventSourceMappings"]),
                Grant::on(jobs, &["sqs:GetQueueAttributes", "sqs:SendMessage"]),
                Grant::on(key, &["ssm:GetParameter"]),
            ],
            Command::Down => vec![
                Grant::on(lake, &["s3:ListBucket"]),
                Grant::on(objects, &["s3:DeleteObject", "s3:PutObject"]),
                Grant::on(dead_letters, DEAD_LETTERS),
                Grant::on(key, &["ssm:DeleteParameter"]),
            ],
        }
    }
}
