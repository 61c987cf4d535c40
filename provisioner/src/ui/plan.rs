//! A plan as a person reads it, and as `plan --json` gives it.

use std::fmt::Write;

use owo_colors::OwoColorize;
use serde_json::{Value, json};

use super::progress::colour;
use crate::engine::{Action, Change, Difference, OnChange, Plan, Resource, Scope, State};
use crate::template::pointer_to;

/// What stands for a value that is never shown.
const MASK: &str = "****";
/// The longest value that is shown whole.
const LONGEST: usize = 120;

/// The plan for a terminal.
pub fn text(plan: &Plan, scope: &Scope) -> String {
    if plan.is_empty() {
        return format!(
            "Nothing to change: all {} resources of stack {} are as the template says.{}{}",
            plan.changes.len(),
            scope.stack,
            unusable(plan),
            kept(plan)
        );
    }
    let mut text = String::new();
    for change in plan.changes.iter().filter(|change| change.action != Action::None || failed(change).is_some()) {
        let sign = format!("{:>3}", change.action.sign());
        let _ = writeln!(
            text,
            "{} {:<24} {:<34} {}{}",
            sign.color(colour(change.action)).bold(),
            change.logical_id,
            change.type_name,
            change.physical_id,
            marks(change)
        );
        let made = change.resource.as_ref().filter(|_| change.action == Action::Create);
        for line in made.map(of_new).unwrap_or_default() {
            let _ = writeln!(text, "      {line}");
        }
        for difference in &change.differences {
            let _ = writeln!(text, "      {}", line(difference));
        }
    }
    let counts = [Action::Create, Action::Update, Action::Replace, Action::Delete, Action::Adopt]
        .into_iter()
        .map(|action| (plan.count(action), action.word()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} to {word}"));
    let same = match plan.count(Action::None) {
        0 => String::new(),
        count => format!("; {count} as the template says"),
    };
    let _ = write!(text, "\n{}{same}.{}", counts.collect::<Vec<_>>().join(", "), kept(plan));
    text
}

/// What a person should know of a change beside what it does.
fn marks(change: &Change) -> String {
    let slow = change.slow.then_some("slow: AWS does it through Cloud Control");
    let untracked = change.untracked.then_some("no tags: delete it by hand once it left the template");
    let lowered = (!change.lowered.is_empty()).then(|| format!("loses data: {} is lowered", change.lowered.join(", ")));
    let failed = failed(change).map(|reason| format!("Failed: {reason}"));
    let leaves = change.leaves.map(str::to_owned);
    let marks = [slow.map(str::to_owned), untracked.map(str::to_owned), leaves, lowered, failed];
    let marks: Vec<_> = marks.into_iter().flatten().collect();
    if marks.is_empty() { String::new() } else { format!("  ({})", marks.join("; ")) }
}

/// AWS's reason why what is there cannot be used; none where it can, or where nothing is there.
fn failed(change: &Change) -> Option<&str> {
    match &change.observed.as_ref()?.state {
        State::Failed(reason) => Some(reason.as_str()),
        _ => None,
    }
}

fn unusable(plan: &Plan) -> String {
    let failed = plan.changes.iter().filter_map(|change| Some((change, failed(change)?)));
    failed.map(|(change, reason)| format!("\nIt cannot be used: {}, {reason}", named(change))).collect()
}

/// The plan for a program, as docs/commands/plan.md has it.
pub fn document(plan: &Plan, scope: &Scope) -> Value {
    let changes: Vec<_> = plan.changes.iter().map(change).collect();
    let kept: Vec<_> =
        plan.kept.iter().map(|kept| json!({ "type": kept.type_name, "physical_id": kept.physical_id })).collect();
    json!({ "stack": scope.stack, "account": scope.account, "region": scope.region, "changes": changes, "kept": kept })
}

/// A change as it is named in a question: `JobsQueue (films-jobs)`; where no logical id is known, by its type: a policy of a bucket has
/// the bucket's name.
pub fn named(change: &Change) -> String {
    let Change { logical_id, type_name, physical_id, .. } = change;
    match logical_id == physical_id {
        true => format!("{type_name} {physical_id}"),
        false => format!("{logical_id} ({physical_id})"),
    }
}

/// The same where it goes: with what AWS keeps of it.
pub fn going(change: &Change) -> String {
    let leaves = change.leaves.map(|leaves| format!(", of which {leaves}"));
    format!("{}{}", named(change), leaves.unwrap_or_default())
}

/// What a person should say yes to before it is lost; none where nothing is.
pub fn losses(plan: &Plan) -> Option<String> {
    let (gone, lowered): (Vec<_>, Vec<_>) = plan.destructive().into_iter().partition(|change| change.goes());
    let gone: Vec<_> = gone.into_iter().map(going).collect();
    let gone = (!gone.is_empty()).then(|| format!("deletes or replaces {}", gone.join(", ")));
    let losses: Vec<_> = gone.into_iter().chain(lowered.into_iter().map(lowers)).collect();
    (!losses.is_empty()).then(|| format!("this {}", losses.join(", and ")))
}

/// `lowers MessageRetentionPeriod from 345600 to 60 of JobsQueue (films-jobs), which loses data`.
fn lowers(change: &Change) -> String {
    let lowered = change.differences.iter().filter(|difference| change.lowered.contains(&difference.path));
    let lowered = lowered.map(|difference| {
        let (before, after) = ends(difference);
        // No number is no limit, where that loses something.
        let number = |end: Option<String>| end.unwrap_or_else(|| "no limit".to_owned());
        format!("{} from {} to {}", difference.path, number(before), number(after))
    });
    format!("lowers {} of {}, which loses data", lowered.collect::<Vec<_>>().join(", "), named(change))
}

fn change(change: &Change) -> Value {
    let properties: Vec<_> = match (&change.resource, change.action) {
        (Some(resource), Action::Create) => created(resource),
        _ => change.differences.iter().map(property).collect(),
    };
    let mut document = json!({
        "logical_id": change.logical_id,
        "type": change.type_name,
        "physical_id": change.physical_id,
        "action": change.action,
        "slow": change.slow,
        "untracked": change.untracked,
        "properties": properties,
    });
    if let Some(reason) = failed(change) {
        document["failed"] = json!(reason);
    }
    if let Some(leaves) = change.leaves {
        document["leaves"] = json!(leaves);
    }
    document
}

/// Of something new, each property that the template gives, and each of its tags.
fn created(resource: &Resource) -> Vec<Value> {
    let properties = resource.properties.as_object().into_iter().flatten();
    let properties = properties.map(|(name, value)| (name.clone(), pointer_to("", name), value.clone()));
    let tags = given_tags(resource);
    let tags = tags.map(|(key, value)| (format!("Tags.{key}"), pointer_to("/Tags", key), value.as_str().into()));
    properties.chain(tags).map(|(path, pointer, value)| one_of_new(resource, &path, &pointer, value)).collect()
}

fn one_of_new(resource: &Resource, path: &str, pointer: &str, value: Value) -> Value {
    let within = |at: &str| at.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let secret = resource.secret.iter().any(|at| within(at));
    let waits: Vec<_> = resource.after_apply.iter().filter(|(at, _)| within(at)).map(|(_, by)| by).collect();
    let mut property = json!({ "path": path, "before": null, "after": if secret { MASK.into() } else { value } });
    if !waits.is_empty() {
        property["after_apply"] = json!(waits);
    }
    property
}

/// Those that the template gives, without the stack's own.
fn given_tags(resource: &Resource) -> impl Iterator<Item = (&String, &String)> {
    resource.tags.iter().filter(|(key, _)| !key.starts_with("provision:"))
}

fn property(difference: &Difference) -> Value {
    let shown = |value: &Option<Value>| match value {
        Some(_) if difference.secret => MASK.into(),
        Some(value) => value.clone(),
        None => Value::Null,
    };
    let mut property =
        json!({ "path": difference.path, "before": shown(&difference.before), "after": shown(&difference.after) });
    if let Some(reference) = &difference.after_apply {
        property["after_apply"] = json!(reference);
    }
    if difference.on_change == OnChange::Replace {
        property["replaces"] = json!(true);
    }
    property
}

/// What is there and what comes, as they are shown.
fn ends(difference: &Difference) -> (Option<String>, Option<String>) {
    let shown = |value: &Value| if difference.secret { MASK.to_owned() } else { short(value) };
    let before = difference.before.as_ref().map(shown);
    let after = match &difference.after_apply {
        Some(reference) => Some(known_after(reference)),
        None => difference.after.as_ref().map(shown),
    };
    (before, after)
}

fn line(difference: &Difference) -> String {
    let (before, after) = ends(difference);
    let (action, values) = match (before, after) {
        (None, after) => (Action::Create, after.unwrap_or_else(|| "(nothing)".to_owned())),
        (Some(before), None) => (Action::Delete, before),
        (Some(before), Some(after)) => (Action::Update, format!("{before} → {after}")),
    };
    let (action, replaces) = match difference.on_change {
        OnChange::Replace => (Action::Replace, "  replaces"),
        OnChange::Update => (action, ""),
    };
    format!("{} {}: {values}{}", action.sign().color(colour(action)), difference.path, replaces.red())
}

fn known_after(reference: &str) -> String {
    format!("(known after {reference} is made)")
}

/// A line for each property of something new, and for each of the template's tags.
fn of_new(resource: &Resource) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in resource.properties.as_object().into_iter().flatten() {
        parts(resource, name, &pointer_to("", name), value, &mut found);
    }
    for (key, value) in given_tags(resource) {
        parts(resource, &format!("Tags.{key}"), &pointer_to("/Tags", key), &value.as_str().into(), &mut found);
    }
    let sign = Action::Create.sign();
    found.into_iter().map(|(path, value)| format!("{} {path}: {value}", sign.color(colour(Action::Create)))).collect()
}

/// A value as a whole; part by part where a part of it is secret or not known yet.
fn parts(resource: &Resource, path: &str, pointer: &str, value: &Value, found: &mut Vec<(String, String)>) {
    let inside = |at: &str| at.strip_prefix(pointer).is_some_and(|rest| rest.starts_with('/'));
    let secret = resource.secret.iter().find(|at| *at == pointer || inside(at));
    let waits = resource.after_apply.iter().find(|(at, _)| *at == pointer || inside(at));
    let whole = secret.is_some_and(|at| at == pointer) || waits.is_some_and(|(at, _)| at == pointer);
    match (value, secret, waits) {
        (Value::Object(fields), Some(_), _) | (Value::Object(fields), _, Some(_)) if !whole => {
            for (name, value) in fields {
                parts(resource, &format!("{path}.{name}"), &pointer_to(pointer, name), value, found);
            }
        }
        (_, Some(_), _) => found.push((path.to_owned(), MASK.to_owned())),
        (_, _, Some((_, reference))) => found.push((path.to_owned(), known_after(reference))),
        (Value::Null, _, _) => {}
        (value, _, _) => found.push((path.to_owned(), short(value))),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

fn kept(plan: &Plan) -> String {
    let lines = plan.kept.iter().map(|kept| {
        format!("\nNo longer in the template and kept by its DeletionPolicy: {} {}", kept.type_name, kept.physical_id)
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Observed;

    fn difference(path: &str, before: Option<Value>, after: Option<Value>) -> Difference {
        Difference { path: path.into(), before, after, after_apply: None, on_change: OnChange::Update, secret: false }
    }

    fn scope() -> Scope {
        Scope { stack: "films".into(), account: "1".repeat(12), region: "eu-central-1".into(), partition: "aws".into() }
    }

    fn new() -> Resource {
        let arn = json!("arn:aws:sqs:eu-central-1:111111111111:films-Letters");
        let properties = json!({
            "VisibilityTimeout": 60, "RedrivePolicy": {"deadLetterTargetArn": arn, "maxReceiveCount": 5},
            "Environment": {"Variables": {"KEY": "old", "ROLE": null, "STAGE": "test"}}, "Layers": [null, "b"],
        });
        Resource {
            after_apply: [
                ("/Environment/Variables/ROLE", "Role.RoleId"),
                ("/Layers/0", "Layer.Ref"),
                ("/Tags/told", "Topic.Ref"),
            ]
            .map(|(at, by)| (at.to_owned(), by.to_owned()))
            .into(),
            secret: ["/Environment/Variables/KEY", "/Tags/key"].map(str::to_owned).into(),
            tags: [("team", "data"), ("key", "old"), ("told", "null"), ("provision:stack", "films")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            ..Resource::sample("AWS::SQS::Queue", "Jobs", "films-Jobs", properties)
        }
    }

    fn plan() -> Plan {
        let change = |logical_id: &str, action, differences| Change {
            logical_id: logical_id.into(),
            type_name: "AWS::SQS::Queue".into(),
            physical_id: format!("films-{logical_id}"),
            action,
            differences,
            lowered: vec![],
            resource: None,
            observed: None,
            slow: false,
            untracked: false,
            leaves: None,
        };
        let secret = Difference { secret: true, ..difference("Key", Some(json!("old")), Some(json!("new"))) };
        let waits = Difference { after_apply: Some("Role.Arn".into()), ..difference("Role", Some(json!("a")), None) };
        let replaces =
            Difference { on_change: OnChange::Replace, ..difference("Name", Some(json!("a")), Some(json!("b"))) };
        let removed = difference("Policy", Some(json!({ "a": "b".repeat(200) })), None);
        let made = Change { resource: Some(new()), ..change("Jobs", Action::Create, vec![]) };
        let changes = vec![
            made,
            change("Letters", Action::Update, vec![secret, waits, removed]),
            change("Third", Action::Replace, vec![replaces]),
            Change { leaves: Some("AWS keeps a snapshot"), ..change("Fourth", Action::Delete, vec![]) },
            Change { slow: true, untracked: true, ..change("Nightly", Action::Create, vec![]) },
            change("Fifth", Action::None, vec![]),
        ];
        Plan { changes, kept: vec![], late: Default::default() }
    }

    #[test]
    fn a_plan_shows_each_resource_and_each_property() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&text(&plan(), &scope())).to_string());
    }

    #[test]
    fn a_secret_is_in_neither_form() {
        let both = format!("{}{}", text(&plan(), &scope()), document(&plan(), &scope()));
        assert!(
            both.contains("Tags.team") && document(&plan(), &scope()).to_string().contains(r#""path":"Tags.team""#)
        );
        assert!(!both.contains("\"old\"") && !both.contains("\"new\""), "{both}");
    }

    #[test]
    fn what_deletes_and_what_keeps_less_is_asked_for() {
        let mut plan = plan();
        let goes = "this deletes or replaces Third (films-Third), Fourth (films-Fourth), of which AWS keeps a snapshot";
        assert_eq!(losses(&plan).as_deref(), Some(goes));
        // What takes no tags left the template: nothing remembers how that called it.
        let untagged = Change {
            logical_id: "films-lake".into(),
            type_name: "AWS::S3::BucketPolicy".into(),
            physical_id: "films-lake".into(),
            ..plan.changes[3].clone()
        };
        assert_eq!(named(&untagged), "AWS::S3::BucketPolicy films-lake");
        plan.changes.retain(|change| !change.goes());
        assert_eq!(losses(&plan), None);
        plan.changes[1].differences.push(difference("Retention", Some(json!(600)), Some(json!(60))));
        plan.changes[1].lowered = vec!["Retention".into()];
        let lowers = "this lowers Retention from 600 to 60 of Letters (films-Letters), which loses data";
        assert_eq!(losses(&plan).as_deref(), Some(lowers));
        assert!(text(&plan, &scope()).contains("(loses data: Retention is lowered)"));
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_reason_though_nothing_changes() {
        let mut plan = plan();
        let reason = "InvalidImage: the image cannot be pulled";
        plan.changes.last_mut().unwrap().observed = Some(Observed {
            type_name: "AWS::SQS::Queue".into(),
            physical_id: "films-Fifth".into(),
            properties: json!({}),
            tags: Default::default(),
            attributes: Default::default(),
            state: State::Failed(reason.into()),
            handle: Value::Null,
        });
        let beside_others = text(&plan, &scope());
        assert!(beside_others.contains(&format!("films-Fifth  (Failed: {reason})")), "{beside_others}");
        assert_eq!(document(&plan, &scope()).pointer("/changes/5/failed"), Some(&json!(reason)));
        plan.changes.retain(|change| change.action == Action::None);
        let alone = text(&plan, &scope());
        assert!(alone.starts_with("Nothing to change"), "{alone}");
        assert!(alone.contains(&format!("It cannot be used: Fifth (films-Fifth), {reason}")), "{alone}");
    }

    #[test]
    fn the_document_has_the_promised_form() {
        let document = document(&plan(), &scope());
        assert_eq!(document.pointer("/changes/2/action"), Some(&json!("replace")));
        assert_eq!(document.pointer("/changes/2/properties/0/before"), Some(&json!("a")));
        assert_eq!(document.pointer("/changes/1/properties/0/after"), Some(&json!("****")));
        assert_eq!(document.pointer("/changes/1/properties/1/after_apply"), Some(&json!("Role.Arn")));
    }
}
