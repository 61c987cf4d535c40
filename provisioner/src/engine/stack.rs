//! A stack: a bound template, the providers of its types, and where it lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::dynamic::{DynamicValues, StoredParameters};
use super::remembered::{policy_word, remember_given};
use super::tag_list::{tag_pointer, tags_of};
use super::validate::validate;
use super::{EngineError, Keeping, Observed, Provider, ProviderError, Resource, Schema, Scope};
use crate::template::{
    Attribute, Attributes, Bound, Diagnostic, Diagnostics, DynamicReference, Resolved, ResourceDecl,
    dynamic_references, nearest, property_path,
};

/// How many calls go side by side; AWS's control planes take more, and a stack seldom has more.
pub(super) const WIDTH: usize = 32;

/// The providers, a type each.
#[derive(Clone, Default)]
pub struct Providers {
    by_type: BTreeMap<String, Arc<dyn Provider>>,
    pub(super) left_behind: Option<Arc<dyn Provider>>,
    pub(super) keeping: Option<Arc<dyn Keeping>>,
    refused: BTreeMap<String, ProviderError>,
    pub(super) dynamic: DynamicValues,
}

impl Providers {
    /// A provider a type; of two for one type the later one counts.
    pub fn new(providers: impl IntoIterator<Item = Arc<dyn Provider>>) -> Self {
        let by_type = providers.into_iter().map(|p| (p.schema().type_name.clone(), p)).collect();
        Self { by_type, ..Self::default() }
    }

    /// The same with a source for the template's dynamic references.
    pub fn with_parameters(self, source: Arc<dyn StoredParameters>) -> Self {
        Self { dynamic: DynamicValues::of(source), ..self }
    }

    /// The same with one that finds and deletes resources of any other type.
    pub fn with_left_behind(self, left_behind: Option<Arc<dyn Provider>>) -> Self {
        Self { left_behind, ..self }
    }

    /// The same with one that sets and takes off the tags by which what takes no tags is remembered.
    pub fn with_keeping(self, keeping: Option<Arc<dyn Keeping>>) -> Self {
        Self { keeping, ..self }
    }

    /// These and more.
    pub fn with(mut self, more: impl IntoIterator<Item = Arc<dyn Provider>>) -> Self {
        self.by_type.extend(Self::new(more).by_type);
        self
    }

    /// The same, and why resources of other types cannot be made.
    pub fn with_refused(self, refused: BTreeMap<String, ProviderError>) -> Self {
        Self { refused, ..self }
    }

    /// Why there is no provider of a type, and what to do.
    fn unknown(&self, type_name: &str) -> (String, String) {
        if let Some(refusal) = self.refused.get(type_name) {
            return (refusal.to_string(), refusal.help());
        }
        let help = match nearest(type_name, self.by_type.keys().map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None => "take it out, or deploy it with CloudFormation beside this stack".to_owned(),
        };
        (format!("the type {type_name} is not known to provision"), help)
    }

    /// The provider of a CloudFormation type.
    pub fn get(&self, type_name: &str) -> Option<&Arc<dyn Provider>> {
        self.by_type.get(type_name)
    }

    /// Every provider, by type name; last the one of all other types.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.by_type.values().chain(&self.left_behind)
    }
}

/// A template, bound to its parameters, in one account and region.
pub struct Stack<'t> {
    /// Where it lives.
    pub scope: Scope,
    /// The template with parameters and conditions settled.
    pub bound: Bound<'t>,
    /// The types that it may use.
    pub providers: Providers,
}

/// What `Ref` and `Fn::GetAtt` give, by logical id.
pub(super) type KnownAttributes = BTreeMap<String, BTreeMap<String, Value>>;

/// A wanted resource and what AWS has under its name.
#[derive(Clone, Debug)]
pub struct Look {
    /// What the template wants.
    pub resource: Resource,
    /// What is there.
    pub observed: Option<Observed>,
}

impl Stack<'_> {
    /// Every resource that the template wants, in dependency order, checked against its type's schema. Makes no call.
    ///
    /// # Errors
    /// All the template's problems at once.
    pub fn declare(&self) -> Result<Vec<Resource>, Diagnostics> {
        let (resources, problems) = self.declare_each();
        if problems.is_empty() { Ok(resources) } else { Err(self.bound.template().diagnostics(problems)) }
    }

    /// The same, with nothing seen of any.
    ///
    /// # Errors
    /// All the template's problems at once.
    pub fn unseen(&self) -> Result<Vec<Look>, Diagnostics> {
        Ok(self.declare()?.into_iter().map(|resource| Look { resource, observed: None }).collect())
    }

    /// Whether a resource's own tags tell whose it is; a kind without tags is its parent's, or its keeper's.
    pub fn takes_tags(&self, resource: &Resource) -> bool {
        !self.belongs(resource) && !self.is_untracked(&resource.type_name)
    }

    /// As [`Stack::declare`], with every resource that has a name, sound or not, and all problems, those of a draft and of outputs too.
    pub fn declare_each(&self) -> (Vec<Resource>, Vec<Diagnostic>) {
        let mut known = KnownAttributes::new();
        let (mut resources, mut problems) = (Vec::new(), self.bound.problems().to_vec());
        for declared in self.bound.resources() {
            let (resource, found) = self.unchecked(declared, &known);
            problems.extend(found);
            if let Some(resource) = resource {
                known.insert(resource.logical_id.clone(), resource.attributes.clone());
                resources.push(resource);
            }
        }
        problems.extend(self.bound.outputs(&Lookup { stack: self, known: &known }).err().into_iter().flatten());
        (resources, problems)
    }

    /// A problem with the property at a JSON pointer of a declared resource, at its place in the template.
    pub fn problem(&self, resource: &Resource, pointer: &str, message: impl Into<String>) -> Diagnostic {
        let id = &resource.logical_id;
        let (resolved, _) = self.bound.resolve_draft(id, &Lookup { stack: self, known: &KnownAttributes::new() });
        let of_resource = self.bound.declared(id).map(|declared| declared.position);
        let problem = resolved.diagnostic(id, pointer, message);
        let position = problem.position.or(of_resource);
        problem.at(position)
    }

    /// One resource, its references resolved by `known`, with the attributes that follow from its name.
    pub(super) fn resource(
        &self,
        declared: &ResourceDecl,
        known: &KnownAttributes,
    ) -> Result<(Resource, BTreeMap<String, Value>), Diagnostics> {
        match self.unchecked(declared, known) {
            (Some(resource), problems) if problems.is_empty() => Ok((resource.clone(), resource.attributes)),
            (_, problems) => Err(self.bound.template().diagnostics(problems)),
        }
    }

    /// The same, sound or not, with all that is wrong with it; none where its properties or its name cannot be told.
    fn unchecked(&self, declared: &ResourceDecl, known: &KnownAttributes) -> (Option<Resource>, Vec<Diagnostic>) {
        let (mut resolved, mut problems) =
            self.bound.resolve_draft(&declared.logical_id, &Lookup { stack: self, known });
        self.providers.dynamic.fill(&mut resolved);
        let named = self.provider(declared).and_then(|provider| {
            provider.schema().read_json_texts(&mut resolved.properties);
            problems.extend(validate(
                &declared.logical_id,
                &resolved.properties,
                provider.schema(),
                &resolved.positions,
                Some(declared.position),
            ));
            Ok((provider, self.physical_id(declared, provider, &resolved)?))
        });
        let (provider, physical_id) = match named {
            Ok(named) if !resolved.properties.is_null() => named,
            Ok(_) => return (None, problems),
            Err(problem) => {
                problems.push(problem);
                return (None, problems);
            }
        };
        let mut properties = resolved.properties;
        let given_tags = properties.as_object_mut().and_then(|map| map.shift_remove("Tags")).unwrap_or_default();
        let attributes = provider.attributes(&physical_id, &properties, &self.scope);
        let waits_for = self.waits_for(declared, provider.schema(), &resolved.after_apply);
        let retain = declared.deletion_policy.keeps();
        let mut tags = tags_of(&given_tags);
        remember_given(&mut tags);
        tags.extend(self.scope.ownership_tags(&declared.logical_id, policy_word(retain)));
        let resource = Resource {
            logical_id: declared.logical_id.clone(),
            type_name: declared.type_name.clone(),
            physical_id,
            properties,
            after_apply: resolved.after_apply.into_iter().map(|(at, by)| (tag_pointer(&given_tags, at), by)).collect(),
            secret: resolved.secret.into_iter().map(|at| tag_pointer(&given_tags, at)).collect(),
            tags,
            attributes,
            metadata: declared.metadata.clone(),
            depends_on: declared.depends_on.clone(),
            waits_for,
            retain,
            retain_on_replace: declared.update_replace_policy.keeps(),
        };
        (Some(resource), problems)
    }

    /// The name that AWS will know the resource by.
    fn physical_id(
        &self,
        declared: &ResourceDecl,
        provider: &Arc<dyn Provider>,
        resolved: &Resolved,
    ) -> Result<String, Diagnostic> {
        let named = provider.physical_id(&declared.logical_id, &resolved.properties, &self.scope);
        named.map_err(|error| {
            let pointer = match &error {
                ProviderError::BadName { property, .. } => format!("/{property}"),
                _ => String::new(),
            };
            let path = property_path(&declared.logical_id, &pointer);
            let at = resolved.positions.get(&pointer).copied().unwrap_or(declared.position);
            let edge = matches!(error, ProviderError::BadName { .. }).then_some("E5");
            Diagnostic { edge, ..Diagnostic::new(path, error.to_string()).at(at).help(error.help()) }
        })
    }

    /// What must stand before the resource can be made: what `DependsOn` says, what is used where AWS looks whether it is
    /// there, and what gives a value that is not known yet.
    fn waits_for(
        &self,
        declared: &ResourceDecl,
        schema: &Schema,
        after_apply: &BTreeMap<String, String>,
    ) -> Vec<String> {
        let by_name = |property: &str| schema.property(property).is_some_and(|property| property.by_name);
        let mut needed: BTreeSet<String> = self.bound.said_dependencies(&declared.logical_id).into_iter().collect();
        for (property, used) in self.bound.uses_by_property(&declared.logical_id) {
            needed.extend(used.into_iter().filter(|_| !by_name(property)));
        }
        needed.extend(after_apply.values().filter_map(|reference| reference.split('.').next()).map(str::to_owned));
        declared.depends_on.iter().filter(|id| needed.contains(*id)).cloned().collect()
    }

    fn provider(&self, declared: &ResourceDecl) -> Result<&Arc<dyn Provider>, Diagnostic> {
        self.providers.get(&declared.type_name).ok_or_else(|| {
            let (message, help) = self.providers.unknown(&declared.type_name);
            let path = format!("Resources.{}.Type", declared.logical_id);
            Diagnostic::new(path, message).at(declared.type_position).help(help)
        })
    }

    /// Reads the stored parameters that the template names, as far as they are not known.
    pub(super) async fn read_all_dynamic(&self, known: &KnownAttributes) -> Result<(), EngineError> {
        self.read_references(&self.all_references(known)).await
    }

    /// The same of one resource.
    pub(super) async fn read_dynamic(
        &self,
        declared: &ResourceDecl,
        known: &KnownAttributes,
    ) -> Result<(), EngineError> {
        self.read_references(&self.references(declared, known)).await
    }

    async fn read_references(&self, references: &[DynamicReference]) -> Result<(), EngineError> {
        let read = self.providers.dynamic.read(references).await;
        read.map_err(|error| EngineError::provider("dynamic references", "dynamic references", error))
    }

    /// The names of the stored parameters that the template's dynamic references ask for.
    pub fn stored_parameters(&self) -> BTreeSet<String> {
        self.all_references(&KnownAttributes::new()).into_iter().map(|reference| reference.name).collect()
    }

    fn references(&self, declared: &ResourceDecl, known: &KnownAttributes) -> Vec<DynamicReference> {
        let resolved = self.bound.resolve(&declared.logical_id, &Lookup { stack: self, known });
        resolved.map(|resolved| resolved.dynamic).unwrap_or_default()
    }

    /// The dynamic references of all resources and of the outputs.
    fn all_references(&self, known: &KnownAttributes) -> Vec<DynamicReference> {
        let of_resources = self.bound.resources().flat_map(|declared| self.references(declared, known));
        let outputs = self.bound.outputs(&Lookup { stack: self, known }).unwrap_or_default();
        of_resources.chain(outputs.values().filter_map(Value::as_str).flat_map(dynamic_references)).collect()
    }

    /// The template's outputs, from names alone where nothing exists yet; a value known only after apply is left out.
    ///
    /// # Errors
    /// The template's problems.
    pub fn outputs(&self, looks: &[Look]) -> Result<IndexMap<String, Value>, Diagnostics> {
        let mut outputs = self.bound.outputs(&Lookup { stack: self, known: &self.known(looks) })?;
        outputs.values_mut().for_each(|output| self.providers.dynamic.fill_output(output));
        Ok(outputs)
    }

    pub(super) fn provider_of(&self, resource: &Resource) -> Result<&Arc<dyn Provider>, EngineError> {
        self.provider_for(&resource.type_name, &resource.logical_id)
    }

    pub(super) fn provider_for(&self, type_name: &str, logical_id: &str) -> Result<&Arc<dyn Provider>, EngineError> {
        self.providers.get(type_name).or(self.providers.left_behind.as_ref()).ok_or_else(|| EngineError::UnknownType {
            type_name: type_name.to_owned(),
            logical_id: logical_id.to_owned(),
        })
    }
}

/// The engine's answer to the template's references.
pub(super) struct Lookup<'a> {
    pub(super) stack: &'a Stack<'a>,
    pub(super) known: &'a KnownAttributes,
}

impl Attributes for Lookup<'_> {
    fn attribute(&self, logical_id: &str, name: &str) -> Attribute {
        if let Some(value) = self.known.get(logical_id).and_then(|attributes| attributes.get(name)) {
            return Attribute::Known(value.clone());
        }
        let declared = self.stack.bound.resources().find(|declared| declared.logical_id == logical_id);
        let schema = declared.and_then(|declared| self.stack.providers.get(&declared.type_name)).map(|p| p.schema());
        match schema {
            Some(schema) if name != "Ref" && !schema.attributes.iter().any(|attribute| attribute == name) => {
                Attribute::NoSuch { known: schema.attributes.clone() }
            }
            _ => Attribute::AfterApply,
        }
    }
}
