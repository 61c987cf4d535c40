//! The crawler's stack while AWS has all its habits at once, which the emulator has not.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use testkit::fault_proxy::{Edge, FaultProxy};
use testkit::{Emulator, emulator, reader};

use super::stage::{light_user, until, words, write_code};

const AT_ONCE: [Edge; 13] = [
    Edge::RoleNotAssumable(Duration::from_millis(1_500)),
    Edge::PolicyNotYetEffective(Duration::from_millis(1_500)),
    Edge::ReadsLag(2),
    Edge::FunctionPending(2),
    Edge::UpdateInProgress(2),
    Edge::FunctionDeleting(2),
    Edge::ThrottledControlPlane(6),
    Edge::DuplicateMappingRefused,
    Edge::MappingStates(2),
    Edge::VisibilityBelowTimeoutRefused,
    Edge::QueueLingers(2),
    Edge::QueueAttributesSettle(2),
    Edge::OneWriterABucket,
];

/// Which calls were refused, with the HTTP status.
fn refusals(proxy: &FaultProxy) -> BTreeSet<(String, u16)> {
    let calls = proxy.calls().into_iter().filter(|call| call.status >= 400);
    calls.map(|call| (call.operation, call.status)).collect()
}

#[test]
fn e9_e28_e35_e45_e55_up_a_change_and_down_end_well_while_aws_has_all_its_habits() {
    let (emulator, proxy) = Emulator::start_behind_proxy(&emulator::Options::default()).unwrap();
    let user = light_user(&proxy.url());
    AT_ONCE.into_iter().for_each(|edge| proxy.play(edge));

    user.run(words("up --yes --param FunctionTimeout=60")).succeeds();
    let plan = words("plan --exit-code --param FunctionTimeout=60");
    until("every read tells what was made", || user.run(plan.clone()).status.success());
    write_code(&user, "two");
    // The queue's timeout has to rise before the function's, or the mapping would be refused.
    let change = "--param FunctionMemorySize=512 --param MaximumConcurrency=4";
    user.run(words(&format!("up --yes {change}"))).succeeds();
    let plan = format!("plan --exit-code {change}");
    until("the queue tells its new attributes", || user.run(words(&plan)).status.success());
    user.run(words("down --yes --delete-data")).succeeds();
    let refused = refusals(&proxy);
    assert!(refused.contains(&("CreateFunction".to_owned(), 400)), "the role could be assumed at once");
    assert!(refused.iter().any(|(_, status)| *status == 429), "nothing was throttled");

    // The names of queues and bucket are busy for a while.
    proxy.behave();
    proxy.play(Edge::QueueDeletedRecently(Duration::from_secs(4)));
    proxy.play(Edge::BucketDeletedRecently(Duration::from_secs(4)));
    user.run(["up", "--yes"]).succeeds();
    user.run(words("down --yes --no-wait --delete-data")).succeeds();
    user.run(["up", "--yes"]).succeeds();
    let refused = refusals(&proxy);
    assert!(
        [("CreateQueue", 400), ("CreateBucket", 409)]
            .iter()
            .all(|(operation, status)| refused.contains(&((*operation).to_owned(), *status))),
        "{refused:?}"
    );
    user.run(words("down --yes --no-wait --delete-data")).succeeds();

    let left = reader::account(&emulator.endpoint());
    for kind in ["buckets", "queues", "roles", "functions", "mappings", "log_groups"] {
        assert_eq!(left[kind], json!([]), "{kind} are left");
    }
}
