//! Reading properties in CloudFormation's shape, and writing them.
//!
//! A number or a flag may stand as text, as in a template it may. A null is a property that is not there.

use serde_json::{Map, Value};

use crate::engine::whole_number;

/// The properties of a resource, or of an object within them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'v>(pub(super) &'v Value);

impl<'v> Fields<'v> {
    pub(super) fn get(self, name: &str) -> Option<&'v Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn text(self, name: &str) -> Option<String> {
        self.get(name).map(as_text)
    }

    pub(super) fn integer(self, name: &str) -> Option<i64> {
        whole_number(self.get(name)?)
    }

    /// A number for the SDK, whose numbers are of 32 bits; one that does not fit is left to AWS to refuse.
    pub(super) fn int32(self, name: &str) -> Option<i32> {
        self.integer(name).map(|number| i32::try_from(number).unwrap_or(i32::MAX))
    }

    pub(super) fn boolean(self, name: &str) -> Option<bool> {
        match self.get(name)? {
            // CloudFormation takes `True` as well.
            Value::String(word) => word.to_lowercase().parse().ok(),
            flag => flag.as_bool(),
        }
    }

    pub(super) fn object(self, name: &str) -> Option<Fields<'v>> {
        self.get(name).filter(|value| value.is_object()).map(Fields)
    }

    /// The objects of a list; none for a list that is not there.
    pub(super) fn objects(self, name: &str) -> Vec<Fields<'v>> {
        self.items(name).iter().map(Fields).collect()
    }

    /// The texts of a list, or `None` where it is not there; one that is known only after apply is not in it.
    pub(super) fn texts(self, name: &str) -> Option<Vec<String>> {
        let known = |items: &Vec<Value>| items.iter().filter(|item| !item.is_null()).map(as_text).collect();
        self.get(name)?.as_array().map(known)
    }

    /// Names of the user's choosing with their texts.
    pub(super) fn text_map(self, name: &str) -> Option<std::collections::HashMap<String, String>> {
        self.get(name)?.as_object().map(|map| map.iter().map(|(key, value)| (key.clone(), as_text(value))).collect())
    }

    /// JSON as text: a policy document, whether the template gives it as an object or as text.
    pub(super) fn document(self, name: &str) -> Option<String> {
        self.text(name)
    }

    fn items(self, name: &str) -> &'v [Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// An object of the fields that have a value.
pub(super) fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    Value::Object(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>())
}

/// A list, or nothing where it is empty.
pub(super) fn list(items: impl IntoIterator<Item = Value>) -> Option<Value> {
    let items: Vec<Value> = items.into_iter().collect();
    (!items.is_empty()).then_some(Value::Array(items))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_and_a_flag_may_stand_as_text_and_a_null_is_absent() {
        let value = json!({"A": "60", "B": 60, "C": "true", "D": null, "E": {"x": 1}});
        let fields = Fields(&value);
        assert_eq!((fields.integer("A"), fields.text("B")), (Some(60), Some("60".into())));
        assert_eq!(Fields(&json!({"A": 60.0})).integer("A"), Some(60));
        assert_eq!(Fields(&json!({"A": 60.5})).integer("A"), None);
        assert_eq!((fields.boolean("C"), fields.has("D")), (Some(true), false));
        assert_eq!(fields.document("E").as_deref(), Some(r#"{"x":1}"#));
        let list = json!({"F": [null, "a", 1]});
        assert_eq!(Fields(&list).texts("F"), Some(vec!["a".into(), "1".into()]));
    }
}
