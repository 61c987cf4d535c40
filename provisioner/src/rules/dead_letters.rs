//! E50: a dead letter keeps the age that it had in its queue, so it must be kept for longer than there. Not of a FIFO queue, whose
//! dead letters begin anew.

use super::Findings;
use super::view::{QUEUE, Said, View, text};
use crate::engine::Resource;
use crate::template::Diagnostic;

const TARGET: &str = "/RedrivePolicy/deadLetterTargetArn";
const RETENTION: &str = "MessageRetentionPeriod";
const DAY: i64 = 86_400;

pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    for queue in view.of_type(QUEUE) {
        let target = text(queue, TARGET).and_then(|arn| view.queue(arn));
        let Some(dead) = target else { continue };
        match (is_fifo(queue), is_fifo(dead)) {
            (false, false) => kept_for_long_enough(view, queue, dead, findings),
            (true, true) => {}
            (fifo, _) => findings.errors.push(of_another_kind(view, queue, dead, fifo)),
        }
    }
}

fn kept_for_long_enough(view: &View<'_>, queue: &Resource, dead: &Resource, findings: &mut Findings) {
    let (Some(alive), Some(kept)) = (view.number(queue, RETENTION), view.number(dead, RETENTION)) else { return };
    if kept < alive {
        let (name, alive, kept) = (&queue.logical_id, days(alive), days(kept));
        let said = Said {
            what: format!(
                "dead letters are kept for {kept} counted from when they were sent, and {name} keeps messages for {alive}: old ones vanish on arrival"
            ),
            help: format!("set {RETENTION} to 1209600, 14 days"),
        };
        findings.errors.push(view.problem(dead, &format!("/{RETENTION}"), "E50", said));
    }
}

/// SQS takes only a FIFO queue for a FIFO queue's dead letters, and only another for another's.
fn of_another_kind(view: &View<'_>, queue: &Resource, dead: &Resource, fifo: bool) -> Diagnostic {
    let (name, dead) = (&queue.logical_id, &dead.logical_id);
    let (is, other, help) = match fifo {
        true => ("a FIFO queue", "none", format!("set FifoQueue of {dead} to true")),
        false => ("no FIFO queue", "one", format!("take FifoQueue out of {dead}, or set it in {name}")),
    };
    let what = format!("{name} is {is}, and {dead}, which is to take its dead letters, is {other}: SQS refuses that");
    view.stack.problem(queue, TARGET, what).help(help)
}

/// Whether a queue is a FIFO queue, as its name must say.
fn is_fifo(queue: &Resource) -> bool {
    queue.physical_id.ends_with(".fifo")
}

fn days(seconds: i64) -> String {
    if seconds % DAY == 0 { format!("{} days", seconds / DAY) } else { format!("{seconds} s") }
}
