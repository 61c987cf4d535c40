//! `provision` makes what a CloudFormation template says exist, by calling the services directly.
//!
//! Each uses what its arrow leads to: commands → providers → engine → template, and commands → fleet → providers.
#![deny(missing_docs)]

pub mod account;
pub mod aws;
pub mod cli;
pub mod commands;
pub mod config;
mod digest;
pub mod engine;
pub mod error;
pub mod exit;
pub mod explain;
pub mod fleet;
pub mod interrupt;
pub mod package;
pub mod policy;
pub mod providers;
pub mod rules;
pub mod template;
pub mod ui;
