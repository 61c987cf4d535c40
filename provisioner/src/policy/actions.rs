//! What IAM itself says of actions: which know no narrower resource, which are of a bucket's objects, which take a condition.

use serde_json::{Value, json};

use crate::engine::{Resource, Scope};

/// Actions that IAM ties to no resource.
const ANYWHERE: [&str; 13] = [
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "iam:ListPolicies",
    "iam:RemoveRoleFromInstanceProfile",
    "lambda:CreateEventSourceMapping",
    "lambda:ListEventSourceMappings",
    "logs:DescribeLogGroups",
    "s3:ListAllMyBuckets",
    "ssm:DescribeParameters",
    "tag:GetResources",
    "tag:TagResources",
    "tag:UntagResources",
];

/// Actions on a bucket's objects.
const OBJECTS: [&str; 7] = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
];

/// Actions that can be held to the mappings of one function.
const OF_FUNCTION: [&str; 4] = [
    "lambda:CreateEventSourceMapping",
    "lambda:DeleteEventSourceMapping",
    "lambda:GetEventSourceMapping",
    "lambda:UpdateEventSourceMapping",
];

/// Those of a resource's ARNs that an action goes to: the ones of its service; of S3 the bucket's or its objects', of IAM
/// those of the kind that the action's name tells.
pub(super) fn resources(action: &str, arns: &[String]) -> Vec<String> {
    if ANYWHERE.contains(&action) || arns.iter().any(|arn| arn == "*") {
        return vec!["*".into()];
    }
    let service = action.split(':').next().unwrap_or_default();
    let of_service = arns.iter().filter(|arn| arn.split(':').nth(2) == Some(service));
    let narrowed = of_service.filter_map(|arn| match (service, OBJECTS.contains(&action), arn.contains('/')) {
        ("s3", true, false) => Some(format!("{arn}/*")),
        ("s3", false, true) => None,
        ("iam", ..) => arn.contains(iam_kind(action)).then(|| arn.clone()),
        ("lambda", ..) => (arn.contains(":layer:") == action.contains("Layer")).then(|| arn.clone()),
        _ => Some(arn.clone()),
    });
    narrowed.collect()
}

/// `iam:AttachUserPolicy` is of users, `iam:GetPolicy` of policies.
fn iam_kind(action: &str) -> &'static str {
    [("Role", ":role/"), ("User", ":user/"), ("Group", ":group/")]
        .into_iter()
        .find(|(word, _)| action.contains(word))
        .map_or(":policy/", |(_, kind)| kind)
}

/// What narrows an action further than its resource does.
pub(super) fn condition(action: &str, resource: &Resource, scope: &Scope) -> Option<Value> {
    if action == "iam:PassRole" {
        let service = passed_to(&resource.type_name)?;
        return Some(json!({ "StringEquals": { "iam:PassedToService": service } }));
    }
    if !OF_FUNCTION.contains(&action) {
        return None;
    }
    let function = resource.properties.get("FunctionName")?.as_str()?;
    let name = function.rsplit_once(":function:").map_or(function, |(_, name)| name);
    Some(json!({ "ArnLike": { "lambda:FunctionArn": scope.arn("lambda", &format!("function:{name}*")) } }))
}

/// The service that takes a role for resources of a type, where that is known.
fn passed_to(type_name: &str) -> Option<&'static str> {
    let services = [
        ("AWS::Lambda::", "lambda.amazonaws.com"),
        ("AWS::Scheduler::", "scheduler.amazonaws.com"),
        ("AWS::Events::", "events.amazonaws.com"),
        ("AWS::StepFunctions::", "states.amazonaws.com"),
    ];
    services.into_iter().find(|(prefix, _)| type_name.starts_with(prefix)).map(|(_, service)| service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_passed_to_the_service_of_the_type() {
        assert_eq!(passed_to("AWS::Scheduler::Schedule"), Some("scheduler.amazonaws.com"));
        assert_eq!(passed_to("AWS::Lambda::Function"), Some("lambda.amazonaws.com"));
        assert_eq!(passed_to("AWS::ECS::Service"), None);
    }

    #[test]
    fn an_action_goes_to_the_arns_of_its_service() {
        let arns = ["arn:aws:s3:::lake", "arn:aws:iam::1:role/r", "arn:aws:s3:::code/a.zip"].map(str::to_owned);
        assert_eq!(resources("s3:GetBucketTagging", &arns), ["arn:aws:s3:::lake"]);
        assert_eq!(resources("s3:PutObject", &arns), ["arn:aws:s3:::lake/*", "arn:aws:s3:::code/a.zip"]);
        assert_eq!(resources("iam:PassRole", &arns), ["arn:aws:iam::1:role/r"]);
        assert_eq!(resources("iam:GetPolicy", &arns), [""; 0]);
        let arns = ["arn:aws:lambda:r:1:function:f", "arn:aws:lambda:r:1:layer:l:3"].map(str::to_owned);
        assert_eq!(resources("lambda:GetLayerVersion", &arns), ["arn:aws:lambda:r:1:layer:l:3"]);
        assert_eq!(resources("lambda:GetFunction", &arns), ["arn:aws:lambda:r:1:function:f"]);
        assert_eq!(resources("logs:DescribeLogGroups", &arns), ["*"]);
        assert_eq!(resources("sqs:CreateQueue", &arns), [""; 0]);
    }
}
