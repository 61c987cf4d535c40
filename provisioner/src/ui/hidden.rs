//! What must never be shown: the values of NoEcho parameters, wherever they turn up: in an attribute, in AWS's own words.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What stands instead.
const MASK: &str = "****";

/// A shorter value stands in too many other words to be taken out of a text.
const SHORTEST: usize = 4;

/// Values that are taken out of all that is printed.
#[derive(Default)]
pub(super) struct Hidden(RwLock<BTreeSet<String>>);

impl Hidden {
    pub(super) fn add(&self, values: impl IntoIterator<Item = String>) {
        let mut hidden = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for value in values.into_iter().filter(|value| value.chars().count() >= SHORTEST) {
            // As it stands in JSON, and as `Fn::Base64` gives it, too.
            let quoted = serde_json::Value::from(value.as_str()).to_string();
            hidden.insert(quoted.trim_matches('"').to_owned());
            hidden.insert(STANDARD.encode(&value));
            hidden.insert(value);
        }
    }

    pub(super) fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let hidden = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // The longest first: one may be a part of another.
        let mut found: Vec<&String> = hidden.iter().filter(|value| text.contains(value.as_str())).collect();
        found.sort_by_key(|value| std::cmp::Reverse(value.len()));
        found.into_iter().fold(Cow::Borrowed(text), |text, value| Cow::Owned(text.replace(value.as_str(), MASK)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_value_is_in_no_text_and_no_json() {
        let hidden = Hidden::default();
        hidden.add(["hunter2", "hunter2-long", "a\"b\nc", "no"].map(str::to_owned));
        assert_eq!(hidden.mask("no hunter2, no hunter2-long"), "no ****, no ****");
        assert_eq!(hidden.mask(r#"{"x": "a\"b\nc"}"#), r#"{"x": "****"}"#);
        assert_eq!(hidden.mask("bad aHVudGVyMg=="), "bad ****");
        assert_eq!(hidden.mask("nothing of it"), "nothing of it");
    }
}
