//! What an account holds, told by AWS's own clients without what is tried here.

use std::collections::BTreeMap;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;

/// Names by kind, sorted.
pub type Listing = BTreeMap<&'static str, Vec<String>>;

/// All that an account holds, in this region.
pub fn listing(endpoint: &str, region: &str) -> Listing {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(endpoint);
        list(&config.load().await).await
    })
}

async fn list(config: &SdkConfig) -> Listing {
    let lambda = aws_sdk_lambda::Client::new(config);
    let buckets = aws_sdk_s3::Client::new(config).list_buckets().send().await.unwrap().buckets.unwrap_or_default();
    let queues = aws_sdk_sqs::Client::new(config).list_queues().send().await.unwrap().queue_urls.unwrap_or_default();
    let roles = aws_sdk_iam::Client::new(config).list_roles().send().await.unwrap().roles;
    let functions = lambda.list_functions().send().await.unwrap().functions.unwrap_or_default();
    let mappings = lambda.list_event_source_mappings().send().await.unwrap().event_source_mappings.unwrap_or_default();
    let groups = aws_sdk_cloudwatchlogs::Client::new(config).describe_log_groups().send().await.unwrap();
    let parameters = aws_sdk_ssm::Client::new(config).describe_parameters().send().await.unwrap();
    let mut listing: Listing = [
        ("buckets", buckets.into_iter().filter_map(|one| one.name).collect()),
        ("queues", queues.iter().filter_map(|url| url.rsplit('/').next().map(str::to_owned)).collect()),
        ("roles", roles.into_iter().map(|one| one.role_name).collect()),
        ("functions", functions.into_iter().filter_map(|one| one.function_name).collect()),
        ("mappings", mappings.into_iter().filter_map(|one| one.event_source_arn).collect()),
        (
            "log groups",
            groups.log_groups.unwrap_or_default().into_iter().filter_map(|one| one.log_group_name).collect(),
        ),
        ("parameters", parameters.parameters.unwrap_or_default().into_iter().filter_map(|one| one.name).collect()),
    ]
    .into();
    listing.values_mut().for_each(|names: &mut Vec<String>| names.sort());
    listing
}

/// Whether there is nothing at all.
pub fn is_empty(listing: &Listing) -> bool {
    listing.values().all(Vec::is_empty)
}
