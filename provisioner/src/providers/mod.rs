//! A file a resource type: its CloudFormation properties on one side, the service's API on the other.
//!
//! Owns all use of AWS clients for resources; SDK types never leave this folder. A provider knows no other type, and
//! nothing of templates, plans or the order of changes.

mod artifacts;
mod bucket;
mod bucket_contents;
mod bucket_policy;
mod bucket_settings;
mod claim;
mod clients;
mod cloud_control;
mod errors;
mod event_source_mapping;
mod execution_role;
mod fields;
mod function;
mod function_changes;
mod function_code;
mod function_settings;
mod function_state;
mod inline_policy;
mod lambda_tags;
mod lifecycle;
mod log_group;
mod managed_policy;
mod mapping_found;
mod mapping_settings;
mod names;
mod observed;
mod owned_buckets;
mod owned_policies;
mod owned_roles;
mod parameter;
mod permission;
mod policy_document;
mod policy_holders;
mod queue;
mod queue_policy;
mod role;
mod role_policies;
mod stored_parameters;
mod tagged;
mod tags;
mod transient;

use std::sync::Arc;

use aws_config::SdkConfig;

use self::execution_role::ExecutionRoles;
use crate::engine::{Provider, Providers};

pub use artifacts::{Artifact, Artifacts};
pub use clients::{own_endpoint, s3_client};
pub use cloud_control::OtherTypes;
pub use errors::failed;
pub(crate) use transient::mapping_busy;

/// One provider of each type, all over one configuration. `artifacts` gives functions their code.
pub fn all(config: &SdkConfig, artifacts: Arc<dyn Artifacts>) -> Providers {
    let roles = Arc::new(ExecutionRoles::new(config));
    let providers: Vec<Arc<dyn Provider>> = vec![
        Arc::new(bucket::BucketProvider::new(config)),
        Arc::new(bucket_policy::BucketPolicyProvider::new(config)),
        Arc::new(parameter::ParameterProvider::new(config)),
        Arc::new(permission::PermissionProvider::new(config)),
        Arc::new(queue::QueueProvider::new(config)),
        Arc::new(queue_policy::QueuePolicyProvider::new(config)),
        Arc::new(inline_policy::InlinePolicyProvider::new(config)),
        Arc::new(managed_policy::ManagedPolicyProvider::new(config)),
        Arc::new(role::RoleProvider::new(config, Arc::clone(&roles))),
        Arc::new(log_group::LogGroupProvider::new(config)),
        Arc::new(function::FunctionProvider::new(config, artifacts, roles)),
        Arc::new(event_source_mapping::EventSourceMappingProvider::new(config)),
    ];
    Providers::new(providers).with_parameters(Arc::new(stored_parameters::StoredInSsm::new(config)))
}
