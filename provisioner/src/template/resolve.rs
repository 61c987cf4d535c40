//! A resource's properties with every function evaluated, and where each of them was written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::diagnostics::{Diagnostic, Position};
use super::dynamic::{self, DynamicReference};
use super::intrinsics::{Evaluated, Expression, Kind, Outcome, Scope};
use super::pointer::{pointer_to, property_path};

/// What other resources give; asked for while properties are resolved.
pub trait Attributes {
    /// What a reference to a resource gives: `name` is `Ref`, or the name of an attribute of `Fn::GetAtt`.
    fn attribute(&self, logical_id: &str, name: &str) -> Attribute;
}

/// What a reference gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// The value is known now.
    Known(Value),
    /// The value is known once the resource has been made.
    AfterApply,
    /// The resource's type has no such attribute.
    NoSuch {
        /// The attributes that it has.
        known: Vec<String>,
    },
}

/// The properties of a resource. All JSON pointers begin at the properties: `/Tags/0/Key`.
#[derive(Clone, PartialEq, Default)]
pub struct Resolved {
    /// The properties; what was `AWS::NoValue` is left out, a value known only after apply is null.
    pub properties: Value,
    /// The pointers of the values known only after apply, and what gives each, as `Mapping.Id`. Nothing gives one that is
    /// wrong, or that hangs on a guess.
    pub after_apply: BTreeMap<String, String>,
    /// The pointers of the values that a NoEcho parameter is part of.
    pub secret: BTreeSet<String>,
    /// Where the key of each property stands; for an item of a list, where the item stands.
    pub positions: BTreeMap<String, Position>,
    /// The dynamic references in the values, still unresolved.
    pub dynamic: Vec<DynamicReference>,
}

impl fmt::Debug for Resolved {
    /// Leaves the properties out where a secret is among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Resolved");
        if self.secret.is_empty() {
            shown.field("properties", &self.properties).field("dynamic", &self.dynamic);
        }
        shown.field("after_apply", &self.after_apply).field("secret", &self.secret).finish_non_exhaustive()
    }
}

impl Resolved {
    /// The place of the key at a pointer; for what a function gave, and for what is missing, that of the nearest thing above.
    pub fn position(&self, pointer: &str) -> Option<Position> {
        ancestors(pointer).find_map(|above| self.positions.get(above).copied())
    }

    /// A problem with the property at a pointer of the resource `logical_id`, at the property's key.
    pub fn diagnostic(&self, logical_id: &str, pointer: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(property_path(logical_id, pointer), message).at(self.position(pointer))
    }
}

/// The problem of a use of a resource whose condition is false.
pub(super) fn not_made(name: &str, at: Position, path: String) -> Diagnostic {
    Diagnostic::new(path, format!("'{name}' is used here, but it is not made: its condition is false"))
        .at(at)
        .help("use it inside Fn::If with the same condition")
}

/// The pointer itself and those above it, up to the empty one.
fn ancestors(pointer: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(pointer), |pointer| pointer.rfind('/').map(|slash| &pointer[..slash]))
}

/// The properties of a resource, as far as they are sound, and all problems in one go.
pub(super) fn resolve(logical_id: &str, properties: &Expression, scope: &Scope<'_>) -> (Resolved, Vec<Diagnostic>) {
    let mut placing = Placing { logical_id, scope, resolved: Resolved::default(), problems: Vec::new() };
    let value = placing.place(properties, "", properties.position);
    placing.resolved.properties = value.unwrap_or_default();
    (placing.resolved, placing.problems)
}

struct Placing<'a, 's> {
    logical_id: &'a str,
    scope: &'a Scope<'s>,
    resolved: Resolved,
    problems: Vec<Diagnostic>,
}

impl Placing<'_, '_> {
    /// The value at a pointer whose key stands at `key`; none where it is `AWS::NoValue`.
    fn place(&mut self, expression: &Expression, pointer: &str, key: Position) -> Option<Value> {
        if let Kind::If { .. } = expression.kind {
            return match self.scope.chosen(expression) {
                Ok(branch) => self.place(branch?, pointer, key),
                Err(problem) => self.failed(problem, pointer),
            };
        }
        let value = match &expression.kind {
            Kind::List(items) => Some(self.list(items, pointer)),
            Kind::Object(entries) => {
                let mut object = serde_json::Map::new();
                for (key, expression) in entries {
                    let inner = pointer_to(pointer, &key.text);
                    if let Some(value) = self.place(expression, &inner, key.position) {
                        object.insert(key.text.clone(), value);
                    }
                }
                Some(Value::Object(object))
            }
            _ => match self.scope.evaluate(expression) {
                Ok(evaluated) => self.leaf(evaluated, expression, pointer),
                Err(problem) => self.failed(problem, pointer),
            },
        };
        if value.is_some() {
            self.resolved.positions.insert(pointer.to_owned(), key);
        }
        value
    }

    fn list(&mut self, items: &[Expression], pointer: &str) -> Value {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            let inner = format!("{pointer}/{}", values.len());
            values.extend(self.place(item, &inner, item.position));
        }
        Value::Array(values)
    }

    fn leaf(&mut self, evaluated: Evaluated, expression: &Expression, pointer: &str) -> Option<Value> {
        if evaluated.secret {
            self.resolved.secret.insert(pointer.to_owned());
        }
        match evaluated.outcome {
            Outcome::Nothing => None,
            Outcome::AfterApply(source) => {
                self.resolved.after_apply.insert(pointer.to_owned(), source);
                Some(Value::Null)
            }
            Outcome::Known(value) => {
                self.dynamic(&value, expression.position, pointer);
                Some(value)
            }
        }
    }

    /// Notes the dynamic references in a value, which a function may have given as a list.
    fn dynamic(&mut self, value: &Value, at: Position, pointer: &str) {
        match value {
            Value::String(text) => match dynamic::find(text, pointer) {
                Ok(found) => self.resolved.dynamic.extend(found),
                Err((message, help)) => {
                    let path = property_path(self.logical_id, pointer);
                    self.problems.push(Diagnostic::new(path, message).at(at).help(help));
                }
            },
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.dynamic(item, at, &format!("{pointer}/{index}"));
                }
            }
            _ => {}
        }
    }

    /// A value that cannot be told stands as one that is known only after apply.
    fn failed(&mut self, problem: Option<Diagnostic>, pointer: &str) -> Option<Value> {
        let path = property_path(self.logical_id, pointer);
        self.problems.extend(problem.map(|problem| Diagnostic { path, ..problem }));
        self.resolved.after_apply.insert(pointer.to_owned(), String::new());
        Some(Value::Null)
    }
}
