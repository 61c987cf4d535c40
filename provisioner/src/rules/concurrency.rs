//! E38: pollers that fetch more than the function may run use up the messages' deliveries (E32: 2 to 1,000 of them).

use std::collections::BTreeMap;

use super::Findings;
use super::view::{Feed, Said, View, integer_at};
use crate::engine::Resource;

const MAXIMUM: &str = "/ScalingConfig/MaximumConcurrency";
const RESERVED: &str = "ReservedConcurrentExecutions";
/// How many functions a mapping runs side by side.
const LEAST: i64 = 2;
const MOST: i64 = 1000;
/// Below so many deliveries a throttled message is soon among the dead letters.
const FEWEST_RECEIVES: i64 = 5;

pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    // What other mappings, those before it, may start of a function.
    let mut started: BTreeMap<&str, i64> = BTreeMap::new();
    for feed in view.feeds() {
        let maximum = integer_at(feed.mapping, MAXIMUM);
        if let Some(maximum) = maximum.filter(|maximum| !(LEAST..=MOST).contains(maximum)) {
            let said = Said {
                what: format!("a mapping runs {LEAST} to {MOST} functions side by side, not {maximum}"),
                help: format!("write {LEAST} to {MOST}, or leave it out"),
            };
            findings.errors.push(view.problem(feed.mapping, MAXIMUM, "E32", said));
        }
        if let Some(function) = feed.function {
            let others = started.entry(&function.logical_id).or_default();
            reserved(view, feed.mapping, function, (maximum, *others), findings);
            // Of two alternatives one is not made.
            let certain = view.stack.bound.is_certain(&feed.mapping.logical_id);
            *others += maximum.filter(|_| certain).unwrap_or(0);
        }
        deliveries(view, &feed, findings);
    }
}

/// A function that may not run at all is stopped on purpose (E26). Every mapping outruns one that may run once.
fn reserved(
    view: &View<'_>,
    mapping: &Resource,
    function: &Resource,
    (maximum, others): (Option<i64>, i64),
    findings: &mut Findings,
) {
    let Some(reserved) = view.number(function, RESERVED).filter(|reserved| *reserved > 0) else { return };
    let (name, fits) = (&function.logical_id, reserved.clamp(LEAST, MOST));
    let (list, what, help) = match maximum {
        Some(maximum) if maximum > fits => (
            &mut findings.errors,
            format!(
                "the mapping may start {maximum} of {name}, of which {reserved} may run: the others' messages become dead letters unseen"
            ),
            format!("set MaximumConcurrency to {fits}, or raise {RESERVED}"),
        ),
        Some(maximum) if reserved >= LEAST && maximum + others > reserved => (
            &mut findings.warnings,
            format!(
                "the mapping may start {maximum} of {name} and others {others}, of which {reserved} may run: when all are busy, throttled messages use up their deliveries"
            ),
            format!("raise {RESERVED} to {}, or lower the mappings' MaximumConcurrency", maximum + others),
        ),
        _ if reserved < LEAST => (
            &mut findings.warnings,
            format!(
                "{name} reserves one run and a mapping starts {LEAST} at least: throttled messages use up their deliveries"
            ),
            format!("set {RESERVED} to {LEAST} or more, and `ScalingConfig: {{MaximumConcurrency: {LEAST}}}`"),
        ),
        Some(_) => return,
        None => (
            &mut findings.warnings,
            format!(
                "{name} reserves {reserved} runs and the mapping has no maximum: throttled messages use up their deliveries"
            ),
            format!("add `ScalingConfig: {{MaximumConcurrency: {fits}}}`"),
        ),
    };
    list.push(view.problem(mapping, MAXIMUM, "E38", Said { what, help }));
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
