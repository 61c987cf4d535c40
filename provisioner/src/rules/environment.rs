//! E24: a function's variables have 4 KB together, and some names are Lambda's own.

use serde_json::Value;

use super::Findings;
use super::view::{FUNCTION, Said, View};

/// Bytes of all names and values together.
const LARGEST: usize = 4096;
/// Names that Lambda sets itself and refuses; AWS_LAMBDA_EXEC_WRAPPER and its like are for people to set.
const RESERVED: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    let pointer = "/Environment/Variables";
    for function in view.of_type(FUNCTION) {
        let Some(variables) = function.properties.pointer(pointer).and_then(Value::as_object) else { continue };
        let bytes: usize = variables.iter().map(|(name, value)| name.len() + weight(value)).sum();
        if bytes > LARGEST {
            let said = Said {
                what: format!("the variables have {bytes} bytes together, Lambda takes {LARGEST}"),
                help: "put the long ones into an SSM parameter or an object, and give the function its name".into(),
            };
            findings.errors.push(view.problem(function, pointer, "E24", said));
        }
        for name in variables.keys().filter(|name| RESERVED.contains(&name.as_str())) {
            let said = Said {
                what: format!("{name} is set by Lambda itself, which refuses another value"),
                help: "choose another name".into(),
            };
            findings.errors.push(view.problem(function, &format!("{pointer}/{name}"), "E24", said));
        }
    }
}

fn weight(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::String(text) => text.len(),
        other => other.to_string().len(),
    }
}
