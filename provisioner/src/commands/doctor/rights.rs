//! Whether the caller may do what `provision policy` lists: asked of IAM's simulator, which changes nothing.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};
use clap::ValueEnum;
use futures::future::try_join_all;
use serde_json::{Map, Value};

use super::super::{Opened, Run};
use crate::engine::{ProviderError, Scope};
use crate::error::Failure;
use crate::policy::{Command, Policy};
use crate::providers::failed;
use crate::ui::doctor::Check;

const NAME: &str = "rights";

pub(super) async fn look(run: &Run, opened: &Opened) -> Check {
    let policy = opened.stack(run).and_then(|stack| Ok(Policy::of(&stack, Command::value_variants(), false)?));
    let asked = match policy {
        Ok(policy) => denied(opened, &policy).await,
        Err(failure) => return Check::new(NAME, Err(failure)),
    };
    match asked {
        Ok(denied) if denied.is_empty() => Check::new(NAME, Ok("all that `provision policy` lists".into())),
        Ok(denied) => {
            let which = denied.join(", ");
            Check::new(
                NAME,
                Err(Failure::failed("the caller may not do all that this template needs", which)
                    .help("allow it: `provision policy` prints the whole policy")),
            )
        }
        Err(error) => Check::unknown(NAME, format!("cannot be told: {error}")),
    }
}

/// The actions that IAM would deny, each asked with the resources that it is for.
async fn denied(opened: &Opened, policy: &Policy) -> Result<Vec<String>, ProviderError> {
    let Some(principal) = principal(&opened.aws.caller, &opened.aws.scope) else { return Ok(vec![]) };
    let iam = aws_sdk_iam::Client::new(&opened.aws.config);
    let asked = policy.statements().into_iter().map(|statement| {
        let call = iam.simulate_principal_policy().policy_source_arn(&principal);
        let call = call.set_context_entries(statement.condition.as_ref().map(context));
        let call = call.set_action_names(Some(statement.actions)).set_resource_arns(Some(statement.resources));
        async move { call.send().await.map_err(failed("iam:SimulatePrincipalPolicy")) }
    });
    let answers = try_join_all(asked).await?;
    let results = answers.into_iter().flat_map(|answer| answer.evaluation_results.unwrap_or_default());
    let denied = results.filter(|result| result.eval_decision != PolicyEvaluationDecisionType::Allowed);
    let mut denied: Vec<_> = denied.map(|result| result.eval_action_name).collect();
    denied.sort();
    denied.dedup();
    Ok(denied)
}

/// A request that fulfils a condition of ours: `{"ArnLike": {"lambda:FunctionArn": "arn:..."}}`.
fn context(condition: &Value) -> Vec<ContextEntry> {
    let keys = condition.as_object().into_iter().flat_map(Map::values).filter_map(Value::as_object).flatten();
    let entry = |(key, value): (&String, &Value)| {
        let value = value.as_str().unwrap_or_default().trim_end_matches('*');
        let entry = ContextEntry::builder().context_key_name(key).context_key_type(ContextKeyTypeEnum::String);
        entry.context_key_values(value).build()
    };
    keys.map(entry).collect()
}

/// The user or role behind the caller; none for the account's root, which may do everything.
fn principal(caller: &str, scope: &Scope) -> Option<String> {
    let Scope { partition, account, .. } = scope;
    match caller.rsplit(':').next()?.split('/').collect::<Vec<_>>()[..] {
        ["root"] => None,
        ["assumed-role", role, _] => Some(format!("arn:{partition}:iam::{account}:role/{role}")),
        _ => Some(caller.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_simulator_is_asked_for_the_role_behind_a_session_and_not_for_root() {
        let scope = Scope { stack: "s".into(), account: "1".into(), region: "r".into(), partition: "aws".into() };
        let principal = |caller| principal(caller, &scope);
        assert_eq!(principal("arn:aws:sts::1:assumed-role/dev/jane"), Some("arn:aws:iam::1:role/dev".into()));
        assert_eq!(principal("arn:aws:iam::1:user/jane"), Some("arn:aws:iam::1:user/jane".into()));
        assert_eq!(principal("arn:aws:iam::1:root"), None);
    }

    #[test]
    fn the_simulator_is_told_what_a_condition_asks_for() {
        let condition = json!({"ArnLike": {"lambda:FunctionArn": "arn:aws:lambda:r:1:function:films*"}});
        let told = context(&condition);
        assert_eq!(told[0].context_key_name(), Some("lambda:FunctionArn"));
        assert_eq!(told[0].context_key_values(), ["arn:aws:lambda:r:1:function:films"]);
    }
}
