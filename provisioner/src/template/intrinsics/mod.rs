//! Intrinsic functions: read once into expressions, looked through for the names that they use, evaluated.
//!
//! Owns the functions' syntax and meaning. Knows no resource type: what a resource gives is asked of `Attributes`.

mod evaluate;
mod read;
mod sub;
mod uses;

use serde_json::Value;

pub(super) use evaluate::{Evaluated, Outcome, Result, Scope};
pub(super) use read::Reader;
pub(super) use uses::{Branches, Use};

use super::diagnostics::Position;
use super::node::Key;

/// A value of the template in which every function has been recognised.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    pub position: Position,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// A boolean, a number or text.
    Literal(Value),
    /// What could not be read, and has been told.
    Broken,
    List(Vec<Expression>),
    Object(Vec<(Key, Expression)>),
    /// A parameter, a pseudo parameter or a resource.
    Ref(String),
    GetAtt {
        resource: String,
        attribute: Box<Expression>,
    },
    Sub {
        parts: Vec<SubPart>,
        variables: Vec<(Key, Expression)>,
    },
    Join {
        delimiter: String,
        list: Box<Expression>,
    },
    Split {
        delimiter: String,
        text: Box<Expression>,
    },
    Select {
        index: Box<Expression>,
        list: Box<Expression>,
    },
    If {
        condition: String,
        then: Box<Expression>,
        otherwise: Box<Expression>,
    },
    FindInMap(Box<FindInMap>),
    Base64(Box<Expression>),
}

#[derive(Debug, Clone)]
pub(super) struct FindInMap {
    pub map: Expression,
    pub first: Expression,
    pub second: Expression,
    pub default: Option<Expression>,
}

/// A piece of the text of `Fn::Sub`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SubPart {
    Text(String),
    /// `${Name}`, one of the function's own variables.
    Variable(String),
    /// `${Name}`, as `Ref` would give it.
    Ref(String, Position),
    /// `${Name.Attribute}`, as `Fn::GetAtt` would give it.
    GetAtt(String, String, Position),
}

impl Expression {
    pub fn literal(position: Position, value: Value) -> Self {
        Self { position, kind: Kind::Literal(value) }
    }

    /// The text, where it is written as text and not computed.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Literal(Value::String(text)) => Some(text),
            _ => None,
        }
    }
}
