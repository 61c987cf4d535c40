//! What the exit code of `provision` says. The README's table is this file.

/// Done; also when the reader of a pipe has gone.
pub const DONE: u8 = 0;
/// Failed, wholly or in part; the same command goes on from where it stopped.
pub const FAILED: u8 = 1;
/// The command line, the configuration or the template is wrong, or a yes is needed and there is no terminal.
pub const USAGE: u8 = 2;
/// `--exit-code` found a difference (`plan`) or something unhealthy (`status`); `doctor` found something unhealthy.
pub const DIFFERENT: u8 = 3;
/// Credentials or a permission are missing.
pub const DENIED: u8 = 4;
/// Something of that name exists and is not ours.
pub const NOT_OURS: u8 = 5;
/// Interrupted by Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// The table at the end of `--help`.
pub const HELP: &str = "\
Exit codes:
  0    done
  1    failed, wholly or in part; the same command goes on from there
  2    command line, configuration or template is wrong; or a yes is needed and there is no terminal
  3    --exit-code found a difference (plan) or something unhealthy (status); doctor did
  4    credentials or a permission are missing
  5    something of that name exists and is not ours
  130  interrupted";
