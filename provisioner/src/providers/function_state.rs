//! Whether a function can be used, and the wait until it can.

use aws_sdk_lambda::types::{FunctionConfiguration, LastUpdateStatus, State as AwsState};

use serde_json::Value;

use super::function::FunctionProvider;
use crate::engine::{Limit, Misses, Poll, Progress, ProviderError, State, poll_until};

/// GetFunction has a limit of its own, 100 a second; a look a second leaves room for others (E28).
pub(super) const SETTLES: Limit = Limit::seconds(300);

impl FunctionProvider {
    /// Waits until the function takes invocations and changes, and gives its RevisionId.
    pub(super) async fn settled(&self, name: &str, progress: &Progress) -> Result<String, ProviderError> {
        let misses = Misses::default();
        poll_until("the function to be Active and its update Successful", SETTLES, progress, || async {
            let found = self.get(name).await?.and_then(|answer| answer.configuration);
            let Some(found) = found else { return misses.missed("function") };
            misses.found();
            match state(&found) {
                State::Changing(word) => Ok(Poll::Pending(format!("function is {word}"))),
                State::Failed(reason) => Err(ProviderError::refused(
                    format!("the function {name} cannot run: {reason}"),
                    "mend what AWS names, then run the command again",
                )),
                _ => Ok(Poll::Ready(found.revision_id.unwrap_or_default())),
            }
        })
        .await
    }
}

/// A state that this build does not know is waited for; Inactive only means idle for weeks (E15). No update status is an
/// update in progress, if the state is not told either (E16).
pub(super) fn state(found: &FunctionConfiguration) -> State {
    let reason =
        |code: Option<&str>, text: Option<&str>| [code, text].into_iter().flatten().collect::<Vec<_>>().join(": ");
    if found.state() == Some(&AwsState::Failed) {
        let code = found.state_reason_code().map(|code| code.as_str());
        return State::Failed(reason(code, found.state_reason()));
    }
    if found.last_update_status() == Some(&LastUpdateStatus::Failed) {
        let code = found.last_update_status_reason_code().map(|code| code.as_str());
        return State::Failed(reason(code, found.last_update_status_reason()));
    }
    if found.last_update_status() == Some(&LastUpdateStatus::InProgress) {
        return State::Changing("being updated".into());
    }
    match found.state() {
        Some(AwsState::Active | AwsState::Inactive) => State::Ready("Active".into()),
        Some(other) => State::Changing(other.as_str().to_owned()),
        // Listings leave the state out.
        None => State::Ready("exists".into()),
    }
}

/// When it was last changed, in seconds since 1970; Lambda writes `2026-11-27T03:14:42.000+0000`.
pub(super) fn changed_at(found: &FunctionConfiguration) -> Option<i64> {
    let written = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", found.last_modified()?).ok()?;
    written.to_timestamp().ok().map(|instant| instant.as_second())
}

/// What Lambda leaves for a while of a function with these properties: the network interfaces of one in a VPC.
pub(super) fn leaves(properties: &Value) -> Option<&'static str> {
    let subnets = properties["VpcConfig"]["SubnetIds"].as_array();
    subnets.is_some_and(|subnets| !subnets.is_empty()).then_some(
        "Lambda deletes its network interfaces within half an hour, by its role; where that goes too they stay: delete them by hand",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_function_in_a_vpc_something_is_left() {
        let told = |subnets: &[&str]| leaves(&json!({"VpcConfig": {"SubnetIds": subnets}})).is_some();
        assert_eq!((told(&["subnet-1"]), told(&[]), leaves(&json!({}))), (true, false, None));
    }

    #[test]
    fn the_time_of_a_change_is_read_as_lambda_writes_it() {
        let changed = |text: &str| changed_at(&FunctionConfiguration::builder().last_modified(text).build());
        assert_eq!(changed("1970-01-02T00:00:01.000+0000"), Some(86_401));
        assert_eq!(changed("soon"), None);
    }

    fn with(state: &str, update: Option<&str>) -> State {
        let found = FunctionConfiguration::builder().state(state.into());
        let found = found.set_last_update_status(update.map(LastUpdateStatus::from));
        super::state(&found.state_reason("because").build())
    }

    #[test]
    fn e15_an_unknown_state_is_waited_for_and_an_idle_function_is_healthy() {
        assert_eq!(with("Brandnew", None), State::Changing("Brandnew".into()));
        assert_eq!(with("Inactive", Some("Successful")), State::Ready("Active".into()));
        assert_eq!(with("Failed", None), State::Failed("because".into()));
    }

    #[test]
    fn e16_an_update_in_progress_is_waited_for_and_a_failed_one_ends_the_wait() {
        assert!(matches!(with("Active", Some("InProgress")), State::Changing(_)));
        assert!(matches!(with("Active", Some("Failed")), State::Failed(_)));
    }
}
