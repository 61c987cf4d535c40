//! The built `provision` binary against real parts: the AWS emulator, the function's real zip, the TMDb stand-in, real films.
//!
//! `main_job`: the whole crawl, read back by another tool. `lake_forms`: objects of old, and few large files. `lake_given`: a bucket that
//! is used and never owned. `launches`: again, for what failed or is old. `dead_letters`: what could not be done. `pauses`: a fleet that
//! stands still. `secret`: the key stands in SSM and nowhere else.
//! `converge`: up again, killed, down. `killed`: SIGKILL at any call. `interrupted`: Ctrl-C, and runs side by side. `habits`: AWS's, all
//! at once. `failures`: what goes wrong and what is said of it. `chain`: how many calls and rounds. `policy`: each command under its
//! least policy. `cloudformation`: the same template deployed by AWS's own tool. `examples`: templates that have nothing to do with the
//! crawler. `listing`: what an account holds. `readme`: its commands, line by line.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chain;
mod cloudformation;
mod converge;
mod dead_letters;
mod examples;
mod failures;
mod habits;
mod interrupted;
mod killed;
mod lake_forms;
mod lake_given;
mod launches;
mod listing;
mod main_job;
mod pauses;
mod policy;
mod readme;
mod secret;
mod stage;
