//! Policy documents as services give them back.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::engine::{Shape, canonical};

/// A document as JSON; IAM percent-encodes it, the emulator may not (E12). What is no JSON stays text, and so is drift.
pub(super) fn parsed(text: &str) -> Value {
    if let Ok(document) = serde_json::from_str(text) {
        return document;
    }
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    serde_json::from_str(&decoded).unwrap_or_else(|_| Value::from(text))
}

/// Of one policy's documents in several places the one that is not as wanted, else any; `None` where there is none at all.
pub(super) fn odd_one<'d>(documents: &'d [Option<Value>], wanted: Option<&Value>) -> Option<&'d Value> {
    let wanted = canonical(wanted.unwrap_or(&Value::Null), &Shape::Policy);
    let mut there = documents.iter().flatten();
    there.clone().find(|document| canonical(document, &Shape::Policy) != wanted).or_else(|| there.next())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn e12_an_encoded_and_a_plain_document_are_the_same() {
        let plain = r#"{"Statement":[{"Action":"s3:*"}]}"#;
        let encoded = "%7B%22Statement%22%3A%5B%7B%22Action%22%3A%22s3%3A%2A%22%7D%5D%7D";
        assert_eq!(parsed(encoded), parsed(plain));
        assert_eq!(parsed("50%").as_str(), Some("50%"));
        assert_eq!(parsed(r#"{"a":"100%25"}"#), json!({"a": "100%25"}));
    }
}
