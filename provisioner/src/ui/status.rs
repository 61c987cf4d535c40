//! A stack's state as a table, and as `status --json` gives it.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;

use super::crawl;
use crate::engine::{Look, Scope, Stack, State};
use crate::fleet::Progress;

/// The state of a stack.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The stack's name.
    pub stack: String,
    /// Its region.
    pub region: String,
    /// Its account.
    pub account: String,
    /// Every resource of the template.
    pub resources: Vec<Resource>,
    /// How far the crawl is, for a template that carries one.
    #[serde(flatten)]
    pub progress: Option<Progress>,
}

/// The state of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// The name within the template.
    pub logical_id: String,
    /// CloudFormation's type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The name under which AWS knows it.
    pub physical_id: String,
    /// AWS's own word, or `Missing`, `Foreign`, `Paused`.
    pub status: String,
    /// Why it is so, where there is a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip)]
    healthy: bool,
}

impl Status {
    /// The state of what was looked at.
    pub fn new(stack: &Stack<'_>, looks: &[Look], progress: Option<Progress>) -> Self {
        let resources = looks.iter().map(|look| Resource::new(look, stack)).collect();
        let Scope { stack, region, account, .. } = stack.scope.clone();
        Self { stack, region, account, resources, progress }
    }

    /// Whether every resource is there and can be used, and no letter is dead.
    pub fn is_healthy(&self) -> bool {
        let dead = self.progress.as_ref().is_some_and(|progress| !progress.dead_letters.is_empty());
        self.resources.iter().all(|resource| resource.healthy) && !dead
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(["RESOURCE", "TYPE", "NAME", "STATUS"]);
        for Resource { logical_id, type_name, physical_id, status, reason, .. } in &self.resources {
            let status = reason.as_ref().map_or_else(|| status.clone(), |reason| format!("{status}: {reason}"));
            table.add_row([logical_id, type_name, physical_id, &status]);
        }
        let mut text = table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        if let Some(progress) = &self.progress {
            text = format!("{text}\n\n{}", crawl::text(progress));
        }
        text
    }
}

impl Resource {
    fn new(look: &Look, stack: &Stack<'_>) -> Self {
        let Look { resource, observed } = look;
        let (status, reason, healthy) = match observed {
            None => ("Missing".to_owned(), None, false),
            Some(observed) if stack.takes_tags(resource) && !stack.scope.owns(&observed.tags) => {
                ("Foreign".to_owned(), Some("it has no tag of this stack".to_owned()), false)
            }
            Some(observed) => match &observed.state {
                State::Paused(reason) => ("Paused".to_owned(), Some(reason.clone()), false),
                State::Ready(word) => (word.clone(), None, true),
                State::Changing(word) | State::Failed(word) => (word.clone(), None, false),
            },
        };
        Self {
            logical_id: resource.logical_id.clone(),
            type_name: resource.type_name.clone(),
            physical_id: resource.physical_id.clone(),
            status,
            reason,
            healthy,
        }
    }
}
