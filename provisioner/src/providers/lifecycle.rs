//! A bucket's `LifecycleConfiguration`: rules of when objects move and go.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule,
    LifecycleRuleAndOperator, LifecycleRuleFilter, NoncurrentVersionExpiration, NoncurrentVersionTransition, Tag,
    Transition,
};
use serde_json::{Value, json};

use super::bucket_settings::unbuilt;
use super::errors::failed;
use super::fields::{Fields, list, object};
use crate::engine::{Property, ProviderError, Shape, canonical};

pub(super) fn shape() -> Shape {
    let integer = |name: &str| Property::new(name, Shape::Integer);
    let text = |name: &str| Property::new(name, Shape::Text);
    let objects = |properties| Shape::set(Shape::Object(properties));
    let time = |name: &str| Property::new(name, Shape::Time);
    let transition = vec![text("StorageClass").required(), integer("TransitionInDays"), time("TransitionDate")];
    let noncurrent = vec![
        text("StorageClass").required(),
        integer("TransitionInDays").required(),
        integer("NewerNoncurrentVersions"),
    ];
    let expiration = vec![integer("NoncurrentDays").required(), integer("NewerNoncurrentVersions")];
    let abort = vec![integer("DaysAfterInitiation").required()];
    let rule = vec![
        text("Id"),
        text("Status").required(),
        text("Prefix").default(""),
        Property::new("TagFilters", objects(vec![text("Key").required(), text("Value").required()])),
        // Within several conditions S3 gives back 0 where none was written.
        integer("ObjectSizeGreaterThan").default(0),
        integer("ObjectSizeLessThan"),
        integer("ExpirationInDays"),
        time("ExpirationDate"),
        Property::new("ExpiredObjectDeleteMarker", Shape::Boolean),
        Property::new("NoncurrentVersionExpiration", Shape::Object(expiration)),
        Property::new("AbortIncompleteMultipartUpload", Shape::Object(abort)),
        Property::new("Transitions", objects(transition)),
        Property::new("NoncurrentVersionTransitions", objects(noncurrent)),
    ];
    Shape::Object(vec![Property::new("Rules", objects(rule)).required()])
}

pub(super) async fn read(s3: &Client, bucket: &str, wanted: &Value) -> Result<Option<Value>, ProviderError> {
    let asked = s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
    let rules = asked.map_err(failed("s3:GetLifecycleConfiguration"))?.rules.unwrap_or_default();
    let mut rules: Vec<Value> = rules.iter().map(rule_of).collect();
    forget_given_ids(&mut rules, wanted);
    Ok(list(rules).map(|rules| json!({"Rules": rules})))
}

pub(super) async fn write(s3: &Client, bucket: &str, wanted: Option<Fields<'_>>) -> Result<(), ProviderError> {
    let Some(wanted) = wanted else {
        let call = s3.delete_bucket_lifecycle().bucket(bucket);
        return call.send().await.map_err(failed("s3:PutLifecycleConfiguration")).map(drop);
    };
    let rules = wanted.objects("Rules").into_iter().map(rule).collect::<Result<_, _>>()?;
    let built = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build();
    let built = built.map_err(|error| unbuilt("LifecycleConfiguration", &error))?;
    let call = s3.put_bucket_lifecycle_configuration().bucket(bucket).lifecycle_configuration(built);
    call.send().await.map_err(failed("s3:PutLifecycleConfiguration")).map(drop)
}

/// S3 gives an id to a rule that has none; such an id is not compared.
fn forget_given_ids(rules: &mut [Value], wanted: &Value) {
    let wanted = wanted.get("LifecycleConfiguration").unwrap_or(&Value::Null);
    let wanted = Fields(wanted).objects("Rules");
    if wanted.iter().all(|rule| rule.has("Id")) {
        return;
    }
    let named: Vec<_> = wanted.iter().filter_map(|rule| rule.text("Id")).collect();
    for rule in rules.iter_mut().filter_map(Value::as_object_mut) {
        let id = rule.get("Id").and_then(Value::as_str).unwrap_or_default();
        if !named.iter().any(|name| name == id) {
            rule.shift_remove("Id");
        }
    }
}

fn rule(wanted: Fields<'_>) -> Result<LifecycleRule, ProviderError> {
    let expiration = ["ExpirationInDays", "ExpirationDate", "ExpiredObjectDeleteMarker"];
    let expiration = expiration.iter().any(|name| wanted.has(name)).then(|| {
        LifecycleExpiration::builder()
            .set_days(wanted.int32("ExpirationInDays"))
            .set_date(date(wanted, "ExpirationDate"))
            .set_expired_object_delete_marker(wanted.boolean("ExpiredObjectDeleteMarker"))
            .build()
    });
    let noncurrent = wanted.object("NoncurrentVersionExpiration").map(|found| {
        NoncurrentVersionExpiration::builder()
            .set_noncurrent_days(found.int32("NoncurrentDays"))
            .set_newer_noncurrent_versions(found.int32("NewerNoncurrentVersions"))
            .build()
    });
    let abort = wanted.object("AbortIncompleteMultipartUpload").map(|found| {
        AbortIncompleteMultipartUpload::builder().set_days_after_initiation(found.int32("DaysAfterInitiation")).build()
    });
    LifecycleRule::builder()
        .set_id(wanted.text("Id"))
        .status(ExpirationStatus::from(wanted.text("Status").unwrap_or_default().as_str()))
        .filter(filter(wanted))
        .set_expiration(expiration)
        .set_noncurrent_version_expiration(noncurrent)
        .set_abort_incomplete_multipart_upload(abort)
        .set_transitions(some(wanted.objects("Transitions").into_iter().map(transition)))
        .set_noncurrent_version_transitions(some(
            wanted.objects("NoncurrentVersionTransitions").into_iter().map(noncurrent_transition),
        ))
        .build()
        .map_err(|error| unbuilt("LifecycleConfiguration", &error))
}

fn transition(wanted: Fields<'_>) -> Transition {
    Transition::builder()
        .set_storage_class(wanted.text("StorageClass").map(|class| class.as_str().into()))
        .set_days(wanted.int32("TransitionInDays"))
        .set_date(date(wanted, "TransitionDate"))
        .build()
}

fn noncurrent_transition(wanted: Fields<'_>) -> NoncurrentVersionTransition {
    NoncurrentVersionTransition::builder()
        .set_storage_class(wanted.text("StorageClass").map(|class| class.as_str().into()))
        .set_noncurrent_days(wanted.int32("TransitionInDays"))
        .set_newer_noncurrent_versions(wanted.int32("NewerNoncurrentVersions"))
        .build()
}

fn some<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(items)
}

/// S3 wants one condition alone, and more than one within `And`; a rule for all objects has an empty prefix.
fn filter(wanted: Fields<'_>) -> LifecycleRuleFilter {
    let prefix = wanted.text("Prefix");
    let (larger, smaller) = (wanted.integer("ObjectSizeGreaterThan"), wanted.integer("ObjectSizeLessThan"));
    let tags = wanted.objects("TagFilters").into_iter();
    let tags = tags.filter_map(|tag| Tag::builder().key(tag.text("Key")?).value(tag.text("Value")?).build().ok());
    let tags: Vec<Tag> = tags.collect();
    let conditions = usize::from(prefix.is_some()) + usize::from(larger.is_some()) + usize::from(smaller.is_some());
    let filter = LifecycleRuleFilter::builder();
    if conditions + tags.len() > 1 {
        let all = LifecycleRuleAndOperator::builder().set_prefix(prefix).set_tags(Some(tags).filter(|t| !t.is_empty()));
        let all = all.set_object_size_greater_than(larger).set_object_size_less_than(smaller);
        return filter.and(all.build()).build();
    }
    if conditions + tags.len() == 0 {
        return filter.prefix("").build();
    }
    filter
        .set_prefix(prefix)
        .set_tag(tags.into_iter().next())
        .set_object_size_greater_than(larger)
        .set_object_size_less_than(smaller)
        .build()
}

fn date(wanted: Fields<'_>, name: &str) -> Option<DateTime> {
    let time = canonical(wanted.get(name)?, &Shape::Time);
    DateTime::from_str(time.as_str()?, DateTimeFormat::DateTime).ok()
}

fn date_text(date: Option<&DateTime>) -> Option<Value> {
    date?.fmt(DateTimeFormat::DateTime).ok().map(Value::from)
}

fn rule_of(found: &LifecycleRule) -> Value {
    let filter = found.filter();
    let all = filter.and_then(|filter| filter.and());
    let prefix = filter.and_then(|filter| filter.prefix()).or_else(|| all.and_then(|all| all.prefix()));
    // Where rules had it before they had filters.
    #[expect(deprecated)]
    let prefix = prefix.or_else(|| found.prefix());
    let larger =
        filter.and_then(|f| f.object_size_greater_than()).or_else(|| all.and_then(|a| a.object_size_greater_than()));
    let smaller =
        filter.and_then(|f| f.object_size_less_than()).or_else(|| all.and_then(|a| a.object_size_less_than()));
    let tags = filter.and_then(|f| f.tag()).into_iter().chain(all.map(|all| all.tags()).unwrap_or_default());
    let expiration = found.expiration();
    object([
        ("Id", found.id().map(Value::from)),
        ("Status", Some(found.status().as_str().into())),
        ("Prefix", prefix.filter(|prefix| !prefix.is_empty()).map(Value::from)),
        ("TagFilters", list(tags.map(|tag| json!({"Key": tag.key, "Value": tag.value})))),
        ("ObjectSizeGreaterThan", larger.map(Value::from)),
        ("ObjectSizeLessThan", smaller.map(Value::from)),
        ("ExpirationInDays", expiration.and_then(|e| e.days()).map(Value::from)),
        ("ExpirationDate", date_text(expiration.and_then(|e| e.date()))),
        ("ExpiredObjectDeleteMarker", expiration.and_then(|e| e.expired_object_delete_marker()).map(Value::from)),
        ("NoncurrentVersionExpiration", found.noncurrent_version_expiration().map(noncurrent_expiration_of)),
        (
            "AbortIncompleteMultipartUpload",
            found
                .abort_incomplete_multipart_upload()
                .map(|abort| json!({"DaysAfterInitiation": abort.days_after_initiation()})),
        ),
        ("Transitions", list(found.transitions().iter().map(transition_of))),
        (
            "NoncurrentVersionTransitions",
            list(found.noncurrent_version_transitions().iter().map(noncurrent_transition_of)),
        ),
    ])
}

fn noncurrent_expiration_of(found: &NoncurrentVersionExpiration) -> Value {
    object([
        ("NoncurrentDays", found.noncurrent_days().map(Value::from)),
        ("NewerNoncurrentVersions", found.newer_noncurrent_versions().map(Value::from)),
    ])
}

fn transition_of(found: &Transition) -> Value {
    object([
        ("StorageClass", found.storage_class().map(|class| class.as_str().into())),
        ("TransitionInDays", found.days().map(Value::from)),
        ("TransitionDate", date_text(found.date())),
    ])
}

fn noncurrent_transition_of(found: &NoncurrentVersionTransition) -> Value {
    object([
        ("StorageClass", found.storage_class().map(|class| class.as_str().into())),
        ("TransitionInDays", found.noncurrent_days().map(Value::from)),
        ("NewerNoncurrentVersions", found.newer_noncurrent_versions().map(Value::from)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(wanted: Value) {
        assert_eq!(rule_of(&rule(Fields(&wanted)).unwrap()), wanted);
    }

    #[test]
    fn a_rule_comes_back_as_it_was_written() {
        there_and_back(json!({
            "Id": "a", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }));
        there_and_back(json!({
            "Id": "b", "Status": "Disabled", "Prefix": "logs/", "TagFilters": [{"Key": "k", "Value": "v"}],
            "ObjectSizeGreaterThan": 1024, "ExpirationInDays": 30,
            "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
            "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 10}],
        }));
    }

    #[test]
    fn a_prefix_that_stands_where_rules_had_it_before_filters_is_read() {
        #[expect(deprecated)]
        let found = LifecycleRule::builder().prefix("logs/").status(ExpirationStatus::Enabled).build().unwrap();
        assert_eq!(rule_of(&found)["Prefix"], "logs/");
    }

    #[test]
    fn a_day_is_its_beginning() {
        let rule = rule(Fields(&json!({"Status": "Enabled", "ExpirationDate": "2030-01-01"}))).unwrap();
        assert_eq!(rule_of(&rule)["ExpirationDate"], "2030-01-01T00:00:00Z");
    }

    #[test]
    fn an_id_that_s3_gave_is_not_compared() {
        let mut rules = vec![json!({"Id": "NmU1", "Status": "Enabled"}), json!({"Id": "mine", "Status": "Enabled"})];
        let wanted =
            json!({"LifecycleConfiguration": {"Rules": [{"Status": "Enabled"}, {"Id": "mine", "Status": "Enabled"}]}});
        forget_given_ids(&mut rules, &wanted);
        assert_eq!(rules, [json!({"Status": "Enabled"}), json!({"Id": "mine", "Status": "Enabled"})]);
    }
}
