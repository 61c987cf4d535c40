//! Which of AWS's errors pass by themselves, told by their messages where the code means two things (E2).
//!
//! An error that is not listed here is final. Each message stands with the answer that it was taken from.

use crate::engine::ProviderError;

/// A new role is not known to Lambda for some seconds. A wrong trust policy says the same, so the caller must have looked
/// at that first (E7).
pub(super) fn role_not_assumable(error: &ProviderError) -> Option<&'static str> {
    says(error, "InvalidParameterValueException", "cannot be assumed by Lambda").then_some("role not assumable yet")
}

/// A new policy, or a new queue, is not known to Lambda's pollers for some seconds (E8).
pub(super) fn policy_not_applied(error: &ProviderError) -> Option<&'static str> {
    let invalid = |text| says(error, "InvalidParameterValueException", text);
    if invalid("does not have permissions to call") || invalid("ensure the role can perform") {
        return Some("role's policy not in force yet");
    }
    (invalid("NonExistentQueue") || invalid("queue does not exist")).then_some("queue not known to Lambda yet")
}

/// The role of a mapping's function, or what it may do, is not known to Lambda's pollers yet (E7, E8). Lambda has made the function with
/// the role, so that it may be assumed.
pub(super) fn mapping_settling(error: &ProviderError) -> Option<&'static str> {
    policy_not_applied(error).or_else(|| role_not_assumable(error))
}

/// Lambda does not know a function's role yet, or not what its policies allow: a network, dead letters, traces, a key (E7, E8).
pub(super) fn role_settling(error: &ProviderError) -> Option<&'static str> {
    let invalid = |text| says(error, "InvalidParameterValueException", text);
    if invalid("throttled by EC2") {
        return Some("EC2 is too busy to make the function's network interfaces");
    }
    let by_key = invalid("KMS key is invalid for CreateGrant").then_some("role not known to KMS yet");
    by_key.or_else(|| role_not_assumable(error)).or_else(|| policy_not_applied(error))
}

/// A principal of a policy, a new role, is not known to the service yet (E9).
pub(super) fn principal_settling(error: &ProviderError) -> Option<&'static str> {
    let ProviderError::Api { message, .. } = error else { return None };
    let message = message.to_lowercase();
    let told = ["invalid principal", "principal was invalid", "principals are invalid"];
    told.iter().any(|told| message.contains(told)).then_some("a principal of the policy is not known everywhere yet")
}

/// The same for SQS, which does not say what is wrong with a policy; only of a `document` with principals of IAM can it be they.
pub(super) fn queue_policy_settling(error: &ProviderError, document: &str) -> Option<&'static str> {
    let refused =
        error.code().is_some_and(|code| code.ends_with("InvalidAttributeValue")) && document.contains(":iam::");
    refused.then_some("a principal of the policy is not known everywhere yet")
}

/// A function is being made, changed or deleted by an earlier call, its policy included (E14, E15, E16). `ResourceConflictException` also means
/// "already exists", which is final.
pub(super) fn function_busy(error: &ProviderError) -> Option<&'static str> {
    let conflict = |text| says(error, "ResourceConflictException", text);
    if conflict("An update is in progress") || conflict("concurrent update operation") {
        return Some("another update of the function is in progress");
    }
    conflict("currently in the following state").then_some("function is not ready for a change yet")
}

/// A mapping takes no change while an earlier one is under way (E33).
pub(crate) fn mapping_busy(error: &ProviderError) -> Option<&'static str> {
    error.is("ResourceInUseException").then_some("an earlier change of the mapping is in progress")
}

/// S3 is busy with the bucket, or has not heard of it everywhere yet (E9).
pub(super) fn bucket_settling(error: &ProviderError) -> Option<&'static str> {
    bucket_busy(error).or_else(|| error.is("NoSuchBucket").then_some("S3 does not know the new bucket everywhere yet"))
}

/// Two writers met at one bucket, or a bucket of this name was just deleted (E55, E67).
pub(super) fn bucket_busy(error: &ProviderError) -> Option<&'static str> {
    error.is("OperationAborted").then_some("S3 is still busy with an earlier change of the bucket")
}

/// A queue of this name was deleted less than 60 s ago (E43), or its dead-letter queue is so new that SQS does not know it yet (E9).
pub(super) fn queue_settling(error: &ProviderError) -> Option<&'static str> {
    let ProviderError::Api { message, .. } = error else { return None };
    let dead_letters = message.to_lowercase().replace('-', " ").contains("dead letter target does not exist");
    let unknown = dead_letters.then_some("the dead-letter queue is not known to SQS yet");
    unknown.or_else(|| queue_deleted_recently(error))
}

/// A queue of this name was deleted less than 60 s ago (E43).
pub(super) fn queue_deleted_recently(error: &ProviderError) -> Option<&'static str> {
    let code = error.code().unwrap_or_default();
    code.ends_with("QueueDeletedRecently").then_some("a queue of this name was deleted less than 60 s ago")
}

/// Two writers met at one entity of IAM (E14), or it, a principal or a boundary was made so recently that IAM has not heard of it
/// everywhere (E9).
pub(super) fn iam_settling(error: &ProviderError) -> Option<&'static str> {
    if error.is("ConcurrentModification") {
        return Some("IAM is still busy with an earlier change");
    }
    let unknown = error.is("NoSuchEntity").then_some("IAM does not know what is new everywhere yet");
    unknown.or_else(|| principal_settling(error))
}

/// Two writers met at one log group (E14).
pub(super) fn log_group_busy(error: &ProviderError) -> Option<&'static str> {
    error.is("OperationAbortedException").then_some("CloudWatch Logs is still busy with an earlier change")
}

/// Two writers met at one parameter, or the tags of a deleted one of its name are not gone yet (E14, E56). The message may be empty.
pub(super) fn parameter_busy(error: &ProviderError) -> Option<&'static str> {
    error.is("TooManyUpdates").then_some("SSM is still busy with an earlier change of the parameter")
}

/// A public policy is refused for some seconds after the bucket no longer blocks such.
pub(super) fn block_settling(error: &ProviderError) -> Option<&'static str> {
    let denied = matches!(error, ProviderError::Denied { .. });
    denied.then_some("S3 does not know everywhere yet that the bucket takes public policies")
}

fn says(error: &ProviderError, wanted: &str, text: &str) -> bool {
    matches!(error, ProviderError::Api { code, message, .. } if code == wanted && message.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: &str, message: &str) -> ProviderError {
        ProviderError::Api { operation: "test".into(), code: code.into(), message: message.into() }
    }

    type Classifier = fn(&ProviderError) -> Option<&'static str>;

    /// Messages as AWS sends them.
    const RECORDED: [(Classifier, &str, &str); 22] = [
        (
            role_not_assumable,
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        (
            policy_not_applied,
            "InvalidParameterValueException",
            "The provided execution role does not have permissions to call ReceiveMessage on SQS",
        ),
        (
            policy_not_applied,
            "InvalidParameterValueException",
            "Cannot access stream arn:aws:kinesis:x. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream, ListShards, and ListStreams Actions on your stream in IAM.",
        ),
        (
            policy_not_applied,
            "InvalidParameterValueException",
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.",
        ),
        (
            role_settling,
            "InvalidParameterValueException",
            "The provided execution role does not have permissions to call CreateNetworkInterface on EC2",
        ),
        (
            role_settling,
            "InvalidParameterValueException",
            "Lambda was unable to configure access to your environment variables because the KMS key is invalid for CreateGrant. Please check your KMS key settings. KMS Exception: InvalidArnException",
        ),
        (
            role_settling,
            "InvalidParameterValueException",
            "Lambda was unable to configure your function because its requests were throttled by EC2.",
        ),
        (iam_settling, "MalformedPolicyDocument", "Invalid principal in policy: \"AWS\":\"arn:aws:iam::1:role/x\""),
        (
            iam_settling,
            "NoSuchEntity",
            "Scope ARN: arn:aws:iam::1:policy/boundary does not exist or is not attachable.",
        ),
        (principal_settling, "MalformedPolicy", "Invalid principal in policy"),
        (
            principal_settling,
            "InvalidParameterValueException",
            "The provided principal was invalid. Please check the principal and try again.",
        ),
        (bucket_settling, "NoSuchBucket", "The specified bucket does not exist"),
        (
            queue_settling,
            "AWS.SimpleQueueService.NonExistentQueue",
            "Value {} for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.",
        ),
        (
            function_busy,
            "ResourceConflictException",
            "The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:eu-central-1:123456789012:function:films-crawler",
        ),
        (
            function_busy,
            "ResourceConflictException",
            "The operation cannot be performed at this time. The function is currently in the following state: Pending",
        ),
        (
            function_busy,
            "ResourceConflictException",
            "The function could not be updated due to a concurrent update operation.",
        ),
        (mapping_busy, "ResourceInUseException", "Cannot update the event source mapping because it is in use."),
        (
            bucket_busy,
            "OperationAborted",
            "A conflicting conditional operation is currently in progress against this resource. Please try again.",
        ),
        (
            queue_deleted_recently,
            "AWS.SimpleQueueService.QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        ),
        (
            iam_settling,
            "ConcurrentModification",
            "The request was rejected because multiple requests to change this object were submitted simultaneously.",
        ),
        (
            parameter_busy,
            "TooManyUpdates",
            "Failed to create the parameter since stale tags associated to the name detected. Please retry in a while or change a parameter name.",
        ),
        (
            log_group_busy,
            "OperationAbortedException",
            "A conflicting operation is currently in progress against this resource. Please try again.",
        ),
    ];

    #[test]
    fn e2_every_recorded_message_is_waited_out() {
        for (classifier, code, message) in RECORDED {
            assert!(classifier(&answer(code, message)).is_some(), "{code}: {message}");
        }
    }

    #[test]
    fn e2_the_same_code_with_another_message_is_final() {
        let exists = answer("ResourceConflictException", "Function already exist: films-crawler");
        let wrong =
            answer("InvalidParameterValueException", "The runtime parameter of nodejs4.3 is no longer supported");
        for classifier in [role_not_assumable, policy_not_applied, function_busy, mapping_busy] {
            assert_eq!((classifier(&exists), classifier(&wrong)), (None, None));
        }
    }
}
