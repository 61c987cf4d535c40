//! Each provider against the emulator: what is missing, what is made, what differs, what is changed, what is gone. `fleet`: what a
//! crawl's commands read of queues and log. `pages`: lists that AWS cuts.
// A helper that fails fails its test.
#![allow(clippy::unwrap_used)]

mod bucket;
mod bucket_policy;
mod cloud_control;
mod dynamic;
mod edges;
mod event_source_mapping;
mod fleet;
mod function;
mod in_process;
mod inline_policy;
mod large_account;
mod log_group;
mod managed_policy;
mod ownership;
mod pages;
mod parameter;
mod permission;
mod putting;
mod queue;
mod queue_policy;
mod random;
mod reference;
mod replacement;
mod role;
mod stage;
mod teardown;
mod two_stacks;
mod untagged;
