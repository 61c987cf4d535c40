//! The section `Resources`: each resource's declaration, without what its type makes of the properties.

use std::collections::{BTreeMap, HashSet};

use indexmap::IndexMap;
use serde_json::Value;

use super::conditions::Conditions;
use super::diagnostics::Position;
use super::graph;
use super::intrinsics::{Branches, Expression, Kind, Reader, Use};
use super::node::{Content, Entry, Node};
use super::text::{nearest, suggest};

const FIELDS: [&str; 7] =
    ["Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"];

/// The types that only CloudFormation itself could make; by their beginning, with the way out.
const UNSUPPORTED_TYPES: [(&str, &str, &str); 7] = [
    ("AWS::CloudFormation::Stack", "nested stacks", "give the nested template to `provision up` as a stack of its own"),
    ("AWS::CloudFormation::CustomResource", "custom resources", "do what its function does in a command of your own"),
    ("Custom::", "custom resources", "do what its function does in a command of your own"),
    ("AWS::CloudFormation::Macro", "macros", "write out what the macro makes"),
    ("AWS::CloudFormation::WaitCondition", "wait conditions", "take it out: every resource is waited for"),
    ("AWS::CloudFormation::", "CloudFormation's own resources", "take it out"),
    ("AWS::Serverless::", "SAM's resources", "write out the resources that SAM makes of it"),
];

/// What becomes of a resource's thing when the resource goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeletionPolicy {
    /// It is deleted.
    #[default]
    Delete,
    /// It is kept.
    Retain,
    /// It is kept, unless it was made by the very operation that failed.
    RetainExceptOnCreate,
    /// A snapshot of it is kept: where AWS makes one by itself. A template that wants another is refused.
    Snapshot,
}

impl DeletionPolicy {
    const ALL: [Self; 4] = [Self::Delete, Self::Retain, Self::RetainExceptOnCreate, Self::Snapshot];

    /// The policy's name in a template, as `Retain`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delete => "Delete",
            Self::Retain => "Retain",
            Self::RetainExceptOnCreate => "RetainExceptOnCreate",
            Self::Snapshot => "Snapshot",
        }
    }

    /// Whether what there is stays. Nothing is ever rolled back by deleting, so one that has just been made stays too.
    pub fn keeps(self) -> bool {
        matches!(self, Self::Retain | Self::RetainExceptOnCreate)
    }

    /// The policy of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

/// A resource that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceDecl {
    /// Its name in the template.
    pub logical_id: String,
    /// Its type, as `AWS::SQS::Queue`.
    pub type_name: String,
    /// Where the type is named.
    pub type_position: Position,
    /// Where the logical id stands.
    pub position: Position,
    /// The resources that come before it, said by `DependsOn` or used in its properties; sorted by name.
    pub depends_on: Vec<String>,
    /// What becomes of it when it leaves the template or the stack goes.
    pub deletion_policy: DeletionPolicy,
    /// What becomes of the old one when it is replaced.
    pub update_replace_policy: DeletionPolicy,
    /// `Metadata` as it was written, intrinsic functions in their long form; null where there is none.
    pub metadata: Value,
}

/// The resources of a template by logical id.
pub(super) type Resources = IndexMap<String, Resource>;

/// A resource as it was written.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    /// Empty where it could not be read, or is none that could be made.
    pub type_name: String,
    pub type_position: Position,
    pub position: Position,
    pub condition: Option<(String, Position)>,
    pub depends_on: Vec<(String, Position)>,
    pub deletion_policy: DeletionPolicy,
    pub update_replace_policy: DeletionPolicy,
    pub metadata: Value,
    pub properties: Expression,
}

/// Reads the section.
pub(super) fn read(section: &Node, reader: &mut Reader<'_>) -> Resources {
    let mut resources = Resources::new();
    for entry in section.as_map().unwrap_or_default() {
        let id = &entry.key.text;
        if reader.refused_by_name(&entry.key, "Resources") {
            continue;
        }
        resources.insert(id.clone(), Resource::read(entry, reader));
    }
    resources
}

impl Resource {
    /// Reads a resource; one that cannot be read still has its name, so that its users are not blamed as well.
    fn read(entry: &Entry, reader: &mut Reader<'_>) -> Self {
        let Entry { key, value } = entry;
        let mut resource = Self {
            type_name: String::new(),
            type_position: key.position,
            position: key.position,
            condition: None,
            depends_on: Vec::new(),
            deletion_policy: DeletionPolicy::Delete,
            update_replace_policy: DeletionPolicy::Delete,
            metadata: Value::Null,
            properties: Expression { position: value.position, kind: Kind::Object(Vec::new()) },
        };
        let path = format!("Resources.{}", key.text);
        let Some(fields) = value.as_map() else {
            let message = format!("a resource must be a mapping, but is {}", value.kind());
            reader.report(&path, value.position, message, "write 'Type: AWS::...' under its name");
            return resource;
        };
        for field in fields {
            resource.field(field, &path, reader);
        }
        if fields.iter().all(|field| field.key.text != "Type") {
            reader.report(&path, key.position, "the resource has no Type", "write 'Type: AWS::...' under its name");
        }
        resource.makes_its_snapshots(fields, &path, reader);
        resource
    }

    fn field(&mut self, field: &Entry, path: &str, reader: &mut Reader<'_>) {
        let Entry { key, value } = field;
        let inner = format!("{path}.{}", key.text);
        match key.text.as_str() {
            "Type" => self.read_type(value, &inner, reader),
            "Properties" => self.read_properties(value, &inner, reader),
            "Condition" => self.condition = name(value, &inner, reader),
            "DependsOn" => {
                self.depends_on = match value.as_list() {
                    Some(items) => items.iter().filter_map(|item| name(item, &inner, reader)).collect(),
                    None => name(value, &inner, reader).into_iter().collect(),
                }
            }
            "DeletionPolicy" => self.deletion_policy = policy(value, &inner, reader, &DeletionPolicy::ALL),
            "UpdateReplacePolicy" => {
                let known = [DeletionPolicy::Delete, DeletionPolicy::Retain, DeletionPolicy::Snapshot];
                self.update_replace_policy = policy(value, &inner, reader, &known);
            }
            "Metadata" => self.metadata = value.to_json(),
            "CreationPolicy" | "UpdatePolicy" => reader.report(
                path,
                key.position,
                format!("{} is not supported", key.text),
                "take it out: every resource is waited for, and changed in one step",
            ),
            other if !reader.refused_by_name(key, path) => {
                let message = format!("a resource has no field '{other}'");
                reader.report(path, key.position, message, suggest(other, FIELDS, "fields"));
                if nearest(other, FIELDS) == Some("Properties") {
                    self.read_properties(value, &inner, reader);
                }
            }
            _ => {}
        }
    }

    /// Refuses a snapshot that AWS does not make by itself when the resource is deleted.
    fn makes_its_snapshots(&self, fields: &[Entry], path: &str, reader: &mut Reader<'_>) {
        let is_member = || self.properties().any(|(name, _)| name == "DBClusterIdentifier");
        let refused = match self.type_name.as_str() {
            "AWS::RDS::DBCluster" => return,
            "AWS::RDS::DBInstance" if !is_member() => return,
            "AWS::RDS::DBInstance" => {
                ("an instance of a cluster has no snapshot of its own", "write it at the cluster")
            }
            _ => (
                "the policy Snapshot is not supported here: nothing would ask AWS for a snapshot",
                "write Retain, or make the snapshot yourself and write Delete",
            ),
        };
        let policies =
            fields.iter().filter(|field| ["DeletionPolicy", "UpdateReplacePolicy"].contains(&&*field.key.text));
        for Entry { key, value } in policies.filter(|field| field.value.as_text() == Some("Snapshot")) {
            reader.report(&format!("{path}.{}", key.text), value.position, refused.0, refused.1);
        }
    }

    fn read_type(&mut self, node: &Node, path: &str, reader: &mut Reader<'_>) {
        let text = node.as_text().unwrap_or_default();
        self.type_position = node.position;
        if let Some((_, what, help)) = UNSUPPORTED_TYPES.iter().find(|(begin, ..)| text.starts_with(begin)) {
            reader.report(path, node.position, format!("{text}: {what} are not supported"), *help);
        } else if !is_type_name(text) {
            let message = format!("'{text}' is no resource type");
            reader.report(path, node.position, message, "write a type of three parts, as AWS::SQS::Queue");
        } else {
            self.type_name = text.to_owned();
        }
    }

    fn read_properties(&mut self, node: &Node, path: &str, reader: &mut Reader<'_>) {
        // An empty `Properties:` has none.
        if node.content == Content::Null {
            return;
        }
        let properties = reader.value(node, path);
        match &properties.kind {
            Kind::Object(_) | Kind::Broken => self.properties = properties,
            _ => {
                self.properties.kind = Kind::Broken;
                let message = match node.as_map() {
                    Some(_) => "a function cannot stand for all properties".to_owned(),
                    None => format!("must be a mapping, but is {}", node.kind()),
                };
                reader.report(path, node.position, message, "write 'Name: value' for each property");
            }
        }
    }

    /// The properties by name.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &Expression)> {
        let entries = match &self.properties.kind {
            Kind::Object(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|(key, value)| (key.text.as_str(), value))
    }

    /// Whether its condition holds; one of which that cannot be told is taken to hold, so that the resource is checked.
    pub fn is_made(&self, conditions: &BTreeMap<String, bool>) -> bool {
        self.condition.as_ref().is_none_or(|(condition, _)| conditions.get(condition) != Some(&false))
    }

    /// The resource as it is to be made, after those that it depends on.
    pub fn declared(&self, logical_id: &str, depends_on: Vec<String>) -> ResourceDecl {
        ResourceDecl {
            logical_id: logical_id.to_owned(),
            type_name: self.type_name.clone(),
            type_position: self.type_position,
            position: self.position,
            depends_on,
            deletion_policy: self.deletion_policy,
            update_replace_policy: self.update_replace_policy,
            metadata: self.metadata.clone(),
        }
    }
}

fn is_type_name(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric());
    text.split("::").count() == 3 && text.split("::").all(is_part)
}

/// A name that must be written out.
pub(super) fn name(node: &Node, path: &str, reader: &mut Reader<'_>) -> Option<(String, Position)> {
    let name = node.scalar();
    if name.is_none() {
        let message = format!("a name must stand here, but this is {}", node.kind());
        reader.report(path, node.position, message, "write the name as text; functions are not allowed here");
    }
    name.map(|name| (name, node.position))
}

fn policy(node: &Node, path: &str, reader: &mut Reader<'_>, known: &[DeletionPolicy]) -> DeletionPolicy {
    let text = node.as_text().unwrap_or_default();
    let found = DeletionPolicy::from_name(text).filter(|policy| known.contains(policy));
    if found.is_none() {
        let message = match node.as_text() {
            Some(text) => format!("there is no policy '{text}'"),
            None => format!("a policy is a text, but this is {}", node.kind()),
        };
        let names = known.iter().map(|policy| policy.name());
        reader.report(path, node.position, message, suggest(text, names, "policies"));
    }
    found.unwrap_or_default()
}

/// Which resources each resource comes after whatever the parameters are, by index. What depends on a condition that the
/// resource itself has not is left out.
pub(super) fn certain_edges(resources: &Resources) -> Vec<Vec<usize>> {
    edges(resources, Branches::Neither, |user, used| match &used.condition {
        None => true,
        Some((condition, _)) => user.condition.as_ref().is_some_and(|(own, _)| own == condition),
    })
}

/// The resources that are made, in an order in which each comes after those that it depends on, last those for which there is
/// none; and the cycles.
pub(super) fn live(resources: &Resources, conditions: &BTreeMap<String, bool>) -> (Vec<ResourceDecl>, Vec<Vec<usize>>) {
    let is_live = |resource: &Resource| resource.is_made(conditions);
    let edges = edges(resources, Branches::Chosen(conditions), |user, used| is_live(user) && is_live(used));
    let sorted = graph::sort(&edges);
    let ordered: HashSet<usize> = sorted.order.iter().copied().collect();
    let stuck = (0..edges.len()).filter(|index| !ordered.contains(index));
    let declared = sorted.order.iter().copied().chain(stuck).filter_map(|index| {
        let (id, resource) = resources.get_index(index).filter(|(_, resource)| is_live(resource))?;
        let ids = edges[index].iter().filter_map(|index| resources.get_index(*index));
        let mut depends_on: Vec<String> = ids.map(|(id, _)| id.clone()).collect();
        depends_on.sort();
        Some(resource.declared(id, depends_on))
    });
    (declared.collect(), sorted.cycles)
}

fn edges(
    resources: &Resources,
    branches: Branches<'_>,
    counts: impl Fn(&Resource, &Resource) -> bool,
) -> Vec<Vec<usize>> {
    let of = |resource: &Resource| {
        let mut needed: Vec<usize> = Vec::new();
        let mut need = |name: &str| {
            if let Some((index, _, used)) = resources.get_full(name)
                && counts(resource, used)
                && !needed.contains(&index)
            {
                needed.push(index);
            }
        };
        resource.depends_on.iter().for_each(|(name, _)| need(name));
        resource.properties.uses(branches, &mut |used, _| {
            if let Use::Ref(name) | Use::GetAtt(name) = used {
                need(name);
            }
        });
        needed
    };
    resources.values().map(of).collect()
}

/// Whether a resource has a condition that is none of the template's.
pub(super) fn unknown_condition<'r>(resource: &'r Resource, conditions: &Conditions) -> Option<(&'r str, Position)> {
    let (name, position) = resource.condition.as_ref()?;
    (!conditions.contains_key(name)).then_some((name.as_str(), *position))
}
