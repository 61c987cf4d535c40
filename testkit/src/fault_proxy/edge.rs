//! What AWS does and the emulator forgives, by the numbers of the edges. Each remembers what went through the proxy.
//!
//! Lengths are the test's to choose: AWS's minutes become a second, or a number of reads.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use axum::{body::Bytes, http::Method, http::StatusCode};
use serde_json::{Value, json};

use super::{
    forward::{Answer, Passing, Question},
    refusal::Refusal,
};

/// One of AWS's habits, to be played by the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edge {
    /// E7: for this long after CreateRole, Lambda cannot assume the role.
    RoleNotAssumable(Duration),
    /// E8: for this long after a policy was put, no mapping is created: the role "does not have permissions".
    PolicyNotYetEffective(Duration),
    /// E9: the first so many reads of each kind do not see a new role, queue or mapping.
    ReadsLag(usize),
    /// E15: a new function is Pending for so many reads, and refuses changes and runs meanwhile.
    FunctionPending(usize),
    /// E16: an update of a function is in progress for so many reads, and refuses the next meanwhile.
    UpdateInProgress(usize),
    /// E27: a deleted function is Deleting for so many reads, and its name is taken meanwhile.
    FunctionDeleting(usize),
    /// E28: so many Lambda management calls a second, GetFunction aside, then 429.
    ThrottledControlPlane(usize),
    /// E31: a second mapping of one queue and function is refused. Not with IAM enforced: the proxy's own question is unsigned.
    DuplicateMappingRefused,
    /// E33: a mapping is Creating, Updating, Deleting for so many reads, and refuses changes meanwhile.
    MappingStates(usize),
    /// E35: a mapping is refused if the queue's visibility timeout is below the function's. Not with IAM enforced, as above.
    VisibilityBelowTimeoutRefused,
    /// E43: for so many reads after DeleteQueue the queue is read as if it were there.
    QueueLingers(usize),
    /// E43: for this long after DeleteQueue its name is refused.
    QueueDeletedRecently(Duration),
    /// E45: for so many reads after SetQueueAttributes the old attributes are read.
    QueueAttributesSettle(usize),
    /// E55: for this long after DeleteBucket its name is busy.
    BucketDeletedRecently(Duration),
    /// E67: writes to one bucket's settings that overlap are refused, all but the first.
    OneWriterABucket,
}

/// The edges that are played, and what they remember.
#[derive(Default)]
pub(crate) struct Edges {
    played: Vec<Edge>,
    /// When an operation last succeeded on a resource.
    done: HashMap<(String, String), Instant>,
    /// How often a resource was read since an operation succeeded on it: (that operation, resource, reading operation).
    reads: HashMap<(&'static str, String, String), usize>,
    /// The last good answer of a read.
    saved: HashMap<(String, String), Bytes>,
    /// Mappings that are not settled: the state and the reads that still see it.
    mappings: HashMap<String, (&'static str, usize)>,
    lambda_calls: VecDeque<Instant>,
    writers: HashMap<String, usize>,
}

fn conflict(message: impl Into<String>) -> Refusal {
    Refusal::new(409, "ResourceConflictException", message)
}

/// A function or role by its name, whether it was given so or by its ARN.
fn bare(name: &str) -> String {
    name.rsplit([':', '/']).next().unwrap_or_default().to_owned()
}

/// The queue that a mapping's body names.
fn queue_of(passing: &Passing) -> String {
    bare(&passing.field("EventSourceArn"))
}

fn writes_bucket_settings(passing: &Passing) -> bool {
    let name = passing.operation.name.as_str();
    passing.operation.service == "s3"
        && (name.starts_with("PutBucket") || name.starts_with("DeleteBucket") || name.ends_with("PublicAccessBlock"))
        && passing.operation.is_mutating()
        && name != "DeleteBucket"
}

impl Edges {
    pub(crate) fn play(&mut self, edge: Edge) {
        self.played.push(edge);
    }

    /// What the edges must ask the emulator before they decide on this call.
    pub(crate) fn questions(&self, passing: &Passing) -> Vec<Question> {
        if passing.operation.name != "CreateEventSourceMapping" {
            return vec![];
        }
        let asks = self
            .played
            .iter()
            .any(|edge| matches!(edge, Edge::DuplicateMappingRefused | Edge::VisibilityBelowTimeoutRefused));
        if !asks {
            return vec![];
        }
        let (function, arn) = (bare(&passing.field("FunctionName")), passing.field("EventSourceArn"));
        let get = |path: String| Question { method: Method::GET, path, json: None };
        let queue = format!("http://127.0.0.1/000000000000/{}", queue_of(passing));
        let attributes = json!({"QueueUrl": queue, "AttributeNames": ["VisibilityTimeout"]});
        vec![
            get(format!("/2015-03-31/event-source-mappings/?FunctionName={function}&EventSourceArn={arn}")),
            get(format!("/2015-03-31/functions/{function}/configuration")),
            Question {
                method: Method::POST,
                path: "/".into(),
                json: Some(("AmazonSQS.GetQueueAttributes", attributes)),
            },
        ]
    }

    /// Whether an edge refuses this call. `answers` are those to `questions`, in their order.
    pub(crate) fn refuse(&mut self, passing: &Passing, answers: &[Value]) -> Option<Refusal> {
        for edge in self.played.clone() {
            let refusal = match edge {
                Edge::RoleNotAssumable(span) => self.role_not_assumable(passing, span),
                Edge::PolicyNotYetEffective(span) => self.policy_not_effective(passing, span),
                Edge::ReadsLag(reads) => self.not_seen_yet(passing, reads),
                Edge::FunctionPending(reads) => self.function_pending(passing, reads),
                Edge::UpdateInProgress(reads) => self.update_in_progress(passing, reads),
                Edge::FunctionDeleting(reads) => self.function_deleting(passing, reads),
                Edge::ThrottledControlPlane(rate) => self.throttled(passing, rate),
                Edge::DuplicateMappingRefused => duplicate_mapping(passing, answers),
                Edge::MappingStates(_) => self.mapping_in_use(passing),
                Edge::VisibilityBelowTimeoutRefused => visibility_below_timeout(passing, answers),
                Edge::QueueDeletedRecently(span) => self.queue_deleted_recently(passing, span),
                Edge::BucketDeletedRecently(span) => self.bucket_deleted_recently(passing, span),
                Edge::OneWriterABucket => self.second_writer(passing),
                Edge::QueueLingers(_) | Edge::QueueAttributesSettle(_) => None,
            };
            if refusal.is_some() {
                return refusal;
            }
        }
        None
    }

    /// Remembers what the call did, and changes its answer to what AWS would say by now.
    pub(crate) fn observe(&mut self, passing: &Passing, answer: &mut Answer) {
        self.forget_writer(passing);
        for edge in self.played.clone() {
            match edge {
                Edge::ReadsLag(reads) => self.hide_new_mapping(passing, answer, reads),
                Edge::FunctionPending(reads) => self.show_state(passing, answer, "CreateFunction", reads, pending),
                Edge::UpdateInProgress(reads) => {
                    self.show_state(passing, answer, "UpdateFunctionCode", reads, in_progress);
                    self.show_state(passing, answer, "UpdateFunctionConfiguration", reads, in_progress);
                }
                Edge::FunctionDeleting(reads) => {
                    self.show_saved(
                        passing,
                        answer,
                        "DeleteFunction",
                        reads,
                        &["GetFunction", "GetFunctionConfiguration"],
                    );
                    if answer.status.is_success()
                        && self.elapsed("DeleteFunction", &passing.operation.resource).is_some()
                    {
                        answer.rewrite(deleting);
                    }
                }
                Edge::MappingStates(reads) => self.show_mapping_state(passing, answer, reads),
                Edge::QueueLingers(reads) => {
                    self.show_saved(
                        passing,
                        answer,
                        "DeleteQueue",
                        reads,
                        &["GetQueueUrl", "GetQueueAttributes", "ListQueueTags"],
                    );
                }
                Edge::QueueAttributesSettle(reads) => {
                    self.show_saved(passing, answer, "SetQueueAttributes", reads, &["GetQueueAttributes"]);
                }
                _ => {}
            }
        }
        if answer.status.is_success() {
            self.remember(passing, answer);
        }
    }

    /// A call that ended without an answer writes no more.
    pub(crate) fn forget_writer(&mut self, passing: &Passing) {
        if let Some(writers) =
            self.writers.get_mut(&passing.operation.resource).filter(|_| writes_bucket_settings(passing))
        {
            *writers = writers.saturating_sub(1);
        }
    }

    fn remember(&mut self, passing: &Passing, answer: &Answer) {
        let key = (passing.operation.name.clone(), bare(&passing.operation.resource));
        if !passing.operation.is_mutating() {
            self.saved.insert(key, answer.body.clone());
            return;
        }
        // What is made anew is no longer deleted.
        let undone = key.0.replacen("Create", "Delete", 1);
        self.done.remove(&(undone, key.1.clone()));
        self.reads.retain(|(operation, resource, _), _| *operation != key.0 || *resource != key.1);
        self.done.insert(key, Instant::now());
    }

    fn elapsed(&self, operation: &str, resource: &str) -> Option<Duration> {
        self.done.get(&(operation.to_owned(), bare(resource))).map(Instant::elapsed)
    }

    /// Whether this is one of the first `limit` reads since `operation` succeeded on the call's resource. Counts it.
    fn is_early(&mut self, passing: &Passing, operation: &'static str, limit: usize) -> bool {
        let resource = bare(&passing.operation.resource);
        if self.elapsed(operation, &resource).is_none() {
            return false;
        }
        let reads = self.reads.entry((operation, resource, passing.operation.name.clone())).or_default();
        *reads += 1;
        *reads <= limit
    }

    fn role_not_assumable(&self, passing: &Passing, span: Duration) -> Option<Refusal> {
        let uses = matches!(passing.operation.name.as_str(), "CreateFunction" | "UpdateFunctionConfiguration");
        let young = uses && self.elapsed("CreateRole", &passing.field("Role")).is_some_and(|age| age < span);
        let message = "The role defined for the function cannot be assumed by Lambda.";
        young.then(|| Refusal::new(400, "InvalidParameterValueException", message))
    }

    fn policy_not_effective(&self, passing: &Passing, span: Duration) -> Option<Refusal> {
        let puts = self
            .done
            .iter()
            .filter(|((operation, _), _)| matches!(operation.as_str(), "PutRolePolicy" | "AttachRolePolicy"));
        let young = passing.operation.name == "CreateEventSourceMapping"
            && puts.map(|(_, at)| at.elapsed()).any(|age| age < span);
        let message = "The provided execution role does not have permissions to call ReceiveMessage on SQS";
        young.then(|| Refusal::new(400, "InvalidParameterValueException", message))
    }

    fn not_seen_yet(&mut self, passing: &Passing, reads: usize) -> Option<Refusal> {
        let resource = passing.operation.resource.clone();
        match passing.operation.name.as_str() {
            "GetRole" | "GetRolePolicy" | "ListRoleTags" | "ListRolePolicies" | "ListAttachedRolePolicies" => {
                let message = format!("The role with name {resource} cannot be found.");
                self.is_early(passing, "CreateRole", reads).then(|| Refusal::new(404, "NoSuchEntity", message))
            }
            "GetQueueUrl" | "GetQueueAttributes" | "ListQueueTags" => {
                let message = "The specified queue does not exist.";
                self.is_early(passing, "CreateQueue", reads).then(|| Refusal::new(400, "QueueDoesNotExist", message))
            }
            _ => None,
        }
    }

    fn hide_new_mapping(&mut self, passing: &Passing, answer: &mut Answer, reads: usize) {
        match passing.operation.name.as_str() {
            "CreateEventSourceMapping" => {
                let id = uuid(answer);
                self.mappings.insert(id, ("Hidden", reads));
            }
            "ListEventSourceMappings" => answer.rewrite(|json| {
                let Some(all) = json.get_mut("EventSourceMappings").and_then(Value::as_array_mut) else { return };
                all.retain(|mapping| {
                    let left = mapping["UUID"].as_str().and_then(|id| self.mappings.get_mut(id));
                    let hidden = left.filter(|(state, left)| *state == "Hidden" && *left > 0);
                    hidden.map(|(_, left)| *left -= 1).is_none()
                });
            }),
            _ => {}
        }
    }

    fn function_pending(&mut self, passing: &Passing, reads: usize) -> Option<Refusal> {
        let refuses = passing.operation.name.starts_with("UpdateFunction") || passing.operation.name == "Invoke";
        let early = refuses && self.read_since("CreateFunction", passing).is_some_and(|read| read < reads);
        let message =
            "The operation cannot be performed at this time. The function is currently in the following state: Pending";
        early.then(|| conflict(message))
    }

    fn update_in_progress(&mut self, passing: &Passing, reads: usize) -> Option<Refusal> {
        let updates = ["UpdateFunctionCode", "UpdateFunctionConfiguration"];
        let refuses = updates.contains(&passing.operation.name.as_str());
        let early =
            refuses && updates.iter().any(|update| self.read_since(update, passing).is_some_and(|read| read < reads));
        let message = format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {}",
            passing.operation.resource
        );
        early.then(|| conflict(message))
    }

    /// How often the call's function was read since `operation` succeeded on it, if it did.
    fn read_since(&self, operation: &str, passing: &Passing) -> Option<usize> {
        let resource = bare(&passing.operation.resource);
        self.elapsed(operation, &resource)?;
        let reads = self.reads.iter().filter(|((since, name, _), _)| *since == operation && *name == resource);
        Some(reads.map(|(_, count)| count).sum())
    }

    fn function_deleting(&mut self, passing: &Passing, reads: usize) -> Option<Refusal> {
        let early = passing.operation.name == "CreateFunction" && self.is_early(passing, "DeleteFunction", reads);
        let message = "The operation cannot be performed at this time. The function is currently in the following state: Deleting";
        early.then(|| conflict(message))
    }

    fn throttled(&mut self, passing: &Passing, rate: usize) -> Option<Refusal> {
        let name = passing.operation.name.as_str();
        if passing.operation.service != "lambda" || matches!(name, "GetFunction" | "Invoke") {
            return None;
        }
        while self.lambda_calls.front().is_some_and(|at| at.elapsed() > Duration::from_secs(1)) {
            self.lambda_calls.pop_front();
        }
        self.lambda_calls.push_back(Instant::now());
        (self.lambda_calls.len() > rate).then(|| Refusal::new(429, "TooManyRequestsException", "Rate exceeded"))
    }

    fn mapping_in_use(&mut self, passing: &Passing) -> Option<Refusal> {
        let changes =
            matches!(passing.operation.name.as_str(), "UpdateEventSourceMapping" | "DeleteEventSourceMapping");
        let (state, left) = self.mappings.get_mut(&passing.operation.resource).filter(|_| changes)?;
        let message = format!("Cannot change the event source mapping because it is in use: {state}");
        let busy = *left > 0;
        // A client that only tries again, without reading, comes through too.
        *left = left.saturating_sub(1);
        busy.then(|| Refusal::new(400, "ResourceInUseException", message))
    }

    fn show_mapping_state(&mut self, passing: &Passing, answer: &mut Answer, reads: usize) {
        let id = passing.operation.resource.clone();
        let begun = match passing.operation.name.as_str() {
            _ if !answer.status.is_success() => None,
            "CreateEventSourceMapping" => Some((uuid(answer), "Creating")),
            "UpdateEventSourceMapping" => Some((id.clone(), "Updating")),
            "DeleteEventSourceMapping" => {
                self.saved.insert(("GetEventSourceMapping".into(), id.clone()), answer.body.clone());
                Some((id.clone(), "Deleting"))
            }
            _ => None,
        };
        if let Some((id, state)) = begun {
            self.mappings.insert(id, (state, reads));
            answer.rewrite(|json| json["State"] = json!(state));
            return;
        }
        if passing.operation.name == "GetEventSourceMapping"
            && self.mappings.get(&id).is_some_and(|(state, left)| *state == "Deleting" && *left > 0)
        {
            self.show_saved_answer(passing, answer);
        }
        let unsettled = |mapping: &mut Value, mappings: &mut HashMap<String, (&'static str, usize)>| {
            let known = mapping["UUID"].as_str().and_then(|id| mappings.get_mut(id));
            if let Some((state, left)) = known.filter(|(state, left)| *left > 0 && *state != "Hidden") {
                *left -= 1;
                mapping["State"] = json!(*state);
            }
        };
        match passing.operation.name.as_str() {
            "GetEventSourceMapping" => answer.rewrite(|json| unsettled(json, &mut self.mappings)),
            "ListEventSourceMappings" => answer.rewrite(|json| {
                let all = json.get_mut("EventSourceMappings").and_then(Value::as_array_mut);
                all.into_iter().flatten().for_each(|mapping| unsettled(mapping, &mut self.mappings));
            }),
            _ => {}
        }
    }

    fn queue_deleted_recently(&self, passing: &Passing, span: Duration) -> Option<Refusal> {
        let creates = passing.operation.name == "CreateQueue";
        let recent = creates && self.elapsed("DeleteQueue", &passing.operation.resource).is_some_and(|age| age < span);
        let message =
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.";
        recent.then(|| Refusal::new(400, "QueueDeletedRecently", message))
    }

    fn bucket_deleted_recently(&self, passing: &Passing, span: Duration) -> Option<Refusal> {
        let creates = passing.operation.name == "CreateBucket";
        let recent = creates && self.elapsed("DeleteBucket", &passing.operation.resource).is_some_and(|age| age < span);
        recent.then(operation_aborted)
    }

    fn second_writer(&mut self, passing: &Passing) -> Option<Refusal> {
        if !writes_bucket_settings(passing) {
            return None;
        }
        let writers = self.writers.entry(passing.operation.resource.clone()).or_default();
        if *writers > 0 {
            return Some(operation_aborted());
        }
        *writers += 1;
        None
    }

    /// Rewrites a function's answer while it is one of the first `reads` since `operation`, and that operation's own answer.
    fn show_state(
        &mut self,
        passing: &Passing,
        answer: &mut Answer,
        operation: &'static str,
        reads: usize,
        state: fn(&mut Value),
    ) {
        let reading = matches!(passing.operation.name.as_str(), "GetFunction" | "GetFunctionConfiguration");
        if passing.operation.name == operation || reading && self.is_early(passing, operation, reads) {
            answer.rewrite(state);
        }
    }

    /// Answers one of the first `reads` of these kinds since `operation` with what was read before it.
    fn show_saved(
        &mut self,
        passing: &Passing,
        answer: &mut Answer,
        operation: &'static str,
        reads: usize,
        kinds: &[&str],
    ) {
        if kinds.contains(&passing.operation.name.as_str()) && self.is_early(passing, operation, reads) {
            self.show_saved_answer(passing, answer);
        }
    }

    fn show_saved_answer(&self, passing: &Passing, answer: &mut Answer) {
        let key = (passing.operation.name.clone(), bare(&passing.operation.resource));
        if let Some(body) = self.saved.get(&key) {
            answer.status = StatusCode::OK;
            answer.headers.clear();
            answer.body = body.clone();
        }
    }
}

fn uuid(answer: &Answer) -> String {
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    json["UUID"].as_str().unwrap_or_default().to_owned()
}

/// GetFunction nests what GetFunctionConfiguration, CreateFunction and the updates answer with.
fn configuration(json: &mut Value) -> &mut Value {
    if json.get("Configuration").is_some() { &mut json["Configuration"] } else { json }
}

fn pending(json: &mut Value) {
    let configuration = configuration(json);
    configuration["State"] = json!("Pending");
    configuration["StateReason"] = json!("The function is being created.");
    configuration["StateReasonCode"] = json!("Creating");
}

fn in_progress(json: &mut Value) {
    configuration(json)["LastUpdateStatus"] = json!("InProgress");
}

fn deleting(json: &mut Value) {
    configuration(json)["State"] = json!("Deleting");
}

fn operation_aborted() -> Refusal {
    let message =
        "A conflicting conditional operation is currently in progress against this resource. Please try again.";
    Refusal::new(409, "OperationAborted", message)
}

fn duplicate_mapping(passing: &Passing, answers: &[Value]) -> Option<Refusal> {
    let mapping = answers.first()?["EventSourceMappings"].as_array()?.first()?;
    let (arn, function) = (passing.field("EventSourceArn"), passing.field("FunctionName"));
    let id = mapping["UUID"].as_str().unwrap_or_default();
    Some(conflict(format!(
        "An event source mapping with SQS arn (\" {arn} \") and function (\" {function} \") already exists. \
         Please update or delete the existing mapping with UUID {id}"
    )))
}

fn visibility_below_timeout(_passing: &Passing, answers: &[Value]) -> Option<Refusal> {
    let [_, function, queue] = answers else { return None };
    let timeout = function["Timeout"].as_u64()?;
    let visibility: u64 = queue["Attributes"]["VisibilityTimeout"].as_str()?.parse().ok()?;
    let message =
        format!("Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout} seconds");
    (visibility < timeout).then(|| Refusal::new(400, "InvalidParameterValueException", message))
}
