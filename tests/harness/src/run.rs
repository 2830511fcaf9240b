//! From the tests that were registered to the exit code.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::schedule::Schedule;
use crate::test::Body;
use crate::{AnyFixture, Case, Test, need, outcome};

/// Tests that took as long are listed at the end.
const LONG: Duration = Duration::from_secs(5);

/// A test that could be run.
struct Planned {
    name: String,
    test: Test,
    case: Case,
}

impl Planned {
    /// Why it can't be.
    fn missing(&self) -> Option<String> {
        let needs =
            || need::missing(self.test.all_needs()).or_else(|| need::missing(&self.case.needs));
        self.case.ignored.clone().or_else(needs)
    }
}

/// What all tests share.
struct Run {
    schedule: Schedule,
    times: Mutex<Vec<(Duration, String)>>,
}

/// Runs the tests that this binary has, as its command line says.
pub fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let planned = in_order(planned());
    let at_once = arguments
        .test_threads
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into));
    let run = Arc::new(Run { schedule: Schedule::new(at_once), times: Mutex::default() });
    let trials = trials(planned, &arguments, &run);
    if at_once > 1 {
        // A thread for each, most of which wait for their turns.
        arguments.test_threads = Some(trials.len().max(2));
    }
    outcome::keep_panics();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        run.print_times();
    }
    conclusion.exit_code()
}

/// All tests, and the rows of all tables.
fn planned() -> Vec<Planned> {
    let mut planned = Vec::new();
    for test in inventory::iter::<Test>() {
        let name = test.name();
        match test.body {
            Body::Function(body) => {
                planned.push(Planned { case: Case::new(&name, body), name, test: *test });
            }
            Body::Table(rows) => {
                let rows = rows();
                assert!(!rows.is_empty(), "{name}: a table without rows");
                let named = |case: Case| (format!("{name}::{}", case.name), case);
                let row = |(name, case)| Planned { name, test: *test, case };
                planned.extend(rows.into_iter().map(named).map(row));
            }
        }
    }
    assert!(!planned.is_empty(), "this binary has no tests");
    planned
}

/// Serial tests first, and of those the ones on fixtures, which take longest: those on one together,
/// its last one last. Slow ones before others.
fn in_order(mut planned: Vec<Planned>) -> Vec<Planned> {
    planned.sort_by(|one, other| one.name.cmp(&other.name));
    let twice = planned.windows(2).find(|pair| pair[0].name == pair[1].name);
    assert!(twice.is_none(), "two tests of one name: {}", twice.map_or("", |pair| &pair[0].name));
    let mut groups = BTreeMap::new();
    for (number, one) in planned.iter().enumerate() {
        if let Some(fixture) = one.test.fixture {
            groups.entry(fixture.address()).or_insert(number);
        }
    }
    let group = |test: &Test| test.fixture.map_or(usize::MAX, |fixture| groups[&fixture.address()]);
    planned.sort_by_key(|one| {
        let test = &one.test;
        (test.lane().is_none(), group(test), test.last, !test.slow)
    });
    planned
}

/// What `libtest-mimic` takes. Those that may run are expected by the schedule and their fixtures.
fn trials(planned: Vec<Planned>, arguments: &Arguments, run: &Arc<Run>) -> Vec<Trial> {
    // Whoever lists, as cargo-nextest does, or runs what is ignored, must see beforehand which are.
    let forced = arguments.ignored || arguments.include_ignored;
    let flags = forced || arguments.list;
    let mut users: BTreeMap<usize, (&dyn AnyFixture, usize)> = BTreeMap::new();
    let mut trials = Vec::new();
    for (number, planned) in planned.into_iter().enumerate() {
        let (name, test) = (planned.name.clone(), planned.test);
        let dummy = Trial::test(&name, || Ok(())).with_ignored_flag(true);
        if arguments.is_filtered_out(&dummy) {
            trials.push(dummy);
            continue;
        }
        let ignored = flags && planned.missing().is_some();
        let this_run = Arc::clone(run);
        let body = move || match planned.missing() {
            Some(reason) if !forced => this_run.ignore(number, &test, reason),
            _ => this_run.run(number, planned),
        };
        let trial = Trial::ignorable_test(name, body).with_ignored_flag(ignored);
        if !arguments.is_filtered_out(&trial) {
            run.schedule.expect(number, test.lane());
            if let Some(fixture) = test.fixture {
                users.entry(fixture.address()).or_insert((fixture, 0)).1 += 1;
            }
        }
        trials.push(trial);
    }
    for (fixture, count) in users.into_values() {
        fixture.expect_users(count);
    }
    trials
}

impl Run {
    /// Leaves a test out.
    fn ignore(&self, number: usize, test: &Test, reason: String) -> Result<Completion, Failed> {
        self.schedule.withdraw(number, test.lane());
        if let Some(fixture) = test.fixture {
            fixture.release(true);
        }
        Ok(Completion::ignored_with(reason))
    }

    /// Runs a test when it is its turn.
    fn run(&self, number: usize, planned: Planned) -> Result<Completion, Failed> {
        let Planned { name, test, case } = planned;
        let turn = self.schedule.enter(number, test.lane());
        let begun = Instant::now();
        let ended = outcome::of(&name, || {
            turn.begin();
            (case.run)();
        });
        if let Some(fixture) = test.fixture {
            // Still in its turn: ending a fixture takes a moment, and the next may make another.
            fixture.release(ended.is_ok());
        }
        drop(turn);
        self.times.lock().unwrap_or_else(PoisonError::into_inner).push((begun.elapsed(), name));
        ended.map(|()| Completion::Completed).map_err(Failed::from)
    }

    /// The tests that took longest.
    #[allow(clippy::print_stdout)] // As all of a harness' output.
    fn print_times(&self) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.retain(|(time, _)| *time >= LONG);
        times.sort_by(|one, other| other.cmp(one));
        for (time, name) in times.iter() {
            println!("{:7.1} s  {name}", time.as_secs_f64());
        }
    }
}
