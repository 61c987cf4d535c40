//! E35: a message must stay hidden for as long as the function may work on it.

use super::Findings;
use super::view::{Feed, Said, View};

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
