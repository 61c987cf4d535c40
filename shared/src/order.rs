//! What a message says: do this partition, do these jobs, or do them anew.
//!
//! Knows the three forms of a body and nothing of the queue that carries it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    crawl::Refresh,
    job::Job,
    partition::{Initial, NO_YEAR},
};

/// The body of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// `{"year":2004,"initial":"AD"}`: all jobs of that partition, to be looked up in the manifest.
    Partition {
        /// The year; none for films without one.
        year: Option<u16>,
        /// The initial, as [`Initial`] writes it.
        initial: String,
    },
    /// `{"dataset":"...","jobs":[...]}`: these jobs, each with a marker of its own.
    Jobs {
        /// The dataset whose titles the jobs are ranges of.
        dataset: String,
        /// One job, or several tiny ones.
        jobs: Vec<Job>,
    },
    /// As `Jobs`, with `"refresh":{...}`: though they are done, what it wants is asked again.
    Refresh {
        /// The dataset whose titles the jobs are ranges of.
        dataset: String,
        /// One job, or several tiny ones.
        jobs: Vec<Job>,
        /// What is asked again.
        refresh: Refresh,
    },
}

/// A body that is no order. It is nobody's job: it goes to the dead letters as it is.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the message is no job: {reason}; send {{\"year\":2004,\"initial\":\"AD\"}} (\"year\":null for films without a year), or let `provision launch` send jobs"
)]
pub struct BadOrder {
    /// What is wrong with it.
    pub reason: String,
}

impl BadOrder {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

#[derive(Serialize, Deserialize)]
struct Jobs {
    dataset: String,
    jobs: Vec<Job>,
    refresh: Option<Refresh>,
}

impl Order {
    /// Reads a message's body.
    pub fn parse(body: &str) -> Result<Self, BadOrder> {
        let value: Value =
            serde_json::from_str(body).map_err(|error| BadOrder::new(format!("it is not JSON ({error})")))?;
        let Some(object) = value.as_object() else {
            return Err(BadOrder::new("it is not a JSON object"));
        };
        if object.contains_key("jobs") {
            return Self::jobs(value);
        }
        let year = object.get("year").ok_or_else(|| BadOrder::new("it has no \"year\""))?;
        let initial = object.get("initial").ok_or_else(|| BadOrder::new("it has no \"initial\""))?;
        Ok(Self::Partition { year: read_year(year)?, initial: read_initial(initial)? })
    }

    fn jobs(value: Value) -> Result<Self, BadOrder> {
        let Jobs { dataset, jobs, refresh } = serde_json::from_value(value)
            .map_err(|error| BadOrder::new(format!("its jobs cannot be read ({error})")))?;
        if !is_dataset(&dataset) {
            return Err(BadOrder::new("its dataset is no name of a dataset"));
        }
        if jobs.is_empty() {
            return Err(BadOrder::new("it has no jobs"));
        }
        if let Some(job) = jobs.iter().find(|job| !job.is_well_formed()) {
            return Err(BadOrder::new(format!("its job part {} of {:?} is malformed", job.part, job.initial)));
        }
        Ok(match refresh {
            None => Self::Jobs { dataset, jobs },
            Some(refresh) => Self::Refresh { dataset, jobs, refresh },
        })
    }

    /// The body of the message that says this.
    pub fn to_body(&self) -> String {
        match self {
            Self::Partition { year, initial } => json!({"year": year, "initial": initial}),
            Self::Jobs { dataset, jobs } => json!({"dataset": dataset, "jobs": jobs}),
            Self::Refresh { dataset, jobs, refresh } => {
                json!({"dataset": dataset, "jobs": jobs, "refresh": refresh})
            }
        }
        .to_string()
    }
}

/// Whether this can be a dataset's name: it becomes part of a key.
pub(crate) fn is_dataset(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=128).contains(&name.len()) && name.bytes().all(allowed) && !name.contains("..")
}

fn read_year(value: &Value) -> Result<Option<u16>, BadOrder> {
    let bad = || BadOrder::new(format!("its year {value} is no year"));
    let year = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_u64().ok_or_else(bad)?,
        Value::String(text) => match text.trim() {
            "none" | "None" | NO_YEAR => return Ok(None),
            text => text.parse().map_err(|_| bad())?,
        },
        _ => return Err(bad()),
    };
    match u16::try_from(year) {
        Ok(year @ 1..=9999) => Ok(Some(year)),
        _ => Err(bad()),
    }
}

fn read_initial(value: &Value) -> Result<String, BadOrder> {
    let bad = || BadOrder::new(format!("its initial {value} is not two letters or digits"));
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(bad()),
    };
    let initial = Initial::parse(&text).ok_or_else(bad)?;
    Ok(initial.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(year: Option<u16>, initial: &str) -> Order {
        Order::Partition { year, initial: initial.into() }
    }

    #[test]
    fn a_partition_is_read_however_it_is_written() {
        for (body, order) in [
            (r#"{"year":2004,"initial":"AD"}"#, partition(Some(2004), "AD")),
            (r#"{"year":"2004","initial":"ad"}"#, partition(Some(2004), "AD")),
            (r#"{"year":2017,"initial":"A "}"#, partition(Some(2017), "A_")),
            (r#"{"year":null,"initial":"TH"}"#, partition(None, "TH")),
            (r#"{"initial":10,"year":" 1999 ","by":"hand"}"#, partition(Some(1999), "10")),
        ] {
            assert_eq!(Order::parse(body).as_ref(), Ok(&order), "{body}");
            assert_eq!(Order::parse(&order.to_body()), Ok(order));
        }
    }

    #[test]
    fn what_is_no_order_is_refused_with_its_reason() {
        for (body, reason) in [
            ("", "not JSON"),
            ("null", "not a JSON object"),
            ("[1]", "not a JSON object"),
            ("{}", "no \"year\""),
            (r#"{"year":2004}"#, "no \"initial\""),
            (r#"{"year":0,"initial":"AD"}"#, "its year 0"),
            (r#"{"year":2004.5,"initial":"AD"}"#, "its year 2004.5"),
            (r#"{"year":-1,"initial":"AD"}"#, "its year -1"),
            (r#"{"year":99999,"initial":"AD"}"#, "its year 99999"),
            (r#"{"year":[],"initial":"AD"}"#, "its year []"),
            (r#"{"year":2004,"initial":"ADA"}"#, "its initial \"ADA\""),
            (r#"{"year":2004,"initial":"../"}"#, "its initial"),
            (r#"{"year":2004,"initial":null}"#, "its initial null"),
            (r#"{"dataset":"d","jobs":[]}"#, "no jobs"),
            (r#"{"dataset":"d","jobs":7}"#, "cannot be read"),
            (r#"{"dataset":"d","jobs":[],"refresh":{"before":"noon"}}"#, "cannot be read"),
            (r#"{"dataset":"../x","jobs":[]}"#, "no name of a dataset"),
        ] {
            let error = Order::parse(body).unwrap_err();
            assert!(error.reason.contains(reason), "{body}: {error}");
        }
    }

    #[test]
    fn eight_tiny_jobs_make_less_than_a_kilobyte_and_a_half() {
        let job = |part| Job {
            year: Some(2004),
            initial: "AD".into(),
            part,
            offset: 12_345_678,
            length: 60,
            titles: 4,
            digest: "0123456789abcdef".into(),
        };
        let order = Order::Jobs { dataset: "sha256-0123456789abcdef".into(), jobs: (0..8).map(job).collect() };
        assert!(order.to_body().len() < 1_500);
        assert_eq!(Order::parse(&order.to_body()), Ok(order));
    }
}
