//! The section `Parameters`: what a template may be given, and the rules that a given value must keep.

use std::collections::BTreeMap;
use std::fmt;

use fancy_regex::Regex;
use indexmap::IndexMap;
use serde_json::{Number, Value};

use super::diagnostics::{Diagnostic, Position};
use super::intrinsics::Reader;
use super::node::{Entry, Node};
use super::text::suggest;

/// The most characters that a value may have.
const MAX_VALUE: usize = 4096;

const FIELDS: [&str; 11] = [
    "Type",
    "Default",
    "AllowedValues",
    "AllowedPattern",
    "MinLength",
    "MaxLength",
    "MinValue",
    "MaxValue",
    "NoEcho",
    "Description",
    "ConstraintDescription",
];

/// A parameter of the template.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Where its name stands.
    pub position: Position,
    /// What a value is.
    pub kind: ParameterKind,
    /// The value where none is given.
    pub default: Option<String>,
    /// The value is a secret: it is never shown.
    pub no_echo: bool,
    rules: Rules,
    /// Its type could be read: of another one no value is known.
    typed: bool,
    /// Something of it has been told: perhaps its default.
    told: bool,
}

/// What a parameter's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// Text; AWS's own types, as `AWS::EC2::VPC::Id`, are text of which only AWS knows whether it is right.
    String,
    /// A number.
    Number,
    /// Texts with commas between them.
    CommaDelimitedList,
    /// Numbers with commas between them.
    NumberList,
    /// The name of an SSM parameter whose value is meant: `Ref` gives the dynamic reference `{{resolve:ssm:NAME}}`.
    SsmParameter,
}

#[derive(Debug, Clone, Default)]
struct Rules {
    allowed_values: Option<Vec<String>>,
    allowed_pattern: Option<(String, Regex)>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    min_value: Option<f64>,
    max_value: Option<f64>,
    constraint_description: Option<String>,
}

/// The values of all parameters by name.
pub(super) type Values = BTreeMap<String, ParameterValue>;

/// The value that a parameter has.
#[derive(Clone, PartialEq)]
pub(super) struct ParameterValue {
    pub value: Value,
    pub secret: bool,
}

impl fmt::Debug for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.secret {
            true => f.write_str("(secret)"),
            false => self.value.fmt(f),
        }
    }
}

/// Reads the section.
pub(super) fn read(section: &Node, reader: &mut Reader<'_>) -> IndexMap<String, Parameter> {
    let mut parameters = IndexMap::new();
    for entry in section.as_map().unwrap_or_default() {
        if reader.refused_by_name(&entry.key, "Parameters") {
            continue;
        }
        parameters.insert(entry.key.text.clone(), Parameter::read(entry, reader));
    }
    parameters
}

/// The values of the parameters, from what was given and the defaults; without those that break their rules.
pub(super) fn values(
    parameters: &IndexMap<String, Parameter>,
    given: &BTreeMap<String, String>,
    problems: &mut Vec<Diagnostic>,
) -> Values {
    for name in given.keys().filter(|name| !parameters.contains_key(*name)) {
        let known = parameters.keys().map(String::as_str);
        problems.push(
            Diagnostic::new(format!("Parameters.{name}"), format!("the template has no parameter '{name}'"))
                .help(suggest(name, known, "parameters")),
        );
    }
    let mut values = Values::new();
    for (name, parameter) in parameters.iter().filter(|(_, parameter)| parameter.typed) {
        let path = format!("Parameters.{name}");
        let value = match (given.get(name), &parameter.default) {
            (Some(text), _) => parameter.value(text).map_err(|broken| {
                Some(parameter.in_words(
                    Diagnostic::new(path, broken).at(parameter.position),
                    "give a value that keeps the parameter's rules",
                ))
            }),
            // A default that breaks a rule was found when the template was read.
            (None, Some(text)) => parameter.value(text).map_err(|_| None),
            (None, None) if parameter.told => Err(None),
            (None, None) => Err(Some(
                Diagnostic::new(path, format!("the parameter '{name}' has no value and no default"))
                    .at(parameter.position)
                    .help(format!("give it with --param {name}=..., or in provision.toml")),
            )),
        };
        match value {
            Ok(value) => drop(values.insert(name.clone(), ParameterValue { value, secret: parameter.no_echo })),
            Err(problem) => problems.extend(problem),
        }
    }
    values
}

impl Parameter {
    /// Reads a parameter; one that cannot be read still has its name, so that its users are not blamed as well.
    fn read(entry: &Entry, reader: &mut Reader<'_>) -> Self {
        let Entry { key, value } = entry;
        let path = format!("Parameters.{}", key.text);
        let told = reader.problems.len();
        let entries = value.as_map().unwrap_or_default();
        if value.as_map().is_none() {
            let message = format!("a parameter must be a mapping, but is {}", value.kind());
            reader.report(&path, value.position, message, "write 'Type: String' under its name");
        }
        for field in entries.iter().filter(|field| !FIELDS.contains(&field.key.text.as_str())) {
            let help = suggest(&field.key.text, FIELDS, "fields");
            let message = format!("a parameter has no field '{}'", field.key.text);
            reader.report(&path, field.key.position, message, help);
        }
        let mut fields = Fields { path, fields: entries, reader };
        let kind = if value.as_map().is_some() { fields.kind(key.position) } else { None };
        // Must be text, and is for people alone.
        fields.text("Description");
        let mut parameter = Self {
            position: key.position,
            kind: kind.unwrap_or(ParameterKind::String),
            default: fields.default(kind),
            no_echo: fields.flag("NoEcho"),
            rules: kind.map(|kind| fields.rules(kind)).unwrap_or_default(),
            typed: kind.is_some(),
            told: false,
        };
        if let Some(default) = &parameter.default
            && let Err(broken) = parameter.value(default)
        {
            let at = fields.get("Default").map_or(key.position, |node| node.position);
            let message = format!("the default breaks the parameter's own rules: {broken}");
            let problem = Diagnostic::new(fields.path.clone(), message).at(at);
            fields.reader.problems.push(parameter.in_words(problem, "change the default or the rule"));
        }
        parameter.told = fields.reader.problems.len() > told;
        parameter
    }

    /// Adds the author's own words for the rules.
    fn in_words(&self, problem: Diagnostic, otherwise: &str) -> Diagnostic {
        problem.help(self.rules.constraint_description.as_deref().unwrap_or(otherwise))
    }

    /// A given text as a value; what is wrong with it otherwise.
    fn value(&self, text: &str) -> Result<Value, String> {
        let shown = |text: &str| match self.no_echo {
            true => "the value".to_owned(),
            false => format!("'{text}'"),
        };
        if text.chars().count() > MAX_VALUE {
            return Err(format!("the value is longer than {MAX_VALUE} characters"));
        }
        match self.kind {
            ParameterKind::String => {
                self.rules.check_text(text, &shown)?;
                Ok(text.into())
            }
            ParameterKind::Number => {
                self.rules.check_listed(text, &shown)?;
                self.rules.number(text, &shown)
            }
            ParameterKind::CommaDelimitedList => {
                items(text).map(|item| self.rules.check_text(item, &shown).map(|()| Value::from(item))).collect()
            }
            ParameterKind::NumberList => items(text)
                .map(|item| {
                    self.rules.check_listed(item, &shown)?;
                    self.rules.number(item, &shown)
                })
                .collect(),
            ParameterKind::SsmParameter => {
                self.rules.check_text(text, &shown)?;
                Ok(format!("{{{{resolve:ssm:{text}}}}}").into())
            }
        }
    }
}

/// The items of a list with commas; blanks around them do not count, and no text is no item.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let list = Some(text).filter(|text| !text.trim().is_empty());
    list.into_iter().flat_map(|text| text.split(',')).map(str::trim)
}

impl Rules {
    fn check_text(&self, text: &str, shown: &dyn Fn(&str) -> String) -> Result<(), String> {
        let length = text.chars().count() as u64;
        if let Some(min) = self.min_length.filter(|min| length < *min) {
            return Err(format!("{} has {length} characters, fewer than MinLength {min}", shown(text)));
        }
        if let Some(max) = self.max_length.filter(|max| length > *max) {
            return Err(format!("{} has {length} characters, more than MaxLength {max}", shown(text)));
        }
        if let Some((pattern, regex)) = &self.allowed_pattern
            && !regex.is_match(text).unwrap_or(false)
        {
            return Err(format!("{} does not match AllowedPattern {pattern}", shown(text)));
        }
        self.check_listed(text, shown)
    }

    fn check_listed(&self, text: &str, shown: &dyn Fn(&str) -> String) -> Result<(), String> {
        match &self.allowed_values {
            Some(allowed) if !allowed.iter().any(|value| value == text) => {
                Err(format!("{} is not one of AllowedValues: {}", shown(text), allowed.join(", ")))
            }
            _ => Ok(()),
        }
    }

    fn number(&self, text: &str, shown: &dyn Fn(&str) -> String) -> Result<Value, String> {
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let Some(number) = number else {
            return Err(format!("{} is not a number", shown(text)));
        };
        if let Some(min) = self.min_value.filter(|min| number < *min) {
            return Err(format!("{} is below MinValue {min}", shown(text)));
        }
        if let Some(max) = self.max_value.filter(|max| number > *max) {
            return Err(format!("{} is above MaxValue {max}", shown(text)));
        }
        // A reference gives what was written: 1.10 and 1e3 are no 1.1 and 1000.0.
        Ok(match text.trim().parse::<Number>() {
            Ok(number) if number.to_string() == text.trim() => Value::Number(number),
            _ => Value::from(text.trim()),
        })
    }
}

/// The fields of one parameter while they are read.
struct Fields<'a, 'r, 's> {
    path: String,
    fields: &'a [Entry],
    reader: &'r mut Reader<'s>,
}

impl<'a> Fields<'a, '_, '_> {
    fn get(&self, name: &str) -> Option<&'a Node> {
        let found = self.fields.iter().find(|field| field.key.text == name);
        found.map(|field| &field.value)
    }

    fn wrong(&mut self, name: &str, node: &Node, help: &str) {
        let message = format!("{name} is {}", node.kind());
        self.reader.report(&format!("{}.{name}", self.path), node.position, message, help);
    }

    fn kind(&mut self, position: Position) -> Option<ParameterKind> {
        let Some(node) = self.get("Type") else {
            let known = "write 'Type: String', or Number, CommaDelimitedList, List<Number>";
            self.reader.report(&self.path, position, "the parameter has no Type", known);
            return None;
        };
        let text = node.as_text().unwrap_or_default();
        let found = kind_of(text);
        if let Err((message, help)) = &found {
            let path = format!("{}.Type", self.path);
            self.reader.report(&path, node.position, message.clone(), help);
        }
        found.ok()
    }

    fn default(&mut self, kind: Option<ParameterKind>) -> Option<String> {
        let node = self.get("Default")?;
        let is_list = matches!(kind, Some(ParameterKind::CommaDelimitedList | ParameterKind::NumberList));
        let text = node.scalar();
        if text.is_none() {
            let help = match is_list {
                true => "write the items as one text with commas",
                false => "write a text or a number",
            };
            self.wrong("Default", node, help);
        }
        text
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let node = self.get(name)?;
        let text = node.scalar();
        if text.is_none() {
            self.wrong(name, node, "write a text");
        }
        text
    }

    fn flag(&mut self, name: &str) -> bool {
        let Some(node) = self.get(name) else { return false };
        match node.scalar().map(|text| text.to_ascii_lowercase()).as_deref() {
            Some("true") => true,
            Some("false") => false,
            _ => {
                self.wrong(name, node, "write true or false");
                false
            }
        }
    }

    fn number<T: std::str::FromStr>(&mut self, name: &str) -> Option<T> {
        let node = self.get(name)?;
        let number = node.scalar().and_then(|text| text.parse().ok());
        if number.is_none() {
            self.wrong(name, node, "write a number");
        }
        number
    }

    fn rules(&mut self, kind: ParameterKind) -> Rules {
        let numeric = matches!(kind, ParameterKind::Number | ParameterKind::NumberList);
        let misplaced = match numeric {
            true => ["MinLength", "MaxLength", "AllowedPattern"].as_slice(),
            false => ["MinValue", "MaxValue"].as_slice(),
        };
        for field in self.fields.iter().filter(|field| misplaced.contains(&field.key.text.as_str())) {
            let name = &field.key.text;
            let help = match numeric {
                true => "a number has MinValue, MaxValue and AllowedValues",
                false => "text has MinLength, MaxLength, AllowedPattern and AllowedValues",
            };
            let message = format!("{name} does not fit the parameter's type");
            self.reader.report(&format!("{}.{name}", self.path), field.key.position, message, help);
        }
        Rules {
            allowed_values: self.allowed_values(),
            allowed_pattern: self.allowed_pattern(),
            min_length: self.number("MinLength"),
            max_length: self.number("MaxLength"),
            min_value: self.number("MinValue"),
            max_value: self.number("MaxValue"),
            constraint_description: self.text("ConstraintDescription"),
        }
    }

    fn allowed_values(&mut self) -> Option<Vec<String>> {
        let node = self.get("AllowedValues")?;
        let values = node.as_list().and_then(|items| items.iter().map(Node::scalar).collect::<Option<Vec<_>>>());
        if values.is_none() {
            self.wrong("AllowedValues", node, "write a list of texts or numbers");
        }
        values
    }

    /// The pattern, which must match the whole value.
    fn allowed_pattern(&mut self) -> Option<(String, Regex)> {
        let pattern = self.text("AllowedPattern")?;
        let node = self.get("AllowedPattern")?;
        match Regex::new(&pattern).and_then(|_| Regex::new(&format!("\\A(?:{pattern})\\z"))) {
            Ok(regex) => Some((pattern, regex)),
            Err(error) => {
                let path = format!("{}.AllowedPattern", self.path);
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim().to_owned();
                let message = format!("the pattern is no regular expression: {reason}");
                self.reader.report(&path, node.position, message, "mend the pattern; it must match the whole value");
                None
            }
        }
    }
}

/// The kind of a type by its name; else what is wrong with it, and what to do.
fn kind_of(name: &str) -> Result<ParameterKind, (String, String)> {
    const KNOWN: [&str; 4] = ["String", "Number", "CommaDelimitedList", "List<Number>"];
    let is_aws_type =
        |name: &str| name.starts_with("AWS::") && name.split("::").count() >= 3 && !name.contains(['<', '>']);
    let inside = |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('>'));
    if let Some(item) = inside("AWS::SSM::Parameter::Value<") {
        return match item.starts_with("List<") || item == "CommaDelimitedList" {
            true => Err((
                format!("parameters of type '{name}' are not supported: a list from SSM"),
                "use a parameter of type CommaDelimitedList".to_owned(),
            )),
            false => Ok(ParameterKind::SsmParameter),
        };
    }
    match (name, inside("List<")) {
        ("String", _) => Ok(ParameterKind::String),
        ("Number", _) => Ok(ParameterKind::Number),
        ("CommaDelimitedList", _) | ("List<String>", _) => Ok(ParameterKind::CommaDelimitedList),
        ("List<Number>", _) => Ok(ParameterKind::NumberList),
        (_, Some(item)) if is_aws_type(item) => Ok(ParameterKind::CommaDelimitedList),
        _ if is_aws_type(name) => Ok(ParameterKind::String),
        _ => Err((format!("there is no parameter type '{name}'"), suggest(name, KNOWN, "types"))),
    }
}
