//! The fault proxy as a program, for looking at what a client calls: prints its address, then each call when it is answered.

#![allow(clippy::print_stdout, reason = "its address and the calls are its output")]

use std::{io, thread, time::Duration};

use clap::Parser;
use testkit::{FaultProxy, fault_proxy::Rule};

/// A proxy between an AWS client and the emulator that shows every call.
#[derive(Parser)]
struct Args {
    /// The emulator
    #[arg(long, default_value = "http://127.0.0.1:4566")]
    endpoint: String,
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Milliseconds that each call is held
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let proxy = FaultProxy::start_on(args.port, &args.endpoint)?;
    proxy.rule(Rule::on("*", "*").latency(Duration::from_millis(args.latency_ms)));
    println!("{}", proxy.url());
    let mut shown = 0;
    loop {
        let calls = proxy.calls();
        // In the order they came: a call that is under way holds back those after it.
        for call in calls[shown..].iter().take_while(|call| call.end.is_some()) {
            let took = call.end.unwrap_or_default().saturating_sub(call.begin);
            println!(
                "{:>7} ms  {} {} {} {}  {} ms",
                call.begin.as_millis(),
                call.service,
                call.operation,
                call.resource,
                call.status,
                took.as_millis()
            );
            shown += 1;
        }
        thread::sleep(Duration::from_millis(100));
    }
}
