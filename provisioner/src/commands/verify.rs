//! `provision verify`: the lake itself, read whole and held against the index.

use crawler_core::imdb::ManifestError;
use crawler_core::verify::{VerifyError, verify};
use crawler_core::with_causes;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::{Run, lake};
use crate::cli;
use crate::error::Failure;
use crate::exit;
use crate::interrupt;
use crate::ui::verify::Proof;

pub(super) async fn run(run: &Run, flags: &cli::Verify) -> Result<(), Failure> {
    let before = days_ago(&flags.older_than)?;
    let lake = lake::given_or_stacks(run, flags.lake.as_deref()).await?;
    let busy = run.ui.busy(&format!("reading {}", lake.uri()));
    let reading = async {
        let report = verify(&*lake, before, |read, of| busy.say(&format!("read {read} of {of} jobs"))).await;
        report.map_err(|error| failure(error, &lake.uri()))
    };
    let report = interrupt::until(&run.interrupt, reading).await?;
    drop(busy);
    let proof = Proof { lake: lake.uri(), older_than: &flags.older_than, holds: report.holds(), report };
    run.ui.result(|| proof.text(), &proof)?;
    if proof.holds { Ok(()) } else { Err(Failure::Incomplete { code: exit::FAILED }) }
}

/// The day that lies `span` before today.
fn days_ago(span: &str) -> Result<Date, Failure> {
    let wrong = || {
        Failure::usage(format!("{span:?} is no span of time"), "--older-than")
            .help("write days, weeks, months or years: 30d, 2w, 6mo, 1y")
    };
    let span: Span = span.parse().map_err(|_| wrong())?;
    today().checked_sub(span.abs()).map_err(|_| wrong())
}

/// The day that it is in UTC, as in `fetched_on`.
fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

fn failure(error: VerifyError, lake: &str) -> Failure {
    match error {
        VerifyError::NoIndex { .. } => {
            Failure::usage("this lake has no index, so nothing says what should be in it", lake).help(
                "name the right lake with --lake, or make its index with `provision launch` or `provision download`",
            )
        }
        VerifyError::Lake(error) | VerifyError::Manifest(ManifestError::Lake(error)) => error.into(),
        error @ VerifyError::Manifest(_) => {
            Failure::failed(with_causes(&error), lake).help("check the lake, then run the same command again")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_with_its_unit() {
        for span in ["30d", "2w", "6mo", "1y", "6 months"] {
            assert!(days_ago(span).unwrap() < today(), "{span}");
        }
        for wrong in ["", "30", "soon", "99999999999y"] {
            assert!(days_ago(wrong).is_err(), "{wrong}");
        }
    }
}
