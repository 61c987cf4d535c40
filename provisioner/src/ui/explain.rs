//! How an edge, the list of them, and a resource type's properties are shown.

use std::fmt::Write;

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use crate::engine::{Absent, OnChange, Property, Schema};
use crate::explain::{Edge, Meaning};

/// A line an edge.
pub fn list(edges: &[Edge]) -> String {
    let mut text = String::new();
    for Edge { number, title, .. } in edges {
        let _ = writeln!(text, "{:<4} {title}", format!("E{number}"));
    }
    text + "\nprovision explain E35 tells more; so does an error code of AWS's, or a resource type"
}

/// What a code means, and all of these edges.
pub fn found(meaning: Option<&Meaning>, edges: &[&Edge]) -> String {
    let edges = edges.iter().map(ToString::to_string);
    meaning.map(ToString::to_string).into_iter().chain(edges).collect::<Vec<_>>().join("\n\n")
}

/// A type's properties: what a change does, and what it means to leave one out.
pub fn resource_type(schema: &Schema) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["property", "a change", "left out"]);
    for property in &schema.properties {
        table.add_row([property.name.clone(), change(property).to_owned(), left_out(property)]);
    }
    let attributes = std::iter::once("Ref").chain(schema.attributes.iter().map(String::as_str)).collect::<Vec<_>>();
    format!("{}\n\n{table}\n\ngives: {}", schema.type_name, attributes.join(", "))
}

/// A type that has no provider of its own, perhaps misspelt.
pub fn other_type(type_name: &str, near: Option<&str>, own: &[&str]) -> String {
    let near = near.map_or_else(String::new, |near| format!("\n\nDid you mean {near}?"));
    format!(
        "{type_name} has no provider of its own: it goes over AWS's Cloud Control API by its schema, which\n\
         `provision plan` reads from AWS. AWS's documentation of the type tells its properties.{near}\n\nTypes with a provider of their own:\n  {}",
        own.join("\n  ")
    )
}

/// The same for a program.
pub fn document(schema: &Schema) -> Value {
    let property = |property: &Property| {
        json!({
            "name": property.name,
            "required": property.required,
            "on_change": if property.on_change == OnChange::Replace { "replace" } else { "update" },
            "left_out": left_out(property),
        })
    };
    json!({
        "type": schema.type_name,
        "properties": schema.properties.iter().map(property).collect::<Vec<_>>(),
        "attributes": schema.attributes,
    })
}

fn change(property: &Property) -> &'static str {
    if property.on_change == OnChange::Replace { "replaces" } else { "in place" }
}

fn left_out(property: &Property) -> String {
    match &property.absent {
        _ if property.required => "required".into(),
        Absent::Default(Value::String(text)) if text.is_empty() => "empty".into(),
        Absent::Default(Value::String(text)) => text.clone(),
        Absent::Default(value) => value.to_string(),
        Absent::Removed => "removed".into(),
        Absent::Ignored => "not compared".into(),
    }
}
