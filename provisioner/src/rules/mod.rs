//! What AWS refuses, or takes and then loses data by, although each resource alone is sound: told before any call.
//!
//! A file a rule, each but the simplest under the number of its edge (`provision explain E35`). What AWS refuses or what loses data is an
//! error; what is unwise is a warning. A value that is known only after apply breaks no rule. What a function's zip must be
//! (E20 to E23) is `package`'s to know.

mod batch;
mod code;
mod concurrency;
mod dead_letters;
mod environment;
mod limits;
mod partial_batch;
mod quota;
mod same_name;
mod view;
mod visibility;

pub use quota::{Quota, asks_quota, check_fleets, check_quota};
pub use visibility::order;

use crate::engine::Stack;
use crate::template::{Diagnostic, Diagnostics};
use view::View;

/// What a look at a template finds.
#[derive(Debug, Default)]
pub struct Findings {
    /// Keep every call from being made.
    pub errors: Vec<Diagnostic>,
    /// Are told, and nothing more.
    pub warnings: Vec<Diagnostic>,
}

/// Every rule that needs the template alone.
const RULES: [fn(&View<'_>, &mut Findings); 9] = [
    visibility::check,
    partial_batch::check,
    batch::check,
    concurrency::check,
    dead_letters::check,
    environment::check,
    limits::check,
    same_name::check,
    code::check,
];

/// Checks a template by its types' schemas and by every rule, and gives the warnings. Makes no call.
///
/// # Errors
/// All of the template's problems in one go, with those that a draft has kept.
pub fn check(stack: &Stack<'_>) -> Result<Vec<Diagnostic>, Diagnostics> {
    let (resources, errors) = stack.declare_each();
    let mut findings = Findings { errors, warnings: Vec::new() };
    let view = View { stack, resources: &resources };
    for rule in RULES {
        rule(&view, &mut findings);
    }
    if findings.errors.is_empty() {
        return Ok(findings.warnings);
    }
    Err(stack.bound.template().diagnostics(findings.errors))
}
