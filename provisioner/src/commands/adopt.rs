//! What `--adopt` says of what a live CloudFormation stack owns.

use super::Run;
use crate::engine::Plan;

/// Two owners of one resource do not go together: tells how to retire the CloudFormation stack and keep what it made.
pub(super) fn warn_of_cloudformation(run: &Run, plan: &Plan) {
    for (stack, owned) in plan.cloudformation_stacks() {
        run.ui.warn(&format!(
            "{} belong to the CloudFormation stack {stack}, which would change or delete them again. To retire it and keep them: \
             write `DeletionPolicy: Retain` at each of its resources, deploy that with CloudFormation once more, then \
             `aws cloudformation delete-stack --stack-name {stack}`",
            owned.join(", ")
        ));
    }
}
