//! What most commands begin with: the template is read, AWS says whose credentials these are, and both make a stack.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_config::SdkConfig;

use super::Run;
use super::crawl::Crawl;
use super::packager::Packager;
use crate::account;
use crate::aws::{self, Aws};
use crate::cli;
use crate::engine::{Plan, Providers, Scope, Stack};
use crate::error::Failure;
use crate::interrupt;
use crate::providers::{self, Artifacts};
use crate::rules;
use crate::template::{Bound, Diagnostic, Pseudo, Template};

/// A template, and the account and region that it is for.
pub struct Opened {
    /// As it was read.
    pub template: Template,
    /// Who calls, and where.
    pub aws: Aws,
    /// One of each type.
    pub providers: Providers,
}

impl Opened {
    /// Reads the template first, so that its mistakes are told before any call, then asks AWS who calls.
    ///
    /// # Errors
    /// A template that is wrong, or whatever keeps AWS from answering.
    pub async fn open(run: &Run) -> Result<Self, Failure> {
        let (template, config, providers) = load(run, Purpose::Look).await?;
        let aws = connect_with(run, config).await?;
        Ok(Self { template, aws, providers })
    }

    /// The same, and reads the stack beside the question who calls, with the account that the credentials suggest. Where they
    /// suggest none, or a wrong one, it is read once AWS has answered. Nothing may be changed by `read`.
    ///
    /// # Errors
    /// Those of [`Opened::open`], and for [`Purpose::Plan`] code that would not run; then those of `read`.
    pub async fn reading<T>(
        run: &Run,
        purpose: Purpose,
        read: impl AsyncFn(&Self, &Stack<'_>) -> Result<T, Failure>,
    ) -> Result<(Self, T), Failure> {
        let (template, config, providers) = load(run, purpose).await?;
        let opened = match suggested(run, &config) {
            None => Self { template, aws: connect_with(run, config).await?, providers },
            Some(scope) => {
                let opened =
                    Self { template, aws: Aws { config: config.clone(), scope, caller: String::new() }, providers };
                // What is read for the wrong account may well fail: whose it is decides first.
                let reading = async {
                    Ok::<_, Failure>(match opened.stack(run) {
                        Ok(stack) => read(&opened, &stack).await,
                        Err(failure) => Err(failure),
                    })
                };
                let reading = interrupt::until(&run.interrupt, reading);
                let (aws, done) = futures::try_join!(connect_with(run, config), reading)?;
                if aws.scope == opened.aws.scope {
                    return Ok((opened, done?));
                }
                Self { aws, ..opened }
            }
        };
        let done = interrupt::until(&run.interrupt, async { read(&opened, &opened.stack(run)?).await }).await?;
        Ok((opened, done))
    }

    /// What `up` would do and in which order (E35), with the account's quota read beside (E26).
    ///
    /// # Errors
    /// As [`Stack::plan`], and a reservation for which the account has no room.
    pub async fn plan(&self, run: &Run, stack: &Stack<'_>, flags: &cli::Up) -> Result<Plan, Failure> {
        // What hangs on the account can be checked only now.
        rules::check(stack)?;
        let quota = async {
            match rules::asks_quota(&stack.declare()?) {
                true => Ok(self.aws.lambda_quota().await),
                false => Ok(None),
            }
        };
        let (mut plan, quota) = futures::try_join!(stack.plan(flags.adopt), quota)?;
        match flags.resend_secrets {
            true => stack.resend_secrets(&mut plan),
            false => tell_of_secrets(run, &stack.unseen_secrets(&plan)),
        }
        plan.late = rules::order(stack, &plan);
        if let Some(quota) = quota {
            warn(run, &self.template, rules::check_quota(stack, &plan, quota)?);
        }
        Ok(plan)
    }

    /// The stack that the template makes with the run's parameters.
    ///
    /// # Errors
    /// Parameters that the template does not take.
    pub fn stack(&self, run: &Run) -> Result<Stack<'_>, Failure> {
        let bound = bind(&self.template, run, &self.aws.scope)?;
        Ok(Stack { scope: self.aws.scope.clone(), bound, providers: self.providers.clone() })
    }
}

/// Whether these have changed nobody knows.
fn tell_of_secrets(run: &Run, unseen: &[(String, String)]) {
    for (logical_id, property) in unseen {
        run.ui.note(&format!(
            "AWS does not give {logical_id}.{property} back: a new secret alone is not seen, `up --resend-secrets` sends it"
        ));
    }
}

/// What a template is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// For what there is.
    Look,
    /// For what goes by the code and the whole template: warnings are told too, and a finished zip is looked into.
    Plan,
}

/// The template, checked, and what it is made with. Makes no call but for the schemas of types without a provider of their own.
async fn load(run: &Run, purpose: Purpose) -> Result<(Template, SdkConfig, Providers), Failure> {
    let Sound { template, config, providers, warnings, .. } = sound(run, purpose).await?;
    if purpose == Purpose::Plan {
        warn(run, &template, warnings);
    }
    Ok((template, config, providers))
}

/// Where the stack seems to live.
fn suggested(run: &Run, config: &SdkConfig) -> Option<Scope> {
    let region = config.region()?.to_string();
    let partition = account::partition_of(&region).to_owned();
    Some(Scope {
        stack: run.settings.stack.clone(),
        account: run.settings.suggested_account.clone()?,
        region,
        partition,
    })
}

/// Asks AWS who calls, and says it.
///
/// # Errors
/// Whatever keeps AWS from answering, or another account than is allowed.
pub async fn connect(run: &Run) -> Result<Aws, Failure> {
    let config = aws::configuration(&run.settings).await;
    connect_with(run, config).await
}

/// A template that is sound by itself, and what its stack is made of.
pub(super) struct Sound {
    pub(super) template: Template,
    pub(super) warnings: Vec<Diagnostic>,
    config: SdkConfig,
    providers: Providers,
    packager: Arc<Packager>,
}

/// What a template wants besides AWS.
#[derive(Clone, Copy, Default)]
pub(super) struct Needs {
    /// A function that is built here.
    pub(super) build: bool,
    /// TMDb and its key.
    pub(super) crawl: bool,
}

impl Sound {
    /// Makes no call.
    ///
    /// # Errors
    /// None that [`sound`] has not told.
    pub(super) fn needs(&self, run: &Run) -> Result<Needs, Failure> {
        let stack = draft(&self.template, run, &self.config, self.providers.clone());
        Ok(Needs { build: self.packager.builds(&stack), crawl: Crawl::open(&stack, &self.config).is_ok() })
    }
}

/// Reads the template and checks it by its types' schemas and by the rules, and for [`Purpose::Plan`] its code. Asks at most
/// for the schemas of types that have no provider of their own.
///
/// # Errors
/// All of its problems in one go.
pub(super) async fn sound(run: &Run, purpose: Purpose) -> Result<Sound, Failure> {
    let template = Template::draft(&run.settings.template)?;
    let config = aws::configuration(&run.settings).await;
    let packager = Arc::new(Packager::new(&run.settings.template, Arc::clone(&run.ui)));
    let providers = providers::all(&config, Arc::clone(&packager) as Arc<dyn Artifacts>);
    let mut stack = draft(&template, run, &config, providers.clone());
    let providers = with_other_types(providers, &stack.bound, run, &config);
    let providers = match interrupt::until(&run.interrupt, providers).await {
        // Where AWS does not tell the types' schemas, what is wrong without them is told.
        Err(Failure::Aws { .. }) if !stack.bound.problems().is_empty() => {
            return Err(template.diagnostics(stack.bound.problems().to_vec()).into());
        }
        providers => providers?,
    };
    stack.providers = providers.clone();
    let unfit = if purpose == Purpose::Plan { packager.check(&stack).await } else { Vec::new() };
    let warnings = match rules::check(&stack) {
        Ok(warnings) if unfit.is_empty() => warnings,
        Ok(warnings) => {
            warn(run, &template, warnings);
            return Err(template.diagnostics(unfit).into());
        }
        Err(mut problems) => {
            problems.extend(unfit);
            return Err(problems.into());
        }
    };
    Ok(Sound { template, warnings, config, providers, packager })
}

/// The providers, and one of each other type that the template uses, over Cloud Control.
async fn with_other_types(
    providers: Providers,
    bound: &Bound<'_>,
    run: &Run,
    config: &SdkConfig,
) -> Result<Providers, Failure> {
    let own: Vec<String> = providers.iter().map(|provider| provider.schema().type_name.clone()).collect();
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let used: BTreeSet<&str> = bound.resources().map(|declared| declared.type_name.as_str()).collect();
    let others = used.into_iter().filter(|name| !own.contains(name));
    let found = providers::OtherTypes::look_up(config, &run.settings.cache, others, &own).await;
    let found = found.map_err(|error| Failure::aws("the template's types", error))?;
    Ok(providers
        .with(found.providers)
        .with_left_behind(found.left_behind)
        .with_keeping(found.keeping)
        .with_refused(found.refused))
}

/// The stack as it is checked before AWS says whose the credentials are, with all that is wrong. Nothing is decided by the
/// account that stands in for the true one, nor by a region that nobody has named.
fn draft<'t>(template: &'t Template, run: &Run, config: &SdkConfig, providers: Providers) -> Stack<'t> {
    let mut guessed = vec!["AWS::AccountId", "AWS::StackId"];
    if config.region().is_none() {
        guessed.extend(["AWS::Region", "AWS::Partition", "AWS::URLSuffix"]);
    }
    let region = config.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string);
    let partition = account::partition_of(&region).to_owned();
    let scope = Scope { stack: run.settings.stack.clone(), account: "0".repeat(12), region, partition };
    let bound = template.bind_draft(&given(template, run), &Pseudo { guessed, ..pseudo(&scope) });
    run.ui.hide(bound.secrets());
    Stack { scope, bound, providers }
}

fn warn(run: &Run, template: &Template, warnings: Vec<Diagnostic>) {
    for warning in warnings {
        run.ui.warn(&template.diagnostics(vec![warning]).to_string());
    }
}

async fn connect_with(run: &Run, config: SdkConfig) -> Result<Aws, Failure> {
    let aws = interrupt::until(&run.interrupt, Aws::connect(&run.settings, config)).await?;
    let Scope { stack, account, region, .. } = &aws.scope;
    run.ui.note(&format!("stack {stack} in account {account}, {region}"));
    Ok(aws)
}

/// The template with the run's parameters.
///
/// # Errors
/// Parameters that the template does not take.
pub fn bind<'t>(template: &'t Template, run: &Run, scope: &Scope) -> Result<Bound<'t>, Failure> {
    let bound = template.bind(&given(template, run), &pseudo(scope))?;
    run.ui.hide(bound.secrets());
    Ok(bound)
}

fn given(template: &Template, run: &Run) -> BTreeMap<String, String> {
    run.settings.parameters(|name| template.parameters().contains_key(name)).into_iter().collect()
}

fn pseudo(scope: &Scope) -> Pseudo {
    Pseudo {
        account_id: scope.account.clone(),
        region: scope.region.clone(),
        partition: scope.partition.clone(),
        stack_name: scope.stack.clone(),
        url_suffix: account::url_suffix(&scope.partition).into(),
        guessed: Vec::new(),
    }
}
