//! The CloudFormation template: from text to resources with resolved properties.
//!
//! Three steps, each of which tells all that is wrong in one go, with places: [`Template::load`] reads the text and checks
//! what can be checked without values; [`Template::bind`] takes the parameters and tells which resources are made, in
//! which order; [`Bound::resolve`] evaluates a resource's properties, given what other resources give.
//!
//! Knows CloudFormation's format, and neither AWS's services nor what any resource type makes of its properties.

mod bound;
mod conditions;
mod diagnostics;
mod dynamic;
mod graph;
mod intrinsics;
mod json;
mod mappings;
mod names;
mod node;
mod parameters;
mod pseudo;
mod resolve;
mod resources;
mod source;
mod text;
mod yaml;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

pub use bound::Bound;
pub use diagnostics::{Diagnostic, Diagnostics, Position};
pub use dynamic::DynamicReference;
pub use parameters::{Parameter, ParameterKind};
pub use pseudo::Pseudo;
pub use resolve::{Attribute, Attributes, Resolved, property_path};
pub use resources::{DeletionPolicy, ResourceDecl};
pub use text::nearest;

use conditions::Conditions;
use intrinsics::{Expression, Reader};
use mappings::Mappings;
use node::{Entry, Node};
use resources::Resources;
use text::suggest;

/// The largest template that CloudFormation takes, in bytes.
const MAX_BYTES: u64 = 1_048_576;

/// The sections of a template, each with the most entries that it may have.
const SECTIONS: [(&str, usize); 8] = [
    ("AWSTemplateFormatVersion", usize::MAX),
    ("Description", usize::MAX),
    ("Metadata", usize::MAX),
    ("Parameters", 200),
    ("Mappings", 200),
    ("Conditions", usize::MAX),
    ("Resources", 500),
    ("Outputs", 200),
];

/// The sections that only CloudFormation itself could follow, with the way out.
const UNSUPPORTED_SECTIONS: [(&str, &str); 4] = [
    ("Transform", "write out what the macro makes"),
    ("Globals", "it belongs to SAM: write the properties out in each resource"),
    ("Rules", "use AllowedValues and AllowedPattern of the parameters"),
    ("Hooks", "take the section out"),
];

/// A template cannot be had from a file.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the template {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is read, and is no template.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
}

/// A template whose form and names are right.
#[derive(Debug)]
pub struct Template {
    file: String,
    source: Arc<str>,
    sections: Sections,
}

/// The sections as they were written.
#[derive(Debug, Default)]
struct Sections {
    description: Option<String>,
    parameters: IndexMap<String, Parameter>,
    mappings: Mappings,
    conditions: Conditions,
    resources: Resources,
    outputs: IndexMap<String, Output>,
    /// A macro would have made names that are not written.
    has_macro: bool,
}

/// An output as it was written.
#[derive(Debug)]
struct Output {
    condition: Option<(String, Position)>,
    value: Expression,
}

impl Template {
    /// Reads a template from a file, in YAML or JSON.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |source| LoadError::Read { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        // One byte more than allowed shows that there are more.
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        let name = path.display().to_string();
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::parse(&name, &text)?),
            Err(error) => {
                let valid = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
                let at = source::Source::new(&valid).position(valid.len());
                let problem = Diagnostic::new("", "the template is not UTF-8").at(at).help("save the file as UTF-8");
                Err(Diagnostics::new(name, valid.into(), vec![problem]).into())
            }
        }
    }

    /// Reads a template from its text, in YAML or JSON; `file` is its name in messages.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        // YAML breaks lines at a lone carriage return too; with one kind of break, a place means the same to all.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
        let source: Arc<str> = text.as_str().into();
        match read(&text) {
            Ok(sections) => Ok(Self { file: file.to_owned(), source, sections }),
            Err(problems) => Err(Diagnostics::new(file, source, problems)),
        }
    }

    /// The template's parameters.
    pub fn parameters(&self) -> &IndexMap<String, Parameter> {
        &self.sections.parameters
    }

    /// What the template says of itself.
    pub fn description(&self) -> Option<&str> {
        self.sections.description.as_deref()
    }

    /// The template's file name, as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Gives the parameters their values, and says which resources are made.
    pub fn bind(&self, given: &BTreeMap<String, String>, pseudo: &Pseudo) -> Result<Bound<'_>, Diagnostics> {
        Bound::new(self, given, pseudo)
    }

    /// Problems of this template, as they are shown.
    pub fn diagnostics(&self, list: Vec<Diagnostic>) -> Diagnostics {
        Diagnostics::new(self.file.clone(), self.source.clone(), list)
    }
}

fn read(text: &str) -> Result<Sections, Vec<Diagnostic>> {
    if text.len() as u64 > MAX_BYTES {
        let problem = Diagnostic::new("", format!("the template is larger than {MAX_BYTES} bytes"));
        return Err(vec![problem.help("split it into templates of their own")]);
    }
    let root = if json::is_json(text) { json::read(text)? } else { yaml::read(text)? };
    let mut reader = Reader::new(text);
    let sections = Sections::read(&root, &mut reader);
    let mut problems = reader.problems;
    if !sections.has_macro {
        problems.extend(names::check(&sections));
    }
    match problems.is_empty() {
        true => Ok(sections),
        false => Err(problems),
    }
}

impl Sections {
    fn read(root: &Node, reader: &mut Reader<'_>) -> Self {
        let mut sections = Self::default();
        let Some(entries) = root.as_map() else {
            let message = format!("a template must be a mapping, but this is {}", root.kind());
            reader.report("", root.position, message, "begin with 'Resources:'");
            return sections;
        };
        for entry in entries {
            sections.section(entry, reader);
        }
        if entries.iter().all(|entry| entry.key.text != "Resources") {
            reader.report("", root.position, "the template has no Resources", "a template has at least one resource");
        }
        sections
    }

    fn section(&mut self, entry: &Entry, reader: &mut Reader<'_>) {
        let Entry { key, value } = entry;
        let name = key.text.as_str();
        if let Some((_, help)) = UNSUPPORTED_SECTIONS.iter().find(|(section, _)| *section == name) {
            self.has_macro |= name == "Transform";
            let message = match value.scalar() {
                Some(text) => format!("the section {name} is not supported: {text}"),
                None => format!("the section {name} is not supported"),
            };
            reader.report("", key.position, message, *help);
            return;
        }
        let Some((_, limit)) = SECTIONS.iter().find(|(section, _)| *section == name) else {
            if reader.refused_by_name(key, "") {
                self.has_macro = true;
            } else {
                let known = SECTIONS.iter().map(|(section, _)| *section);
                let message = format!("a template has no section '{name}'");
                reader.report("", key.position, message, suggest(name, known, "sections"));
            }
            return;
        };
        match name {
            "AWSTemplateFormatVersion" => check_version(value, reader),
            "Description" => self.description = value.scalar(),
            "Metadata" => {}
            _ if !is_section(entry, *limit, reader) => {}
            "Parameters" => self.parameters = parameters::read(value, reader),
            "Mappings" => self.mappings = Mappings::read(value, reader),
            "Conditions" => self.conditions = conditions::read(value, reader),
            "Resources" => self.resources = resources::read(value, reader),
            _ => self.outputs = read_outputs(value, reader),
        }
    }
}

fn check_version(node: &Node, reader: &mut Reader<'_>) {
    if node.scalar().as_deref() != Some("2010-09-09") {
        let message = "there is no such version of the format";
        reader.report("AWSTemplateFormatVersion", node.position, message, "write '2010-09-09'");
    }
}

/// Whether a section is a mapping of names that CloudFormation takes, and not too many.
fn is_section(section: &Entry, limit: usize, reader: &mut Reader<'_>) -> bool {
    let Entry { key, value } = section;
    let Some(entries) = value.as_map() else {
        let message = format!("the section must be a mapping, but is {}", value.kind());
        reader.report(&key.text, value.position, message, "write 'Name:' and under it what it is");
        return false;
    };
    if entries.is_empty() && key.text == "Resources" {
        reader.report(
            &key.text,
            value.position,
            "the template has no resources",
            "a template has at least one resource",
        );
    }
    if let Some(entry) = entries.get(limit) {
        let message = format!("the section has {} entries, and CloudFormation allows {limit}", entries.len());
        reader.report(&key.text, entry.key.position, message, "split the template");
    }
    for entry in entries {
        let name = &entry.key.text;
        // CloudFormation is not so strict with the names of conditions.
        let allowed = |c: char| c.is_ascii_alphanumeric() || (key.text == "Conditions" && "-_.".contains(c));
        let is_name = (1..=255).contains(&name.len()) && name.chars().all(allowed);
        if !is_name && !name.starts_with("Fn::") {
            let message = format!("'{name}' is no name");
            reader.report(&key.text, entry.key.position, message, "a name has letters and digits only, at most 255");
        }
    }
    true
}

fn read_outputs(section: &Node, reader: &mut Reader<'_>) -> IndexMap<String, Output> {
    const FIELDS: [&str; 4] = ["Value", "Description", "Condition", "Export"];
    let mut outputs = IndexMap::new();
    for Entry { key, value } in section.as_map().unwrap_or_default() {
        let path = format!("Outputs.{}", key.text);
        if reader.refused_by_name(key, &path) {
            continue;
        }
        let fields = value.as_map().unwrap_or_default();
        for field in fields.iter().filter(|field| !FIELDS.contains(&field.key.text.as_str())) {
            let message = format!("an output has no field '{}'", field.key.text);
            reader.report(&path, field.key.position, message, suggest(&field.key.text, FIELDS, "fields"));
        }
        let field = |name: &str| fields.iter().find(|field| field.key.text == name).map(|field| &field.value);
        let Some(expression) = field("Value").map(|node| reader.value(node, &format!("{path}.Value"))) else {
            reader.report(&path, key.position, "the output has no Value", "write 'Value:' under its name");
            continue;
        };
        let condition = field("Condition").and_then(|node| node.scalar().map(|name| (name, node.position)));
        let output = Output { condition, value: expression };
        outputs.insert(key.text.clone(), output);
    }
    outputs
}
