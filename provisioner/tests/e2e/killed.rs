//! SIGKILL at any call, before AWS performed it and after: the next run ends in the same place.
//!
//! `KILL_EVERYWHERE=1` (`make sweep`) kills at each call of an `up`, an update and a `down`, before it and after; the suite at each that
//! changes something, before and after in turn, and at a few that read.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::fault_proxy::Rule;
use testkit::provision::Provision;
use testkit::{Emulator, FaultProxy};

use super::listing::{Listing, is_empty, listing};
use super::stage::{light_user, words, write_code};

/// How many accounts are killed in side by side.
const SIDE_BY_SIDE: usize = 2;

/// An account, and a stack in it that is made, changed and taken down again and again.
struct Account {
    emulator: Emulator,
    proxy: FaultProxy,
    user: Provision,
}

/// What is killed, from a standing stack or from nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Up,
    Update,
    Down,
}

/// One run that is killed: at its `k`-th call, counted from 1, before AWS performs it or after.
#[derive(Clone, Copy, Debug)]
struct Case {
    victim: Victim,
    k: usize,
    performed: bool,
}

const DOWN: &str = "down --yes --delete-data --no-wait";
/// A new memory size, retention, batch of tags: an update of function, log group and queue.
const UPDATE: &str = "up --yes --param FunctionMemorySize=512 --param LogRetentionInDays=30 --param MaxReceiveCount=9";

impl Account {
    fn new() -> Self {
        let emulator = Emulator::start().unwrap();
        let proxy = FaultProxy::start(&emulator.endpoint()).unwrap();
        let user = light_user(&proxy.url());
        Self { emulator, proxy, user }
    }

    fn holds(&self) -> Listing {
        listing(&self.emulator.endpoint(), "us-east-1")
    }

    fn line(victim: Victim) -> &'static str {
        match victim {
            Victim::Up => "up --yes",
            Victim::Update => UPDATE,
            Victim::Down => DOWN,
        }
    }

    fn begin(&self, victim: Victim) {
        write_code(&self.user, "one");
        if victim != Victim::Up {
            self.user.run(words("up --yes")).succeeds();
        }
        if victim == Victim::Update {
            write_code(&self.user, "two");
        }
    }

    /// The calls of a run that is left alone: which of them change anything, in their order. Ends with an empty account.
    fn calls_of(&self, victim: Victim) -> (Vec<bool>, Listing) {
        self.begin(victim);
        self.proxy.forget();
        self.user.run(words(Self::line(victim))).succeeds();
        let calls = self.proxy.calls().iter().map(|call| call.mutating).collect();
        let holds = self.holds();
        self.user.run(words(DOWN)).succeeds();
        (calls, holds)
    }

    /// Kills the run, lets another finish it, and takes all down. Says whether it was killed, or what is not as it should be.
    fn survive(&self, case: Case, whole: &Listing) -> Result<bool, String> {
        self.begin(case.victim);
        let line = words(Self::line(case.victim));
        let killer = self.user.killer();
        let rule = Rule::on("*", "*").nth(case.k).notify(move || killer.kill());
        self.proxy.rule(if case.performed { rule.lose_answer() } else { rule.cut() });
        let killed = self.user.run(line.clone());
        self.proxy.behave();
        let again = self.user.run(line.clone());
        if again.status.code() != Some(0) {
            return Err(format!("{case:?}: the next run does not finish it\n{again}"));
        }
        let holds = self.holds();
        if holds != *whole {
            return Err(format!("{case:?}: there is {holds:?}, not {whole:?}"));
        }
        if case.victim != Victim::Down {
            let settled = self.user.run(line);
            if !settled.stdout.contains("Nothing to change") {
                return Err(format!("{case:?}: something is still to change\n{settled}"));
            }
            let down = self.user.run(words(DOWN));
            if down.status.code() != Some(0) {
                return Err(format!("{case:?}: cannot be taken down\n{down}"));
            }
        }
        let left = self.holds();
        match is_empty(&left) {
            true => Ok(killed.status.code().is_none()),
            false => Err(format!("{case:?}: down leaves {left:?}")),
        }
    }
}

/// Before and after every call with `KILL_EVERYWHERE`; else before or after each that changes something, in turn, and before one read in
/// twenty.
fn cases(victim: Victim, mutating: &[bool]) -> Vec<Case> {
    let everywhere = std::env::var_os("KILL_EVERYWHERE").is_some();
    let mut turn = 0;
    let of_call = |(n, mutating): (usize, &bool)| {
        turn += usize::from(*mutating);
        let before = everywhere || (if *mutating { turn % 2 == 0 } else { n % 20 == 0 });
        let after = everywhere || (*mutating && turn % 2 == 1);
        [(before, false), (after, true)]
            .into_iter()
            .filter_map(move |(picked, performed)| picked.then_some(Case { victim, k: n + 1, performed }))
    };
    mutating.iter().enumerate().flat_map(of_call).collect()
}

fn survives_a_kill_anywhere(victim: Victim) {
    let first = Account::new();
    let (mutating, whole) = first.calls_of(victim);
    let cases = cases(victim, &mutating);
    let (tried, killed) = (cases.len(), AtomicUsize::new(0));
    let (cases, failures) = (Mutex::new(cases), Mutex::new(Vec::new()));
    let work = |account: &Account| {
        while let Some(case) = { cases.lock().unwrap().pop() } {
            match account.survive(case, &whole) {
                Ok(was_killed) => drop(killed.fetch_add(usize::from(was_killed), Ordering::Relaxed)),
                Err(failure) => return failures.lock().unwrap().push(failure),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..SIDE_BY_SIDE {
            scope.spawn(|| work(&Account::new()));
        }
        work(&first);
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    // Calls go side by side, so the last of a run may be one more or less.
    let killed = killed.into_inner();
    assert!(killed + 2 >= tried, "only {killed} of {tried} runs were killed");
}

#[test]
fn up_killed_at_any_call_is_finished_by_the_next() {
    survives_a_kill_anywhere(Victim::Up);
}

#[test]
fn an_update_killed_at_any_call_is_finished_by_the_next() {
    survives_a_kill_anywhere(Victim::Update);
}

#[test]
fn down_killed_at_any_call_is_finished_by_the_next() {
    survives_a_kill_anywhere(Victim::Down);
}
