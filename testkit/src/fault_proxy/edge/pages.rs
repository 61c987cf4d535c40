//! A list in pages of one item, the first of them empty: the emulator gives the whole list, and the proxy cuts it (E3).

use axum::body::Bytes;
use serde_json::{Value, json};

use super::super::forward::{Answer, Passing};

/// A list: its operation, the field of its items, and how its token is named in a request and in an answer.
struct List {
    operation: &'static str,
    items: &'static str,
    asked: &'static str,
    told: &'static str,
}

const fn list(operation: &'static str, items: &'static str, asked: &'static str, told: &'static str) -> List {
    List { operation, items, asked, told }
}

const LISTS: [List; 10] = [
    list("DescribeLogGroups", "logGroups", "nextToken", "nextToken"),
    list("DescribeParameters", "Parameters", "NextToken", "NextToken"),
    list("FilterLogEvents", "events", "nextToken", "nextToken"),
    list("GetAccountAuthorizationDetails", "RoleDetailList", "Marker", "Marker"),
    list("ListAttachedRolePolicies", "AttachedPolicies", "Marker", "Marker"),
    list("ListEventSourceMappings", "EventSourceMappings", "Marker", "NextMarker"),
    list("ListFunctions", "Functions", "Marker", "NextMarker"),
    list("ListPolicies", "Policies", "Marker", "Marker"),
    list("ListQueues", "QueueUrls", "NextToken", "NextToken"),
    list("ListRolePolicies", "PolicyNames", "Marker", "Marker"),
];

fn of(passing: &Passing) -> Option<&'static List> {
    LISTS.iter().find(|list| list.operation == passing.operation.name)
}

/// What the emulator is asked: for the whole list, and of S3 for a page of one.
pub(super) fn asked(passing: &Passing) -> (String, Bytes) {
    let (mut path, mut body) = (passing.path.clone(), passing.body.clone());
    if ["ListObjectVersions", "ListObjectsV2"].contains(&passing.operation.name.as_str()) {
        path += "&max-keys=1";
    }
    if let (Some(list), Ok(Value::Object(mut json))) = (of(passing), serde_json::from_slice(&passing.body)) {
        json.remove(list.asked);
        body = Value::Object(json).to_string().into();
    }
    (path, body)
}

/// Leaves one item of a good answer, or none on the first page, and the token of the next page.
pub(super) fn show(passing: &Passing, answer: &mut Answer) {
    let Some(list) = of(passing).filter(|_| answer.status.is_success()) else { return };
    let page = page(passing, list);
    match String::from_utf8_lossy(&answer.body).trim_start().starts_with('<') {
        true => answer.body = xml(list, page, &String::from_utf8_lossy(&answer.body)).into(),
        false => answer.rewrite(|json| {
            let items = json.get_mut(list.items).map(Value::take).unwrap_or_default();
            let items = items.as_array().cloned().unwrap_or_default();
            json[list.items] = cut(&items, page).into();
            json[list.told] = if page < items.len() { json!(token(page + 1)) } else { Value::Null };
        }),
    }
    answer.headers.remove(axum::http::header::CONTENT_LENGTH);
}

fn cut<T: Clone>(items: &[T], page: usize) -> Vec<T> {
    items.iter().skip(page.saturating_sub(1)).take(page.min(1)).cloned().collect()
}

fn token(page: usize) -> String {
    format!("page-{page}")
}

/// The page that a request asks for, by a token of ours in its body or query.
fn page(passing: &Passing, list: &List) -> usize {
    let (_, query) = passing.path.split_once('?').unwrap_or_default();
    let form = [query.as_bytes(), &passing.body];
    let mut pairs = form.into_iter().flat_map(|form| url::form_urlencoded::parse(form));
    let given = pairs.find(|(name, _)| name == list.asked).map(|(_, token)| token.into_owned());
    let given = given.unwrap_or_else(|| passing.field(list.asked));
    given.strip_prefix("page-").and_then(|page| page.parse().ok()).unwrap_or(0)
}

fn xml(list: &List, page: usize, body: &str) -> String {
    let (open, close) = (format!("<{}>", list.items), format!("</{}>", list.items));
    let Some((before, rest)) = body.split_once(&open) else { return body.to_owned() };
    let Some((inside, after)) = rest.split_once(&close) else { return body.to_owned() };
    let items = members(inside);
    let after = match page < items.len() {
        true => {
            let more = format!("<IsTruncated>true</IsTruncated><{0}>{1}</{0}>", list.told, token(page + 1));
            after.replace("<IsTruncated>false</IsTruncated>", &more)
        }
        false => after.to_owned(),
    };
    format!("{before}{open}{}{close}{after}", cut(&items, page).concat())
}

/// The outermost `<member>` elements; one may have more of them inside.
fn members(text: &str) -> Vec<&str> {
    let (open, close) = ("<member>", "</member>");
    let (mut found, mut depth, mut begin, mut at) = (Vec::new(), 0_usize, 0, 0);
    while let Some(offset) = text[at..].find(['<']) {
        at += offset;
        if text[at..].starts_with(open) {
            begin = if depth == 0 { at } else { begin };
            depth += 1;
        } else if text[at..].starts_with(close) {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                found.push(&text[begin..at + close.len()]);
            }
        }
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_into_an_empty_page_and_one_of_each_item() {
        let items = ["a", "b"];
        assert_eq!([0, 1, 2, 3].map(|page| cut(&items, page)), [vec![], vec!["a"], vec!["b"], vec![]]);
    }

    #[test]
    fn a_member_within_a_member_is_no_item() {
        let text = "<member>a<Tags><member>x</member></Tags></member><member>b</member>";
        assert_eq!(members(text), ["<member>a<Tags><member>x</member></Tags></member>", "<member>b</member>"]);
    }

    #[test]
    fn a_page_that_is_not_the_last_has_a_token() {
        let body = "<R><PolicyNames><member>a</member></PolicyNames><IsTruncated>false</IsTruncated></R>";
        let list = LISTS.iter().find(|list| list.operation == "ListRolePolicies").unwrap();
        let first = "<R><PolicyNames></PolicyNames><IsTruncated>true</IsTruncated><Marker>page-1</Marker></R>";
        assert_eq!([xml(list, 0, body), xml(list, 1, body)], [first, body]);
    }
}
