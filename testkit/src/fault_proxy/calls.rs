//! The record of all calls: how many there were, and how many waited for one another.

use std::{collections::HashMap, time::Duration};

/// One call that went through the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The service as its signatures name it: `sqs`, `s3`, `lambda`, ...
    pub service: String,
    /// The operation as AWS's API reference names it.
    pub operation: String,
    /// The bucket, queue, function, ... where the request names one, else blank.
    pub resource: String,
    /// Whether the operation changes anything.
    pub mutating: bool,
    /// When it came, since the proxy started.
    pub begin: Duration,
    /// When it was answered; none while it is under way.
    pub end: Option<Duration>,
    /// The HTTP status of the answer; 0 where the connection was cut or the answer lost.
    pub status: u16,
    /// Equal for two calls that ask the very same.
    pub(crate) request: u64,
}

/// The longest chain of calls of which each began after the one before had ended: the number of rounds that a run takes on a slow
/// line. Asking the same again while nothing of that service was changed (polling) counts once.
pub(crate) fn longest_chain(calls: &[Call]) -> Vec<&Call> {
    let repeats = repeats(calls);
    // For each call: the longest chain that ends with it, and the call before it in that chain.
    let mut best: Vec<(usize, Option<usize>)> = Vec::with_capacity(calls.len());
    for (n, call) in calls.iter().enumerate() {
        let before = (0..n).filter(|&m| calls[m].end.is_some_and(|end| end <= call.begin)).max_by_key(|&m| best[m].0);
        let length = before.map_or(0, |m| best[m].0) + usize::from(!repeats[n]);
        best.push((length, before));
    }
    let mut chain = Vec::new();
    let mut at = (0..calls.len()).max_by_key(|&n| best[n].0);
    while let Some(n) = at {
        chain.extend((!repeats[n]).then_some(&calls[n]));
        at = best[n].1;
    }
    chain.reverse();
    chain
}

/// Which calls ask what was asked before, with no change of their service in between.
fn repeats(calls: &[Call]) -> Vec<bool> {
    let mut asked: HashMap<(&str, u64), usize> = HashMap::new();
    let mut changes: HashMap<&str, usize> = HashMap::new();
    let mut repeats = Vec::with_capacity(calls.len());
    for call in calls {
        let service = call.service.as_str();
        if call.mutating {
            *changes.entry(service).or_default() += 1;
            repeats.push(false);
        } else {
            let now = changes.get(service).copied().unwrap_or_default();
            repeats.push(asked.insert((service, call.request), now) == Some(now));
        }
    }
    repeats
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str, request: u64, begin: u64, end: u64) -> Call {
        Call {
            service: "lambda".into(),
            operation: operation.into(),
            resource: String::new(),
            mutating: operation.starts_with("Create"),
            begin: Duration::from_millis(begin),
            end: Some(Duration::from_millis(end)),
            status: 200,
            request,
        }
    }

    fn names(calls: &[Call]) -> Vec<&str> {
        longest_chain(calls).into_iter().map(|call| call.operation.as_str()).collect()
    }

    #[test]
    fn a_chain_counts_what_waited_and_not_what_ran_beside() {
        let calls =
            [call("GetA", 1, 0, 10), call("GetB", 2, 1, 50), call("CreateA", 3, 11, 20), call("CreateC", 4, 51, 60)];
        assert_eq!(names(&calls), ["GetA", "CreateA", "CreateC"]);
        assert!(names(&[]).is_empty());
    }

    #[test]
    fn polling_counts_once_and_a_read_after_a_change_counts_again() {
        let calls = [
            call("GetA", 1, 0, 1),
            call("CreateA", 2, 2, 3),
            call("GetA", 1, 4, 5),
            call("GetA", 1, 6, 7),
            call("GetA", 1, 8, 9),
        ];
        assert_eq!(names(&calls), ["GetA", "CreateA", "GetA"]);
    }
}
