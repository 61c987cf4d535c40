//! E36: without `ReportBatchItemFailures` an answer that names failed messages is a success, and they are deleted.

use super::Findings;
use super::view::{Feed, Said, View};

const PROPERTY: &str = "FunctionResponseTypes";

/// What loses messages unseen must be said: an empty list says that the function answers with no such list.
pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    for Feed { mapping, .. } in view.feeds() {
        if mapping.properties.get(PROPERTY).is_some() {
            continue;
        }
        let said = Said {
            what: "the mapping does not say how failures are reported: if the function answers with a list of failed messages, AWS deletes them all the same".into(),
            help: format!(
                "write `{PROPERTY}: [ReportBatchItemFailures]`, or `{PROPERTY}: []` for a function that fails as a whole"
            ),
        };
        findings.errors.push(view.problem(mapping, &format!("/{PROPERTY}"), "E36", said));
    }
}
