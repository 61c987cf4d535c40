//! A template's resources as the rules look at them: by type, by what refers to what, by number.

use serde_json::Value;

use crate::engine::{Absent, Resource, Stack, whole_number};
use crate::template::Diagnostic;

pub(super) const FUNCTION: &str = "AWS::Lambda::Function";
pub(super) const MAPPING: &str = "AWS::Lambda::EventSourceMapping";
pub(super) const QUEUE: &str = "AWS::SQS::Queue";

/// The resources that are sound by themselves.
pub(super) struct View<'a> {
    pub(super) stack: &'a Stack<'a>,
    pub(super) resources: &'a [Resource],
}

/// A mapping from a queue, with both its ends where the template has them.
pub(super) struct Feed<'a> {
    pub(super) mapping: &'a Resource,
    pub(super) queue: Option<&'a Resource>,
    pub(super) function: Option<&'a Resource>,
}

impl<'a> View<'a> {
    pub(super) fn of_type(&self, type_name: &'static str) -> impl Iterator<Item = &'a Resource> {
        self.resources.iter().filter(move |resource| resource.type_name == type_name)
    }

    /// Every mapping from a queue; those from streams have other rules.
    pub(super) fn feeds(&self) -> impl Iterator<Item = Feed<'a>> {
        self.of_type(MAPPING).filter_map(|mapping| {
            let source = text(mapping, "/EventSourceArn").filter(|arn| arn.contains(":sqs:"))?;
            let function = text(mapping, "/FunctionName").and_then(|name| self.function(name));
            Some(Feed { mapping, queue: self.queue(source), function })
        })
    }

    /// The queue of an ARN.
    pub(super) fn queue(&self, arn: &str) -> Option<&'a Resource> {
        self.of_type(QUEUE).find(|queue| queue.attributes.get("Arn").and_then(Value::as_str) == Some(arn))
    }

    /// The function of a name or ARN, with or without a version.
    fn function(&self, name: &str) -> Option<&'a Resource> {
        let name = name.rsplit_once(":function:").map_or(name, |(_, name)| name);
        let name = name.split(':').next().unwrap_or_default();
        self.of_type(FUNCTION).find(|function| function.physical_id == name)
    }

    /// A number as the template gives it, else AWS's default; none where it is known only after apply.
    pub(super) fn number(&self, resource: &Resource, property: &str) -> Option<i64> {
        match resource.properties.get(property) {
            Some(value) => whole_number(value),
            None => {
                let provider = self.stack.providers.get(&resource.type_name)?;
                match &provider.schema().property(property)?.absent {
                    Absent::Default(value) => whole_number(value),
                    Absent::Removed | Absent::Ignored => None,
                }
            }
        }
    }

    /// A problem under an edge's number, at the property of a JSON pointer.
    pub(super) fn problem(&self, resource: &Resource, pointer: &str, edge: &'static str, said: Said) -> Diagnostic {
        self.stack.problem(resource, pointer, said.what).help(said.help).edge(edge)
    }
}

/// What is wrong, and what to do about it.
pub(super) struct Said {
    pub(super) what: String,
    pub(super) help: String,
}

/// A text in a resource's properties.
pub(super) fn text<'r>(resource: &'r Resource, pointer: &str) -> Option<&'r str> {
    resource.properties.pointer(pointer).and_then(Value::as_str)
}

/// The whole number at a JSON pointer.
pub(super) fn integer_at(resource: &Resource, pointer: &str) -> Option<i64> {
    resource.properties.pointer(pointer).and_then(whole_number)
}
