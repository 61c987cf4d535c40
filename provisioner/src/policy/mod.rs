//! The least IAM policy that a person needs for a command on a template, computed from what the providers declare.
//!
//! Which actions IAM ties to which resource is `actions`'s to know; what a crawl's own commands call, `crawl`'s.

mod actions;
mod crawl;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::engine::{Look, Resource, Scope, Stack};
use crate::rules::asks_quota;
use crate::template::Diagnostics;

pub use crawl::Crawl;

const MAPPING: &str = "AWS::Lambda::EventSourceMapping";

/// A command that calls AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Command {
    /// Reads everything.
    Plan,
    /// Reads everything, makes and changes what the template names, and deletes what a change replaces.
    Up,
    /// Reads everything, deletes what the template names.
    Down,
    /// Indexes the titles and sends the jobs.
    Launch,
    /// Reads the template's resources, the queues and the lake.
    Status,
}

/// A parameter as IAM names it; AWS's own public ones are of no account.
fn parameter_arn(name: &str, scope: &Scope) -> String {
    let of_aws = name.starts_with("/aws/service/");
    let scope = Scope { account: if of_aws { String::new() } else { scope.account.clone() }, ..scope.clone() };
    scope.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))
}

fn remade_in_place(stack: &Stack<'_>, resource: &Resource) -> bool {
    stack.providers.get(&resource.type_name).is_some_and(|provider| provider.remade_in_place())
}

/// Actions, each with the resources that it may touch.
#[derive(Debug, Default)]
pub struct Policy {
    /// By action and condition (JSON text, empty for none).
    grants: BTreeMap<(String, String), BTreeSet<String>>,
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// `sqs:CreateQueue`.
    pub actions: Vec<String>,
    /// ARNs, or `*`.
    pub resources: Vec<String>,
    /// IAM's condition, where there is one.
    pub condition: Option<Value>,
}

impl Policy {
    /// What these commands need for this stack. `delete_data` is for `down --delete-data`.
    ///
    /// # Errors
    /// The template's problems.
    pub fn of(stack: &Stack<'_>, commands: &[Command], delete_data: bool) -> Result<Self, Diagnostics> {
        let looks = stack.unseen()?;
        let crawl = Crawl::of(stack, &looks)?;
        let mut policy = Self::default();
        for command in commands {
            let (finds, writes) = match command {
                Command::Plan => (true, false),
                Command::Up => (true, true),
                Command::Down => (true, false),
                Command::Status => (false, false),
                Command::Launch => {
                    policy.crawl(&crawl, *command);
                    continue;
                }
            };
            if finds {
                policy.finds(stack);
            }
            for name in stack.stored_parameters() {
                policy.allow("ssm:GetParameter", [parameter_arn(&name, &stack.scope)], None);
            }
            for Look { resource, .. } in &looks {
                let deletes = match command {
                    Command::Down => delete_data || !resource.retain,
                    Command::Up => !resource.retain_on_replace && remade_in_place(stack, resource),
                    _ => false,
                };
                policy.resource(stack, resource, writes, deletes);
                if writes && stack.wants_keeper(resource, &looks) {
                    policy.keeps();
                }
                if *command == Command::Down && crawl.is_some() {
                    policy.stops(stack, resource);
                }
            }
            if matches!(command, Command::Plan | Command::Up) && asks_quota(looks.iter().map(|look| &look.resource)) {
                policy.allow("lambda:GetAccountSettings", ["*".to_owned()], None);
            }
            policy.crawl(&crawl, *command);
        }
        Ok(policy)
    }

    /// As IAM takes it.
    pub fn document(&self) -> Value {
        let statements = self.statements().into_iter().map(|statement| {
            let Statement { actions, resources, condition } = statement;
            let mut document = json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
            if let Some(condition) = condition {
                document["Condition"] = condition;
            }
            document
        });
        json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
    }

    /// Actions that touch the same stand together.
    pub fn statements(&self) -> Vec<Statement> {
        let mut statements: BTreeMap<(&BTreeSet<String>, &str), Vec<String>> = BTreeMap::new();
        for ((action, condition), resources) in &self.grants {
            statements.entry((resources, condition)).or_default().push(action.clone());
        }
        let statement = |((resources, condition), actions): ((&BTreeSet<String>, &str), _)| Statement {
            actions,
            resources: resources.iter().cloned().collect(),
            condition: serde_json::from_str(condition).ok(),
        };
        statements.into_iter().map(statement).collect()
    }

    fn allow(&mut self, action: &str, resources: impl IntoIterator<Item = String>, condition: Option<Value>) {
        let condition = condition.map(|condition| condition.to_string()).unwrap_or_default();
        self.grants.entry((action.to_owned(), condition)).or_default().extend(resources);
    }

    /// `find` asks for every type, as a resource of any may have left the template.
    fn finds(&mut self, stack: &Stack<'_>) {
        for grant in stack.providers.iter().flat_map(|provider| provider.find_permissions(&stack.scope)) {
            for action in grant.actions {
                self.allow(action, grant.resources.clone(), None);
            }
        }
    }

    fn resource(&mut self, stack: &Stack<'_>, resource: &Resource, writes: bool, deletes: bool) {
        let Some(provider) = stack.providers.get(&resource.type_name) else { return };
        let (permissions, arns) = (provider.permissions(), provider.arns(resource, &stack.scope));
        for action in permissions.needed(&resource.properties, writes, deletes) {
            let resources = actions::resources(action, &arns);
            if !resources.is_empty() {
                self.allow(action, resources, actions::condition(action, resource, &stack.scope));
            }
        }
    }

    /// Another resource's tag remembers it.
    fn keeps(&mut self) {
        for action in ["tag:TagResources", "tag:UntagResources"] {
            self.allow(action, ["*".to_owned()], None);
        }
    }

    /// Before its queues or its lake go, the fleet is stopped.
    fn stops(&mut self, stack: &Stack<'_>, resource: &Resource) {
        let Some(provider) = stack.providers.get(&resource.type_name).filter(|_| resource.type_name == MAPPING) else {
            return;
        };
        let action = "lambda:UpdateEventSourceMapping";
        let resources = actions::resources(action, &provider.arns(resource, &stack.scope));
        self.allow(action, resources, actions::condition(action, resource, &stack.scope));
    }

    fn crawl(&mut self, crawl: &Option<Crawl>, command: Command) {
        let Some(crawl) = crawl else { return };
        for grant in crawl.grants(command) {
            for action in grant.actions {
                self.allow(action, grant.resources.clone(), None);
            }
        }
    }
}
