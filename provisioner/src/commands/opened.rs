//! What most commands begin with: the template is read, AWS says whose credentials these are, and both make a stack.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_config::SdkConfig;

use super::Run;
use super::crawl::Crawl;
use super::packager::Packager;
use crate::account;
use crate::aws::{self, Aws};
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
                let reading = async { Ok::<_, Failure>(read(&opened, &opened.stack(run)?).await) };
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
    pub async fn plan(&self, run: &Run, stack: &Stack<'_>, adopt: bool) -> Result<Plan, Failure> {
        let quota = async {
            match rules::asks_quota(&stack.declare()?) {
                true => Ok(self.aws.lambda_quota().await),
                false => Ok(None),
            }
        };
        let (mut plan, quota) = futures::try_join!(stack.plan(adopt), quota)?;
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
    let Sound { template, config, providers, packager, warnings } = sound(run).await?;
    if purpose == Purpose::Plan {
        warn(run, &template, warnings);
        let scope = no_account(run, &config);
        let stack = Stack { bound: bind(&template, run, &scope)?, scope, providers: providers.clone() };
        packager.check(&stack).await?;
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
        let scope = no_account(run, &self.config);
        let stack = Stack { bound: bind(&self.template, run, &scope)?, scope, providers: self.providers.clone() };
        Ok(Needs { build: self.packager.builds(&stack), crawl: Crawl::open(&stack, &self.config).is_ok() })
    }
}

/// Reads the template and checks it by its types' schemas and by the rules. Asks at most for the schemas of types that have no
/// provider of their own.
///
/// # Errors
/// All of its problems.
pub(super) async fn sound(run: &Run) -> Result<Sound, Failure> {
    let template = Template::load(&run.settings.template)?;
    let config = aws::configuration(&run.settings).await;
    let packager = Arc::new(Packager::new(&run.settings.template, Arc::clone(&run.ui)));
    let providers = providers::all(&config, Arc::clone(&packager) as Arc<dyn Artifacts>);
    let scope = no_account(run, &config);
    let bound = bind(&template, run, &scope)?;
    let providers = interrupt::until(&run.interrupt, with_other_types(providers, &bound, run, &config)).await?;
    let stack = Stack { bound, scope, providers: providers.clone() };
    let warnings = rules::check(&stack)?;
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
    let refused = bound.resources().filter_map(|declared| {
        let refusal = found.refused.get(&declared.type_name)?;
        let path = format!("Resources.{}.Type", declared.logical_id);
        Some(Diagnostic::new(path, refusal.to_string()).at(declared.type_position).help(refusal.help()))
    });
    let refused: Vec<_> = refused.collect();
    match refused.is_empty() {
        true => Ok(providers.with(found.providers).with_left_behind(found.left_behind)),
        false => Err(bound.template().diagnostics(refused).into()),
    }
}

/// Where the template is checked before AWS says whose the credentials are.
fn no_account(run: &Run, config: &SdkConfig) -> Scope {
    Scope {
        stack: run.settings.stack.clone(),
        account: "0".repeat(12),
        region: config.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string),
        partition: "aws".into(),
    }
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
    let parameters = run.settings.parameters(|name| template.parameters().contains_key(name));
    let url_suffix = if scope.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let pseudo = Pseudo {
        account_id: scope.account.clone(),
        region: scope.region.clone(),
        partition: scope.partition.clone(),
        stack_name: scope.stack.clone(),
        url_suffix: url_suffix.into(),
    };
    let bound = template.bind(&parameters.into_iter().collect(), &pseudo)?;
    run.ui.hide(bound.secrets());
    Ok(bound)
}
