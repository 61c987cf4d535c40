//! `provision explain`: what AWS does, what the tool does about it, what to do. Makes no call.

use std::sync::Arc;

use serde_json::json;

use super::Run;
use super::packager::Packager;
use crate::aws;
use crate::cli;
use crate::engine::Providers;
use crate::error::Failure;
use crate::explain::{edges, matching, meaning, meanings};
use crate::providers;
use crate::template::nearest;
use crate::ui::explain;

pub(super) async fn run(run: &Run, flags: &cli::Explain) -> Result<(), Failure> {
    let unread = |error: toml::de::Error| Failure::failed("the list of edges cannot be read", error.to_string());
    let (edges, meanings) = (edges().map_err(unread)?, meanings().map_err(unread)?);
    let Some(topic) = &flags.topic else {
        return run.ui.result(|| explain::list(&edges), &json!({ "edges": edges }));
    };
    let (meaning, found) = (meaning(&meanings, topic), matching(&edges, topic));
    if meaning.is_some() || !found.is_empty() {
        let document = json!({ "topic": topic, "meaning": meaning, "edges": found });
        return run.ui.result(|| explain::found(meaning, &found), &document);
    }
    let config = aws::configuration(&run.settings).await;
    let packager = Packager::new(&run.settings.template, Arc::clone(&run.ui));
    let providers = providers::all(&config, Arc::new(packager));
    match providers.get(topic) {
        Some(provider) => {
            let schema = provider.schema();
            run.ui.result(|| explain::resource_type(schema), &explain::document(schema))
        }
        None if is_type(topic) => {
            let own: Vec<_> = providers.iter().map(|provider| provider.schema().type_name.as_str()).collect();
            let document = json!({ "type": topic, "provider": "cloud control", "own_providers": own });
            run.ui.result(|| explain::other_type(topic, nearest(topic, own.iter().copied()), &own), &document)
        }
        None => {
            let codes = edges.iter().map(|edge| &edge.codes).chain(meanings.iter().map(|meaning| &meaning.codes));
            Err(unknown(topic, codes.flatten().map(String::as_str), &providers))
        }
    }
}

/// Whether it is written as a resource type.
fn is_type(topic: &str) -> bool {
    let parts: Vec<_> = topic.split("::").collect();
    let is_word = |part: &&str| !part.is_empty() && part.chars().all(|each| each.is_ascii_alphanumeric());
    parts.len() == 3 && parts.iter().all(is_word)
}

fn unknown<'c>(topic: &str, codes: impl Iterator<Item = &'c str>, providers: &'c Providers) -> Failure {
    let types = providers.iter().map(|provider| provider.schema().type_name.as_str());
    let help = match nearest(topic, codes.chain(types)) {
        Some(near) => format!("did you mean {near}? `provision explain` lists the edges"),
        None => {
            "name an edge (E35), an error code of AWS's or a resource type; `provision explain` lists the edges".into()
        }
    };
    Failure::usage("there is nothing to explain by this name", format!("`{topic}`")).help(help)
}
