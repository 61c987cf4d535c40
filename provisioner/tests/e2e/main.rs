//! The built `provision` binary against real parts: the AWS emulator, the function's real zip, the TMDb stand-in, real films.
//!
//! `main_job`: the whole crawl, read back by another tool. `converge`: up again, killed, down. `failures`: what goes wrong and what is
//! said of it. `launches`: again, for what failed or is old. `dead_letters`: what could not be done. `pauses`: a fleet that stands still. `cloudformation`: the same template deployed
//! by AWS's own tool. `lake_forms`: objects of old, and few large files. `lake_given`: a bucket that is used and never owned. `readme`: its commands, line by line.
//! `secret`: the key stands in SSM and nowhere else.
//! `examples`: templates that have nothing to do with the crawler.
//! `chain`: how many calls and rounds. `killed`: SIGKILL at any call. `interrupted`: Ctrl-C, and runs side by side.
//! `policy`: each command under its least policy.

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
