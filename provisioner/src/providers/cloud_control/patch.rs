//! A change as Cloud Control takes it: a JSON patch of whole properties.

use serde_json::{Map, Value, json};

use super::tagging::tags_out;
use super::{CloudControlProvider, SETTLES, requests};
use crate::engine::{Difference, Observed, OnChange, Progress, ProviderError, Resource, retry_until};
use crate::providers::fields::Fields;
use crate::providers::tags::TagChanges;
use crate::template::pointer_to;

/// What AWS does anew each time it is sent, a new password: it goes only where it has changed.
const MADE_ANEW: [(&str, &str); 1] = [("AWS::SecretsManager::Secret", "GenerateSecretString")];

impl CloudControlProvider {
    /// The changed properties, each whole, as a JSON patch. What AWS does not give back goes with every patch, as it asks for.
    pub(super) fn patch(&self, resource: &Resource, observed: &Observed, differences: &[Difference]) -> Value {
        let fields = Fields(&resource.properties);
        let changed = differences.iter().map(Difference::property).filter(|name| *name != "Tags");
        let fixed = |name: &str| self.about.schema.property(name).is_some_and(|one| one.on_change == OnChange::Replace);
        let again = |name: &str| fields.has(name) && !fixed(name) && !MADE_ANEW.contains(&(self.type_name(), name));
        let unseen = self.about.write_only.iter().map(String::as_str).filter(|name| again(name));
        let mut patch = Map::new();
        for name in changed.chain(unseen) {
            let path = pointer_to("", name);
            let step = match fields.get(name) {
                Some(value) => json!({"op": "add", "path": path, "value": value}),
                None => json!({"op": "remove", "path": path}),
            };
            patch.insert(path, step);
        }
        let changes = TagChanges::of(resource, differences);
        if let Some(property) = self.about.tags.as_ref().filter(|_| changes != TagChanges::default()) {
            let path = format!("/{}", property.name);
            let whole = tags_out(&changes.applied_to(&observed.tags), property);
            patch.insert(path.clone(), json!({"op": "add", "path": path, "value": whole}));
        }
        Value::Array(patch.into_iter().map(|(_, step)| step).collect())
    }

    pub(super) async fn send_patch(
        &self,
        identifier: &str,
        patch: &Value,
        progress: &Progress,
    ) -> Result<(), ProviderError> {
        if *patch == json!([]) {
            return Ok(());
        }
        retry_until("AWS to take the change", SETTLES, progress, requests::passes, || {
            self.requests.update(self.type_name(), identifier, patch, self.limit(), progress)
        })
        .await
    }
}

/// Whether a step takes something off, which AWS refuses where it is not there.
pub(super) fn removes(patch: &Value) -> bool {
    patch.as_array().into_iter().flatten().any(|step| step["op"] == "remove")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use aws_config::{BehaviorVersion, SdkConfig};

    use super::super::requests::Requests;
    use super::super::type_schema::TypeSchema;
    use super::*;
    use crate::providers::observed::as_wanted;

    fn provider(type_name: &str, unseen: &[&str]) -> CloudControlProvider {
        let text = json!({"type": "string"});
        let mut schema = json!({
            "properties": {"Name": text, "Description": text, "Id": text}, "primaryIdentifier": ["/properties/Id"],
            "readOnlyProperties": ["/properties/Id"], "createOnlyProperties": ["/properties/Name"],
            "handlers": {"create": {}, "read": {}, "delete": {}, "list": {}},
        });
        schema["properties"]["Tags"] = json!({"type": "array"});
        for name in unseen {
            schema["properties"][name] = json!({"type": "object"});
        }
        schema["writeOnlyProperties"] = unseen.iter().map(|name| format!("/properties/{name}")).collect();
        let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        CloudControlProvider { requests: Requests::new(&config), about: TypeSchema::parse(type_name, &schema).unwrap() }
    }

    #[test]
    fn what_aws_does_not_give_back_goes_with_every_change_but_not_what_it_does_anew_by_it() {
        let secret = "AWS::SecretsManager::Secret";
        let properties = json!({"Name": "n", "Description": "new", "SecretString": {}, "GenerateSecretString": {}});
        let resource = Resource::sample(secret, "Key", "key", properties);
        let observed = Observed { tags: BTreeMap::new(), ..as_wanted(&resource) };
        let change = |path: &str| Difference {
            path: path.into(),
            before: None,
            after: None,
            after_apply: None,
            on_change: OnChange::Update,
            secret: false,
        };
        let provider = provider(secret, &["SecretString", "GenerateSecretString"]);
        let sent = |paths: &[&str]| -> Vec<String> {
            let differences: Vec<_> = paths.iter().map(|path| change(path)).collect();
            let patch = provider.patch(&resource, &observed, &differences);
            patch.as_array().unwrap().iter().map(|step| step["path"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(sent(&["Description"]), ["/Description", "/SecretString"]);
        assert_eq!(sent(&["GenerateSecretString"]), ["/GenerateSecretString", "/SecretString"]);
    }
}
