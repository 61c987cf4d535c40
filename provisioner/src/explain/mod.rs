//! What AWS does that a straightforward program does not expect, by number and by error code; and what the codes mean that many
//! services share. Two data files, compiled in.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// An edge of AWS.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Its number, which never changes; `E35` when it is written.
    #[serde(serialize_with = "written")]
    pub number: u8,
    /// In a line.
    pub title: String,
    /// What AWS does.
    pub aws: String,
    /// What `provision` or the crawler's function does about it.
    pub tool: String,
    /// What a person can do.
    pub todo: String,
    /// AWS's error codes that lead here.
    pub codes: Vec<String>,
}

/// What error codes of AWS's mean that have more than one cause.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// The codes, as AWS writes them.
    pub codes: Vec<String>,
    /// In a line.
    pub title: String,
    /// What AWS does.
    pub aws: String,
    /// What `provision` does about it.
    pub tool: String,
    /// What a person can do.
    pub todo: String,
    /// The edges that tell more.
    pub edges: Vec<u8>,
}

#[derive(Deserialize)]
struct File {
    edge: Vec<Edge>,
}

#[derive(Deserialize)]
struct Codes {
    code: Vec<Meaning>,
}

fn written<S: Serializer>(number: &u8, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("E{number}"))
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, title, aws, tool, todo, codes } = self;
        write!(
            f,
            "E{number}  {title}\n\n  what AWS does        {aws}\n  what provision does  {tool}\n  what to do           {todo}"
        )?;
        match codes.is_empty() {
            true => Ok(()),
            false => write!(f, "\n  error codes          {}", codes.join(", ")),
        }
    }
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { codes, title, aws, tool, todo, edges } = self;
        let edges = edges.iter().map(|number| format!("E{number}")).collect::<Vec<_>>().join(", ");
        write!(
            f,
            "{title}\n\n  what AWS does        {aws}\n  what provision does  {tool}\n  what to do           {todo}\n  error codes          {}",
            codes.join(", ")
        )?;
        match edges.is_empty() {
            true => Ok(()),
            false => write!(f, "\n  more                 provision explain {edges}"),
        }
    }
}

/// Every edge, by number.
///
/// # Errors
/// None, as a test reads the file; it is compiled in.
pub fn edges() -> Result<Vec<Edge>, toml::de::Error> {
    Ok(toml::from_str::<File>(include_str!("edges.toml"))?.edge)
}

/// What the codes mean that many services share.
///
/// # Errors
/// None, as a test reads the file; it is compiled in.
pub fn meanings() -> Result<Vec<Meaning>, toml::de::Error> {
    Ok(toml::from_str::<Codes>(include_str!("codes.toml"))?.code)
}

/// What an error code means, whose case does not matter.
pub fn meaning<'m>(meanings: &'m [Meaning], topic: &str) -> Option<&'m Meaning> {
    meanings.iter().find(|meaning| meaning.codes.iter().any(|code| code.eq_ignore_ascii_case(topic)))
}

/// The edges of a number (`E35`, `35`) or of an error code, whose case does not matter.
pub fn matching<'e>(edges: &'e [Edge], topic: &str) -> Vec<&'e Edge> {
    let number: Option<u8> = topic.trim_start_matches(['E', 'e']).parse().ok();
    let is_code = |edge: &Edge| edge.codes.iter().any(|code| code.eq_ignore_ascii_case(topic));
    edges.iter().filter(|edge| Some(edge.number) == number || is_code(edge)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_is_there_once_and_says_all_it_has_to() {
        let edges = edges().unwrap();
        assert!(edges.iter().map(|edge| edge.number).eq(1..=67));
        for edge in edges {
            for text in [&edge.title, &edge.aws, &edge.tool, &edge.todo] {
                assert!(!text.is_empty() && !text.contains('\n'), "E{}", edge.number);
            }
        }
    }

    #[test]
    fn an_edge_is_found_by_number_and_by_error_code() {
        let edges = edges().unwrap();
        let found = |topic| matching(&edges, topic).iter().map(|edge| edge.number).collect::<Vec<_>>();
        assert_eq!((found("E35"), found("e35"), found("35")), (vec![35], vec![35], vec![35]));
        assert_eq!(found("queuedeletedrecently"), [43]);
        assert_eq!(found("OperationAborted"), [55, 67]);
        assert_eq!((found("E68"), found("NoSuchThing")), (vec![], vec![]));
    }

    #[test]
    fn every_code_that_a_person_is_likely_to_meet_is_explained_and_leads_to_edges_that_there_are() {
        let (edges, meanings) = (edges().unwrap(), meanings().unwrap());
        for code in [
            "accessdenied",
            "AccessDeniedException",
            "InvalidParameterValueException",
            "ResourceConflictException",
            "ValidationException",
            "ValidationError",
            "LimitExceeded",
            "LimitExceededException",
            "ThrottlingException",
            "TooManyRequestsException",
            "EntityAlreadyExists",
            "NotUpdatable",
            "NotStabilized",
            "GeneralServiceException",
        ] {
            let meaning = meaning(&meanings, code).unwrap_or_else(|| panic!("{code}"));
            assert!(meaning.edges.iter().all(|number| edges.iter().any(|edge| edge.number == *number)), "{code}");
        }
        for code in [
            "QueueDeletedRecently",
            "OperationAborted",
            "BucketAlreadyExists",
            "BucketAlreadyOwnedByYou",
            "ExpiredToken",
            "DeleteConflict",
        ] {
            assert!(!matching(&edges, code).is_empty(), "{code}");
        }
    }
}
