//! What is not as the template says: a pure function of the wanted and the observed resource.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::canonical::canonical;
use super::remembered::no_longer_given;
use super::{Absent, Difference, NOT_GIVEN_BACK, Observed, OnChange, Property, Resource, Schema, Shape};
use crate::template::pointer_to;

/// Where another keeper stands among the differences: the resource itself is not changed by it.
pub(super) const KEPT_BY: &str = "Tags.provision:kept-by";

/// Where what a keeper remembers of it stands among the differences.
pub(super) const GIVEN: &str = "Tags.provision:given";

/// Every property, and every tag of ours or the template's, that differs.
pub fn diff(resource: &Resource, observed: &Observed, schema: &Schema) -> Vec<Difference> {
    let empty = Map::new();
    let mut differences = Differences { resource, list: Vec::new() };
    differences.object(
        &Place::default(),
        &schema.properties,
        resource.properties.as_object().unwrap_or(&empty),
        observed.properties.as_object().unwrap_or(&empty),
    );
    let mut list = differences.list;
    let mut tags = tag_differences(resource, &observed.tags);
    // Who remembers it, and what, is all that stands there of a kind that belongs to another.
    tags.retain(|difference| schema.parent.is_none() || [KEPT_BY, GIVEN].contains(&difference.path.as_str()));
    list.extend(tags);
    list
}

/// A tag that somebody else added stays (E58); one that the template or the stack sets is put back, and one that the template
/// gave before and gives no longer is taken off.
fn tag_differences(resource: &Resource, observed: &BTreeMap<String, String>) -> Vec<Difference> {
    let wanted = &resource.tags;
    let difference = |key: &str, before: Option<&String>, after: Option<&String>| {
        let pointer = pointer_to("/Tags", key);
        let after_apply = resource.after_apply.get(&pointer).cloned();
        Difference {
            path: format!("Tags.{key}"),
            before: before.cloned().map(Value::from),
            after: after.filter(|_| after_apply.is_none()).cloned().map(Value::from),
            after_apply,
            on_change: OnChange::Update,
            secret: resource.secret.contains(&pointer),
        }
    };
    let set = wanted.iter().filter(|(key, value)| observed.get(*key) != Some(value));
    let set = set.map(|(key, value)| difference(key, observed.get(key), Some(value)));
    set.chain(no_longer_given(wanted, observed).map(|(key, value)| difference(key, Some(value), None))).collect()
}

/// Where in the properties: dotted for people, as a JSON pointer for look-ups.
#[derive(Clone, Default)]
struct Place {
    path: String,
    pointer: String,
    replaces: bool,
    hidden: bool,
}

impl Place {
    fn field(&self, name: &str, on_change: OnChange) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self {
            path,
            pointer: pointer_to(&self.pointer, name),
            replaces: self.replaces || on_change == OnChange::Replace,
            hidden: self.hidden,
        }
    }

    /// The same where what is there may be a secret that the template does not tell of: a value that it no longer gives (E24).
    fn hidden(&self, hidden: bool) -> Self {
        Self { hidden: self.hidden || hidden, ..self.clone() }
    }
}

struct Differences<'a> {
    resource: &'a Resource,
    list: Vec<Difference>,
}

impl Differences<'_> {
    fn object(
        &mut self,
        place: &Place,
        properties: &[Property],
        wanted: &Map<String, Value>,
        observed: &Map<String, Value>,
    ) {
        let seen = |property: &&Property| {
            !property.unseen || observed.get(&property.name).is_some_and(|value| value == NOT_GIVEN_BACK)
        };
        for property in properties
            .iter()
            .filter(seen)
            .filter(|property| !matches!(property.shape, Shape::Tags | Shape::FlaggedTags(_)))
        {
            let place = place.field(&property.name, property.on_change);
            let wanted = given(wanted, &property.name);
            let observed = given(observed, &property.name);
            self.property(&place, property, wanted, observed);
        }
    }

    fn property(&mut self, place: &Place, property: &Property, wanted: Option<&Value>, observed: Option<&Value>) {
        let whole = place.hidden(has_free_keys(&property.shape));
        if let Some(reference) = self.waits_for(place) {
            return self.push(&whole, observed, None, Some(reference));
        }
        let default = match &property.absent {
            Absent::Default(value) => Some(value),
            Absent::Removed | Absent::Ignored => None,
        };
        match (wanted.or(default), observed.or(default)) {
            (Some(wanted), observed) => self.value(place, &property.shape, wanted, observed),
            (None, Some(observed)) if property.absent == Absent::Removed && !is_empty(observed) => {
                self.push(&whole, Some(observed), None, None);
            }
            (None, _) => {}
        }
    }

    fn value(&mut self, place: &Place, shape: &Shape, wanted: &Value, observed: Option<&Value>) {
        match (shape, wanted, observed) {
            (Shape::Object(properties), Value::Object(wanted), Some(Value::Object(observed))) => {
                self.object(place, properties, wanted, observed);
            }
            (Shape::Map(of), Value::Object(wanted), Some(Value::Object(observed))) => {
                self.map(place, of, wanted, observed);
            }
            _ => {
                let after = canonical(wanted, shape);
                let before = observed.map(|value| canonical(value, shape));
                if before.as_ref() != Some(&after) && !(before.is_none() && is_empty(&after)) {
                    let place = place.hidden(before.is_some() && has_free_keys(shape));
                    self.push(&place, before.as_ref(), Some(&after), None);
                }
            }
        }
    }

    fn map(&mut self, place: &Place, of: &Shape, wanted: &Map<String, Value>, observed: &Map<String, Value>) {
        for (key, value) in wanted {
            let place = place.field(key, OnChange::Update);
            match self.waits_for(&place) {
                Some(reference) => self.push(&place, observed.get(key), None, Some(reference)),
                None => self.value(&place, of, value, observed.get(key)),
            }
        }
        for (key, value) in observed.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
            self.push(&place.field(key, OnChange::Update).hidden(true), Some(value), None, None);
        }
    }

    fn waits_for(&self, place: &Place) -> Option<String> {
        let inside = format!("{}/", place.pointer);
        self.resource
            .after_apply
            .iter()
            .find(|(pointer, _)| {
                **pointer == place.pointer || (pointer.starts_with(&inside) && place.is_leaf_of(self.resource))
            })
            .map(|(_, reference)| reference.clone())
    }

    fn push(&mut self, place: &Place, before: Option<&Value>, after: Option<&Value>, after_apply: Option<String>) {
        let inside = format!("{}/", place.pointer);
        let given_secret = self.resource.secret.iter().any(|pointer| {
            *pointer == place.pointer
                || pointer.starts_with(&inside)
                || place.pointer.starts_with(&format!("{pointer}/"))
        });
        self.list.push(Difference {
            path: place.path.clone(),
            before: before.cloned(),
            after: after.cloned(),
            after_apply,
            on_change: if place.replaces { OnChange::Replace } else { OnChange::Update },
            secret: place.hidden || given_secret,
        });
    }
}

impl Place {
    /// A list is compared whole: one element known only after apply makes all of it known only then.
    fn is_leaf_of(&self, resource: &Resource) -> bool {
        !matches!(resource.properties.pointer(&self.pointer), Some(Value::Object(_)))
    }
}

fn given<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    map.get(name).filter(|value| !value.is_null())
}

/// Whether it holds values under names of the user's choosing: an environment's variables.
fn has_free_keys(shape: &Shape) -> bool {
    match shape {
        Shape::Map(_) => true,
        Shape::Object(properties) => properties.iter().any(|property| has_free_keys(&property.shape)),
        Shape::List(of) | Shape::Set(of) | Shape::TextOr(of) => has_free_keys(of),
        _ => false,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        // An object of empty objects holds nothing either; one of empty texts does.
        Value::Object(fields) => fields.values().all(|field| !field.is_string() && is_empty(field)),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::State;
    use super::*;

    fn schema() -> Schema {
        Schema::new(
            "AWS::SQS::Queue",
            vec![
                Property::new("QueueName", Shape::Text).replaces(),
                Property::new("VisibilityTimeout", Shape::Integer).default(30),
                Property::new(
                    "RedrivePolicy",
                    Shape::Object(vec![
                        Property::new("maxReceiveCount", Shape::Integer),
                        Property::new("deadLetterTargetArn", Shape::Text),
                    ]),
                )
                .removed_when_absent(),
                Property::new("Variables", Shape::map(Shape::Text)),
            ],
            &["Arn"],
        )
    }

    fn resource(properties: Value) -> Resource {
        Resource {
            tags: [("provision:stack".to_owned(), "films".to_owned())].into(),
            ..Resource::sample("AWS::SQS::Queue", "Jobs", "films-jobs", properties)
        }
    }

    fn observed(properties: Value) -> Observed {
        Observed {
            type_name: "AWS::SQS::Queue".into(),
            physical_id: "films-jobs".into(),
            properties,
            tags: [("provision:stack", "films"), ("theirs", "kept")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            attributes: BTreeMap::new(),
            state: State::Ready("exists".into()),
            handle: Value::Null,
        }
    }

    fn paths(wanted: Value, seen: Value) -> Vec<String> {
        diff(&resource(wanted), &observed(seen), &schema()).into_iter().map(|difference| difference.path).collect()
    }

    #[test]
    fn a_resource_as_the_template_says_has_no_difference() {
        let same = json!({"QueueName": "films-jobs", "RedrivePolicy": {"maxReceiveCount": "5"}});
        let seen =
            json!({"QueueName": "films-jobs", "VisibilityTimeout": "30", "RedrivePolicy": {"maxReceiveCount": 5}});
        assert_eq!(paths(same, seen), Vec::<String>::new());
    }

    #[test]
    fn a_change_away_from_an_unwritten_default_is_drift() {
        assert_eq!(paths(json!({}), json!({"VisibilityTimeout": 60})), ["VisibilityTimeout"]);
    }

    #[test]
    fn a_nested_change_is_told_by_its_path() {
        let (wanted, seen) =
            (json!({"RedrivePolicy": {"maxReceiveCount": 5}}), json!({"RedrivePolicy": {"maxReceiveCount": 9}}));
        assert_eq!(paths(wanted, seen), ["RedrivePolicy.maxReceiveCount"]);
    }

    #[test]
    fn what_the_template_took_out_is_removed() {
        assert_eq!(paths(json!({}), json!({"RedrivePolicy": {"maxReceiveCount": 9}})), ["RedrivePolicy"]);
    }

    #[test]
    fn e24_an_unknown_key_of_a_map_is_drift() {
        let (wanted, seen) = (json!({"Variables": {"A": "1"}}), json!({"Variables": {"A": "1", "B": "2"}}));
        assert_eq!(paths(wanted, seen), ["Variables.B"]);
    }

    #[test]
    fn e24_what_the_template_no_longer_gives_in_a_map_is_not_shown() {
        let variables = Shape::Object(vec![Property::new("Variables", Shape::map(Shape::Text)).removed_when_absent()]);
        let properties = vec![
            Property::new("Environment", variables.clone()).removed_when_absent(),
            Property::new("Stages", Shape::list(variables)),
            Property::new("Description", Shape::Text).removed_when_absent(),
        ];
        let schema = Schema::new("AWS::Lambda::Function", properties, &[]);
        let told = |wanted: Value, seen: Value| -> Vec<(String, bool)> {
            let list = diff(&resource(wanted), &observed(seen), &schema);
            list.into_iter().map(|difference| (difference.path, difference.secret)).collect()
        };
        let with = |variables: Value| json!({"Environment": {"Variables": variables}});
        let seen = with(json!({"STAGE": "test", "KEY": "hunter2"}));
        let secret = |path: &str| vec![(path.to_owned(), true)];
        assert_eq!(told(with(json!({"STAGE": "test"})), seen.clone()), secret("Environment.Variables.KEY"));
        assert_eq!(told(json!({"Environment": {"Variables": null}}), seen.clone()), secret("Environment.Variables"));
        assert_eq!(told(json!({}), seen.clone()), secret("Environment"));
        assert_eq!(told(json!({"Environment": "none"}), seen), secret("Environment"));
        let stages = |key: &str| json!({"Stages": [{"Variables": {"KEY": key}}]});
        assert_eq!(told(stages("new"), stages("hunter2")), secret("Stages"));
        let shown = |path: &str| vec![(path.to_owned(), false)];
        let stage = |stage: &str| with(json!({"STAGE": stage}));
        assert_eq!(told(stage("prod"), stage("test")), shown("Environment.Variables.STAGE"));
        assert_eq!(told(stage("test"), json!({})), shown("Environment"));
        assert_eq!(told(json!({}), json!({"Description": "films"})), shown("Description"));
    }

    #[test]
    fn e58_a_foreign_tag_stays_and_one_of_ours_is_put_back() {
        let mut seen = observed(json!({}));
        seen.tags.insert("provision:stack".into(), "other".into());
        let list = diff(&resource(json!({})), &seen, &schema());
        assert_eq!(list.iter().map(|d| d.path.as_str()).collect::<Vec<_>>(), ["Tags.provision:stack"]);
    }

    #[test]
    fn what_aws_never_gives_back_is_no_difference_in_an_object_or_in_a_list_of_objects() {
        let hidden = |name: &str| Property { unseen: true, ..Property::new(name, Shape::Text) };
        let inner = Shape::Object(vec![Property::new("Name", Shape::Text), hidden("Password")]);
        let properties = vec![
            Property::new("User", inner.clone()).removed_when_absent(),
            Property::new("Users", Shape::set(inner)).removed_when_absent(),
            hidden("Token"),
        ];
        let schema = Schema::new("AWS::Some::Broker", properties, &[]);
        let (given, told) = (json!({"Name": "a", "Password": "p"}), json!({"Name": "a"}));
        let wanted = resource(json!({"User": given, "Users": [given], "Token": "t"}));
        assert_eq!(diff(&wanted, &observed(json!({"User": told, "Users": [told]})), &schema), vec![]);
        let other = json!({"Name": "b"});
        let list = diff(&wanted, &observed(json!({"User": other, "Users": [other]})), &schema);
        assert_eq!(list.iter().map(|d| d.path.as_str()).collect::<Vec<_>>(), ["User.Name", "Users"]);
        let list = diff(&wanted, &observed(json!({"Users": [told], "User": told, "Token": NOT_GIVEN_BACK})), &schema);
        assert_eq!(list.iter().map(|d| d.path.as_str()).collect::<Vec<_>>(), ["Token"], "known to be another");
    }

    #[test]
    fn a_changed_name_replaces() {
        let list = diff(&resource(json!({"QueueName": "b"})), &observed(json!({"QueueName": "a"})), &schema());
        assert_eq!(list[0].on_change, OnChange::Replace);
    }

    #[test]
    fn an_object_that_holds_nothing_is_none() {
        let resource = resource(json!({"Variables": {}, "RedrivePolicy": {"a": {}}}));
        assert_eq!(diff(&resource, &observed(json!({})), &schema()), vec![]);
    }

    #[test]
    fn a_value_known_after_apply_and_a_secret_are_marked() {
        let mut wanted = resource(json!({"Variables": {"A": null, "KEY": "s"}}));
        wanted.after_apply.insert("/Variables/A".into(), "Role.RoleId".into());
        wanted.secret.insert("/Variables/KEY".into());
        let list = diff(&wanted, &observed(json!({"Variables": {"A": "x", "KEY": "t"}})), &schema());
        assert_eq!(list[0].after_apply.as_deref(), Some("Role.RoleId"));
        assert!(list[1].secret && list[1].path == "Variables.KEY");
    }

    #[test]
    fn a_tag_known_after_apply_and_a_secret_one_are_marked() {
        let mut wanted = resource(json!({}));
        wanted.tags.extend([("told", "null"), ("key", "s")].map(|(key, value)| (key.to_owned(), value.to_owned())));
        wanted.after_apply.insert("/Tags/told".into(), "Topic.Ref".into());
        wanted.secret.insert("/Tags/key".into());
        let list = diff(&wanted, &observed(json!({})), &schema());
        assert_eq!(list.iter().map(|d| d.path.as_str()).collect::<Vec<_>>(), ["Tags.key", "Tags.told"]);
        assert!(list[0].secret && !list[1].secret);
        assert_eq!((list[1].after.as_ref(), list[1].after_apply.as_deref()), (None, Some("Topic.Ref")));
    }
}
