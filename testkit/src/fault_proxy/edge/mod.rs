//! What AWS does and the emulator forgives, by the numbers of the edges. Each remembers what went through the proxy.
//!
//! Lengths are the test's to choose: AWS's minutes become a second, or a number of reads.

mod cloud_control;
mod function;
mod mapping;
mod move_task;
mod pages;
mod registry;
mod tagged_mappings;

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
    /// E3: lists come in pages of one item each, the first of them empty where AWS may do so. S3's are the emulator's own pages.
    /// Not with IAM enforced, which a changed request does not pass.
    PagesOfOne,
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
    /// E51: SQS knows message move tasks, which the emulator does not: one wants a destination, and runs for so many looks. It moves nothing.
    MoveTasks(usize),
    /// E55: for this long after DeleteBucket its name is busy.
    BucketDeletedRecently(Duration),
    /// CloudFormation describes types, by the schemas that cfn-lint ships.
    Registry,
    /// Cloud Control knows a resource by its type's primary identifier, sets the ARN, and lists identifiers alone.
    CloudControlIdentifiers,
    /// Cloud Control takes two requests of one ClientToken for one.
    CloudControlTokens,
    /// A request to Cloud Control is in progress for so many looks.
    CloudControlTakesItsTime(usize),
    /// The tagging API tells of event-source mappings too, of those that were made through the proxy.
    TaggingTellsOfMappings,
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
    /// New mappings that a list does not show yet, and for how many reads.
    hidden: HashMap<String, usize>,
    lambda_calls: VecDeque<Instant>,
    writers: HashMap<String, usize>,
    requests: cloud_control::Requests,
    tagged_mappings: tagged_mappings::TaggedMappings,
    /// Looks at the move task, once one was started.
    move_task: Option<usize>,
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

    /// The answer of what the emulator does not have at all.
    pub(crate) fn answer(&self, passing: &Passing) -> Option<Result<Answer, Refusal>> {
        let registry = self.played.contains(&Edge::Registry).then(|| registry::answer(passing)).flatten();
        registry.or_else(|| self.same_request(passing).map(Ok))
    }

    /// The path and body that the emulator gets instead of the client's own, where an edge changes them.
    pub(crate) fn amended(&self, passing: &Passing) -> (String, Bytes) {
        if self.played.contains(&Edge::PagesOfOne) {
            return pages::asked(passing);
        }
        let identified =
            self.played.contains(&Edge::CloudControlIdentifiers).then(|| self.identified(passing)).flatten();
        (passing.path.clone(), identified.unwrap_or_else(|| passing.body.clone()))
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
                Edge::DuplicateMappingRefused => mapping::duplicate_mapping(passing, answers),
                Edge::MappingStates(_) => self.mapping_in_use(passing),
                Edge::VisibilityBelowTimeoutRefused => mapping::visibility_below_timeout(answers),
                Edge::QueueDeletedRecently(span) => self.queue_deleted_recently(passing, span),
                Edge::BucketDeletedRecently(span) => self.bucket_deleted_recently(passing, span),
                Edge::OneWriterABucket => self.second_writer(passing),
                Edge::MoveTasks(_) => self.move_refused(passing),
                Edge::PagesOfOne
                | Edge::QueueLingers(_)
                | Edge::QueueAttributesSettle(_)
                | Edge::Registry
                | Edge::CloudControlIdentifiers
                | Edge::CloudControlTokens
                | Edge::CloudControlTakesItsTime(_)
                | Edge::TaggingTellsOfMappings => None,
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
                Edge::PagesOfOne => pages::show(passing, answer),
                Edge::ReadsLag(reads) => self.hide_new_mapping(passing, answer, reads),
                Edge::FunctionPending(reads) => {
                    self.show_state(passing, answer, "CreateFunction", reads, function::pending)
                }
                Edge::UpdateInProgress(reads) => {
                    self.show_state(passing, answer, "UpdateFunctionCode", reads, function::in_progress);
                    self.show_state(passing, answer, "UpdateFunctionConfiguration", reads, function::in_progress);
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
                        answer.rewrite(function::deleting);
                    }
                }
                Edge::MappingStates(reads) => self.show_mapping_state(passing, answer, reads),
                Edge::MoveTasks(looks) => self.show_move_task(passing, answer, looks),
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
                Edge::CloudControlIdentifiers => self.show_identified(passing, answer),
                Edge::CloudControlTokens => self.remember_request(passing, answer),
                Edge::CloudControlTakesItsTime(looks) => self.show_request(passing, answer, looks),
                Edge::TaggingTellsOfMappings => self.tell_of_mappings(passing, answer),
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

fn operation_aborted() -> Refusal {
    let message =
        "A conflicting conditional operation is currently in progress against this resource. Please try again.";
    Refusal::new(409, "OperationAborted", message)
}
