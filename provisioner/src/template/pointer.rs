//! JSON pointers (RFC 6901) into a resource's properties: `/Environment/Variables/KEY`.

/// The pointer to the field `name` of what `pointer` leads to.
pub fn pointer_to(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The top-level property that a pointer leads to or into.
pub fn property_of(pointer: &str) -> Option<&str> {
    pointer.split('/').nth(1)
}

/// `Resources.Queue.Properties.Tags.0.Key` for the pointer `/Tags/0/Key` of the resource `Queue`.
pub fn property_path(logical_id: &str, pointer: &str) -> String {
    let keys = pointer.replace('/', ".").replace("~1", "/").replace("~0", "~");
    format!("Resources.{logical_id}.Properties{keys}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_with_a_slash_or_a_tilde_is_found_by_its_pointer_and_told_as_it_is() {
        let pointer = pointer_to(&pointer_to("", "Variables"), "a/~b");
        assert_eq!(json!({"Variables": {"a/~b": 1}}).pointer(&pointer), Some(&json!(1)));
        assert_eq!(property_of(&pointer), Some("Variables"));
        assert_eq!(property_path("F", &pointer), "Resources.F.Properties.Variables.a/~b");
    }
}
