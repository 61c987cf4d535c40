//! E26: how many functions the account may run at once, which only AWS can say.

use super::Findings;
use super::view::{FUNCTION, Said, View, integer_at};
use crate::engine::{Plan, Resource, Stack, whole_number};
use crate::template::{Diagnostic, Diagnostics};

const RESERVED: &str = "ReservedConcurrentExecutions";
const MAXIMUM: &str = "/ScalingConfig/MaximumConcurrency";
/// What AWS leaves for functions that reserve nothing; of a new account all that there is.
const UNRESERVED: i64 = 100;

/// An account's concurrent runs in one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// In all.
    pub limit: i64,
    /// Not reserved by any function.
    pub unreserved: i64,
}

/// Whether anything in the template depends on the account's quota.
pub fn asks_quota<'r>(resources: impl IntoIterator<Item = &'r Resource>) -> bool {
    resources.into_iter().any(|resource| {
        (resource.type_name == FUNCTION && resource.properties.get(RESERVED).is_some())
            || integer_at(resource, MAXIMUM).is_some()
    })
}

/// Checks what `up` would do against the quota, and gives the warnings. Makes no call.
///
/// # Errors
/// A reservation for which there is no room.
pub fn check_quota(stack: &Stack<'_>, plan: &Plan, quota: Quota) -> Result<Vec<Diagnostic>, Diagnostics> {
    let resources: Vec<Resource> = plan.changes.iter().filter_map(|change| change.resource.clone()).collect();
    let view = View { stack, resources: &resources };
    let mut findings = Findings::default();
    reservations(&view, plan, quota, &mut findings);
    fleets(&view, quota, &mut findings);
    if findings.errors.is_empty() {
        return Ok(findings.warnings);
    }
    Err(stack.bound.template().diagnostics(findings.errors))
}

/// Warns of every mapping that may start more functions than the account runs. Makes no call.
///
/// # Errors
/// The template's problems.
pub fn check_fleets(stack: &Stack<'_>, quota: Quota) -> Result<Vec<Diagnostic>, Diagnostics> {
    let mut findings = Findings::default();
    fleets(&View { stack, resources: &stack.declare()? }, quota, &mut findings);
    Ok(findings.warnings)
}

/// Only what the functions together reserve beyond what they have already needs room.
fn reservations(view: &View<'_>, plan: &Plan, quota: Quota, findings: &mut Findings) {
    let mut room = quota.unreserved - UNRESERVED.min(quota.limit);
    for change in plan.changes.iter().filter(|change| change.type_name == FUNCTION) {
        let Some(resource) = &change.resource else { continue };
        let Some(wanted) = resource.properties.get(RESERVED).and_then(whole_number) else { continue };
        let has = change.observed.as_ref().and_then(|seen| seen.properties.get(RESERVED)).and_then(whole_number);
        let more = wanted - has.unwrap_or(0);
        room -= more;
        if more > 0 && room < 0 {
            let said = Said {
                what: format!(
                    "{wanted} runs cannot be reserved: the account has {} in all, {} of them free, and AWS keeps {} for other functions",
                    quota.limit,
                    quota.unreserved,
                    UNRESERVED.min(quota.limit)
                ),
                help: format!(
                    "take {RESERVED} out and cap the fleet by the mapping's MaximumConcurrency, or ask AWS for a higher quota"
                ),
            };
            findings.errors.push(view.problem(resource, &format!("/{RESERVED}"), "E26", said));
        }
    }
}

fn fleets(view: &View<'_>, quota: Quota, findings: &mut Findings) {
    for feed in view.feeds() {
        let Some(maximum) = integer_at(feed.mapping, MAXIMUM).filter(|maximum| *maximum > quota.limit) else {
            continue;
        };
        let said = Said {
            what: format!(
                "the mapping may start {maximum} functions, and the account runs {} at once: the fleet will be no larger, and throttled",
                quota.limit
            ),
            help: format!("set MaximumConcurrency to {} or less, or ask AWS for a higher quota", quota.limit.max(2)),
        };
        findings.warnings.push(view.problem(feed.mapping, MAXIMUM, "E26", said));
    }
}
