//! E35: a message must stay hidden for as long as the function may work on it.

use std::cmp::Ordering;

use super::Findings;
use super::view::{Feed, Said, View};
use crate::engine::{Action, Change, Late, Plan, Resource, Stack, whole_number};

/// How many times the function's timeout AWS advises, so that a throttled batch has time to be tried again.
const ADVISED: i64 = 6;

pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    for Feed { mapping, queue, function } in view.feeds() {
        let (Some(queue), Some(function)) = (queue, function) else { continue };
        let (Some(hidden), Some(timeout)) = (view.number(queue, "VisibilityTimeout"), view.number(function, "Timeout"))
        else {
            continue;
        };
        let window = view.number(mapping, "MaximumBatchingWindowInSeconds").unwrap_or(0);
        let advised = ADVISED * timeout + window;
        let help = format!(
            "set VisibilityTimeout to {advised} or more: {ADVISED} times the function's timeout and the batching window"
        );
        let problem =
            |what: String| view.problem(queue, "/VisibilityTimeout", "E35", Said { what, help: help.clone() });
        let name = &function.logical_id;
        if hidden < timeout {
            findings.errors.push(problem(format!(
                "a message is hidden for {hidden} s, and {name} may work on it for {timeout} s: AWS refuses the mapping"
            )));
        } else if hidden < timeout + window {
            findings.errors.push(problem(format!(
                "a message is hidden for {hidden} s, and may wait {window} s for its batch and {timeout} s in {name}: it would be delivered twice"
            )));
        } else if hidden < advised {
            findings.warnings.push(problem(format!(
                "a message is hidden for {hidden} s, less than AWS advises for the {timeout} s of {name}: a throttled batch may be delivered twice"
            )));
        }
    }
}

/// Where `up` changes both, the queue is first when the function's timeout is raised, and last when it is lowered: so a message
/// is hidden for long enough at every moment.
pub fn order(stack: &Stack<'_>, plan: &Plan) -> Late {
    let resources: Vec<Resource> = plan.changes.iter().filter_map(|change| change.resource.clone()).collect();
    let view = View { stack, resources: &resources };
    let mut late = Late::new();
    for feed in view.feeds() {
        let (Some(queue), Some(function)) = (feed.queue, feed.function) else { continue };
        let (last, first) = match (moved(plan, queue, "VisibilityTimeout"), moved(plan, function, "Timeout")) {
            (Some(_), Some(Ordering::Greater)) => (function, queue),
            (Some(_), Some(Ordering::Less)) => (queue, function),
            _ => continue,
        };
        late.entry(last.logical_id.clone()).or_default().push(first.logical_id.clone());
    }
    late
}

/// Whether a change in place raises or lowers a number; none where it does not touch it.
fn moved(plan: &Plan, resource: &Resource, property: &str) -> Option<Ordering> {
    let in_place = |change: &&Change| matches!(change.action, Action::Update | Action::Adopt);
    let mut changes = plan.changes.iter().filter(in_place);
    let change = changes.find(|change| change.logical_id == resource.logical_id)?;
    let difference = change.differences.iter().find(|difference| difference.path == property)?;
    let number = |value: &Option<serde_json::Value>| value.as_ref().and_then(whole_number);
    Some(number(&difference.after)?.cmp(&number(&difference.before)?))
}
