//! E25: how long a function may run, and with how much memory and disk.

use super::Findings;
use super::view::{FUNCTION, Said, View, integer_at};

/// Property, least, most, unit. AWS's own model allows more, for computing that this type is not.
const LIMITS: [(&str, i64, i64, &str); 3] =
    [("/Timeout", 1, 900, "s"), ("/MemorySize", 128, 10_240, "MB"), ("/EphemeralStorage/Size", 512, 10_240, "MB")];

pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    for function in view.of_type(FUNCTION) {
        for (pointer, least, most, unit) in LIMITS {
            let Some(number) = integer_at(function, pointer).filter(|n| !(least..=most).contains(n)) else { continue };
            let said = Said {
                what: format!("Lambda takes {least} to {most} {unit}, not {number}"),
                help: format!("write {}", number.clamp(least, most)),
            };
            findings.errors.push(view.problem(function, pointer, "E25", said));
        }
    }
}
