//! Test parts: what the tests and the demo run against instead of AWS and TMDb, and the input they read. Never shipped.
//!
//! Everything here listens on a free port of 127.0.0.1 and stops when its value is dropped, so that tests run in parallel without
//! meeting. Nothing here knows the crawler or the provisioner: they are tried from outside, as their users meet them.

#![deny(missing_docs)]

pub mod emulator;
pub mod fault_proxy;
pub mod file_server;
pub mod provision;
pub mod reader;
mod seed;
mod server;
pub mod stand_in;
pub mod titles;

pub use emulator::Emulator;
pub use fault_proxy::FaultProxy;
pub use provision::Provision;
pub use seed::Dice;
pub use stand_in::StandIn;
