//! `provision doctor`: what `up` and `launch` stand on, a line each, with what is wrong and how to mend it. Changes nothing.

mod clock;
mod rights;
mod tools;

use serde_json::json;

use super::opened::{self, Purpose, Sound};
use super::{Opened, Run, secret};
use crate::aws::Aws;
use crate::engine::ProviderError;
use crate::error::{Failure, Parts};
use crate::interrupt;
use crate::rules;
use crate::ui::doctor::{self, Check, State};

impl Check {
    fn new(check: &'static str, found: Result<String, Failure>) -> Self {
        match found {
            Ok(what) => Self { check, state: State::Ok, what, help: String::new() },
            Err(failure) => {
                let Parts { what, which, help } = failure.told().parts.unwrap_or_default();
                let what = if which.is_empty() { what } else { format!("{what}: {which}") };
                Self { check, state: State::Wrong, what, help }
            }
        }
    }

    fn unknown(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, state: State::Unknown, what: what.into(), help: String::new() }
    }
}

pub(super) async fn run(run: &Run) -> Result<(), Failure> {
    let busy = run.ui.busy("looking");
    let checks = interrupt::until(&run.interrupt, async { Ok::<_, Failure>(look(run).await) }).await?;
    drop(busy);
    let healthy = checks.iter().all(|check| check.state != State::Wrong);
    run.ui.result(|| doctor::text(&checks), &json!({ "healthy": healthy, "checks": checks }))?;
    if healthy { Ok(()) } else { Err(Failure::Different) }
}

/// What needs no AWS first, then what stands on the credentials; each line by itself, whatever became of those before.
async fn look(run: &Run) -> Vec<Check> {
    let sound = opened::sound(run, Purpose::Look).await;
    let needs = sound.as_ref().ok().and_then(|sound| sound.needs(run).ok()).unwrap_or_default();
    let mut checks = if needs.build { tools::look().await } else { Vec::new() };
    checks.push(Check::new("template", sound.map(|sound| described(&sound))));
    checks.extend(clock::look(run).await);
    match Opened::open(run).await {
        Ok(opened) => {
            checks.extend(caller(&opened.aws));
            checks.push(quota(run, &opened).await);
            checks.push(rights::look(run, &opened).await);
        }
        // What is wrong with the template is told already.
        Err(_) => {
            let (called, why) = match opened::connect(run).await {
                Ok(aws) => (caller(&aws), "the template is not sound"),
                Err(failure) => (no_caller(failure), "it is not known who calls, or where"),
            };
            checks.extend(called);
            checks.extend(["quota", "rights"].map(|check| Check::unknown(check, format!("not checked: {why}"))));
        }
    }
    if needs.crawl {
        let valid = secret::validity(run).await;
        checks.push(Check::new(
            "TMDb",
            valid.map(|whence| format!("{} takes the key in {whence}", run.settings.tmdb_url)),
        ));
    }
    checks
}

fn described(sound: &Sound) -> String {
    let file = sound.template.file();
    match sound.warnings.len() {
        0 => format!("{file} is sound"),
        count => format!("{file} is sound, with {count} warnings: `provision plan` tells them"),
    }
}

/// The credentials' line and the account's.
fn caller(aws: &Aws) -> [Check; 2] {
    let account = format!("{} in {}", aws.scope.account, aws.scope.region);
    [Check::new("credentials", Ok(format!("of {}", aws.caller))), Check::new("account", Ok(account))]
}

/// The same where AWS did not say who calls: the trouble is told at the line that it is of.
fn no_caller(failure: Failure) -> [Check; 2] {
    let unchecked = |check, why: &str| Check::unknown(check, format!("not checked: {why}"));
    match failure {
        Failure::WrongAccount { .. } => {
            [Check::new("credentials", Ok("AWS takes them".into())), Check::new("account", Err(failure))]
        }
        Failure::Aws { error: ProviderError::Network { .. }, .. } => {
            ["credentials", "account"].map(|check| unchecked(check, "AWS does not answer"))
        }
        Failure::Usage(_) => [unchecked("credentials", "no region is set"), Check::new("account", Err(failure))],
        _ => [Check::new("credentials", Err(failure)), unchecked("account", "the credentials are not usable")],
    }
}

async fn quota(run: &Run, opened: &Opened) -> Check {
    let name = "quota";
    let Some(quota) = opened.aws.lambda_quota().await else {
        return Check::unknown(name, "lambda:GetAccountSettings is not allowed");
    };
    let warned = opened.stack(run).and_then(|stack| Ok(rules::check_fleets(&stack, quota)?));
    let numbers = format!("{} functions at once, {} of them not reserved", quota.limit, quota.unreserved);
    let found = warned.and_then(|warnings| match warnings.into_iter().next() {
        None => Ok(numbers),
        Some(warning) => Err(Failure::failed(warning.message, "").help(warning.help.unwrap_or_default())),
    });
    Check::new(name, found)
}
