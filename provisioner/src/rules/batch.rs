//! E39: a batch of more than ten messages needs a window to gather them in, and a FIFO queue has none.

use super::Findings;
use super::view::{Feed, Said, View, text};

/// The most that a queue's mapping takes, in messages; of a FIFO queue, and of any without a window, ten.
const LARGEST: i64 = 10_000;
const WITHOUT_WINDOW: i64 = 10;
/// The longest window, in seconds.
const LONGEST: i64 = 300;

pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    for Feed { mapping, .. } in view.feeds() {
        let size = view.number(mapping, "BatchSize").unwrap_or(WITHOUT_WINDOW);
        let window = view.number(mapping, "MaximumBatchingWindowInSeconds").unwrap_or(0);
        let mut problem = |property: &str, what: String, help: &str| {
            let said = Said { what, help: help.into() };
            findings.errors.push(view.problem(mapping, &format!("/{property}"), "E39", said));
        };
        let fifo = text(mapping, "/EventSourceArn").is_some_and(|arn| arn.ends_with(".fifo"));
        if !(1..=LARGEST).contains(&size) {
            problem("BatchSize", format!("a batch has 1 to {LARGEST} messages, not {size}"), "1 suits jobs of minutes");
        } else if fifo && size > WITHOUT_WINDOW {
            problem("BatchSize", format!("a FIFO queue gives batches of 1 to 10, not {size}"), "write 10 or less");
        } else if size > WITHOUT_WINDOW && window == 0 {
            problem(
                "BatchSize",
                format!("a batch of {size} messages needs a window to gather them in, and there is none"),
                "set MaximumBatchingWindowInSeconds to 1 or more, or BatchSize to 10 or less",
            );
        }
        let property = "MaximumBatchingWindowInSeconds";
        if !(0..=LONGEST).contains(&window) {
            problem(property, format!("a window has 0 to {LONGEST} s, not {window}"), "write 300 or less");
        } else if fifo && window > 0 {
            problem(property, "messages of a FIFO queue are not gathered in a window".into(), "take it out");
        }
    }
}
