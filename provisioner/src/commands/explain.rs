//! `provision explain`: what AWS does, what the tool does about it, what to do. Makes no call.

use std::sync::Arc;

use serde_json::json;

use super::Run;
use super::packager::Packager;
use crate::aws;
use crate::cli;
use crate::engine::Providers;
use crate::error::Failure;
use crate::explain::{Edge, edges, matching};
use crate::providers;
use crate::template::nearest;
use crate::ui::explain;

pub(super) async fn run(run: &Run, flags: &cli::Explain) -> Result<(), Failure> {
    let edges = edges().map_err(|error| Failure::failed("the list of edges cannot be read", error.to_string()))?;
    let Some(topic) = &flags.topic else {
        return run.ui.result(|| explain::list(&edges), &json!({ "edges": edges }));
    };
    let found = matching(&edges, topic);
    if !found.is_empty() {
        return run.ui.result(|| explain::edges(&found), &json!({ "topic": topic, "edges": found }));
    }
    let config = aws::configuration(&run.settings).await;
    let packager = Packager::new(&run.settings.template, Arc::clone(&run.ui));
    let providers = providers::all(&config, Arc::new(packager));
    match providers.get(topic) {
        Some(provider) => {
            let schema = provider.schema();
            run.ui.result(|| explain::resource_type(schema), &explain::document(schema))
        }
        None => Err(unknown(topic, &edges, &providers)),
    }
}

fn unknown(topic: &str, edges: &[Edge], providers: &Providers) -> Failure {
    let codes = edges.iter().flat_map(|edge| &edge.codes).map(String::as_str);
    let types = providers.iter().map(|provider| provider.schema().type_name.as_str());
    let help = match nearest(topic, codes.chain(types)) {
        Some(near) => format!("did you mean {near}? `provision explain` lists all"),
        None => {
            "name an edge (E35), an error code of AWS's or a resource type; `provision explain` lists the edges".into()
        }
    };
    Failure::usage("there is nothing to explain by this name", format!("`{topic}`")).help(help)
}
