//! The one trait between the engine and a resource type.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::Value;

use super::{OnChange, Progress, ProviderError, Schema, Scope};

/// A resource as the template wants it, its references resolved as far as they are known.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The name within the template.
    pub logical_id: String,
    /// For example `AWS::SQS::Queue`.
    pub type_name: String,
    /// The name (or for an unnamed kind the key) under which AWS knows it; the same on every run.
    pub physical_id: String,
    /// In CloudFormation's shape, without `Tags`; a value known only after apply stands as null.
    pub properties: Value,
    /// JSON pointers of values known only after apply, each with the reference it waits for.
    pub after_apply: BTreeMap<String, String>,
    /// JSON pointers of values that a NoEcho parameter went into: never shown.
    pub secret: BTreeSet<String>,
    /// The template's tags and the stack's own: what create calls must carry.
    pub tags: BTreeMap<String, String>,
    /// What [`Provider::attributes`] gave: a queue is read by the URL, a log group by the ARN that follow from its name.
    pub attributes: BTreeMap<String, Value>,
    /// The resource's `Metadata`, null where it has none: how a function is built.
    pub metadata: Value,
    /// Logical ids that come before this one, as CloudFormation has it.
    pub depends_on: Vec<String>,
    /// Those of them that must stand before this one can be made: not what it only names (see [`super::Property::by_name`]).
    pub waits_for: Vec<String>,
    /// Kept by `down` and when it leaves the template.
    pub retain: bool,
    /// Kept when it would be replaced, which refuses the replacement of a fixed name.
    pub retain_on_replace: bool,
}

#[cfg(test)]
impl Resource {
    /// One with these names and properties, and nothing else.
    pub(crate) fn sample(type_name: &str, logical_id: &str, physical_id: &str, properties: Value) -> Self {
        Self {
            logical_id: logical_id.into(),
            type_name: type_name.into(),
            physical_id: physical_id.into(),
            properties,
            after_apply: BTreeMap::new(),
            secret: BTreeSet::new(),
            tags: BTreeMap::new(),
            attributes: BTreeMap::new(),
            metadata: Value::Null,
            depends_on: vec![],
            waits_for: vec![],
            retain: false,
            retain_on_replace: false,
        }
    }
}

/// A resource as AWS has it now.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// For example `AWS::SQS::Queue`.
    pub type_name: String,
    /// The same as [`Resource::physical_id`].
    pub physical_id: String,
    /// In CloudFormation's shape, only properties of the schema, without `Tags`.
    pub properties: Value,
    /// All its tags; empty for a kind that takes none.
    pub tags: BTreeMap<String, String>,
    /// What `Ref` and `Fn::GetAtt` give.
    pub attributes: BTreeMap<String, Value>,
    /// Whether it can be used.
    pub state: State,
    /// What the provider itself wants to know again: a queue's URL, a mapping's UUID, a RevisionId.
    pub handle: Value,
}

/// Whether a resource can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Yes; the word is AWS's own where it has one: `Active`, `Enabled`.
    Ready(String),
    /// Not yet, or not during a change: `Pending`, `Creating`.
    Changing(String),
    /// No, and waiting will not help: AWS's state and reason.
    Failed(String),
    /// A mapping that was paused on purpose, with the reason.
    Paused(String),
}

impl State {
    /// The word to show.
    pub fn word(&self) -> &str {
        match self {
            Self::Ready(word) | Self::Changing(word) | Self::Failed(word) => word,
            Self::Paused(_) => "Paused",
        }
    }
}

/// A property that is not as the template says.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Dotted path, `RedrivePolicy.maxReceiveCount`, or `Tags.team`.
    pub path: String,
    /// What AWS has; none where it has nothing.
    pub before: Option<Value>,
    /// What the template says; none where it says nothing.
    pub after: Option<Value>,
    /// Set where the value will be known only after apply: the reference it waits for.
    pub after_apply: Option<String>,
    /// What the change does to the resource.
    pub on_change: OnChange,
    /// A value that is never shown.
    pub secret: bool,
}

impl Difference {
    /// The property at the root of the path: `RedrivePolicy`.
    pub fn property(&self) -> &str {
        self.path.split(['.', '[']).next().unwrap_or(&self.path)
    }

    /// Whether a number becomes a lower one, or one that is not known yet. No number is none at all, or where `endless` the highest.
    pub fn lowers(&self, endless: bool) -> bool {
        let none = if endless { f64::INFINITY } else { 0.0 };
        let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_f64).unwrap_or(none);
        match self.after_apply {
            Some(_) => number(&self.before) > 0.0,
            None => number(&self.after) < number(&self.before),
        }
    }
}

/// How far a delete may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// A bucket's objects, versions and unfinished uploads may go with it.
    pub empty: bool,
    /// Do not wait for the 60 s in which a deleted queue's name lingers (E43).
    pub no_wait: bool,
}

/// A resource type: its properties on one side, the service's API on the other. Knows no other type.
///
/// Guarantees: every method can be called again after it was cut off anywhere; `create` carries the tags in the create
/// call itself (E6); `create` and `update` end when the resource is usable and changed, `delete` when AWS has taken the
/// call, and `gone` when the resource is gone.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The type's properties.
    fn schema(&self) -> &Schema;

    /// The name under which AWS will know the resource: what the template gives, else one that follows from the scope.
    ///
    /// # Errors
    /// [`ProviderError::Refused`] for a name that AWS would not take (E5).
    fn physical_id(&self, logical_id: &str, properties: &Value, scope: &Scope) -> Result<String, ProviderError>;

    /// What `Ref` (under that name) and `Fn::GetAtt` give, as far as it follows from the name, before anything exists.
    fn attributes(&self, physical_id: &str, properties: &Value, scope: &Scope) -> BTreeMap<String, Value>;

    /// Brings in what is outside of the template before the diff: a function's code, by its hash.
    ///
    /// # Errors
    /// [`ProviderError::Refused`] where it is missing or unfit.
    async fn prepare(&self, _resource: &mut Resource) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Looks. `None` only where AWS says that it does not exist; a read that is refused is an error (E6).
    ///
    /// # Errors
    /// Any failed call.
    async fn read(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError>;

    /// The same for a teardown. What joins resources that go anyway may leave out tags that take another round of calls.
    ///
    /// # Errors
    /// Any failed call.
    async fn read_to_delete(&self, resource: &Resource) -> Result<Option<Observed>, ProviderError> {
        self.read(resource).await
    }

    /// Makes it, with its tags, and waits until it is usable. [`Progress::stands`] says earlier that others may build on it.
    ///
    /// # Errors
    /// Any failed call or wait.
    async fn create(&self, resource: &Resource, progress: &Progress) -> Result<Observed, ProviderError>;

    /// Sends the differences and nothing else, and waits until they are in force.
    ///
    /// # Errors
    /// Any failed call or wait.
    async fn update(
        &self,
        resource: &Resource,
        observed: &Observed,
        differences: &[Difference],
        progress: &Progress,
    ) -> Result<Observed, ProviderError>;

    /// Removes it. One that is not there is a success.
    ///
    /// # Errors
    /// Any failed call.
    async fn delete(
        &self,
        observed: &Observed,
        options: DeleteOptions,
        progress: &Progress,
    ) -> Result<(), ProviderError>;

    /// Waits until what an earlier run, or somebody else, has begun on a resource has ended. Most kinds are ready at once.
    ///
    /// # Errors
    /// Any failed call, a wait that took too long, or that it cannot be used.
    async fn ready(&self, _observed: &Observed, _progress: &Progress) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Waits until what was deleted is gone, where AWS takes its time.
    ///
    /// # Errors
    /// Any failed call, or a wait that took too long.
    async fn gone(
        &self,
        _observed: &Observed,
        _options: DeleteOptions,
        _progress: &Progress,
    ) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Everything of this type that carries the stack's tags and is not `named` by the template, with what a delete needs:
    /// name, tags, attributes and handle; its properties may be left empty. What is named is read by itself, so its tags
    /// need no call here (E28). Nothing for a kind without tags.
    ///
    /// # Errors
    /// Any failed call.
    async fn find(&self, _scope: &Scope, _named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        Ok(Vec::new())
    }

    /// For a kind without tags: what hangs on `parents`, the stack's own resources of the kind that it belongs to, and is
    /// not `named` by the template. The provider of all other types is given all of the stack's resources, and names with their types
    /// before them.
    ///
    /// # Errors
    /// Any failed call.
    async fn find_on(&self, _parents: &[&Observed], _named: &BTreeSet<String>) -> Result<Vec<Observed>, ProviderError> {
        Ok(Vec::new())
    }

    /// What a keeper remembers by this name, if it is there: of a kind without tags what hangs on something outside of the template,
    /// but for what is of another one by now that is `named` by the template.
    ///
    /// # Errors
    /// Any failed call.
    async fn find_kept(
        &self,
        _physical_id: &str,
        _named: &BTreeSet<String>,
    ) -> Result<Option<Observed>, ProviderError> {
        Ok(None)
    }

    /// What is there, held against the resource as it is known by now: when it was read, what it refers to may not have been.
    fn held_against(&self, _resource: &Resource, observed: Observed) -> Observed {
        observed
    }

    /// What is there, seen by one who knows what the template gave before: of what takes no tags only its keeper tells it.
    fn remembering(&self, _resource: &Resource, observed: Observed, _given: &str) -> Observed {
        observed
    }

    /// When it goes in a teardown; the calls of one rank go side by side, 0 first. Most kinds can go in any order (E64). None:
    /// as the template's dependencies say, each after all that depends on it.
    fn teardown_rank(&self) -> Option<u8> {
        Some(0)
    }

    /// What it puts into resources of other types, which is therefore no drift of theirs: a policy into its roles.
    fn puts(&self, _resource: &Resource) -> Vec<Put> {
        Vec::new()
    }

    /// The stored parameter that it makes, by name and value: what the template reads by a dynamic reference.
    fn stores(&self, _resource: &Resource) -> Option<(String, String)> {
        None
    }

    /// Whether a difference that updates in place by the schema replaces what is there now: a role re-made under its name (E11).
    fn replaces(&self, _observed: &Observed, _difference: &Difference) -> bool {
        false
    }

    /// Whether a change may replace it under its own name, or leave an earlier one on the same parent: then `up` deletes too.
    fn remade_in_place(&self) -> bool {
        true
    }

    /// Whether it holds what a replacement would lose: a bucket's objects.
    ///
    /// # Errors
    /// Any failed call.
    async fn holds_data(&self, _observed: &Observed) -> Result<bool, ProviderError> {
        Ok(false)
    }

    /// What AWS keeps of it by itself when it is deleted, as a person is told it: a database's last snapshot.
    fn leaves(&self, _observed: &Observed) -> Option<&'static str> {
        None
    }

    /// Whether AWS takes its time over every change of this type, which a plan says.
    fn is_slow(&self) -> bool {
        false
    }

    /// Whether nothing of its own finds it again once the template no longer names it: it takes no tags, so that another resource's
    /// tag must remember it.
    fn is_untracked(&self) -> bool {
        false
    }

    /// The IAM actions that a person needs for one resource of this type. They go to what [`Provider::arns`] names.
    fn permissions(&self) -> Permissions<'_>;

    /// The IAM actions that [`Provider::find`] needs, whatever the template says.
    fn find_permissions(&self, _scope: &Scope) -> Vec<Grant> {
        Vec::new()
    }

    /// The ARNs that the actions of [`Provider::permissions`] go to, of each service that they are of. An action of a
    /// service without an ARN here is not needed for this resource; `*` stands for what no ARN is known of.
    fn arns(&self, resource: &Resource, _scope: &Scope) -> Vec<String> {
        resource.attributes.get("Arn").and_then(Value::as_str).map(str::to_owned).into_iter().collect()
    }
}

/// What one resource puts into a list of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Put {
    /// The other's type.
    pub type_name: &'static str,
    /// The name under which AWS knows the other.
    pub physical_id: String,
    /// The other's property, which is a list.
    pub property: &'static str,
    /// The item, or of an object the fields that tell it.
    pub item: Value,
}

/// IAM actions of a provider, by what they are for.
#[derive(Clone, Debug, Default)]
pub struct Permissions<'p> {
    /// For `plan` and `status`.
    pub read: Vec<&'p str>,
    /// For `up`, besides `read`.
    pub write: Vec<&'p str>,
    /// For `down`, besides `read`.
    pub delete: Vec<&'p str>,
    /// Those of `read`, else of `write`, that a property decides on.
    pub decided: Vec<(&'p str, Needed)>,
}

impl<'p> Permissions<'p> {
    /// The actions that a resource with these properties, in CloudFormation's shape, needs to be read, and as asked for to be written and
    /// deleted.
    pub fn needed(&self, properties: &Value, writes: bool, deletes: bool) -> impl Iterator<Item = &'p str> {
        let read = self.read.iter().filter(|action| self.is_needed(action, properties));
        let always = |action: &&str| self.read.contains(action) || self.is_needed(action, properties);
        let write = self.write.iter().filter(move |action| writes && always(action));
        let delete = self.delete.iter().filter(move |_| deletes);
        read.chain(write).chain(delete).copied()
    }

    fn is_needed(&self, action: &str, properties: &Value) -> bool {
        let given = |name: &str| properties.pointer(&format!("/{}", name.replace('.', "/"))).is_some();
        self.decided.iter().filter(|(decided, _)| *decided == action).all(|(_, needed)| match needed {
            Needed::Given(name) => given(name),
            Needed::LeftOut(name) => !given(name),
        })
    }
}

/// When an action is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// Where the template gives this property; dots lead into it.
    Given(&'static str),
    /// Where it does not: what somebody set by hand is put back.
    LeftOut(&'static str),
}

/// IAM actions on resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// `sqs:CreateQueue`.
    pub actions: &'static [&'static str],
    /// ARNs, which may have `*` in them.
    pub resources: Vec<String>,
}

impl Grant {
    /// Actions on the resources of an ARN.
    pub fn on(arn: impl Into<String>, actions: &'static [&'static str]) -> Self {
        Self { actions, resources: vec![arn.into()] }
    }

    /// Actions for which IAM knows no narrower resource.
    pub fn anywhere(actions: &'static [&'static str]) -> Self {
        Self::on("*", actions)
    }
}
