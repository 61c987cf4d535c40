//! Who calls AWS, where and how: one configuration for all clients, and the caller's account, asked for first (E4).

use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};

use crate::account;
use crate::config::{Profile, Settings};
use crate::engine::{ProviderError, Scope};
use crate::error::Failure;
use crate::providers::{failed, own_endpoint, s3_client};
use crate::rules::Quota;

/// Without a network a command fails in seconds, not minutes.
const CONNECT: Duration = Duration::from_secs(3);
/// The longest that one answer may take: a 50 MB zip on a slow line.
const ATTEMPT: Duration = Duration::from_secs(300);

/// AWS as one run sees it.
#[derive(Clone, Debug)]
pub struct Aws {
    /// For every client.
    pub config: SdkConfig,
    /// Where the stack lives.
    pub scope: Scope,
    /// The ARN of who calls.
    pub caller: String,
}

impl Aws {
    /// Asks AWS whose the configuration's credentials are.
    ///
    /// # Errors
    /// No region, no usable credentials, no network, or another account than `account =` allows.
    pub async fn connect(settings: &Settings, config: SdkConfig) -> Result<Self, Failure> {
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(no_region(settings));
        };
        let (account, partition, caller) = caller(&config).await.map_err(|error| uncalled(settings, error))?;
        if let Some(wanted) = settings.account.as_ref().filter(|wanted| **wanted != account) {
            return Err(Failure::WrongAccount { found: account, wanted: wanted.clone() });
        }
        Ok(Self { config, scope: Scope { stack: settings.stack.clone(), account, region, partition }, caller })
    }

    /// How many functions may run at once here; none where the caller may not ask, as it is wanted for warnings only.
    pub async fn lambda_quota(&self) -> Option<Quota> {
        let asked = aws_sdk_lambda::Client::new(&self.config).get_account_settings().send().await;
        let settings = asked.inspect_err(|error| tracing::debug!("lambda:GetAccountSettings: {error}")).ok()?;
        let limit = settings.account_limit()?;
        let unreserved = limit.unreserved_concurrent_executions().map(i64::from);
        Some(Quota { limit: limit.concurrent_executions().into(), unreserved: unreserved? })
    }

    /// How many objects a bucket has, all pages of its listing counted.
    ///
    /// # Errors
    /// A listing that failed.
    pub async fn count_objects(&self, bucket: &str) -> Result<u64, ProviderError> {
        let mut pages = s3_client(&self.config).list_objects_v2().bucket(bucket).into_paginator().send();
        let mut count = 0;
        while let Some(page) = pages.next().await {
            count += page.map_err(failed("s3:ListObjectsV2"))?.contents().len() as u64;
        }
        Ok(count)
    }
}

/// No region is told; a profile that is named may have none, or not be there.
fn no_region(settings: &Settings) -> Failure {
    let (which, first) = match &settings.profile {
        Some(Profile { name, .. }) => (format!("profile {name}"), "check its name in ~/.aws/config, "),
        None => (format!("stack {}", settings.stack), ""),
    };
    Failure::usage("no region is set", which)
        .help(format!("{first}give --region eu-central-1, set AWS_REGION, or write `region =` into provision.toml"))
}

/// Why AWS did not say who calls.
fn uncalled(settings: &Settings, error: ProviderError) -> Failure {
    match (&settings.profile, error) {
        (Some(Profile { name, .. }), error @ ProviderError::Credentials { .. }) => {
            Failure::Profile { name: name.clone(), error }
        }
        (_, error) => Failure::aws("the caller's identity", error),
    }
}

/// The configuration of every client: region, profile, endpoint, timeouts. Makes no call to a service.
pub async fn configuration(settings: &Settings) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .timeout_config(timeouts);
    if let Ok(name) = AppName::new(concat!("provision-", env!("CARGO_PKG_VERSION"))) {
        loader = loader.app_name(name);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(Profile { name, by_flag }) = &settings.profile {
        loader = loader.profile_name(name);
        if *by_flag {
            // As the AWS CLI does: a profile that is named now goes before credentials that stand in the environment.
            loader = loader.credentials_provider(ProfileFileCredentialsProvider::builder().profile_name(name).build());
        }
    }
    loader.load().await
}

/// Where AWS tells the time without being asked who calls; none without a region.
pub async fn sts_url(settings: &Settings) -> Option<String> {
    let config = configuration(settings).await;
    let own = own_endpoint(&config, "STS");
    own.or_else(|| config.region().map(|region| sts_of(region.as_ref())))
}

fn sts_of(region: &str) -> String {
    format!("https://sts.{region}.{}", account::url_suffix(account::partition_of(region)))
}

/// Account and partition of the credentials, and the ARN of whose they are.
async fn caller(config: &SdkConfig) -> Result<(String, String, String), ProviderError> {
    let operation = "sts:GetCallerIdentity";
    let identity = aws_sdk_sts::Client::new(config).get_caller_identity().send().await.map_err(failed(operation))?;
    let incomplete = || ProviderError::refused(format!("{operation} told no account"), "check --endpoint-url");
    let account = identity.account().ok_or_else(incomplete)?.to_owned();
    let arn = identity.arn().unwrap_or_default().to_owned();
    let partition = arn.split(':').nth(1).unwrap_or("aws").to_owned();
    Ok((account, partition, arn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_asked_at_the_partition_s_own_host() {
        assert_eq!(sts_of("eu-central-1"), "https://sts.eu-central-1.amazonaws.com");
        assert_eq!(sts_of("cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn");
    }
}
