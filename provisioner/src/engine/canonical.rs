//! One spelling for every value that means the same, so that a diff compares meanings (E12, E45).

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::{Property, Shape};

/// `value` in the one spelling of its shape. A value that does not fit its shape stays as it is.
pub fn canonical(value: &Value, shape: &Shape) -> Value {
    match shape {
        Shape::Text => text(value),
        Shape::Integer => integer(value),
        Shape::Number => number(value),
        Shape::Boolean => boolean(value),
        Shape::Time => time(value).map_or_else(|| value.clone(), Value::from),
        Shape::Json => parsed(value),
        Shape::Policy => policy(&parsed(value)),
        Shape::List(of) => each(value, |item| canonical(item, of)),
        Shape::Set(of) => sorted(each(value, |item| canonical(item, of))),
        Shape::Map(of) => fields(value, |_, item| canonical(item, of)),
        Shape::Object(properties) => object(value, properties),
        Shape::TextOr(of) if !value.is_string() => canonical(value, of),
        Shape::Tags | Shape::FlaggedTags(_) | Shape::TextOr(_) | Shape::Any => value.clone(),
    }
}

fn text(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.to_string().into(),
        Value::Bool(flag) => flag.to_string().into(),
        other => other.clone(),
    }
}

fn integer(value: &Value) -> Value {
    match value {
        Value::String(digits) => {
            let whole = digits.trim().parse::<i64>().ok();
            let written = || digits.trim().parse::<f64>().ok().filter(|float| float.fract() == 0.0);
            whole.or_else(|| written().map(|float| float as i64)).map_or_else(|| value.clone(), Value::from)
        }
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.as_i64().is_none() && float.fract() == 0.0 => Value::from(float as i64),
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

/// A whole number, which may stand as text: the one rule for the template's check, the rules across resources and the diff.
pub fn whole_number(value: &Value) -> Option<i64> {
    integer(value).as_i64()
}

fn number(value: &Value) -> Value {
    let parsed = value.as_str().and_then(|digits| digits.trim().parse::<f64>().ok()).map(Value::from);
    integer(&parsed.unwrap_or_else(|| value.clone()))
}

fn boolean(value: &Value) -> Value {
    match value.as_str().map(str::to_ascii_lowercase).as_deref() {
        Some("true") => true.into(),
        Some("false") => false.into(),
        _ => value.clone(),
    }
}

/// The time in one spelling, `2030-01-01T00:00:00Z`; none where it is no time.
pub(super) fn time(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    let instant = text.parse::<Timestamp>().ok();
    let day = || text.parse::<Date>().ok()?.to_zoned_datetime(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    instant.or_else(day).map(|instant| instant.to_string())
}

fn parsed(value: &Value) -> Value {
    value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| value.clone())
}

fn each(value: &Value, change: impl Fn(&Value) -> Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(change).collect()),
        other => other.clone(),
    }
}

fn fields(value: &Value, change: impl Fn(&str, &Value) -> Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            keys.sort();
            Value::Object(keys.into_iter().map(|key| (key.clone(), change(key, &map[key]))).collect())
        }
        other => other.clone(),
    }
}

/// Fields in the order of their names, defaults filled in and without those that AWS never gives back: what a list or set of
/// objects is compared by.
fn object(value: &Value, properties: &[Property]) -> Value {
    let Value::Object(map) = value else { return value.clone() };
    let mut whole: Map<String, Value> = map.clone();
    for property in properties.iter().filter(|property| property.unseen) {
        whole.shift_remove(&property.name);
    }
    for property in properties {
        if let super::Absent::Default(default) = &property.absent {
            whole.entry(property.name.clone()).or_insert_with(|| default.clone());
        }
    }
    fields(&Value::Object(whole), |key, item| {
        properties
            .iter()
            .find(|property| property.name == key)
            .map_or_else(|| item.clone(), |p| canonical(item, &p.shape))
    })
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Array(mut items) => {
            items.sort_by_cached_key(Value::to_string);
            // AWS keeps an item once that a template gives twice.
            items.dedup();
            Value::Array(items)
        }
        other => other,
    }
}

/// The version of a policy document that gives none; some services write it down.
const OLDEST_VERSION: &str = "2008-10-17";

/// A policy document: statements, actions, resources, principals and condition values are sets, and one text is a set of one.
fn policy(value: &Value) -> Value {
    let mut document = value.clone();
    if let Some(parts) = document.as_object_mut().filter(|parts| parts.contains_key("Statement")) {
        parts.entry("Version").or_insert_with(|| OLDEST_VERSION.into());
    }
    fields(&document, |key, item| match key {
        "Statement" => sorted(each(&listed(item), statement)),
        _ => item.clone(),
    })
}

fn statement(value: &Value) -> Value {
    fields(value, |key, item| match key {
        "Action" | "NotAction" | "Resource" | "NotResource" => texts(item),
        "Principal" | "NotPrincipal" => principal(item),
        "Condition" => fields(item, |_, operands| fields(operands, |_, values| texts(values))),
        _ => item.clone(),
    })
}

fn listed(value: &Value) -> Value {
    match value {
        Value::Array(_) => value.clone(),
        one => Value::Array(vec![one.clone()]),
    }
}

fn texts(value: &Value) -> Value {
    sorted(each(&listed(value), text))
}

/// Whoever it is, `"*"` and `{"AWS": "*"}` are the same, and come back as either.
fn principal(value: &Value) -> Value {
    let listed = fields(value, |_, principals| sorted(each(&texts(principals), account)));
    if listed == json!({"AWS": ["*"]}) { "*".into() } else { listed }
}

/// AWS gives an account's id back as the ARN of its root.
fn account(value: &Value) -> Value {
    let id = value.as_str().and_then(|arn| {
        let mut parts = arn.split(':');
        let mut next = || parts.next().unwrap_or_default();
        let (arn, _, iam, _, id, root) = (next(), next(), next(), next(), next(), next());
        (arn == "arn" && iam == "iam" && root == "root").then(|| id.to_owned())
    });
    id.map_or_else(|| value.clone(), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e12_a_document_without_a_version_and_everyone_are_as_services_write_them_down() {
        let of = |version: Value, principal: Value| {
            let mut document = json!({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "s3:*"}]});
            if !version.is_null() {
                document["Version"] = version;
            }
            canonical(&document, &Shape::Policy)
        };
        let plain = of(Value::Null, json!("*"));
        assert_eq!(plain, of(json!("2008-10-17"), json!({"AWS": "*"})));
        assert_ne!(plain, of(json!("2012-10-17"), json!("*")));
        assert_ne!(plain, of(Value::Null, json!({"Service": "*"})));
    }

    #[test]
    fn e45_a_number_and_its_text_are_one() {
        for sixty in [json!(60), json!("60"), json!(60.0), json!("60.0")] {
            assert_eq!((canonical(&sixty, &Shape::Integer), whole_number(&sixty)), (json!(60), Some(60)));
        }
        assert_eq!(whole_number(&json!("60.5")), None);
        let set = |items: Value| canonical(&items, &Shape::set(Shape::Text));
        assert_eq!(set(json!(["b", "a", "b"])), set(json!(["a", "b"])));
        assert_eq!(canonical(&json!(60), &Shape::Text), json!("60"));
        assert_eq!(canonical(&json!("true"), &Shape::Boolean), json!(true));
        for text in ["2030-01-01", "2030-01-01T00:00:00.000Z", "2030-01-01T01:00:00+01:00"] {
            assert_eq!(canonical(&json!(text), &Shape::Time), json!("2030-01-01T00:00:00Z"));
        }
        assert_eq!(canonical(&json!("soon"), &Shape::Time), json!("soon"));
        assert_eq!(canonical(&json!("0.5"), &Shape::Number), json!(0.5));
        assert_eq!(canonical(&json!("60"), &Shape::Number), canonical(&json!(60.0), &Shape::Number));
    }

    #[test]
    fn e12_spellings_of_one_policy_are_one() {
        let one = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Resource": ["b", "a"],
            "Condition": {"Bool": {"aws:SecureTransport": false}}}});
        let other = json!({"Statement": [{"Resource": ["a", "b"], "Action": ["s3:GetObject"], "Effect": "Allow",
            "Condition": {"Bool": {"aws:SecureTransport": ["false"]}},
            "Principal": {"AWS": ["123456789012"]}}], "Version": "2012-10-17"});
        let spelled = canonical(&one, &Shape::Policy);
        assert_eq!(spelled, canonical(&other, &Shape::Policy));
        assert_eq!(spelled, canonical(&Value::String(other.to_string()), &Shape::Policy));
    }

    #[test]
    fn e12_another_action_is_another_policy() {
        let policy = |action: &str| canonical(&json!({"Statement": [{"Action": action}]}), &Shape::Policy);
        assert_ne!(policy("s3:GetObject"), policy("s3:PutObject"));
    }

    #[test]
    fn a_set_has_no_order_and_a_list_has() {
        let (ab, ba) = (json!(["a", "b"]), json!(["b", "a"]));
        let set = Shape::set(Shape::Text);
        let list = Shape::list(Shape::Text);
        assert_eq!(canonical(&ab, &set), canonical(&ba, &set));
        assert_ne!(canonical(&ab, &list), canonical(&ba, &list));
    }
}
