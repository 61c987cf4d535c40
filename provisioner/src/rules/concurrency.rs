//! E38: pollers that fetch more than the function may run use up the messages' deliveries (E32: 2 to 1,000 of them).

use super::Findings;
use super::view::{Feed, Said, View, integer_at};

const MAXIMUM: &str = "/ScalingConfig/MaximumConcurrency";
const RESERVED: &str = "ReservedConcurrentExecutions";
/// Below so many deliveries a throttled message is soon among the dead letters.
const FEWEST_RECEIVES: i64 = 5;

pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    for feed in view.feeds() {
        let maximum = integer_at(feed.mapping, MAXIMUM);
        if let Some(maximum) = maximum.filter(|maximum| !(2..=1000).contains(maximum)) {
            let said = Said {
                what: format!("a mapping runs 2 to 1000 functions side by side, not {maximum}"),
                help: "write 2 or more, or leave it out".into(),
            };
            findings.errors.push(view.problem(feed.mapping, MAXIMUM, "E32", said));
        }
        reserved(view, &feed, maximum, findings);
        deliveries(view, &feed, findings);
    }
}

fn reserved(view: &View<'_>, feed: &Feed<'_>, maximum: Option<i64>, findings: &mut Findings) {
    let Some(function) = feed.function else { return };
    let Some(reserved) = view.number(function, RESERVED) else { return };
    let name = &function.logical_id;
    match maximum {
        Some(maximum) if maximum > reserved => {
            let said = Said {
                what: format!(
                    "the mapping may start {maximum} of {name}, of which {reserved} may run: the others' messages become dead letters unseen"
                ),
                help: format!("set MaximumConcurrency to {} or less, or raise {RESERVED}", reserved.max(2)),
            };
            findings.errors.push(view.problem(feed.mapping, MAXIMUM, "E38", said));
        }
        None if reserved > 0 => {
            let said = Said {
                what: format!(
                    "{name} reserves {reserved} runs and the mapping has no maximum: throttled messages use up their deliveries"
                ),
                help: format!("add `ScalingConfig: {{MaximumConcurrency: {}}}`", reserved.clamp(2, 1000)),
            };
            findings.warnings.push(view.problem(feed.mapping, MAXIMUM, "E38", said));
        }
        _ => {}
    }
}

fn deliveries(view: &View<'_>, feed: &Feed<'_>, findings: &mut Findings) {
    let pointer = "/RedrivePolicy/maxReceiveCount";
    let Some(queue) = feed.queue else { return };
    let Some(receives) = integer_at(queue, pointer).filter(|receives| *receives < FEWEST_RECEIVES) else { return };
    let said = Said {
        what: format!("after {receives} deliveries a message is a dead letter, and throttled deliveries count"),
        help: format!("set maxReceiveCount to {FEWEST_RECEIVES} or more"),
    };
    findings.warnings.push(view.problem(queue, pointer, "E38", said));
}
