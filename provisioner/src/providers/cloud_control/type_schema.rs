//! A type's schema in CloudFormation's registry, and what of it the engine and Cloud Control want to know.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::naming::is_own_name;
use super::shapes::{Reader, of_items, resolved};
use super::transform::Transform;
use crate::engine::{Absent, Parent, Property, ProviderError, Schema, Shape};

/// What the registry says of one type.
pub(super) struct TypeSchema {
    /// Its properties without those that only AWS sets.
    pub(super) schema: Schema,
    /// The properties that make the primary identifier, in order.
    pub(super) identifier: Vec<String>,
    /// The one part of the identifier that the template may leave out, for a name is made for it.
    pub(super) name: Option<Name>,
    /// The property that holds the tags; none for a type that takes none.
    pub(super) tags: Option<TagProperty>,
    /// Properties that AWS takes and never gives back, whole or in part.
    pub(super) write_only: BTreeSet<String>,
    /// Properties that only AWS sets: what `Fn::GetAtt` gives, dotted, each with its JSON pointer.
    pub(super) read_only: BTreeMap<String, String>,
    /// How AWS writes what it gives back, by pointers without `*`; none for a way that is not understood.
    pub(super) transforms: BTreeMap<String, Option<Transform>>,
    /// Whether a listing of the type needs no more than its name.
    pub(super) listable: bool,
    /// IAM actions of what AWS does on the caller's behalf: `create`, `read`, `update`, `delete`, `list`.
    handlers: BTreeMap<String, Vec<String>>,
    /// How long AWS itself allows a request to take, in minutes.
    pub(super) timeout_minutes: u64,
}

/// A name that can be made: the same on every run.
pub(super) struct Name {
    pub(super) property: String,
    pub(super) longest: usize,
    /// What a name must look like, as the schema says.
    pub(super) pattern: Option<String>,
}

/// Where a type's tags are.
pub(super) struct TagProperty {
    pub(super) name: String,
    /// Whether they are an object, and not a list of `Key` and `Value`.
    pub(super) is_map: bool,
    /// Whether AWS changes none of them: a resource keeps those that it was made with.
    pub(super) fixed: bool,
    /// The flag that each tag must have beside its key and value.
    pub(super) flag: Option<String>,
}

impl TypeSchema {
    /// Reads a schema as DescribeType gives it.
    ///
    /// # Errors
    /// [`ProviderError::Refused`] for a type that Cloud Control cannot make, or whose resources could never be found again.
    pub(super) fn parse(type_name: &str, schema: &Value) -> Result<Self, ProviderError> {
        let read_only = pointers(schema, "readOnlyProperties");
        let hidden: BTreeSet<&str> = read_only.iter().map(String::as_str).collect();
        let write_only = pointers(schema, "writeOnlyProperties");
        let transforms = transforms(schema);
        let reader = Reader {
            type_name,
            root: schema,
            replaces: pointers(schema, "createOnlyProperties"),
            read_only: &hidden,
            write_only: write_only.iter().map(|pointer| of_items(pointer)).collect(),
            transforms: &transforms,
        };
        let tags = tag_property(schema);
        let mut properties = reader.properties(schema, "", 0);
        for property in &mut properties {
            if let Some(tags) = tags.as_ref().filter(|tags| tags.name == property.name) {
                property.shape = tags.flag.clone().map_or(Shape::Tags, Shape::FlaggedTags);
            }
            // Even a default of the type's: AWS may have filled in another value.
            property.absent = Absent::Removed;
        }
        let identifier: Vec<String> =
            pointers(schema, "primaryIdentifier").iter().map(|pointer| dotted(pointer)).collect();
        let settable = |name: &String| properties.iter().any(|property| property.name == *name);
        let all_settable = !identifier.is_empty() && identifier.iter().all(settable);
        let found = Self {
            name: all_settable.then(|| name(type_name, schema, &properties, &identifier)).flatten(),
            write_only: write_only.iter().filter_map(|pointer| top_level(pointer)).collect(),
            read_only: read_only.into_iter().map(|pointer| (dotted(&pointer), pointer)).collect(),
            listable: schema.pointer("/handlers/list").is_some_and(|list| list.get("handlerSchema").is_none()),
            handlers: handlers(schema),
            timeout_minutes: timeout(schema),
            schema: engine_schema(type_name, properties, &identifier, tags.is_none(), schema),
            identifier,
            tags,
            transforms,
        };
        found.check(type_name, all_settable)?;
        Ok(found)
    }

    fn check(&self, type_name: &str, all_settable: bool) -> Result<(), ProviderError> {
        if !["create", "read", "delete"].iter().all(|handler| self.handlers.contains_key(*handler)) {
            return Err(ProviderError::refused(
                format!("{type_name} cannot be made through Cloud Control: AWS has no handlers for it"),
                "deploy it with CloudFormation beside this stack, and give its name as a parameter",
            ));
        }
        let found_by_tags = self.tags.is_some() && self.listable;
        if !(all_settable || found_by_tags) {
            return Err(ProviderError::refused(
                format!(
                    "{type_name} takes no tags, and AWS alone gives it its identifier, {}: it could not be found again",
                    self.identifier.join(", ")
                ),
                "deploy it with CloudFormation beside this stack, and give its id as a parameter",
            ));
        }
        Ok(())
    }

    /// Whether the template can name a resource of this type outright.
    pub(super) fn is_named(&self) -> bool {
        self.identifier.iter().all(|name| self.schema.property(name).is_some())
    }

    /// Whether AWS may have what the template names so under this identifier.
    pub(super) fn is_same(&self, named: &str, identifier: &str) -> bool {
        let same = |part: &String, named: &str, there: &str| {
            named == there || self.transform(part).is_some_and(|how| how.makes(&named.into(), &there.into()))
        };
        let mut pairs = named.split('|').zip(identifier.split('|')).zip(&self.identifier);
        let as_many = named.split('|').count() == identifier.split('|').count();
        as_many && pairs.all(|((named, there), part)| same(part, named, there))
    }

    /// What tells how AWS writes one of the properties.
    pub(super) fn transform(&self, property: &str) -> Option<&Transform> {
        self.transforms.get(&format!("/{property}"))?.as_ref()
    }

    /// The IAM actions of some handlers, each once.
    pub(super) fn actions(&self, handlers: &[&str]) -> BTreeSet<&str> {
        handlers.iter().filter_map(|name| self.handlers.get(*name)).flatten().map(String::as_str).collect()
    }
}

fn transforms(schema: &Value) -> BTreeMap<String, Option<Transform>> {
    let transforms = schema.get("propertyTransform").and_then(Value::as_object).into_iter().flatten();
    let read = transforms.filter_map(|(pointer, expression)| {
        let pointer = of_items(pointer.strip_prefix("/properties")?);
        let property = pointer.rsplit('/').next()?;
        let transform = expression.as_str().and_then(|expression| Transform::parse(expression, property));
        Some((pointer, transform))
    });
    read.collect()
}

/// An untagged kind belongs to what a part of its identifier names, if any; its own name may be another's by chance.
fn engine_schema(
    type_name: &str,
    properties: Vec<Property>,
    identifier: &[String],
    untagged: bool,
    schema: &Value,
) -> Schema {
    let others: Vec<String> = identifier.iter().filter(|part| !is_own_name(type_name, part)).cloned().collect();
    let settable = properties.iter().filter(|property| matches!(property.shape, Shape::Text));
    let attributes = texts(schema.get("readOnlyProperties")).into_iter();
    let attributes = attributes.filter_map(|pointer| Some(pointer.strip_prefix("/properties/")?.replace('/', ".")));
    let attributes = attributes.chain(settable.map(|property| property.name.clone())).collect();
    Schema {
        type_name: type_name.to_owned(),
        properties,
        attributes,
        parent: untagged.then_some(Parent { type_name: None, properties: others }),
        unmade: Vec::new(),
        joins: Vec::new(),
    }
}

/// Pointers without `/properties` in front, as `/A/B`; `*` stands for every item of a list.
fn pointers(schema: &Value, list: &str) -> Vec<String> {
    let found = texts(schema.get(list)).into_iter();
    found.filter_map(|pointer| Some(pointer.strip_prefix("/properties")?.to_owned())).collect()
}

/// `A.B` for `/A/B`.
fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

fn top_level(pointer: &str) -> Option<String> {
    pointer.strip_prefix('/')?.split('/').next().map(str::to_owned)
}

pub(super) fn texts(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn name(type_name: &str, schema: &Value, properties: &[Property], identifier: &[String]) -> Option<Name> {
    let optional = |name: &&String| properties.iter().any(|property| property.name == **name && !property.required);
    let mut optional = identifier.iter().filter(optional);
    let (Some(property), None) = (optional.next().filter(|one| is_own_name(type_name, one)), optional.next()) else {
        return None;
    };
    let told = resolved(schema, schema.pointer(&format!("/properties/{property}"))?);
    (told.get("type").and_then(Value::as_str) == Some("string")).then(|| Name {
        property: property.clone(),
        longest: told.get("maxLength").and_then(Value::as_u64).map_or(64, |longest| longest.min(255) as usize),
        pattern: told.get("pattern").and_then(Value::as_str).map(str::to_owned),
    })
}

fn tag_property(schema: &Value) -> Option<TagProperty> {
    let tagging = schema.get("tagging");
    let told = |name: &str| tagging.and_then(|tagging| tagging.get(name));
    let taggable = told("taggable").or_else(|| schema.get("taggable")).and_then(Value::as_bool);
    if taggable == Some(false) {
        return None;
    }
    let pointer = told("tagProperty").and_then(Value::as_str).unwrap_or("/properties/Tags");
    let name = pointer.strip_prefix("/properties/").filter(|name| !name.contains('/'))?;
    // Tags that AWS never gives back find nothing again.
    if texts(schema.get("writeOnlyProperties")).contains(&pointer) {
        return None;
    }
    let property = resolved(schema, schema.pointer(pointer)?);
    let kinds = property.get("type");
    let is_object = kinds.is_some_and(|kind| kind == "object" || texts(Some(kind)).contains(&"object"));
    let is_map = is_object || property.get("patternProperties").is_some();
    let fixed = told("tagUpdatable").and_then(Value::as_bool) == Some(false);
    let fixed = fixed || texts(schema.get("createOnlyProperties")).contains(&pointer);
    let item = property.get("items").map(|items| resolved(schema, items));
    let required = texts(item.and_then(|item| item.get("required"))).into_iter();
    let flag = required.filter(|name| !["Key", "Value"].contains(name)).map(str::to_owned).next();
    Some(TagProperty { name: name.to_owned(), is_map, fixed, flag })
}

fn handlers(schema: &Value) -> BTreeMap<String, Vec<String>> {
    let handlers = schema.get("handlers").and_then(Value::as_object).into_iter().flatten();
    handlers
        .map(|(name, handler)| {
            let actions = texts(handler.get("permissions")).into_iter().map(|action| action.trim().to_owned());
            (name.clone(), actions.collect())
        })
        .collect()
}

/// The longest that AWS gives a handler; two hours where it says nothing.
fn timeout(schema: &Value) -> u64 {
    let handlers = schema.get("handlers").and_then(Value::as_object).into_iter().flat_map(|map| map.values());
    handlers.filter_map(|handler| handler.get("timeoutInMinutes")?.as_u64()).max().unwrap_or(120)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::OnChange;

    fn topic() -> Value {
        json!({
            "properties": {
                "TopicArn": {"type": "string"},
                "TopicName": {"type": "string"},
                "Subscription": {"type": "array", "insertionOrder": false, "items": {"$ref": "#/definitions/Subscription"}},
                "Tags": {"type": "array", "items": {"type": "object"}},
            },
            "definitions": {"Subscription": {"type": "object", "additionalProperties": false, "required": ["Protocol"],
                "properties": {"Protocol": {"type": "string"}}}},
            "createOnlyProperties": ["/properties/TopicName"],
            "readOnlyProperties": ["/properties/TopicArn"],
            "primaryIdentifier": ["/properties/TopicArn"],
            "tagging": {"taggable": true, "tagProperty": "/properties/Tags"},
            "handlers": {"create": {"permissions": ["sns:CreateTopic"]}, "read": {"permissions": []},
                "delete": {"permissions": []}, "list": {"permissions": []}},
        })
    }

    #[test]
    fn a_schema_tells_shapes_replacements_identifier_and_tags() {
        let found = TypeSchema::parse("AWS::SNS::Topic", &topic()).unwrap();
        let property = |name: &str| found.schema.property(name);
        assert!(property("TopicArn").is_none(), "only AWS sets it");
        assert_eq!(property("TopicName").unwrap().on_change, OnChange::Replace);
        assert!(matches!(property("Subscription").unwrap().shape, Shape::Set(_)));
        assert!(!found.is_named() && found.name.is_none());
        assert_eq!(found.tags.map(|tags| (tags.name, tags.is_map, tags.fixed)), Some(("Tags".into(), false, false)));
        assert_eq!(found.schema.attributes, ["TopicArn", "TopicName"]);
    }

    #[test]
    fn what_aws_never_gives_back_is_not_compared_however_deep_it_lies_and_goes_with_every_change() {
        let mut queue = topic();
        queue["writeOnlyProperties"] = json!(["/properties/Subscription/Protocol", "/properties/TopicName"]);
        let found = TypeSchema::parse("AWS::SNS::Topic", &queue).unwrap();
        assert!(found.schema.property("TopicName").unwrap().unseen);
        let Shape::Set(of) = &found.schema.property("Subscription").unwrap().shape else { panic!("a set") };
        let Shape::Object(properties) = &**of else { panic!("of objects") };
        assert!(properties[0].unseen, "in a list's items, with or without their `*`");
        assert!(found.write_only.iter().eq(["Subscription", "TopicName"]));
    }

    #[test]
    fn tags_are_told_by_their_shape_and_whether_they_are_given_back_and_changed() {
        let mut job = topic();
        job["properties"]["Tags"] = json!({"type": ["object", "string"]});
        job["tagging"]["tagUpdatable"] = false.into();
        let tags = tag_property(&job).unwrap();
        assert!(tags.is_map && tags.fixed);
        let mut pattern = topic();
        pattern["properties"]["Tags"] = json!({"patternProperties": {".*": {"type": "string"}}});
        assert!(tag_property(&pattern).unwrap().is_map);
        let mut group = topic();
        group["properties"]["Tags"]["items"] = json!({"required": ["Value", "Key", "PropagateAtLaunch"]});
        let group = TypeSchema::parse("AWS::AutoScaling::AutoScalingGroup", &group).unwrap();
        let shape = &group.schema.property("Tags").unwrap().shape;
        assert!(matches!(shape, Shape::FlaggedTags(flag) if flag == "PropagateAtLaunch"));
        let mut hidden = topic();
        hidden["writeOnlyProperties"] = json!(["/properties/Tags"]);
        assert!(TypeSchema::parse("AWS::AppRunner::Service", &hidden).is_err(), "it could not be found again");
    }

    #[test]
    fn what_aws_has_under_another_spelling_is_what_the_template_names() {
        let mut config = topic();
        config["primaryIdentifier"] = json!(["/properties/TopicName", "/properties/Place"]);
        config["properties"]["Place"] = json!({"type": "string"});
        config["propertyTransform"] = json!({"/properties/TopicName": "$lowercase(TopicName) $OR TopicName"});
        let found = TypeSchema::parse("AWS::Some::Topic", &config).unwrap();
        assert!(found.is_same("Films|A", "films|A") && found.is_same("Films|A", "Films|A"));
        assert!(!found.is_same("Films|A", "films|a") && !found.is_same("Films|A", "films"));
    }

    #[test]
    fn a_type_without_name_and_tags_is_refused_by_its_name() {
        let mut subscription = topic();
        subscription["tagging"] = json!({"taggable": false});
        let refused = TypeSchema::parse("AWS::SNS::Subscription", &subscription).err().unwrap().to_string();
        assert!(refused.contains("AWS::SNS::Subscription") && refused.contains("found again"), "{refused}");
        let mut handlers = topic();
        handlers["handlers"] = json!({});
        assert!(TypeSchema::parse("AWS::Old::Thing", &handlers).is_err());
    }

    #[test]
    fn what_takes_no_tags_belongs_to_what_it_names_and_not_to_what_has_its_own_name() {
        let parents = |type_name: &str, identifier: &[&str]| {
            let mut schema = topic();
            schema["tagging"] = json!({"taggable": false});
            schema["primaryIdentifier"] = identifier.iter().map(|name| format!("/properties/{name}")).collect();
            for name in identifier {
                schema["properties"][name] = json!({"type": "string"});
            }
            TypeSchema::parse(type_name, &schema).unwrap().schema.parent.unwrap().properties
        };
        assert_eq!(parents("AWS::IAM::RolePolicy", &["PolicyName", "RoleName"]), ["RoleName"]);
        assert_eq!(parents("AWS::Scheduler::Schedule", &["Name"]), Vec::<String>::new());
    }

    #[test]
    fn a_name_is_made_for_the_one_part_of_the_identifier_that_may_be_left_out() {
        let mut filter = topic();
        filter["primaryIdentifier"] = json!(["/properties/TopicName"]);
        let found = TypeSchema::parse("AWS::Some::Topic", &filter).unwrap();
        assert_eq!(found.name.map(|name| name.property).as_deref(), Some("TopicName"));
        let found = TypeSchema::parse("AWS::Some::Filter", &filter).unwrap();
        assert!(found.name.is_none(), "it names what the filter stands in");
    }
}
