//! E50: a dead letter keeps the age that it had in its queue, so it must be kept for longer than there. Not of a FIFO queue, whose
//! dead letters begin anew.

use super::Findings;
use super::view::{QUEUE, Said, View, is_fifo, text};

const RETENTION: &str = "MessageRetentionPeriod";
const DAY: i64 = 86_400;

pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    for queue in view.of_type(QUEUE).filter(|queue| !is_fifo(queue)) {
        let target = text(queue, "/RedrivePolicy/deadLetterTargetArn").and_then(|arn| view.queue(arn));
        let Some(dead) = target else { continue };
        let (Some(alive), Some(kept)) = (view.number(queue, RETENTION), view.number(dead, RETENTION)) else { continue };
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
}

fn days(seconds: i64) -> String {
    if seconds % DAY == 0 { format!("{} days", seconds / DAY) } else { format!("{seconds} s") }
}
