//! A create call that is answered with "exists already".

use crate::engine::{Limit, Observed, Poll, Progress, Provider, ProviderError, Resource, diff, poll_until, tag};

/// Fine where what exists is this stack's own: an earlier run was cut off after the call, or another run of the same stack
/// was faster (E9, E14). It is brought to what the template says.
pub(super) async fn take_over(
    provider: &dyn Provider,
    resource: &Resource,
    progress: &Progress,
) -> Result<Observed, ProviderError> {
    let condition = "what exists already to be readable";
    let existing = poll_until(condition, Limit::seconds(60), progress, || async {
        Ok(match provider.read(resource).await? {
            Some(existing) => Poll::Ready(existing),
            None => Poll::Pending("AWS says that it exists, and that it does not".into()),
        })
    })
    .await?;
    if !is_same_stacks(resource, &existing) {
        return Err(ProviderError::refused(
            format!("{} was made by someone else in the meantime and is not this stack's", resource.physical_id),
            "take it over with --adopt, or give another name",
        ));
    }
    let differences = diff(resource, &existing, provider.schema());
    if differences.is_empty() {
        return Ok(existing);
    }
    provider.update(resource, &existing, &differences, progress).await
}

fn is_same_stacks(resource: &Resource, existing: &Observed) -> bool {
    let same = |key| existing.tags.contains_key(key) && existing.tags.get(key) == resource.tags.get(key);
    same(tag::STACK) && same(tag::REGION)
}
