//! The section `Conditions`: what is true for the given parameters. Knows no resource: a condition can depend on none.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::diagnostics::{Diagnostic, Position};
use super::dynamic;
use super::graph;
use super::intrinsics::{Branches, Expression, Outcome, Reader, Result, Scope, Use};
use super::node::{Entry, Key, Node};
use super::text::suggest;

const FUNCTIONS: [&str; 5] = ["Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not", "Condition"];

/// The functions that give a value, which a condition can compare.
const VALUES: [&str; 6] = ["Ref", "Fn::FindInMap", "Fn::Sub", "Fn::Join", "Fn::Select", "Fn::Base64"];

/// The conditions of a template by name.
pub(super) type Conditions = IndexMap<String, Condition>;

/// A condition with its place.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub position: Position,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Equals(Box<[Expression; 2]>),
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Named(String, Position),
    /// What could not be read, and has been told.
    Broken,
}

/// Reads the section.
pub(super) fn read(section: &Node, reader: &mut Reader<'_>) -> Conditions {
    let mut conditions = Conditions::new();
    for Entry { key, value } in section.as_map().unwrap_or_default() {
        if reader.refused_by_name(key, "Conditions") {
            continue;
        }
        let path = format!("Conditions.{}", key.text);
        // A condition that cannot be read still has its name, so that its users are not blamed as well.
        let test = Test::read(value, &path, reader).unwrap_or(Test::Broken);
        let position = key.position;
        conditions.insert(key.text.clone(), Condition { position, test });
    }
    conditions
}

/// Whether each condition holds. One of which that cannot be told is left out: it is in a cycle, broken, or hangs on a guess.
pub(super) fn evaluate(
    conditions: &Conditions,
    scope: &Scope<'_>,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<String, bool> {
    let mut values = BTreeMap::new();
    for index in graph::sort(&edges(conditions)).order {
        if let Some((name, condition)) = conditions.get_index(index) {
            match condition.test.evaluate(scope, &values) {
                Ok(value) => drop(values.insert(name.clone(), value)),
                Err(problem) => {
                    let path = format!("Conditions.{name}");
                    problems.extend(problem.map(|problem| Diagnostic { path, ..problem }));
                }
            }
        }
    }
    values
}

/// Which conditions each condition is built on, by index.
pub(super) fn edges(conditions: &Conditions) -> Vec<Vec<usize>> {
    let built_on = |condition: &Condition| {
        let mut names = Vec::new();
        condition.uses(&mut |used, _| {
            if let Use::Condition(name) = used {
                names.extend(conditions.get_index_of(name));
            }
        });
        names
    };
    conditions.values().map(built_on).collect()
}

impl Condition {
    /// Calls `found` with each name that the condition uses, and its place.
    pub fn uses<'a>(&'a self, found: &mut dyn FnMut(Use<'a>, Position)) {
        self.test.uses(found);
    }
}

impl Test {
    fn read(node: &Node, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let Some([Entry { key, value }]) = node.as_map() else {
            let message = format!("a condition is one function, but this is {}", node.kind());
            reader.report(path, node.position, message, "write Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition");
            return None;
        };
        match key.text.as_str() {
            "Fn::Equals" => {
                let [left, right] = reader.arguments(key, value, path, "[value, value]")?;
                let sides = [reader.value(left, path), reader.value(right, path)];
                Some(Self::Equals(Box::new(sides)))
            }
            "Fn::And" => Some(Self::And(Self::several(key, value, path, reader)?)),
            "Fn::Or" => Some(Self::Or(Self::several(key, value, path, reader)?)),
            "Fn::Not" => {
                let [test] = reader.arguments(key, value, path, "[condition]")?;
                Some(Self::Not(Box::new(Self::read(test, path, reader)?)))
            }
            "Condition" => match value.scalar() {
                Some(name) => Some(Self::Named(name, key.position)),
                None => {
                    let message = format!("Condition takes a name, but its argument is {}", value.kind());
                    reader.report(path, value.position, message, "write the name of a condition");
                    None
                }
            },
            other => {
                if !reader.refused_by_name(key, path) {
                    let message = format!("{other} does not say whether something is true");
                    let help = match other {
                        "Fn::If" => "write !If [A, B, C] as !Or [!And [A, B], !And [!Not [A], C]]".to_owned(),
                        _ if VALUES.contains(&other) => "compare the value: Fn::Equals: [value, 'true']".to_owned(),
                        _ => suggest(other, FUNCTIONS, "functions"),
                    };
                    reader.report(path, key.position, message, help);
                }
                None
            }
        }
    }

    fn several(key: &Key, node: &Node, path: &str, reader: &mut Reader<'_>) -> Option<Vec<Self>> {
        match node.as_list() {
            Some(items) if (2..=10).contains(&items.len()) => {
                Some(items.iter().map(|item| Self::read(item, path, reader).unwrap_or(Self::Broken)).collect())
            }
            _ => {
                let message = format!("{} takes a list of 2 to 10 conditions", key.text);
                reader.report(
                    path,
                    node.position,
                    message,
                    "nest them for more; write the one condition alone for fewer",
                );
                None
            }
        }
    }

    fn uses<'a>(&'a self, found: &mut dyn FnMut(Use<'a>, Position)) {
        match self {
            Self::Equals(sides) => sides.iter().for_each(|side| side.uses(Branches::Both, found)),
            Self::And(tests) | Self::Or(tests) => tests.iter().for_each(|test| test.uses(found)),
            Self::Not(test) => test.uses(found),
            Self::Named(name, position) => found(Use::Condition(name), *position),
            Self::Broken => {}
        }
    }

    fn evaluate(&self, scope: &Scope<'_>, values: &BTreeMap<String, bool>) -> Result<bool> {
        match self {
            Self::Equals(sides) => {
                let [left, right] = sides.as_ref();
                Ok(comparable(left, scope)? == comparable(right, scope)?)
            }
            Self::And(tests) => tests.iter().try_fold(true, |all, test| Ok(test.evaluate(scope, values)? && all)),
            Self::Or(tests) => tests.iter().try_fold(false, |any, test| Ok(test.evaluate(scope, values)? || any)),
            Self::Not(test) => Ok(!test.evaluate(scope, values)?),
            Self::Named(name, _) => values.get(name).copied().ok_or(None),
            Self::Broken => Err(None),
        }
    }
}

/// A side of `Fn::Equals`: numbers and booleans are compared as text.
fn comparable(expression: &Expression, scope: &Scope<'_>) -> Result<Value> {
    let evaluated = scope.evaluate(expression)?;
    if evaluated.guessed {
        return Err(None);
    }
    let value = match evaluated.outcome {
        Outcome::Known(value) => value,
        Outcome::AfterApply(_) | Outcome::Nothing => Value::Null,
    };
    if value.as_str().is_some_and(|text| text.contains(dynamic::OPEN)) {
        let problem = Diagnostic::new("", "a condition cannot depend on a value that is kept in SSM");
        return Err(Some(problem.at(expression.position).help("make it a parameter of type String")));
    }
    Ok(match value {
        Value::Number(number) => number.to_string().into(),
        Value::Bool(flag) => flag.to_string().into(),
        other => other,
    })
}
