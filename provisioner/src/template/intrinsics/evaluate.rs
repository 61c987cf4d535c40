//! Expressions to values, given parameters, conditions, and what other resources give.
//!
//! Four things travel with a value: whether it is known before apply, whether a NoEcho parameter touched it, whether it is
//! `AWS::NoValue`, which takes its place away, and whether it is a guess, on which nothing may be decided.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::Value;

use super::{Expression, FindInMap, Kind, SubPart};
use crate::template::diagnostics::{Diagnostic, Position};
use crate::template::dynamic;
use crate::template::mappings::Mappings;
use crate::template::node::Key;
use crate::template::parameters::Values;
use crate::template::pseudo::{Pseudo, PseudoValue};
use crate::template::resolve::{Attribute, Attributes};
use crate::template::text::suggest;

/// What an expression gives.
#[derive(Clone, PartialEq)]
pub(in crate::template) struct Evaluated {
    pub outcome: Outcome,
    /// A NoEcho parameter is part of it.
    pub secret: bool,
    /// A pseudo parameter that only stands in for the true one is part of it.
    pub guessed: bool,
}

#[derive(Clone, PartialEq)]
pub(in crate::template) enum Outcome {
    Known(Value),
    /// Known only after apply; named by what gives it, as `Mapping.Id`.
    AfterApply(String),
    /// `AWS::NoValue`.
    Nothing,
}

/// Everything that a value can depend on.
pub(in crate::template) struct Scope<'a> {
    pub parameters: &'a Values,
    pub pseudo: &'a Pseudo,
    pub mappings: &'a Mappings,
    pub conditions: &'a BTreeMap<String, bool>,
    pub attributes: &'a dyn Attributes,
    /// The resources that are made, with their types.
    pub live: &'a dyn Fn(&str) -> Option<&'a str>,
}

/// A value, or a problem whose path the caller knows; none where it is told already, or hangs on a guess.
pub(in crate::template) type Result<T> = std::result::Result<T, Option<Diagnostic>>;

fn problem(at: Position, message: impl Into<String>, help: impl Into<String>) -> Option<Diagnostic> {
    Some(Diagnostic::new("", message).at(at).help(help))
}

impl Evaluated {
    fn known(value: impl Into<Value>) -> Self {
        Self { outcome: Outcome::Known(value.into()), secret: false, guessed: false }
    }

    /// The same kind of value after `change`, where it is known.
    fn map(self, change: impl FnOnce(Value) -> Result<Value>) -> Result<Self> {
        let outcome = match &self.outcome {
            Outcome::Known(value) => Outcome::Known(change(value.clone())?),
            Outcome::Nothing => Outcome::Known(change(Value::Null)?),
            after @ Outcome::AfterApply(_) => after.clone(),
        };
        Ok(Self { outcome, ..self })
    }
}

impl Scope<'_> {
    /// The value of an expression.
    pub fn evaluate(&self, expression: &Expression) -> Result<Evaluated> {
        let at = expression.position;
        match &expression.kind {
            Kind::Literal(value) => Ok(Evaluated::known(value.clone())),
            Kind::Broken => Err(None),
            Kind::List(items) => self.list(items),
            Kind::Object(entries) => self.object(entries),
            Kind::Ref(name) => self.reference(name, at),
            Kind::GetAtt { resource, attribute } => {
                let name = self.known_text(attribute, "the attribute of Fn::GetAtt")?;
                self.attribute(resource, &name, at)
            }
            Kind::Sub { parts, variables } => self.sub(parts, variables, at),
            Kind::Join { delimiter, list } => self.join(delimiter, list),
            Kind::Split { delimiter, text } => {
                self.evaluate(text)?.map(|value| split(delimiter, &value, text.position))
            }
            Kind::Select { index, list } => self.select(index, list),
            Kind::If { .. } => match self.chosen(expression)? {
                Some(branch) => self.evaluate(branch),
                None => Ok(Evaluated::known(Value::Null)),
            },
            Kind::FindInMap(lookup) => self.find_in_map(lookup, at),
            Kind::Base64(text) => self.evaluate(text)?.map(|value| {
                let text = text_now(&value, text.position, "Fn::Base64")?;
                Ok(base64::engine::general_purpose::STANDARD.encode(text).into())
            }),
        }
    }

    /// The branch of an `Fn::If` that the condition chooses; `None` for any other expression.
    pub fn chosen<'e>(&self, expression: &'e Expression) -> Result<Option<&'e Expression>> {
        let Kind::If { condition, then, otherwise } = &expression.kind else {
            return Ok(None);
        };
        match self.conditions.get(condition) {
            Some(true) => Ok(Some(then)),
            Some(false) => Ok(Some(otherwise)),
            None => Err(None),
        }
    }

    fn list(&self, items: &[Expression]) -> Result<Evaluated> {
        let mut all = Gathered::default();
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            values.extend(all.take(self.evaluate(item)?));
        }
        Ok(all.gives(Value::Array(values)))
    }

    fn object(&self, entries: &[(Key, Expression)]) -> Result<Evaluated> {
        let mut all = Gathered::default();
        let mut values = serde_json::Map::new();
        for (key, expression) in entries {
            if let Some(value) = all.take(self.evaluate(expression)?) {
                values.insert(key.text.clone(), value);
            }
        }
        Ok(all.gives(Value::Object(values)))
    }

    fn reference(&self, name: &str, at: Position) -> Result<Evaluated> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(Evaluated { secret: value.secret, ..Evaluated::known(value.value.clone()) });
        }
        match self.pseudo.value(name) {
            Some(PseudoValue::Is(value)) => {
                Ok(Evaluated { guessed: self.pseudo.guessed.contains(&name), ..Evaluated::known(value) })
            }
            Some(PseudoValue::NoValue) => Ok(Evaluated { outcome: Outcome::Nothing, ..Evaluated::known(Value::Null) }),
            None => self.attribute(name, "Ref", at),
        }
    }

    fn attribute(&self, resource: &str, name: &str, at: Position) -> Result<Evaluated> {
        // An unknown name was told when the template was read, one that is not made when it was bound.
        let type_name = (self.live)(resource).ok_or(None)?;
        let outcome = match self.attributes.attribute(resource, name) {
            Attribute::Known(value) => Outcome::Known(value),
            Attribute::AfterApply => Outcome::AfterApply(format!("{resource}.{name}")),
            Attribute::NoSuch { known } => {
                return Err(problem(
                    at,
                    format!("{type_name} has no attribute '{name}'"),
                    suggest(name, known.iter().map(String::as_str), "attributes of this type"),
                ));
            }
        };
        Ok(Evaluated { outcome, ..Evaluated::known(Value::Null) })
    }

    fn sub(&self, parts: &[SubPart], variables: &[(Key, Expression)], at: Position) -> Result<Evaluated> {
        let mut all = Gathered::default();
        let mut text = String::new();
        for part in parts {
            let (value, at) = match part {
                SubPart::Text(piece) => {
                    text.push_str(piece);
                    continue;
                }
                SubPart::Ref(name, at) => (self.reference(name, *at)?, *at),
                SubPart::GetAtt(resource, attribute, at) => (self.attribute(resource, attribute, *at)?, *at),
                SubPart::Variable(name) => match variables.iter().find(|(key, _)| key.text == *name) {
                    Some((_, value)) => (self.evaluate(value)?, value.position),
                    None => (Evaluated::known(Value::Null), at),
                },
            };
            if let Some(value) = all.take(value) {
                text.push_str(&as_text(&value, at, "Fn::Sub")?);
            }
        }
        Ok(all.gives(text.into()))
    }

    fn join(&self, delimiter: &str, list: &Expression) -> Result<Evaluated> {
        self.evaluate(list)?.map(|value| {
            let values = as_list(value, list.position, "Fn::Join")?;
            let texts: Vec<String> =
                values.iter().map(|value| as_text(value, list.position, "Fn::Join")).collect::<Result<_>>()?;
            Ok(texts.join(delimiter).into())
        })
    }

    fn select(&self, index: &Expression, list: &Expression) -> Result<Evaluated> {
        let text = self.known_text(index, "the index of Fn::Select")?;
        let Ok(number) = text.parse::<usize>() else {
            return Err(problem(
                index.position,
                format!("the index of Fn::Select is '{text}'"),
                "write a number, 0 for the first",
            ));
        };
        // Only the chosen item of a written list matters: the others may be known only after apply.
        if let Kind::List(items) = &list.kind
            && let Some(item) = items.get(number)
        {
            return self.evaluate(item);
        }
        self.evaluate(list)?.map(|value| {
            let mut values = as_list(value, list.position, "Fn::Select")?;
            if number >= values.len() {
                return Err(problem(
                    index.position,
                    format!("Fn::Select asks for item {number} of a list of {}", values.len()),
                    "the first item has the index 0",
                ));
            }
            Ok(values.swap_remove(number))
        })
    }

    fn find_in_map(&self, lookup: &FindInMap, at: Position) -> Result<Evaluated> {
        let map = self.known_text(&lookup.map, "the mapping of Fn::FindInMap")?;
        let first = self.known_text(&lookup.first, "the first key of Fn::FindInMap")?;
        let second = self.known_text(&lookup.second, "the second key of Fn::FindInMap")?;
        match (self.mappings.find(&map, &first, &second), &lookup.default) {
            (Ok(value), _) => Ok(Evaluated::known(value.clone())),
            (Err(_), Some(default)) => self.evaluate(default),
            (Err(missing), None) => Err(Some(missing.at(at))),
        }
    }

    /// The text of an expression that must be known before apply.
    fn known_text(&self, expression: &Expression, what: &str) -> Result<String> {
        let evaluated = self.evaluate(expression)?;
        if evaluated.guessed {
            return Err(None);
        }
        match evaluated.outcome {
            Outcome::Known(value) => text_now(&value, expression.position, what),
            Outcome::AfterApply(source) => Err(problem(
                expression.position,
                format!("{what} is {source}, which is known only after apply"),
                "use a parameter or a text",
            )),
            Outcome::Nothing => {
                Err(problem(expression.position, format!("{what} is AWS::NoValue"), "use a parameter or a text"))
            }
        }
    }
}

/// What the parts of a compound value have in common.
#[derive(Default)]
struct Gathered {
    secret: bool,
    guessed: bool,
    after_apply: Option<String>,
}

impl Gathered {
    /// The value of a part, where it has one.
    fn take(&mut self, part: Evaluated) -> Option<Value> {
        self.secret |= part.secret;
        self.guessed |= part.guessed;
        match part.outcome {
            Outcome::Known(value) => Some(value),
            Outcome::AfterApply(source) => {
                self.after_apply.get_or_insert(source);
                None
            }
            Outcome::Nothing => None,
        }
    }

    /// The whole, unless a part is known only after apply.
    fn gives(self, value: Value) -> Evaluated {
        Evaluated {
            outcome: match self.after_apply {
                Some(source) => Outcome::AfterApply(source),
                None => Outcome::Known(value),
            },
            secret: self.secret,
            guessed: self.guessed,
        }
    }
}

fn split(delimiter: &str, value: &Value, at: Position) -> Result<Value> {
    let text = text_now(value, at, "Fn::Split")?;
    if delimiter.is_empty() {
        return Err(problem(at, "the delimiter of Fn::Split is empty", "write the text to split at"));
    }
    Ok(text.split(delimiter).map(Value::from).collect())
}

/// The same where the text itself counts, and not only its place: one that SSM keeps is not known yet.
fn text_now(value: &Value, at: Position, what: &str) -> Result<String> {
    let text = as_text(value, at, what)?;
    match text.contains(dynamic::OPEN) {
        true => {
            let message = format!("{what} needs a value that is known before apply, but this one is kept in SSM");
            Err(problem(at, message, "make it a parameter of type String"))
        }
        false => Ok(text),
    }
}

fn as_text(value: &Value, at: Position, what: &str) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Array(_) => Err(problem(
            at,
            format!("{what} needs text, but this is a list"),
            "join the list with Fn::Join, or choose an item with Fn::Select",
        )),
        Value::Object(_) => Err(problem(at, format!("{what} needs text, but this is a mapping"), "write text")),
        Value::Null => Err(problem(at, format!("{what} needs text, but this is empty"), "write text")),
    }
}

fn as_list(value: Value, at: Position, what: &str) -> Result<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(problem(
            at,
            format!("{what} needs a list, but this is none"),
            "write [a, b], or use Fn::Split or a parameter of type CommaDelimitedList",
        )),
    }
}
