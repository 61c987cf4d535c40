//! Each provider beside the schema of its type in CloudFormation's registry, as cfn-lint ships it.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::types::RegistryType;
use provisioner::engine::OnChange;
use serde_json::Value;
use testkit::FaultProxy;
use testkit::fault_proxy::Edge;

use crate::stage::{Stage, endpoint};

/// The names of properties at the root that a list of pointers in a schema tells.
fn at_root<'s>(schema: &'s Value, list: &str) -> BTreeSet<&'s str> {
    let pointers = schema[list].as_array().into_iter().flatten().filter_map(Value::as_str);
    let names = pointers.filter_map(|pointer| pointer.strip_prefix("/properties/"));
    names.filter(|name| !name.contains('/')).collect()
}

#[tokio::test]
async fn every_property_that_cloudformation_knows_is_made_or_refused_by_name_and_replaces_where_it_must() {
    let proxy = FaultProxy::start(&endpoint()).unwrap();
    proxy.play(Edge::Registry);
    let stage = Stage::at("reference", &proxy.url()).await;
    let registry = aws_sdk_cloudformation::Client::new(&stage.config);
    let mut seen = 0;
    for provider in stage.providers().iter() {
        let ours = provider.schema();
        let asked = registry.describe_type().r#type(RegistryType::Resource).type_name(&ours.type_name).send().await;
        let theirs: Value = serde_json::from_str(asked.unwrap().schema().unwrap()).unwrap();
        let given_back = at_root(&theirs, "readOnlyProperties");
        let fixed = at_root(&theirs, "createOnlyProperties");
        let names = theirs["properties"].as_object().unwrap().keys().filter(|name| !given_back.contains(name.as_str()));
        for name in names {
            let at = format!("{} {name}", ours.type_name);
            match ours.property(name) {
                Some(ours) => assert!(ours.on_change == OnChange::Replace || !fixed.contains(name.as_str()), "{at}"),
                None => assert!(ours.unmade.contains(name), "{at} is neither made nor refused by name"),
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 12);
}
