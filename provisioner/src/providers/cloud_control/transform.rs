//! A schema's `propertyTransform`: how AWS may write a value when it gives it back. Of JSONata, in which they are written, those are
//! understood that change its case, put something before or behind it, or leave a part of it.

use fancy_regex::{Regex, escape};
use serde_json::Value;

/// The ways in which AWS may write a value, each as parts one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transform(Vec<Vec<Part>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// A regular expression of what AWS adds.
    Added(String),
    /// The value itself, after these changes.
    Given(Vec<Change>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Lower,
    Upper,
    /// What stands behind the last of these.
    AfterLast(String),
    /// What stands behind the first of these.
    AfterFirst(String),
    /// Without the dot behind a domain's name.
    Undotted,
}

/// How JSONata takes that dot away.
const UNDOTTED: &str = r#"/(.*)\.$/, "$1")"#;

impl Transform {
    /// None for one that is not understood, or that tells nothing of the value.
    pub(super) fn parse(expression: &str, property: &str) -> Option<Self> {
        let mut text = Text { rest: expression, property };
        let mut ways = vec![text.joined()?];
        while text.takes("$OR") {
            ways.push(text.joined()?);
        }
        let tells = |way: &Vec<Part>| way.iter().any(|part| matches!(part, Part::Given(_)));
        let is_sound = |way: &Vec<Part>| tells(way) && pattern(way, "x").is_some();
        (text.rest.trim().is_empty() && ways.iter().all(is_sound)).then_some(Self(ways))
    }

    /// Whether AWS may give `wanted` back as `observed`.
    pub(super) fn makes(&self, wanted: &Value, observed: &Value) -> bool {
        let (Some(wanted), Some(observed)) = (plain(wanted), plain(observed)) else { return false };
        let is_it = |way: &Vec<Part>| {
            pattern(way, &wanted).is_some_and(|pattern| pattern.is_match(&observed).unwrap_or_default())
        };
        self.0.iter().any(is_it)
    }

    /// A name that a template gives, as AWS has it: where that is sure.
    pub(super) fn of_name(&self, given: &str) -> String {
        match self.0.as_slice() {
            [way] => changed(way, given).unwrap_or_else(|| given.to_owned()),
            _ => given.to_owned(),
        }
    }

    /// A name that is ours to make, so that AWS has it as it is.
    pub(super) fn of_made_name(&self, made: &str) -> String {
        let changed = self.0.iter().filter_map(|way| changed(way, made)).find(|name| name != made);
        changed.unwrap_or_else(|| made.to_owned())
    }
}

/// The value, where AWS adds nothing to it.
fn changed(way: &[Part], given: &str) -> Option<String> {
    match way {
        [Part::Given(changes)] => Some(after(changes, given)),
        _ => None,
    }
}

fn pattern(way: &[Part], given: &str) -> Option<Regex> {
    let parts = way.iter().map(|part| match part {
        // A dot alone, behind a domain's name, is meant as one.
        Part::Added(added) if added == "." => r"\.".to_owned(),
        Part::Added(added) => added.clone(),
        Part::Given(changes) => escape(&after(changes, given)).into_owned(),
    });
    Regex::new(&format!("^(?:{})$", parts.collect::<String>())).ok()
}

/// A number or a boolean is its text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn after(changes: &[Change], given: &str) -> String {
    changes.iter().fold(given.to_owned(), |text, change| match change {
        Change::Lower => text.to_lowercase(),
        Change::Upper => text.to_uppercase(),
        Change::AfterLast(mark) => text.rsplit(mark.as_str()).next().unwrap_or_default().to_owned(),
        Change::AfterFirst(mark) => text.split_once(mark.as_str()).map_or(text.clone(), |(_, rest)| rest.to_owned()),
        Change::Undotted => text.strip_suffix('.').map_or(text.clone(), str::to_owned),
    })
}

/// What is left to read of an expression for one property.
struct Text<'t> {
    rest: &'t str,
    property: &'t str,
}

impl Text<'_> {
    /// Whether this comes next, and no longer does.
    fn takes(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn joined(&mut self) -> Option<Vec<Part>> {
        let mut parts = self.part()?;
        while self.takes("&") {
            parts.extend(self.part()?);
        }
        Some(parts)
    }

    fn part(&mut self) -> Option<Vec<Part>> {
        if self.takes("$lowercase(") {
            return in_case(self.closed(")")?, Change::Lower);
        }
        if self.takes("$uppercase(") {
            return in_case(self.closed(")")?, Change::Upper);
        }
        if self.takes("$split(") {
            let mark = self.given_and_mark()?;
            return self.takes(")[-1]").then(|| vec![Part::Given(vec![Change::AfterLast(mark)])]);
        }
        if self.takes("$substringAfter(") {
            let mark = self.given_and_mark()?;
            return self.takes(")").then(|| vec![Part::Given(vec![Change::AfterFirst(mark)])]);
        }
        if self.takes("$replace(") {
            self.given().filter(|_| self.takes(",") && self.takes(UNDOTTED))?;
            return Some(vec![Part::Given(vec![Change::Undotted])]);
        }
        if self.takes("$string(") {
            return self.closed(")");
        }
        if self.takes("$join([") {
            return self.closed("])");
        }
        match self.quote() {
            Some(quote) => Some(vec![Part::Added(self.quoted(quote)?)]),
            None => self.given().map(|()| vec![Part::Given(vec![])]),
        }
    }

    /// One or several behind each other, up to what closes them.
    fn closed(&mut self, end: &str) -> Option<Vec<Part>> {
        let mut parts = self.joined()?;
        while self.takes(",") {
            parts.extend(self.joined()?);
        }
        self.takes(end).then_some(parts)
    }

    /// The property, and the text at which it is cut.
    fn given_and_mark(&mut self) -> Option<String> {
        self.given().filter(|_| self.takes(","))?;
        let quote = self.quote()?;
        self.quoted(quote).filter(|mark| !mark.is_empty())
    }

    fn quote(&mut self) -> Option<char> {
        ['"', '\''].into_iter().find(|quote| self.takes(&quote.to_string()))
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        let end = self.rest.find(quote)?;
        let text = self.rest[..end].to_owned();
        self.rest = &self.rest[end + quote.len_utf8()..];
        Some(text)
    }

    /// The property, by its name or its path.
    fn given(&mut self) -> Option<()> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
        let (path, rest) = rest.split_at(end);
        self.rest = rest;
        (path.rsplit('.').next() == Some(self.property)).then_some(())
    }
}

/// What is added has a case of its own only where it has letters.
fn in_case(parts: Vec<Part>, case: Change) -> Option<Vec<Part>> {
    let changed = parts.into_iter().map(|part| match part {
        Part::Given(changes) => Some(Part::Given(changes.into_iter().chain([case.clone()]).collect())),
        Part::Added(added) => (!added.contains(char::is_alphabetic)).then_some(Part::Added(added)),
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn makes(expression: &str, wanted: &str, observed: &str) -> bool {
        let transform = Transform::parse(expression, "Name").unwrap_or_else(|| panic!("{expression} is understood"));
        transform.makes(&json!(wanted), &json!(observed))
    }

    #[test]
    fn what_changes_the_case_or_adds_something_makes_two_values_the_same() {
        assert!(makes("$lowercase(Name)", "films-Db", "films-db") && !makes("$lowercase(Name)", "films-Db", "other"));
        assert!(makes("$uppercase(Settings.Name)", "us", "US") && !makes("$uppercase(Name)", "us", "us"));
        let version = "$join([$string(Name), \".*\"])";
        assert!(makes(version, "15", "15.4") && !makes(version, "15", "16.1"));
        let key = "$join([\"arn:.+?:kms:.+?:.+?:key\\/\", Name])";
        assert!(makes(key, "a-1", "arn:aws:kms:eu-west-1:1:key/a-1"));
        assert!(!makes(key, "a-1", "arn:aws:kms:eu-west-1:1:key/b-2"));
        assert!(makes("'custom:' & '' & Name", "x", "custom:x"));
        let record = r#"$lowercase($replace(Name, /(.*)\.$/, "$1"))"#;
        assert!(makes(record, "Films.example.", "films.example") && makes(record, "films.example", "films.example"));
        assert!(makes("$split(Name, 'role/')[-1]", "arn:aws:iam::1:role/a", "a"));
        let group = "$lowercase($substringAfter(Name, \"/\"))";
        assert!(makes(group, "one/Two/three", "two/three") && makes(group, "A", "a"));
        let mut number = Transform::parse(version, "Name").unwrap();
        assert!(number.makes(&json!(15), &json!("15.4")));
        number.0.clear();
        assert!(!number.makes(&json!(15), &json!(15)));
    }

    #[test]
    fn of_several_ways_one_is_enough_and_a_dot_is_a_dot() {
        let zone = "Name $OR $join([Name, \".\"]) $OR $lowercase(Name) $OR $lowercase($join([Name, \".\"]))";
        for observed in ["Films.example", "Films.example.", "films.example", "films.example."] {
            assert!(makes(zone, "Films.example", observed), "{observed}");
        }
        assert!(!makes(zone, "films.exampl", "films.example") && !makes(zone, "a.b", "a-b"));
    }

    #[test]
    fn what_is_not_understood_or_tells_nothing_of_the_value_is_none() {
        for expression in [
            "\"arn:aws[-a-z]*:kms:.*\"",
            "InstanceId ? Name : Other",
            "$replace(Name, 'a', 'b')",
            "$split(Name, '/')[0]",
            "$lowercase(Other)",
            "$join([\"(\", Name])",
            "Name * 1000",
            "Name $OR null",
        ] {
            assert_eq!(Transform::parse(expression, "Name"), None, "{expression}");
        }
    }

    #[test]
    fn a_name_is_as_aws_has_it_where_that_is_sure() {
        let of = |expression: &str| {
            let transform = Transform::parse(expression, "Name").unwrap();
            (transform.of_name("films-Db"), transform.of_made_name("films-Db"))
        };
        let pair = |given: &str, made: &str| (given.to_owned(), made.to_owned());
        assert_eq!(of("$lowercase(Name)"), pair("films-db", "films-db"));
        assert_eq!(of("$lowercase(Name) $OR Name"), pair("films-Db", "films-db"));
        assert_eq!(of("Name $OR $join([Name, \".\"])"), pair("films-Db", "films-Db"));
    }
}
