//! Whether AWS answers, and whether this machine's clock agrees with its: AWS refuses what is signed five minutes off.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::super::Run;
use crate::aws;
use crate::error::Failure;
use crate::ui::doctor::Check;

/// How long the answer may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Seconds that AWS lets a signature be off.
const ALLOWED: i64 = 300;

/// The endpoint's line and the clock's, by one call.
pub(super) async fn look(run: &Run) -> [Check; 2] {
    match answer(run).await {
        Ok((url, date)) => {
            let endpoint = Check::new("endpoint", Ok(format!("{url} answers")));
            [endpoint, Check::new("clock", compare(&url, date.as_deref()))]
        }
        Err(failure) => {
            [Check::new("endpoint", Err(failure)), Check::unknown("clock", "not checked: AWS does not answer")]
        }
    }
}

/// Where was asked, and the date that the answer bears.
async fn answer(run: &Run) -> Result<(String, Option<String>), Failure> {
    let Some(url) = aws::sts_url(&run.settings).await else {
        return Err(Failure::failed("no region is set", "").help("give --region, or set AWS_REGION"));
    };
    let unreached = |error: reqwest::Error| {
        Failure::failed("AWS does not answer", error.without_url().to_string())
            .help("check the network, --region and --endpoint-url")
    };
    let client = reqwest::Client::builder().timeout(LIMIT).build().map_err(unreached)?;
    let answer = client.get(&url).send().await.map_err(unreached)?;
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
    Ok((url, date))
}

fn compare(url: &str, date: Option<&str>) -> Result<String, Failure> {
    let Some(theirs) = date.and_then(|date| rfc2822::parse(date).ok()) else {
        return Err(Failure::failed("the answer has no date", url).help("check --endpoint-url"));
    };
    let off = Timestamp::now().as_second() - theirs.timestamp().as_second();
    match off.abs() {
        0..=ALLOWED => Ok(format!("{off} s off AWS's")),
        _ => {
            Err(Failure::failed(format!("this machine's clock is {off} s off AWS's"), "which refuses more than 300 s")
                .help("set the clock, for example: timedatectl set-ntp true"))
        }
    }
}
