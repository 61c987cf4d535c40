//! What most commands begin with: the template is read, AWS says whose credentials these are, and both make a stack.

use std::sync::Arc;

use aws_config::SdkConfig;

use super::Run;
use super::packager::Packager;
use crate::aws::{self, Aws};
use crate::engine::{Providers, Scope, Stack};
use crate::error::Failure;
use crate::interrupt;
use crate::providers;
use crate::template::{Bound, Pseudo, Template};

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
        let template = Template::load(&run.settings.template)?;
        let config = aws::configuration(&run.settings).await;
        let packager = Packager::new(&run.settings.template, Arc::clone(&run.ui));
        let providers = providers::all(&config, Arc::new(packager));
        check(&template, run, &config, &providers)?;
        let aws = connect_with(run, config).await?;
        Ok(Self { template, aws, providers })
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

/// Asks AWS who calls, and says it.
///
/// # Errors
/// Whatever keeps AWS from answering, or another account than is allowed.
pub async fn connect(run: &Run) -> Result<Aws, Failure> {
    let config = aws::configuration(&run.settings).await;
    connect_with(run, config).await
}

/// The template against its types' schemas, in an account that need not be known for that.
fn check(template: &Template, run: &Run, config: &SdkConfig, providers: &Providers) -> Result<(), Failure> {
    let scope = Scope {
        stack: run.settings.stack.clone(),
        account: "0".repeat(12),
        region: config.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string),
        partition: "aws".into(),
    };
    let bound = bind(template, run, &scope)?;
    Stack { scope, bound, providers: providers.clone() }.declare()?;
    Ok(())
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
    Ok(template.bind(&parameters.into_iter().collect(), &pseudo)?)
}
