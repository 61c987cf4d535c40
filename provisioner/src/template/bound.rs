//! A template with its parameters' values: which resources are made, with what, in which order.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::conditions;
use super::diagnostics::{Diagnostic, Diagnostics};
use super::dynamic;
use super::intrinsics::{Branches, Expression, Outcome, Scope, Use};
use super::names::cycle_problem;
use super::parameters::{self, Values};
use super::pseudo::Pseudo;
use super::resolve::{self, Attribute, Attributes, Resolved};
use super::resources::{self, ResourceDecl};
use super::{Sections, Template};

/// How a secret output is shown.
const MASK: &str = "****";

/// A template whose parameters have values; a draft keeps what is wrong with them.
#[derive(Debug)]
pub struct Bound<'t> {
    template: &'t Template,
    problems: Vec<Diagnostic>,
    pseudo: Pseudo,
    parameters: Values,
    conditions: BTreeMap<String, bool>,
    resources: Vec<ResourceDecl>,
}

/// Conditions depend on no resource.
struct NoAttributes;

impl Attributes for NoAttributes {
    fn attribute(&self, _: &str, _: &str) -> Attribute {
        Attribute::AfterApply
    }
}

impl<'t> Bound<'t> {
    pub(super) fn new(template: &'t Template, given: &BTreeMap<String, String>, pseudo: &Pseudo) -> Self {
        let sections = &template.sections;
        let mut problems = template.problems.clone();
        let parameters = parameters::values(&sections.parameters, given, &mut problems);
        let scope = Scope {
            parameters: &parameters,
            pseudo,
            mappings: &sections.mappings,
            conditions: &BTreeMap::new(),
            attributes: &NoAttributes,
            live: &|_| None,
        };
        let conditions = conditions::evaluate(&sections.conditions, &scope, &mut problems);
        let (resources, cycles) = resources::live(&sections.resources, &conditions);
        for cycle in cycles {
            let named = cycle.iter().filter_map(|index| sections.resources.get_index(*index));
            let steps: Vec<_> = named.map(|(id, resource)| (id.as_str(), resource.position)).collect();
            problems.extend(cycle_problem("Resources", &steps));
        }
        let mut bound = Self { template, problems, pseudo: pseudo.clone(), parameters, conditions, resources };
        let mut not_made = bound.uses_of_what_is_not_made();
        bound.problems.append(&mut not_made);
        bound
    }

    /// What is wrong with the template and with the values that it was given, so far.
    pub fn problems(&self) -> &[Diagnostic] {
        &self.problems
    }

    /// References from what is made to resources whose condition is false.
    fn uses_of_what_is_not_made(&self) -> Vec<Diagnostic> {
        let sections = self.sections();
        let mut problems = Vec::new();
        let mut look = |path: String, expression: &Expression| {
            expression.uses(Branches::Chosen(&self.conditions), &mut |used, at| {
                if let Use::Ref(name) | Use::GetAtt(name) = used
                    && sections.resources.get(name).is_some_and(|resource| !resource.is_made(&self.conditions))
                {
                    problems.push(resolve::not_made(name, at, path.clone()));
                }
            });
        };
        for declared in &self.resources {
            let id = &declared.logical_id;
            for (name, property) in sections.resources[id].properties() {
                look(format!("Resources.{id}.Properties.{name}"), property);
            }
        }
        for (name, output) in self.live_outputs() {
            look(format!("Outputs.{name}"), &output.value);
        }
        problems
    }

    fn sections(&self) -> &'t Sections {
        &self.template.sections
    }

    /// The resources whose condition holds, each after those that it depends on; in a draft those whose type could be read.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceDecl> {
        self.resources.iter().filter(|declared| !declared.type_name.is_empty())
    }

    /// Whether nothing that is wrong, and no guess, decides whether the resource is made.
    pub fn is_certain(&self, logical_id: &str) -> bool {
        let condition = self.sections().resources.get(logical_id).and_then(|resource| resource.condition.as_ref());
        condition.is_none_or(|(condition, _)| self.conditions.contains_key(condition))
    }

    /// The declaration of a resource that is made.
    pub fn declared(&self, logical_id: &str) -> Option<&ResourceDecl> {
        self.resources.iter().find(|declared| declared.logical_id == logical_id)
    }

    /// The resources that a resource's `DependsOn` names.
    pub fn said_dependencies(&self, logical_id: &str) -> Vec<String> {
        let said = self.sections().resources.get(logical_id).into_iter().flat_map(|resource| &resource.depends_on);
        said.map(|(name, _)| name.clone()).collect()
    }

    /// The names that each property of a resource uses, those of parameters among them.
    pub fn uses_by_property(&self, logical_id: &str) -> Vec<(&'t str, Vec<String>)> {
        let properties =
            self.sections().resources.get(logical_id).into_iter().flat_map(resources::Resource::properties);
        let of = |(name, property): (&'t str, &'t Expression)| {
            let mut used_names = Vec::new();
            property.uses(Branches::Chosen(&self.conditions), &mut |used, _| {
                if let Use::Ref(name) | Use::GetAtt(name) = used {
                    used_names.push(name.to_owned());
                }
            });
            (name, used_names)
        };
        properties.map(of).collect()
    }

    /// The values of NoEcho parameters, which must never be shown.
    pub fn secrets(&self) -> Vec<String> {
        let secret = self.parameters.values().filter(|parameter| parameter.secret);
        let texts = secret.flat_map(|parameter| match &parameter.value {
            Value::Array(items) => items.clone(),
            value => vec![value.clone()],
        });
        texts.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
    }

    /// The template that was bound.
    pub fn template(&self) -> &'t Template {
        self.template
    }

    /// A resource's properties; `attributes` tells what the resources that they refer to give.
    pub fn resolve(&self, logical_id: &str, attributes: &dyn Attributes) -> Result<Resolved, Diagnostics> {
        match self.resolve_draft(logical_id, attributes) {
            (resolved, problems) if problems.is_empty() => Ok(resolved),
            (_, problems) => Err(self.template.diagnostics(problems)),
        }
    }

    /// The same as far as they are sound, and what is wrong with the others.
    pub fn resolve_draft(&self, logical_id: &str, attributes: &dyn Attributes) -> (Resolved, Vec<Diagnostic>) {
        let Some(resource) = self.sections().resources.get(logical_id) else {
            let problem = Diagnostic::new("", format!("there is no resource '{logical_id}'"));
            return (Resolved::default(), vec![problem]);
        };
        self.with_scope(attributes, |scope| resolve::resolve(logical_id, &resource.properties, scope))
    }

    /// The outputs whose condition holds. A value known only after apply is null; one that a NoEcho parameter is part of
    /// is masked.
    pub fn outputs(&self, attributes: &dyn Attributes) -> Result<IndexMap<String, Value>, Diagnostics> {
        let mut problems = Vec::new();
        let mut values = IndexMap::new();
        self.with_scope(attributes, |scope| {
            for (name, output) in self.live_outputs() {
                match scope.evaluate(&output.value) {
                    Ok(evaluated) => {
                        if let Outcome::Known(Value::String(text)) = &evaluated.outcome
                            && let Err((message, help)) = dynamic::find(text, "")
                        {
                            let problem = Diagnostic::new(format!("Outputs.{name}"), message);
                            problems.push(problem.at(output.value.position).help(help));
                        }
                        if let Some((message, help)) = no_text(&evaluated.outcome) {
                            let problem = Diagnostic::new(format!("Outputs.{name}"), message);
                            problems.push(problem.at(output.value.position).help(help));
                        }
                        let value = match evaluated.outcome {
                            _ if evaluated.secret => MASK.into(),
                            Outcome::Known(value) => value,
                            Outcome::AfterApply(_) | Outcome::Nothing => Value::Null,
                        };
                        values.insert(name.clone(), value);
                    }
                    Err(problem) => {
                        let path = format!("Outputs.{name}");
                        problems.extend(problem.map(|problem| Diagnostic { path, ..problem }));
                    }
                }
            }
        });
        match problems.is_empty() {
            true => Ok(values),
            false => Err(self.template.diagnostics(problems)),
        }
    }

    fn live_outputs(&self) -> impl Iterator<Item = (&'t String, &'t super::Output)> {
        self.sections().outputs.iter().filter(|(_, output)| match &output.condition {
            Some((condition, _)) => self.conditions.get(condition) != Some(&false),
            None => true,
        })
    }

    fn with_scope<T>(&self, attributes: &dyn Attributes, action: impl FnOnce(&Scope<'_>) -> T) -> T {
        let made = |id: &str| self.sections().resources.get(id).filter(|resource| resource.is_made(&self.conditions));
        let live = |id: &str| made(id).map(|resource| resource.type_name.as_str());
        action(&Scope {
            parameters: &self.parameters,
            pseudo: &self.pseudo,
            mappings: &self.sections().mappings,
            conditions: &self.conditions,
            attributes,
            live: &live,
        })
    }
}
/// What is wrong with an output that is none, and what to do.
fn no_text(outcome: &Outcome) -> Option<(&'static str, &'static str)> {
    match outcome {
        Outcome::Known(Value::Array(_)) => {
            Some(("an output is a text, and this is a list", "join it: !Join [',', ...]"))
        }
        Outcome::Known(Value::Object(_)) => {
            Some(("an output is a text, and this is an object", "give one of its values"))
        }
        Outcome::Nothing => Some(("an output cannot be AWS::NoValue", "give the output a Condition")),
        Outcome::Known(_) | Outcome::AfterApply(_) => None,
    }
}
