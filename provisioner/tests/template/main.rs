//! The template module through its public face: text in, resources with resolved properties or messages out.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

mod binding;
mod broken;
mod hostile;
mod intrinsics;
mod rules;
mod shipped;
