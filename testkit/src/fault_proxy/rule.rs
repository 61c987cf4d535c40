//! A script of faults: which calls, how often, and what becomes of them.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{operation::Operation, refusal::Refusal};

type Notice = Arc<dyn Fn() + Send + Sync>;
type Rewrite = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// Calls of one operation, and what the proxy does to them. Without an effect a rule changes nothing.
///
/// `Rule::on("sqs", "CreateQueue").nth(2).answer(500, "InternalError", "try again")`
#[derive(Clone)]
pub struct Rule {
    service: String,
    operation: String,
    resource: Option<String>,
    skip: usize,
    times: usize,
    seen: usize,
    /// The share of calls, and the seed that they are rolled by.
    share: (f64, u64),
    pub(crate) effect: Effect,
}

/// What becomes of a call; the parts go together.
#[derive(Clone, Default)]
pub(crate) struct Effect {
    pub latency: Duration,
    pub fate: Fate,
    pub notice: Option<Notice>,
    pub rewrite: Option<Rewrite>,
}

/// Whether a call is performed and answered.
#[derive(Clone, Default)]
pub(crate) enum Fate {
    #[default]
    Passed,
    Refused(Refusal),
    Cut,
    AnswerLost,
}

impl Rule {
    /// Every call of this operation, named as in AWS's API reference; `*` stands for any service or operation.
    pub fn on(service: &str, operation: &str) -> Self {
        Self {
            service: service.to_owned(),
            operation: operation.to_owned(),
            resource: None,
            skip: 0,
            times: usize::MAX,
            seen: 0,
            share: (1.0, 0),
            effect: Effect::default(),
        }
    }

    /// Only calls for this bucket, queue, function, role, ... by name.
    pub fn of(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }

    /// Only the `n`-th such call, counted from 1.
    pub fn nth(self, n: usize) -> Self {
        self.after(n.saturating_sub(1)).times(1)
    }

    /// Not the first `n` such calls.
    pub fn after(mut self, n: usize) -> Self {
        self.skip = n;
        self
    }

    /// At most `n` calls.
    pub fn times(mut self, n: usize) -> Self {
        self.times = n;
        self
    }

    /// Only this share (0.0 to 1.0) of such calls, rolled by `seed` and the call's number.
    pub fn share(mut self, share: f64, seed: u64) -> Self {
        self.share = (share, seed);
        self
    }

    /// The call is held for so long before anything else happens to it.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.effect.latency = latency;
        self
    }

    /// The call is not performed: AWS answers with this HTTP status, error code and message.
    pub fn answer(mut self, status: u16, code: &str, message: &str) -> Self {
        self.effect.fate = Fate::Refused(Refusal::new(status, code, message));
        self
    }

    /// The call is not performed, and its connection closed.
    pub fn cut(mut self) -> Self {
        self.effect.fate = Fate::Cut;
        self
    }

    /// The call is performed, and its connection closed before the answer.
    pub fn lose_answer(mut self) -> Self {
        self.effect.fate = Fate::AnswerLost;
        self
    }

    /// Calls `notice` when the rule takes effect: before the call is performed, but with [`Rule::lose_answer`] after it. With
    /// [`Rule::cut`] and a `notice` that kills the client, the client dies before AWS performed the call.
    pub fn notify(mut self, notice: impl Fn() + Send + Sync + 'static) -> Self {
        self.effect.notice = Some(Arc::new(notice));
        self
    }

    /// Changes the JSON of the answer.
    pub fn rewrite(mut self, rewrite: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.effect.rewrite = Some(Arc::new(rewrite));
        self
    }

    /// Whether the rule takes effect on this call. Counts it.
    pub(crate) fn applies(&mut self, operation: &Operation) -> bool {
        let is = |wanted: &str, found: &str| wanted == "*" || wanted == found;
        let matches = is(&self.service, &operation.service)
            && is(&self.operation, &operation.name)
            && self.resource.as_ref().is_none_or(|resource| *resource == operation.resource);
        if matches {
            self.seen += 1;
        }
        let (share, seed) = self.share;
        let rolled = crate::seed::share(seed, &["rule", &self.seen.to_string()]) < share;
        matches && rolled && self.seen > self.skip && self.seen - self.skip <= self.times
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault_proxy::operation::Protocol;

    fn call(name: &str) -> Operation {
        Operation { protocol: Protocol::Json, service: "sqs".into(), name: name.into(), resource: "jobs".into() }
    }

    fn hits(mut rule: Rule, calls: usize) -> Vec<usize> {
        (1..=calls).filter(|_| rule.applies(&call("CreateQueue"))).collect()
    }

    #[test]
    fn a_rule_takes_effect_on_the_calls_it_names() {
        assert_eq!(hits(Rule::on("sqs", "CreateQueue").nth(2), 4), [2]);
        assert_eq!(hits(Rule::on("sqs", "*").after(1).times(2), 5), [2, 3]);
        assert_eq!(hits(Rule::on("*", "*"), 2), [1, 2]);
        assert_eq!(hits(Rule::on("sqs", "CreateQueue").of("other"), 2), [0; 0]);
        let some = hits(Rule::on("*", "*").share(0.05, 1), 10_000).len();
        assert!((400..600).contains(&some), "{some} of 10,000 are 5 %");
    }
}
