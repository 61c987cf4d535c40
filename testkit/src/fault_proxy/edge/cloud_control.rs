//! Cloud Control as AWS has it: the identifier of the type's schema, an ARN that only AWS sets, a property that it does not give back
//! or has other words for, requests that take their time. The emulator keeps what it is given, under an identifier that it guesses.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::body::Bytes;
use serde_json::{Value, json};

use super::{
    super::forward::{Answer, Passing},
    Edges,
};

/// AWS's words for the template's.
type Reworded = fn(&str) -> String;

/// A type that tests use.
struct Known {
    type_name: &'static str,
    /// The property that names a resource; several are joined by `|`.
    name: &'static str,
    /// The property that only AWS sets, if any, and what stands before the name in it.
    arn: Option<(&'static str, &'static str)>,
    /// Whether the ARN is the primary identifier, and not the name.
    by_arn: bool,
    /// A property that AWS does not give back.
    write_only: Option<&'static str>,
    /// What AWS has other words for.
    reworded: &'static [(&'static str, Reworded)],
}

const KNOWN: [Known; 10] = [
    Known {
        type_name: "AWS::AutoScaling::AutoScalingGroup",
        name: "AutoScalingGroupName",
        arn: Some((
            "AutoScalingGroupARN",
            "arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:autoScalingGroupName/",
        )),
        by_arn: false,
        write_only: Some("InstanceId"),
        reworded: &[],
    },
    Known {
        type_name: "AWS::CloudWatch::Alarm",
        name: "AlarmName",
        arn: Some(("Arn", "arn:aws:cloudwatch:us-east-1:000000000000:alarm:")),
        by_arn: false,
        write_only: None,
        reworded: &[],
    },
    Known {
        type_name: "AWS::DynamoDB::Table",
        name: "TableName",
        arn: Some(("Arn", "arn:aws:dynamodb:us-east-1:000000000000:table/")),
        by_arn: false,
        write_only: None,
        reworded: &[],
    },
    Known {
        type_name: "AWS::IAM::User",
        name: "UserName",
        arn: Some(("Arn", "arn:aws:iam::000000000000:user/")),
        by_arn: false,
        write_only: None,
        reworded: &[],
    },
    Known {
        type_name: "AWS::IAM::UserPolicy",
        name: "PolicyName|UserName",
        arn: None,
        by_arn: false,
        write_only: None,
        reworded: &[],
    },
    Known {
        type_name: "AWS::KMS::Alias",
        name: "AliasName",
        arn: None,
        by_arn: false,
        write_only: None,
        reworded: &[],
    },
    Known {
        type_name: "AWS::RDS::DBInstance",
        name: "DBInstanceIdentifier",
        arn: Some(("DBInstanceArn", "arn:aws:rds:us-east-1:000000000000:db:")),
        by_arn: false,
        write_only: None,
        reworded: &[
            ("DBInstanceIdentifier", str::to_lowercase),
            ("Engine", str::to_lowercase),
            ("EngineVersion", |asked| format!("{asked}.4")),
            ("KmsKeyId", |key| match key.strip_prefix("alias/") {
                Some(alias) => format!("arn:aws:kms:us-east-1:000000000000:key/of-{alias}"),
                None => format!("arn:aws:kms:us-east-1:000000000000:key/{key}"),
            }),
        ],
    },
    Known {
        type_name: "AWS::Scheduler::Schedule",
        name: "Name",
        arn: Some(("Arn", "arn:aws:scheduler:us-east-1:000000000000:schedule/default/")),
        by_arn: false,
        write_only: None,
        reworded: &[],
    },
    Known {
        type_name: "AWS::SNS::Topic",
        name: "TopicName",
        arn: Some(("TopicArn", "arn:aws:sns:us-east-1:000000000000:")),
        by_arn: true,
        write_only: None,
        reworded: &[],
    },
    Known {
        type_name: "AWS::StepFunctions::StateMachine",
        name: "StateMachineName",
        arn: Some(("Arn", "arn:aws:states:us-east-1:000000000000:stateMachine:")),
        by_arn: true,
        write_only: Some("Definition"),
        reworded: &[],
    },
];

impl Known {
    fn reworded_patch(&self, patch: &str) -> Option<String> {
        let mut steps: Vec<Value> = serde_json::from_str(patch).ok()?;
        for step in &mut steps {
            let is_it = |(property, _): &&(&str, Reworded)| step["path"] == format!("/{property}");
            let reworded = self.reworded.iter().find(is_it).and_then(|(_, words)| Some(words(step["value"].as_str()?)));
            if let Some(reworded) = reworded {
                step["value"] = reworded.into();
            }
        }
        Some(Value::Array(steps).to_string())
    }
}

/// What was asked for.
#[derive(Default)]
pub(super) struct Requests {
    /// Requests that are not done yet, and for how many looks.
    under_way: HashMap<String, usize>,
    /// The answers to those that were begun, by the client's own token.
    begun: HashMap<String, Bytes>,
    /// How many resources AWS gave a name.
    named: AtomicUsize,
}

fn known(passing: &Passing) -> Option<&'static Known> {
    let type_name = passing.field("TypeName");
    KNOWN.iter().find(|known| known.type_name == type_name)
}

impl Edges {
    /// The body with what AWS would set by itself; the emulator takes `Id` for the identifier.
    pub(super) fn identified(&self, passing: &Passing) -> Option<Bytes> {
        let known = known(passing)?;
        let mut body: Value = serde_json::from_slice(&passing.body).ok()?;
        if let Some(patch) = body["PatchDocument"].as_str() {
            body["PatchDocument"] = known.reworded_patch(patch)?.into();
            return Some(body.to_string().into());
        }
        let mut desired: Value = serde_json::from_str(body["DesiredState"].as_str()?).ok()?;
        for (property, reworded) in known.reworded {
            if let Some(Value::String(asked)) = desired.get_mut(property) {
                *asked = reworded(asked);
            }
        }
        let made_up = || format!("made-by-aws-{}", self.requests.named.fetch_add(1, Ordering::Relaxed));
        let parts: Option<Vec<&str>> = known.name.split('|').map(|part| desired[part].as_str()).collect();
        let name = parts.map_or_else(made_up, |parts| parts.join("|"));
        desired["Id"] = name.as_str().into();
        if let Some((property, before)) = known.arn {
            let arn = format!("{before}{name}");
            desired[property] = arn.as_str().into();
            if known.by_arn {
                desired["Id"] = arn.into();
            }
        }
        if !known.name.contains('|') {
            desired[known.name] = name.into();
        }
        body["DesiredState"] = desired.to_string().into();
        Some(body.to_string().into())
    }

    /// Takes `Id` out of every answer, and of a listing all but the identifier.
    pub(super) fn show_identified(&self, passing: &Passing, answer: &mut Answer) {
        let Some(known) = known(passing) else { return };
        let arn = known.arn.filter(|_| known.by_arn);
        let identifier = arn.map_or(known.name, |(property, _)| property);
        let lists = passing.operation.name == "ListResources";
        answer.rewrite(|json| {
            in_properties(json, &mut |properties| {
                properties.remove("Id");
                known.write_only.map(|name| properties.remove(name));
                if lists {
                    properties.retain(|name, _| name == identifier);
                }
            });
        });
    }

    /// The answer to an earlier request of the same token.
    pub(super) fn same_request(&self, passing: &Passing) -> Option<Answer> {
        let creates = passing.operation.name == "CreateResource";
        let body = creates.then(|| self.requests.begun.get(&passing.field("ClientToken"))).flatten()?;
        Some(Answer::good(body.clone()))
    }

    pub(super) fn remember_request(&mut self, passing: &Passing, answer: &Answer) {
        if passing.operation.name == "CreateResource" && answer.status.is_success() {
            self.requests.begun.insert(passing.field("ClientToken"), answer.body.clone());
        }
    }

    pub(super) fn show_request(&mut self, passing: &Passing, answer: &mut Answer, looks: usize) {
        let name = passing.operation.name.as_str();
        if !["CreateResource", "UpdateResource", "DeleteResource", "GetResourceRequestStatus"].contains(&name) {
            return;
        }
        let begins = name != "GetResourceRequestStatus";
        answer.rewrite(|json| {
            let event = &mut json["ProgressEvent"];
            let Some(token) = event["RequestToken"].as_str().map(str::to_owned) else { return };
            let left = self.requests.under_way.entry(token).or_insert(looks);
            if *left > 0 {
                *left -= usize::from(!begins);
                event["OperationStatus"] = json!("IN_PROGRESS");
            }
        });
    }
}

/// Changes every `Properties` that holds JSON as text.
fn in_properties(value: &mut Value, change: &mut dyn FnMut(&mut serde_json::Map<String, Value>)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| in_properties(item, change)),
        Value::Object(fields) => {
            for (name, field) in fields {
                let parsed = field.as_str().filter(|_| name == "Properties").map(serde_json::from_str);
                match parsed {
                    Some(Ok(mut properties)) => {
                        change(&mut properties);
                        *field = Value::Object(properties).to_string().into();
                    }
                    _ => in_properties(field, change),
                }
            }
        }
        _ => {}
    }
}
