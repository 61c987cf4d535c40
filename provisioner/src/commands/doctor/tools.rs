//! Whether a function can be built here.

use crate::error::Failure;
use crate::package::toolchain;
use crate::ui::doctor::Check;

pub(super) async fn look() -> Vec<Check> {
    let mut checks = Vec::new();
    for tool in toolchain() {
        let version = tool.version().await.map_err(|why| Failure::failed(why, "").help(tool.help));
        checks.push(Check::new(tool.name, version));
    }
    checks
}
