//! Tests of every outcome, for `tests/mechanism.rs` to run and to count.
#![allow(clippy::print_stderr)] // To be seen by who runs it.

#[macro_use]
extern crate xc_harness;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use xc_harness::{Case, Fixture, Need};

/// What tells on stderr when it is made and when it ends.
struct Noted(&'static str);

impl Drop for Noted {
    fn drop(&mut self) {
        eprintln!("ended {}", self.0);
    }
}

fn noted(name: &'static str) -> Noted {
    eprintln!("made {name}");
    Noted(name)
}

static SHARED: Fixture<Noted> = Fixture::new(&[], || noted("shared"));
static BROKEN: Fixture<Noted> = Fixture::new(&[], || panic!("it can't be made"));
static NOWHERE: Fixture<Noted> =
    Fixture::new(&[Need::Program("nosuchprogram")], || noted("what needs what is nowhere"));

fn never() -> Result<(), String> {
    eprintln!("asked");
    Err("this machine never has it".to_owned())
}

const NEVER: Need = Need::Check(never);

#[test]
fn passes() {}

#[test]
fn fails() {
    eprintln!("seen at once");
    assert_eq!(1 + 1, 3, "sums");
}

#[test(needs = [Need::Program("nosuchprogram")])]
fn lacks_a_program() {
    eprintln!("its body ran");
}

#[test(needs = [Need::Program("sh"), NEVER])]
fn lacks_the_second_thing() {
    eprintln!("its body ran");
}

#[test(needs = [Need::File("/nosuch", "nothing")], slow)]
fn lacks_a_file() {
    eprintln!("its body ran");
}

#[tests]
fn rows() -> Vec<Case> {
    vec![
        Case::new("one row", || ()),
        Case::new("a fault", || ()).ignored(Some("the judge crashes on it")),
        Case::new("no fault", || ()).ignored(None),
        Case::new("lacks it", || ()).needs(&[NEVER]),
        Case::new("fails, too", || panic!("a row")),
    ]
}

#[tests(needs = [NEVER])]
fn lacks_all_rows() -> Vec<Case> {
    vec![Case::new("one", || ()), Case::new("two", || ())]
}

mod below {
    use super::{BROKEN, Fixture, NOWHERE, Ordering, SERIAL_AT_ONCE, SHARED};

    #[test(on = &SHARED)]
    fn a_shares() {
        assert_eq!(SHARED.get().0, "shared");
        assert_eq!(SERIAL_AT_ONCE.fetch_add(1, Ordering::SeqCst), 0);
        SERIAL_AT_ONCE.fetch_sub(1, Ordering::SeqCst);
    }

    #[test(on = &SHARED)]
    fn b_shares() {
        super::a_serial_test();
        let _shared = SHARED.get();
    }

    #[test(on = &SHARED)]
    fn c_shares_and_fails() {
        let _shared = SHARED.get();
        panic!("with it in hand");
    }

    #[test(on = &SHARED)]
    fn d_has_another() {
        let _shared = SHARED.get();
    }

    static USED_UP: Fixture<std::sync::Mutex<u32>> = Fixture::new(&[], || std::sync::Mutex::new(1));

    #[test(on = &USED_UP, last)]
    fn a_uses_up() {
        *USED_UP.get().lock().expect("it is serial") -= 1;
    }

    #[test(on = &USED_UP)]
    fn z_finds_it_whole() {
        assert_eq!(*USED_UP.get().lock().expect("it is serial"), 1);
    }

    #[test(on = &BROKEN)]
    fn one_has_none() {
        BROKEN.get();
    }

    #[test(on = &BROKEN)]
    fn two_has_none() {
        BROKEN.get();
    }

    #[test(on = &NOWHERE)]
    fn shares_what_is_nowhere() {
        NOWHERE.get();
    }
}

static SERIAL_AT_ONCE: AtomicUsize = AtomicUsize::new(0);

fn a_serial_test() {
    xc_harness::assert_serial();
    let before = SERIAL_AT_ONCE.fetch_add(1, Ordering::SeqCst);
    std::thread::yield_now();
    SERIAL_AT_ONCE.fetch_sub(1, Ordering::SeqCst);
    assert_eq!(before, 0, "two serial tests at once");
}

#[test(serial)]
fn serial_one() {
    a_serial_test();
}

#[test(serial)]
fn serial_two() {
    a_serial_test();
}

#[test(serial_in = "another lane")]
fn serial_elsewhere() {
    xc_harness::assert_serial();
}

#[test]
fn others_are_not_serial() {
    let ended = std::panic::catch_unwind(xc_harness::assert_serial);
    assert!(ended.is_err());
}

fn main() -> ExitCode {
    xc_harness::main()
}
