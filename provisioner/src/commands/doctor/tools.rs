//! Whether a function can be built here.

use super::Check;
use crate::error::Failure;
use crate::package::toolchain;

pub(super) async fn look() -> Vec<Check> {
    let mut checks = Vec::new();
    for tool in toolchain() {
        let version = tool.version().await.map_err(|why| Failure::failed(why, "").help(tool.help));
        checks.push(Check::new(tool.name, version));
    }
    checks
}
