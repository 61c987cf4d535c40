//! Policy documents as services give them back.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// A document as JSON; IAM percent-encodes it, the emulator may not (E12). What is no JSON stays text, and so is drift.
pub(super) fn parsed(text: &str) -> Value {
    if let Ok(document) = serde_json::from_str(text) {
        return document;
    }
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    serde_json::from_str(&decoded).unwrap_or_else(|_| Value::from(text))
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
