//! Plan, apply and destroy over [`Provider`]s.
//!
//! The engine knows resources by name, type and properties in CloudFormation's own terms; it knows no AWS service and
//! imports no AWS client.

mod error;
mod event;
mod provider;
mod schema;
mod scope;
mod wait;

pub use error::ProviderError;
pub use event::{Action, Event, Observer, Progress};
pub use provider::{DeleteOptions, Difference, Observed, Permissions, Provider, Resource, State};
pub use schema::{Absent, OnChange, Property, Schema, Shape};
pub use scope::{Scope, tag};
pub use wait::{Limit, Poll, poll_until, retry_until};
