//! AWS as a Lambda function meets it: region, credentials and, for an emulator, the endpoint stand in the environment.
//!
//! Not the whole chain of aws-config, whose profiles, single sign-on and instance metadata no function ever meets: a cold start would
//! carry them, and read files that are not there.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_s3::config::SharedCredentialsProvider;

/// A connection that takes longer than this does not come.
const CONNECT: Duration = Duration::from_secs(3);

/// The configuration of every AWS client; `get` reads the environment.
pub fn config(get: impl Fn(&str) -> Option<String>) -> SdkConfig {
    let present = |name| get(name).filter(|value| !value.is_empty());
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(present("AWS_REGION").map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::standard())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build());
    config.set_endpoint_url(present("AWS_ENDPOINT_URL"));
    config.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_and_endpoint_are_the_environment_s() {
        let set = config(|name| match name {
            "AWS_REGION" => Some("eu-central-1".to_owned()),
            "AWS_ENDPOINT_URL" => Some("http://127.0.0.1:4566".to_owned()),
            _ => None,
        });
        assert_eq!(set.region().map(Region::as_ref), Some("eu-central-1"));
        assert_eq!(set.endpoint_url(), Some("http://127.0.0.1:4566"));
        assert_eq!(config(|_| Some(String::new())).endpoint_url(), None, "set to nothing is not set");
    }
}
