//! What a launch will take, told before it is sent: requests to TMDb, hours, and AWS's price.
//!
//! Prices are AWS's list prices of us-east-1 as of November 2025, without the free tier and without logs and storage; docs/commands/launch.md
//! states the same. They are a guide, not an offer.

use serde::Serialize;

/// A GB-second of Lambda on x86_64; on arm64 a fifth less.
const GB_SECOND: f64 = 0.000_016_666_7;
const GB_SECOND_ARM: f64 = 0.000_013_333_4;
/// One invocation.
const INVOCATION: f64 = 0.20e-6;
/// One request to a standard queue.
const SQS_REQUEST: f64 = 0.40e-6;
/// One PUT or LIST of S3.
const S3_WRITE: f64 = 5.0e-6;
/// One GET of S3.
const S3_READ: f64 = 0.4e-6;

/// Requests that one title costs: with `find` the title and its film's reviews, with `details` once, and again for a miss.
const REQUESTS_FIND: f64 = 2.0;
const REQUESTS_DETAILS: f64 = 1.1;
/// A mapping's pollers: 5 with 3 long polls a minute (E41).
const POLLS_A_SECOND: f64 = 0.25;
/// Of a job: its markers listed, up to five objects, the marker.
const WRITES_A_JOB: f64 = 7.0;
/// Of a title with one object a film and a review, which most films have none of.
const WRITES_A_TITLE: f64 = 1.2;
/// Of a job: the dataset's name, its titles, its checkpoint, what an earlier index left over.
const READS_A_JOB: f64 = 4.0;

/// How the fleet is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FleetSettings {
    /// Requests a second to TMDb, of the whole fleet.
    pub rate: f64,
    /// Functions that run side by side; each has an equal share of the rate.
    pub concurrency: f64,
    /// Memory of one function, in MB.
    pub memory_mb: f64,
    /// Whether functions run on arm64.
    pub arm: bool,
    /// Whether TMDb is asked once a film (`details`).
    pub details: bool,
    /// Whether each film and each review is an object of its own.
    pub objects: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// Titles to ask for.
    pub titles: u64,
    /// Jobs that they are in.
    pub jobs: u64,
    /// Messages that the jobs are in.
    pub messages: u64,
}

/// What it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Requests to TMDb.
    pub requests: u64,
    /// Seconds at the fleet's rate.
    pub seconds: u64,
    /// Lambda's GB-seconds.
    pub gb_seconds: u64,
    /// Requests to SQS.
    pub sqs_requests: u64,
    /// PUTs and LISTs of S3.
    pub s3_writes: u64,
    /// GETs of S3.
    pub s3_reads: u64,
    /// US dollars.
    pub usd: Price,
}

/// US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Price {
    /// Of the functions.
    pub lambda: f64,
    /// Of the queues.
    pub sqs: f64,
    /// Of requests to the lake.
    pub s3: f64,
    /// Of all.
    pub total: f64,
}

impl Estimate {
    /// What `work` takes with a fleet of these `settings`.
    pub fn new(work: Workload, settings: FleetSettings) -> Self {
        let Workload { titles, jobs, messages } = work;
        let requests = titles as f64 * if settings.details { REQUESTS_DETAILS } else { REQUESTS_FIND };
        // A function has its share of the rate, however few there are.
        let functions = settings.concurrency.min(messages as f64).max(1.0);
        let share = settings.rate.max(0.1) / settings.concurrency.max(1.0);
        let seconds = requests / (share * functions);
        let gb_seconds = seconds * functions * settings.memory_mb / 1024.0;
        let sqs_requests = messages as f64 * 2.1 + seconds * POLLS_A_SECOND;
        let of_titles = if settings.objects { titles as f64 * WRITES_A_TITLE } else { 0.0 };
        let (s3_writes, s3_reads) = (jobs as f64 * WRITES_A_JOB + of_titles, jobs as f64 * READS_A_JOB);
        let gb_second = if settings.arm { GB_SECOND_ARM } else { GB_SECOND };
        let lambda = gb_seconds * gb_second + messages as f64 * INVOCATION;
        let (sqs, s3) = (sqs_requests * SQS_REQUEST, s3_writes * S3_WRITE + s3_reads * S3_READ);
        // Rounded up is the sum alone: of small parts each would be a cent too much.
        let cents = |dollars: f64| (dollars * 100.0).round() / 100.0;
        Self {
            requests: requests.round() as u64,
            seconds: seconds.ceil() as u64,
            gb_seconds: gb_seconds.ceil() as u64,
            sqs_requests: sqs_requests.ceil() as u64,
            s3_writes: s3_writes as u64,
            s3_reads: s3_reads as u64,
            usd: Price {
                lambda: cents(lambda),
                sqs: cents(sqs),
                s3: cents(s3),
                total: ((lambda + sqs + s3) * 100.0).ceil() / 100.0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: FleetSettings =
        FleetSettings { rate: 35.0, concurrency: 8.0, memory_mb: 256.0, arm: false, details: false, objects: false };

    #[test]
    fn a_crawl_of_every_film_is_half_a_day_and_a_few_dollars() {
        let work = Workload { titles: 700_000, jobs: 12_000, messages: 4_000 };
        let estimate = Estimate::new(work, SETTINGS);
        assert_eq!((estimate.requests, estimate.seconds), (1_400_000, 40_000));
        assert_eq!(estimate.gb_seconds, 80_000);
        assert_eq!(estimate.usd, Price { lambda: 1.33, sqs: 0.01, s3: 0.44, total: 1.79 });
    }

    #[test]
    fn few_messages_go_at_few_functions_shares() {
        let one = Estimate::new(Workload { titles: 35, jobs: 1, messages: 1 }, SETTINGS);
        assert_eq!(one.seconds, 16);
        let details =
            Estimate::new(Workload { titles: 100, jobs: 8, messages: 8 }, FleetSettings { details: true, ..SETTINGS });
        assert_eq!(details.requests, 110);
        let films = Workload { titles: 700_000, jobs: 12_000, messages: 8_698 };
        let objects = Estimate::new(films, FleetSettings { objects: true, ..SETTINGS });
        assert_eq!((Estimate::new(films, SETTINGS).usd.s3, objects.usd.s3), (0.44, 4.64));
        assert_eq!(Estimate::new(Workload::default(), SETTINGS).usd.total, 0.0);
    }
}
