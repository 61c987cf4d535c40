//! Which operation of which service an HTTP request is, told as AWS's four protocols tell it.

use axum::http::{HeaderMap, Method, Uri};

/// How the service of a request writes its errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// JSON 1.0 or 1.1 with `X-Amz-Target` (SQS, SSM, Logs, Cloud Control, ...).
    Json,
    /// A form with `Action` (IAM, STS, CloudFormation, ...).
    Query,
    /// Method and path, JSON bodies (Lambda).
    RestJson,
    /// Method and path, XML bodies (S3).
    RestXml,
}

/// A request of an AWS client, recognised.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub protocol: Protocol,
    /// As in the signature's scope: `s3`, `sqs`, `lambda`, `iam`, `ssm`, `logs`, `sts`, ...
    pub service: String,
    /// As in AWS's API reference: `CreateQueue`.
    pub name: String,
    /// The bucket, queue, function, role, ... where the request names one, else blank.
    pub resource: String,
}

impl Operation {
    pub(crate) fn of(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let service = signed_service(text("authorization")).to_owned();
        if let Some((target, name)) = text("x-amz-target").split_once('.') {
            let service = if service.is_empty() { service_of_target(target) } else { service };
            return Self { protocol: Protocol::Json, service, name: name.into(), resource: resource_in_json(body) };
        }
        if text("content-type").starts_with("application/x-www-form-urlencoded") {
            let form: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
            let field = |wanted: &str| form.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
            let resource = ["RoleName", "PolicyArn", "StackName", "UserName", "TopicArn"].into_iter().find_map(field);
            let name = field("Action").unwrap_or_default();
            return Self { protocol: Protocol::Query, service, name, resource: resource.unwrap_or_default() };
        }
        let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
        let is_lambda = service == "lambda" || path.get(1..3) == Some("20");
        if is_lambda {
            let (name, resource) = lambda(method, &path, uri.query().unwrap_or_default(), body);
            return Self { protocol: Protocol::RestJson, service: "lambda".into(), name, resource };
        }
        let (name, resource) = s3(method, &path, uri.query().unwrap_or_default(), headers);
        Self { protocol: Protocol::RestXml, service: "s3".into(), name, resource }
    }

    /// Whether it changes anything. Receiving a message hides it for a while, which is no change of the infrastructure.
    pub(crate) fn is_mutating(&self) -> bool {
        const READS: [&str; 9] =
            ["Get", "List", "Head", "Describe", "Filter", "Simulate", "Receive", "AssumeRole", "Validate"];
        !READS.iter().any(|read| self.name.starts_with(read))
    }
}

/// `iam` of `AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/iam/aws4_request, ...`.
fn signed_service(authorization: &str) -> &str {
    let scope = authorization.split_once("Credential=").map_or("", |(_, scope)| scope);
    scope.split('/').nth(3).unwrap_or_default()
}

fn service_of_target(target: &str) -> String {
    match target {
        "AmazonSQS" => "sqs".into(),
        "AmazonSSM" => "ssm".into(),
        "Logs_20140328" => "logs".into(),
        "CloudApiService" => "cloudcontrolapi".into(),
        other => other.to_ascii_lowercase(),
    }
}

fn resource_in_json(body: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |name: &str| json.get(name)?.as_str().map(str::to_owned);
    if let Some(url) = field("QueueUrl") {
        return url.rsplit('/').next().unwrap_or_default().to_owned();
    }
    let names = [
        "QueueName",
        "Name",
        "ResourceId",
        "logGroupName",
        "logGroupNamePrefix",
        "resourceArn",
        "Identifier",
        "TableName",
    ];
    names.into_iter().find_map(field).unwrap_or_default()
}

fn lambda(method: &Method, path: &str, query: &str, body: &[u8]) -> (String, String) {
    let parts: Vec<&str> = path.trim_start_matches('/').splitn(4, '/').skip(1).collect();
    let in_body = |name: &str| {
        let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        json.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    };
    // What the method does to the thing that the path names.
    let verb = match *method {
        Method::GET => "Get",
        Method::DELETE => "Delete",
        Method::POST => "Create",
        _ => "Put",
    };
    match parts[..] {
        ["functions"] if method == Method::POST => ("CreateFunction".into(), in_body("FunctionName")),
        ["functions" | "functions/"] => ("ListFunctions".into(), String::new()),
        ["functions", name] => (format!("{verb}Function"), name.to_owned()),
        ["functions", name, "invocations"] => ("Invoke".into(), name.to_owned()),
        ["functions", name, "configuration"] if method == Method::GET => {
            ("GetFunctionConfiguration".into(), name.to_owned())
        }
        ["functions", name, part @ ("configuration" | "code")] => {
            (format!("UpdateFunction{}", camel(part)), name.to_owned())
        }
        ["functions", name, "concurrency"] => (format!("{verb}FunctionConcurrency"), name.to_owned()),
        ["functions", name, "policy"] if method == Method::POST => ("AddPermission".into(), name.to_owned()),
        ["functions", name, "policy"] => ("GetPolicy".into(), name.to_owned()),
        ["functions", name, part] if part.starts_with("policy/") => ("RemovePermission".into(), name.to_owned()),
        ["functions", name, "versions"] if method == Method::GET => ("ListVersionsByFunction".into(), name.to_owned()),
        ["functions", name, part] => (format!("{verb}Function{}", camel(part)), name.to_owned()),
        ["event-source-mappings" | "event-source-mappings/"] if method == Method::POST => {
            ("CreateEventSourceMapping".into(), in_body("FunctionName"))
        }
        ["event-source-mappings" | "event-source-mappings/"] => ("ListEventSourceMappings".into(), query.to_owned()),
        ["event-source-mappings", ""] if method == Method::POST => {
            ("CreateEventSourceMapping".into(), in_body("FunctionName"))
        }
        ["event-source-mappings", ""] => ("ListEventSourceMappings".into(), query.to_owned()),
        ["event-source-mappings", id] if method == Method::PUT => ("UpdateEventSourceMapping".into(), id.to_owned()),
        ["event-source-mappings", id] => (format!("{verb}EventSourceMapping"), id.to_owned()),
        ["tags", ref arn @ ..] => {
            let name = match *method {
                Method::GET => "ListTags",
                Method::DELETE => "UntagResource",
                _ => "TagResource",
            };
            (name.into(), arn.join("/"))
        }
        ["account-settings" | "account-settings/"] | ["account-settings", ""] => {
            ("GetAccountSettings".into(), String::new())
        }
        _ => (format!("{verb}{}", camel(parts.first().unwrap_or(&""))), String::new()),
    }
}

/// `event-invoke-config` as `EventInvokeConfig`.
fn camel(kebab: &str) -> String {
    let words = kebab.split('-').filter_map(|word| Some(word.get(..1)?.to_ascii_uppercase() + &word[1..]));
    words.collect()
}

/// The parts of a bucket that a query names, and how AWS's operations name them.
const BUCKET_PARTS: [(&str, &str); 16] = [
    ("accelerate", "BucketAccelerateConfiguration"),
    ("acl", "BucketAcl"),
    ("cors", "BucketCors"),
    ("encryption", "BucketEncryption"),
    ("lifecycle", "BucketLifecycleConfiguration"),
    ("location", "BucketLocation"),
    ("logging", "BucketLogging"),
    ("notification", "BucketNotificationConfiguration"),
    ("object-lock", "ObjectLockConfiguration"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("policy", "BucketPolicy"),
    ("policyStatus", "BucketPolicyStatus"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("tagging", "BucketTagging"),
    ("versioning", "BucketVersioning"),
    ("website", "BucketWebsite"),
];

fn s3(method: &Method, path: &str, query: &str, headers: &HeaderMap) -> (String, String) {
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let asked = |name: &str| url::form_urlencoded::parse(query.as_bytes()).any(|(key, _)| key == name);
    let verb = match *method {
        Method::GET => "Get",
        Method::HEAD => "Head",
        Method::DELETE => "Delete",
        Method::PUT => "Put",
        _ => "Post",
    };
    let name = if bucket.is_empty() {
        "ListBuckets".to_owned()
    } else if !key.is_empty() {
        object_operation(verb, asked, headers)
    } else if let Some((_, part)) = BUCKET_PARTS.iter().find(|(part, _)| asked(part)) {
        match (verb, *part) {
            ("Delete", "BucketLifecycleConfiguration") => "DeleteBucketLifecycle".to_owned(),
            _ => format!("{verb}{part}"),
        }
    } else {
        match verb {
            "Get" if asked("versions") => "ListObjectVersions",
            "Get" if asked("uploads") => "ListMultipartUploads",
            "Get" if asked("list-type") => "ListObjectsV2",
            "Get" => "ListObjects",
            "Post" => "DeleteObjects",
            "Put" => "CreateBucket",
            "Delete" => "DeleteBucket",
            _ => "HeadBucket",
        }
        .to_owned()
    };
    (name, bucket.to_owned())
}

fn object_operation(verb: &str, asked: impl Fn(&str) -> bool, headers: &HeaderMap) -> String {
    let name = match verb {
        _ if asked("tagging") => return format!("{verb}ObjectTagging"),
        "Post" if asked("uploads") => "CreateMultipartUpload",
        "Post" => "CompleteMultipartUpload",
        "Put" if asked("uploadId") => "UploadPart",
        "Put" if headers.contains_key("x-amz-copy-source") => "CopyObject",
        "Get" if asked("uploadId") => "ListParts",
        "Delete" if asked("uploadId") => "AbortMultipartUpload",
        _ => return format!("{verb}Object"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, uri: &str, headers: &[(&'static str, &str)], body: &str) -> (String, String, String) {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let operation = Operation::of(&method, &uri.parse().unwrap(), &headers, body.as_bytes());
        (operation.service, operation.name, operation.resource)
    }

    fn is(found: (String, String, String), service: &str, name: &str, resource: &str) {
        assert_eq!(found, (service.to_owned(), name.to_owned(), resource.to_owned()));
    }

    #[test]
    fn each_protocol_names_its_operation() {
        let sqs = [("x-amz-target", "AmazonSQS.CreateQueue")];
        is(of(Method::POST, "/", &sqs, r#"{"QueueName":"jobs"}"#), "sqs", "CreateQueue", "jobs");
        let iam = [
            ("content-type", "application/x-www-form-urlencoded"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host",
            ),
        ];
        is(of(Method::POST, "/", &iam, "Action=GetRole&RoleName=r&Version=2010-05-08"), "iam", "GetRole", "r");
    }

    #[test]
    fn lambda_is_told_by_method_and_path() {
        let cases = [
            (Method::POST, "/2015-03-31/functions", "CreateFunction", "f"),
            (Method::GET, "/2015-03-31/functions/f", "GetFunction", "f"),
            (Method::PUT, "/2015-03-31/functions/f/code", "UpdateFunctionCode", "f"),
            (Method::PUT, "/2015-03-31/functions/f/configuration", "UpdateFunctionConfiguration", "f"),
            (Method::POST, "/2015-03-31/functions/f/invocations", "Invoke", "f"),
            (Method::PUT, "/2017-10-31/functions/f/concurrency", "PutFunctionConcurrency", "f"),
            (Method::DELETE, "/2015-03-31/functions/f/policy/s", "RemovePermission", "f"),
            (Method::POST, "/2015-03-31/event-source-mappings", "CreateEventSourceMapping", "f"),
            (
                Method::GET,
                "/2015-03-31/event-source-mappings?FunctionName=f",
                "ListEventSourceMappings",
                "FunctionName=f",
            ),
            (Method::PUT, "/2015-03-31/event-source-mappings/u", "UpdateEventSourceMapping", "u"),
            (Method::GET, "/2017-03-31/tags/arn%3Aaws%3Alambda", "ListTags", "arn:aws:lambda"),
            (Method::GET, "/2016-08-19/account-settings", "GetAccountSettings", ""),
        ];
        for (method, uri, name, resource) in cases {
            is(of(method, uri, &[], r#"{"FunctionName":"f"}"#), "lambda", name, resource);
        }
    }

    #[test]
    fn s3_is_told_by_method_path_and_query() {
        let cases = [
            (Method::GET, "/", "ListBuckets", ""),
            (Method::PUT, "/b/", "CreateBucket", "b"),
            (Method::HEAD, "/b", "HeadBucket", "b"),
            (Method::PUT, "/b?publicAccessBlock", "PutPublicAccessBlock", "b"),
            (Method::DELETE, "/b?lifecycle", "DeleteBucketLifecycle", "b"),
            (Method::GET, "/b?list-type=2&prefix=x", "ListObjectsV2", "b"),
            (Method::GET, "/b?versions", "ListObjectVersions", "b"),
            (Method::POST, "/b?delete", "DeleteObjects", "b"),
            (Method::PUT, "/b/a/key?x-id=PutObject", "PutObject", "b"),
            (Method::DELETE, "/b/key?uploadId=1", "AbortMultipartUpload", "b"),
        ];
        for (method, uri, name, resource) in cases {
            is(of(method, uri, &[], ""), "s3", name, resource);
        }
    }
}
