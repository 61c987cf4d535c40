//! Dynamic references: `{{resolve:ssm:NAME:VERSION}}` in a text. Finds them; their values are asked for elsewhere.

/// A dynamic reference to a parameter of SSM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamicReference {
    /// The JSON pointer of the text that it stands in.
    pub pointer: String,
    /// The reference as it stands in the text, braces and all: what is to be replaced by the value.
    pub text: String,
    /// The parameter's name.
    pub name: String,
    /// The version that is wanted; `None` for the latest.
    pub version: Option<u64>,
}

/// What every one begins with.
pub(super) const OPEN: &str = "{{resolve:";

/// The references in a text that stands nowhere in a resource; one that is wrong is none.
pub fn dynamic_references(text: &str) -> Vec<DynamicReference> {
    find(text, "").unwrap_or_default()
}

/// The references in the text at `pointer`; else what is wrong with one of them.
pub(super) fn find(text: &str, pointer: &str) -> Result<Vec<DynamicReference>, (String, &'static str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(OPEN) {
        let Some(length) = rest[start..].find("}}") else {
            return Err(("the dynamic reference has no end".into(), "write {{resolve:ssm:NAME}}"));
        };
        let inner = &rest[start + OPEN.len()..start + length];
        let (name, version) = parameter(inner)?;
        found.push(DynamicReference {
            pointer: pointer.to_owned(),
            text: rest[start..start + length + 2].to_owned(),
            name,
            version,
        });
        rest = &rest[start + length + 2..];
    }
    Ok(found)
}

fn parameter(inner: &str) -> Result<(String, Option<u64>), (String, &'static str)> {
    let parts: Vec<&str> = inner.split(':').collect();
    match parts.as_slice() {
        ["ssm", name] if !name.is_empty() => Ok(((*name).to_owned(), None)),
        ["ssm", name, version] if !name.is_empty() => match version.parse() {
            Ok(version) => Ok(((*name).to_owned(), Some(version))),
            Err(_) => Err((
                format!("the dynamic reference asks for the version '{version}'"),
                "write a number, or leave the version out for the latest",
            )),
        },
        ["ssm", ..] => Err(("the dynamic reference names no parameter".into(), "write {{resolve:ssm:NAME}}")),
        [service, ..] => Err((
            format!("dynamic references to '{service}' are not supported"),
            "let the resource read the secret by itself, or keep the value in SSM as {{resolve:ssm:NAME}}",
        )),
        [] => Err(("the dynamic reference is empty".into(), "write {{resolve:ssm:NAME}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_with_name_and_version() {
        let found = find("a {{resolve:ssm:/x/y}} {{resolve:ssm:z:3}}", "/P").unwrap();
        assert_eq!((found[0].name.as_str(), found[0].version), ("/x/y", None));
        assert_eq!((found[1].name.as_str(), found[1].version), ("z", Some(3)));
        assert_eq!((found[1].text.as_str(), found[1].pointer.as_str()), ("{{resolve:ssm:z:3}}", "/P"));
    }

    #[test]
    fn other_services_and_broken_references_are_refused() {
        for text in [
            "{{resolve:secretsmanager:x}}",
            "{{resolve:ssm-secure:x:1}}",
            "{{resolve:ssm:x:new}}",
            "{{resolve:ssm:}}",
            "{{resolve:ssm",
        ] {
            assert!(find(text, "").is_err(), "{text}");
        }
    }
}
