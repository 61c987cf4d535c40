//! The real bootstrap on the emulator, fed by a real queue, asking the stand-in for TMDb.
//!
//! `deliveries`: what becomes of each kind of message. `chaos`: all that can go wrong, at once. `rate`: how fast a whole fleet asks.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod chaos;
mod deliveries;
mod rate;
mod stack;
