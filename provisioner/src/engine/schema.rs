//! What a resource type's properties look like, and what a change to each of them does.
//!
//! A schema is data: the template is checked against it before any call, and the diff is computed by it.

use serde_json::Value;

/// What a read gives for a property that AWS does not give back, and that is known to be another than the template says.
pub const NOT_GIVEN_BACK: &str = "(AWS does not give it back)";

/// A resource type as CloudFormation names it.
#[derive(Clone, Debug)]
pub struct Schema {
    /// For example `AWS::SQS::Queue`.
    pub type_name: String,
    /// Every property that the provider handles; any other is an error.
    pub properties: Vec<Property>,
    /// What `Fn::GetAtt` gives; `Ref` is always there.
    pub attributes: Vec<String>,
    /// A kind that takes no tags belongs to the resource that one of its properties names.
    pub parent: Option<Parent>,
    /// The properties that name what it joins: it goes with them.
    pub joins: Vec<String>,
    /// Properties that CloudFormation knows, here or within others, and that the provider does not make.
    pub unmade: Vec<String>,
}

/// What a kind without tags belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The parent's type, for example `AWS::SQS::Queue`, where the kind is searched for on it.
    pub type_name: Option<String>,
    /// The properties that may name it.
    pub properties: Vec<String>,
}

/// One property of a resource type or of an object within it.
#[derive(Clone, Debug)]
pub struct Property {
    /// CloudFormation's name.
    pub name: String,
    /// What its value looks like.
    pub shape: Shape,
    /// Whether the template must give it.
    pub required: bool,
    /// What a change does, as AWS's resource reference says.
    pub on_change: OnChange,
    /// What it means that the template does not give it.
    pub absent: Absent,
    /// AWS takes a name in it without looking whether there is such a thing: no reason to wait for it.
    pub by_name: bool,
    /// AWS takes it and never gives it back: it is compared only where a read says [`NOT_GIVEN_BACK`].
    pub unseen: bool,
    /// An object that a template may also write as text in JSON.
    pub or_json_text: bool,
    /// A lower number makes AWS delete data that the higher one kept, so that it asks first.
    pub loses_when_lowered: bool,
}

/// What a value looks like, and therefore when two values are the same.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Text; a number or a boolean in the template is taken for its text.
    Text,
    /// A whole number; `"60"` is 60.
    Integer,
    /// A number, whole or not; `"0.5"` is 0.5, and 1.0 is 1.
    Number,
    /// `true` or `false`; `"true"` is true.
    Boolean,
    /// A point in time in ISO 8601; `2030-01-01` is that day's beginning in UTC.
    Time,
    /// Any JSON, as an object or as text that holds one.
    Json,
    /// An IAM policy document: compared as JSON in which one text equals a list of that text, and lists are sets (E12).
    Policy,
    /// A list in which the order matters.
    List(Box<Shape>),
    /// A list in which the order does not matter.
    Set(Box<Shape>),
    /// Names of the user's choosing to values of one shape.
    Map(Box<Shape>),
    /// Named properties; any other name is an error.
    Object(Vec<Property>),
    /// `Tags`: the engine itself merges them with the stack's own and gives them to providers as `Resource::tags`.
    Tags,
    /// The same where each tag must have a flag of this name too: `PropagateAtLaunch`.
    FlaggedTags(String),
    /// Text, or a value of the other shape: a function's code is a path or an object.
    TextOr(Box<Shape>),
    /// Of a type over Cloud Control, a value that its schema leaves open: AWS alone checks it.
    Any,
}

/// What a changed value does to the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// Updates it in place.
    Update,
    /// Deletes it and makes it anew.
    Replace,
}

/// What a property means that the template leaves out.
#[derive(Clone, Debug, PartialEq)]
pub enum Absent {
    /// AWS fills in this value; another one observed is drift.
    Default(Value),
    /// It is not there; one observed is drift and is removed.
    Removed,
    /// Whatever is observed is fine.
    Ignored,
}

impl Schema {
    /// A taggable type with these properties and attributes.
    pub fn new(type_name: &str, properties: Vec<Property>, attributes: &[&str]) -> Self {
        Self {
            type_name: type_name.to_owned(),
            properties,
            attributes: attributes.iter().map(|name| (*name).to_owned()).collect(),
            parent: None,
            joins: Vec::new(),
            unmade: Vec::new(),
        }
    }

    /// The same without these properties of CloudFormation's, so that they are refused by name.
    pub fn without(mut self, names: &[&str]) -> Self {
        self.unmade = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// The same for a kind that takes no tags: it belongs to the resource of that type that `property` names.
    pub fn belongs_to(mut self, type_name: &str, property: &str) -> Self {
        self.parent = Some(Parent { type_name: Some(type_name.to_owned()), properties: vec![property.to_owned()] });
        self
    }

    /// The same for a kind that joins what these properties name.
    pub fn joins(mut self, properties: &[&str]) -> Self {
        self.joins = properties.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// The property of that name.
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    /// The property at a dotted path.
    pub fn property_at(&self, path: &str) -> Option<&Property> {
        let mut names = path.split('.');
        let first = self.property(names.next()?)?;
        names.try_fold(first, |outer, name| outer.shape.properties().iter().find(|inner| inner.name == name))
    }
}

impl Schema {
    /// Turns objects that are written as text in JSON into objects.
    pub(super) fn read_json_texts(&self, properties: &mut Value) {
        for property in self.properties.iter().filter(|property| property.or_json_text) {
            let Some(value) = properties.get_mut(&property.name) else { continue };
            let read = value.as_str().and_then(|text| serde_json::from_str(text).ok());
            if let Some(read @ Value::Object(_)) = read {
                *value = read;
            }
        }
    }
}

impl Property {
    /// An optional property that updates in place and whose absence is not compared.
    pub fn new(name: &str, shape: Shape) -> Self {
        Self {
            name: name.to_owned(),
            shape,
            required: false,
            on_change: OnChange::Update,
            absent: Absent::Ignored,
            by_name: false,
            unseen: false,
            or_json_text: false,
            loses_when_lowered: false,
        }
    }

    /// The template must give it.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// A change replaces the resource.
    pub fn replaces(mut self) -> Self {
        self.on_change = OnChange::Replace;
        self
    }

    /// AWS fills in `value` when the template leaves it out.
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.absent = Absent::Default(value.into());
        self
    }

    /// What is named in it need not stand when the resource is made: an environment variable, an ARN in a role's policy.
    pub fn by_name(mut self) -> Self {
        self.by_name = true;
        self
    }

    /// A template may also write it as text in JSON, as in the service's own API.
    pub fn or_json_text(mut self) -> Self {
        self.or_json_text = true;
        self
    }

    /// AWS deletes what a lower number no longer keeps: a queue's older messages.
    pub fn loses_when_lowered(mut self) -> Self {
        self.loses_when_lowered = true;
        self
    }

    /// Left out means not there.
    pub fn removed_when_absent(mut self) -> Self {
        self.absent = Absent::Removed;
        self
    }
}

impl Shape {
    /// A list in which the order matters.
    pub fn list(of: Shape) -> Self {
        Self::List(Box::new(of))
    }

    /// A list in which the order does not matter.
    pub fn set(of: Shape) -> Self {
        Self::Set(Box::new(of))
    }

    /// Names of the user's choosing to values of one shape.
    pub fn map(of: Shape) -> Self {
        Self::Map(Box::new(of))
    }

    /// The properties of an object, or of each object of a list; none of any other shape.
    pub fn properties(&self) -> &[Property] {
        match self {
            Self::Object(properties) => properties,
            Self::List(of) | Self::Set(of) | Self::TextOr(of) => of.properties(),
            _ => &[],
        }
    }
}
