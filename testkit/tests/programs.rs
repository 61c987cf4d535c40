//! The programs say what they are and refuse what they do not know, before they begin.

use std::process::Command;

#[test]
fn a_program_tells_its_help_and_refuses_what_it_does_not_know() {
    let programs = [env!("CARGO_BIN_EXE_demo"), env!("CARGO_BIN_EXE_bench")];
    for program in programs.into_iter().chain([env!("CARGO_BIN_EXE_tmdb-stand-in"), env!("CARGO_BIN_EXE_fault-proxy")])
    {
        let told = |argument: &str| Command::new(program).arg(argument).output().expect("it starts");
        let help = told("--help");
        assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("Usage: "), "{help:?}");
        let refused = told("nothing-that-is-known");
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    }
}
