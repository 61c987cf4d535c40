//! The CloudFormation template: from text to resources with resolved properties.
//!
//! Three steps: [`Template::load`] reads the text and checks what can be checked without values; [`Template::bind`] takes the
//! parameters and tells which resources are made, in which order; [`Bound::resolve`] evaluates a resource's properties, given
//! what other resources give.
//!
//! Each step has a second form (`draft`) that goes on with what is sound and keeps what is not, so that one report at the end
//! holds all that is wrong, with places. What hangs on a thing that is wrong is not told again: its value is not known.
//!
//! Knows CloudFormation's format, and neither AWS's services nor what any resource type makes of its properties.

mod aliases;
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
mod pointer;
mod pseudo;
mod resolve;
mod resources;
mod source;
mod text;
mod yaml;

use std::collections::{BTreeMap, HashSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

pub use bound::Bound;
pub use diagnostics::{Diagnostic, Diagnostics, Position};
pub use dynamic::{DynamicReference, dynamic_references};
pub use parameters::{Parameter, ParameterKind};
pub use pointer::{pointer_to, property_of, property_path};
pub use pseudo::Pseudo;
pub use resolve::{Attribute, Attributes, Resolved};
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

/// A template whose form and names are right; a draft keeps what is wrong with them.
#[derive(Debug)]
pub struct Template {
    file: String,
    source: Arc<str>,
    sections: Sections,
    problems: Vec<Diagnostic>,
}

/// The sections as they were written.
#[derive(Debug, Default)]
struct Sections {
    parameters: IndexMap<String, Parameter>,
    mappings: Mappings,
    conditions: Conditions,
    resources: Resources,
    outputs: IndexMap<String, Output>,
    /// There may be names that were not read: a macro would have made them, or a section cannot be told.
    is_partial: bool,
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
        Ok(Self::draft(path)?.sound()?)
    }

    /// The same of a template that may have problems, which are kept. Fails only where nothing can be made of the text.
    pub fn draft(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |source| LoadError::Read { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        // One byte more than allowed shows that there are more.
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        let name = path.display().to_string();
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::parse_draft(&name, &text)?),
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
        Self::parse_draft(file, text)?.sound()
    }

    /// The same of a template that may have problems, which are kept. Fails only where nothing can be made of the text.
    pub fn parse_draft(file: &str, text: &str) -> Result<Self, Diagnostics> {
        // YAML breaks lines at a lone carriage return too; with one kind of break, a place means the same to all.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
        let source: Arc<str> = text.as_str().into();
        match read(&text) {
            Ok((sections, problems)) => Ok(Self { file: file.to_owned(), source, sections, problems }),
            Err(problems) => Err(Diagnostics::new(file, source, problems)),
        }
    }

    /// The template itself, if it has no problems.
    fn sound(mut self) -> Result<Self, Diagnostics> {
        match self.problems.is_empty() {
            true => Ok(self),
            false => Err(Diagnostics::new(self.file, self.source, std::mem::take(&mut self.problems))),
        }
    }

    /// The template's parameters.
    pub fn parameters(&self) -> &IndexMap<String, Parameter> {
        &self.sections.parameters
    }

    /// The template's file name, as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Gives the parameters their values, and says which resources are made.
    pub fn bind(&self, given: &BTreeMap<String, String>, pseudo: &Pseudo) -> Result<Bound<'_>, Diagnostics> {
        let bound = self.bind_draft(given, pseudo);
        match bound.problems() {
            [] => Ok(bound),
            problems => Err(self.diagnostics(problems.to_vec())),
        }
    }

    /// The same with whatever is wrong with the template or with the values, which the bound template keeps.
    pub fn bind_draft(&self, given: &BTreeMap<String, String>, pseudo: &Pseudo) -> Bound<'_> {
        Bound::new(self, given, pseudo)
    }

    /// Problems of this template, as they are shown.
    pub fn diagnostics(&self, list: Vec<Diagnostic>) -> Diagnostics {
        Diagnostics::new(self.file.clone(), self.source.clone(), list)
    }
}

/// The sections and what is wrong with them; else why they cannot be gone on with.
fn read(text: &str) -> Result<(Sections, Vec<Diagnostic>), Vec<Diagnostic>> {
    if text.len() as u64 > MAX_BYTES {
        let problem = Diagnostic::new("", format!("the template is larger than {MAX_BYTES} bytes"));
        return Err(vec![problem.help("split it into templates of their own")]);
    }
    let (root, mut problems) = if json::is_json(text) { json::read(text)? } else { yaml::read(text)? };
    let mut reader = Reader::new(text);
    let sections = Sections::read(&root, &mut reader);
    problems.append(&mut reader.problems);
    if sections.is_partial {
        return Err(problems);
    }
    problems.extend(names::check(&sections));
    Ok((sections, problems))
}

impl Sections {
    fn read(root: &Node, reader: &mut Reader<'_>) -> Self {
        let mut sections = Self::default();
        let Some(entries) = root.as_map() else {
            let message = format!("a template must be a mapping, but this is {}", root.kind());
            reader.report("", root.position, message, "begin with 'Resources:'");
            return Self { is_partial: true, ..sections };
        };
        let mut seen = HashSet::new();
        for entry in entries {
            sections.is_partial |= !seen.insert(entry.key.text.as_str());
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
            self.is_partial |= name == "Transform";
            let message = match value.scalar() {
                Some(text) => format!("the section {name} is not supported: {text}"),
                None => format!("the section {name} is not supported"),
            };
            reader.report("", key.position, message, *help);
            return;
        }
        let Some((_, limit)) = SECTIONS.iter().find(|(section, _)| *section == name) else {
            if reader.refused_by_name(key, "") {
                self.is_partial = true;
            } else {
                self.is_partial |= nearest(name, SECTIONS.iter().map(|(section, _)| *section)).is_some();
                let known = SECTIONS.iter().map(|(section, _)| *section);
                let message = format!("a template has no section '{name}'");
                reader.report("", key.position, message, suggest(name, known, "sections"));
            }
            return;
        };
        match name {
            "AWSTemplateFormatVersion" => check_version(value, reader),
            "Description" | "Metadata" => {}
            _ if !is_section(entry, *limit, reader) => self.is_partial = true,
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

/// Whether a section is a mapping, and not too large a one; its names must be such as CloudFormation takes.
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
        return false;
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
    const FIELDS: [&str; 3] = ["Value", "Description", "Condition"];
    let mut outputs = IndexMap::new();
    for Entry { key, value } in section.as_map().unwrap_or_default() {
        let path = format!("Outputs.{}", key.text);
        if reader.refused_by_name(key, &path) {
            continue;
        }
        let fields = value.as_map().unwrap_or_default();
        for Entry { key, .. } in fields.iter().filter(|field| !FIELDS.contains(&field.key.text.as_str())) {
            if key.text == "Export" {
                let help = "there are no exports without CloudFormation: take it out, and give the value to the other stack \
                            as a parameter";
                reader.report(&path, key.position, "Export is not supported", help);
            } else {
                let message = format!("an output has no field '{}'", key.text);
                reader.report(&path, key.position, message, suggest(&key.text, FIELDS, "fields"));
            }
        }
        let field = |name: &str| fields.iter().find(|field| field.key.text == name).map(|field| &field.value);
        let Some(expression) = field("Value").map(|node| reader.value(node, &format!("{path}.Value"))) else {
            reader.report(&path, key.position, "the output has no Value", "write 'Value:' under its name");
            continue;
        };
        let condition = field("Condition").and_then(|node| resources::name(node, &format!("{path}.Condition"), reader));
        let output = Output { condition, value: expression };
        outputs.insert(key.text.clone(), output);
    }
    outputs
}
