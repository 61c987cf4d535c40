//! Plan, apply and destroy over [`Provider`]s.
//!
//! The engine knows resources by name, type and properties in CloudFormation's own terms; it knows no AWS service and
//! imports no AWS client.

mod apply;
mod canonical;
mod destroy;
mod diff;
mod dynamic;
mod error;
mod event;
mod keepers;
mod plan;
mod provider;
mod puts;
mod remembered;
mod schema;
mod scope;
mod secrets;
mod stack;
mod survey;
mod tag_list;
mod teardown;
mod validate;
mod wait;
mod walk;

pub use apply::Report;
pub use canonical::{canonical, whole_number};
pub use destroy::{DestroyOptions, DestroyPlan, Remaining};
pub use diff::diff;
pub use dynamic::StoredParameters;
pub use error::{EngineError, ProviderError};
pub use event::{Action, Event, Observer, Progress};
pub use keepers::{Keeping, all_kept, given_key, keep_by, keepers, keeping_tag, kept, taggable_arn};
pub use plan::{Change, Late, Plan};
pub use provider::{DeleteOptions, Difference, Grant, Needed, Observed, Permissions, Provider, Put, Resource, State};
pub use remembered::{remember, remember_given, remembered, remembers_all};
pub use schema::{Absent, NOT_GIVEN_BACK, OnChange, Parent, Property, Schema, Shape};
pub use scope::{Scope, tag};
pub use stack::{Look, Providers, Stack};
pub use tag_list::{flag_key, tags_of};
pub use wait::{Limit, Misses, Poll, poll_until, retry_until};
