//! Every name that a template uses must be one that it has; and nothing may be built on itself.

use super::conditions;
use super::diagnostics::{Diagnostic, Position};
use super::graph;
use super::intrinsics::{Branches, FindInMap, Use};
use super::pseudo;
use super::resources;
use super::text::{nearest, suggest};
use super::{Output, Sections};

/// All unknown names, and all cycles.
pub(super) fn check(sections: &Sections) -> Vec<Diagnostic> {
    let mut check = Check { sections, problems: Vec::new() };
    check.conditions();
    check.resources();
    check.outputs();
    check.problems
}

struct Check<'a> {
    sections: &'a Sections,
    problems: Vec<Diagnostic>,
}

impl Check<'_> {
    fn report(&mut self, path: &str, at: Position, message: String, help: String) {
        self.problems.push(Diagnostic::new(path, message).at(at).help(help));
    }

    fn conditions(&mut self) {
        let conditions = &self.sections.conditions;
        for (name, condition) in conditions {
            let path = format!("Conditions.{name}");
            condition.uses(&mut |used, at| match used {
                Use::Ref(name) | Use::GetAtt(name) if self.sections.resources.contains_key(name) => {
                    let message = format!("a condition cannot depend on the resource '{name}'");
                    self.report(&path, at, message, "use parameters, pseudo parameters and mappings".into());
                }
                used => self.name(&path, used, at),
            });
        }
        for cycle in graph::sort(&conditions::edges(conditions)).cycles {
            self.cycle("Conditions", &cycle, |index| {
                conditions.get_index(index).map(|(name, condition)| (name.as_str(), condition.position))
            });
        }
    }

    fn resources(&mut self) {
        let all = &self.sections.resources;
        for (id, resource) in all {
            let path = format!("Resources.{id}");
            if let Some((name, at)) = resources::unknown_condition(resource, &self.sections.conditions) {
                self.name(&path, Use::Condition(name), at);
            }
            for (name, at) in &resource.depends_on {
                if !all.contains_key(name) {
                    let message = format!("DependsOn names '{name}', and there is no such resource");
                    let help = suggest(name, all.keys().map(String::as_str), "resources");
                    self.report(&path, *at, message, help);
                }
            }
            for (name, property) in resource.properties() {
                let path = format!("{path}.Properties.{name}");
                property.uses(Branches::Both, &mut |used, at| self.name(&path, used, at));
            }
        }
        for cycle in graph::sort(&resources::certain_edges(all)).cycles {
            self.cycle("Resources", &cycle, |index| {
                all.get_index(index).map(|(id, resource)| (id.as_str(), resource.position))
            });
        }
    }

    fn outputs(&mut self) {
        for (name, Output { condition, value, .. }) in &self.sections.outputs {
            let path = format!("Outputs.{name}");
            if let Some((condition, at)) = condition {
                self.name(&path, Use::Condition(condition), *at);
            }
            value.uses(Branches::Both, &mut |used, at| self.name(&path, used, at));
        }
    }

    fn name(&mut self, path: &str, used: Use<'_>, at: Position) {
        let Sections { parameters, conditions, resources, .. } = self.sections;
        match used {
            Use::Ref(name) => {
                let known =
                    resources.contains_key(name) || parameters.contains_key(name) || pseudo::NAMES.contains(&name);
                if !known {
                    let ids = || resources.keys().chain(parameters.keys()).map(String::as_str);
                    let message = format!("there is no parameter and no resource '{name}'");
                    let help = match nearest(name, ids().chain(pseudo::NAMES)) {
                        Some(near) => format!("did you mean '{near}'?"),
                        None => suggest(name, ids(), "parameters and no resources"),
                    };
                    self.report(path, at, message, help);
                }
            }
            Use::GetAtt(name) if !resources.contains_key(name) => {
                let message = format!("there is no resource '{name}'");
                let help = suggest(name, resources.keys().map(String::as_str), "resources");
                self.report(path, at, message, help);
            }
            Use::Condition(name) if !conditions.contains_key(name) => {
                let message = format!("there is no condition '{name}'");
                let help = suggest(name, conditions.keys().map(String::as_str), "conditions");
                self.report(path, at, message, help);
            }
            Use::Mapping(lookup) => self.mapping(path, lookup, at),
            Use::GetAtt(_) | Use::Condition(_) => {}
        }
    }

    /// A lookup is looked after as far as its names are written out.
    fn mapping(&mut self, path: &str, lookup: &FindInMap, at: Position) {
        let Some(map) = lookup.map.as_text().filter(|_| lookup.default.is_none()) else {
            return;
        };
        let (first, second) = (lookup.first.as_text(), lookup.second.as_text());
        if let Some(mut problem) = self.sections.mappings.missing(map, first, second) {
            problem.path = path.to_owned();
            self.problems.push(problem.at(at));
        }
    }

    fn cycle<'n>(&mut self, section: &str, cycle: &[usize], named: impl Fn(usize) -> Option<(&'n str, Position)>) {
        let steps: Vec<(&str, Position)> = cycle.iter().filter_map(|index| named(*index)).collect();
        self.problems.extend(cycle_problem(section, &steps));
    }
}

/// The problem of a cycle through the named things, at the place of the first.
pub(super) fn cycle_problem(section: &str, steps: &[(&str, Position)]) -> Option<Diagnostic> {
    let (first, at) = steps.first()?;
    let names: Vec<&str> = steps.iter().map(|(name, _)| *name).chain([*first]).collect();
    let message = format!("depends on itself: {}", names.join(" -> "));
    let help = match section {
        "Resources" => {
            "take one reference out: write the name or ARN with Fn::Sub, or move it to a resource of its own"
        }
        _ => "take one reference out",
    };
    Some(Diagnostic::new(format!("{section}.{first}"), message).at(*at).help(help))
}
