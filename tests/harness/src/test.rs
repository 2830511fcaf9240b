//! What is known of a test before it runs.

use crate::schedule::Lane;
use crate::{AnyFixture, Case, Need};

/// A test, or a table of them, as the attributes register it.
#[derive(Clone, Copy)]
pub struct Test {
    module: &'static str,
    function: &'static str,
    pub(crate) body: Body,
    pub(crate) needs: &'static [Need],
    pub(crate) fixture: Option<&'static dyn AnyFixture>,
    pub(crate) last: bool,
    lane: Lane,
    pub(crate) slow: bool,
}

/// What is run.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    Function(fn()),
    Table(fn() -> Vec<Case>),
}

inventory::collect!(Test);

impl Test {
    /// A test.
    pub const fn function(module: &'static str, name: &'static str, body: fn()) -> Self {
        Self::new(module, name, Body::Function(body))
    }

    /// A table of tests.
    pub const fn table(module: &'static str, name: &'static str, body: fn() -> Vec<Case>) -> Self {
        Self::new(module, name, Body::Table(body))
    }

    const fn new(module: &'static str, function: &'static str, body: Body) -> Self {
        let needs = &[];
        Self { module, function, body, needs, fixture: None, last: false, lane: None, slow: false }
    }

    /// What the machine must have for it.
    #[must_use]
    pub const fn needs(self, needs: &'static [Need]) -> Self {
        Self { needs, ..self }
    }

    /// It runs on that fixture, with the others that do.
    #[must_use]
    pub const fn on(self, fixture: &'static dyn AnyFixture) -> Self {
        Self { fixture: Some(fixture), ..self }
    }

    /// It uses its fixture up, and so it runs after the others on it.
    #[must_use]
    pub const fn last(self) -> Self {
        Self { last: true, ..self }
    }

    /// It runs while no other that is serial does.
    #[must_use]
    pub const fn serial(self) -> Self {
        self.serial_in("")
    }

    /// It runs while no other that is serial in that lane does.
    #[must_use]
    pub const fn serial_in(self, lane: &'static str) -> Self {
        Self { lane: Some(lane), ..self }
    }

    /// It takes long, and so it is begun before others.
    #[must_use]
    pub const fn slow(self) -> Self {
        Self { slow: true, ..self }
    }

    /// Its path in the binary, without the binary's name.
    pub(crate) fn name(&self) -> String {
        let below = self.module.split_once("::").map(|(_, below)| below);
        below.map_or(self.function.to_owned(), |below| format!("{below}::{}", self.function))
    }

    /// Where it is serial: with the others on its fixture, if it has one.
    pub(crate) fn lane(&self) -> Lane {
        self.lane.or(self.fixture.map(|fixture| fixture.lane()))
    }

    /// All that the machine must have for it.
    pub(crate) fn all_needs(&self) -> impl Iterator<Item = &'static Need> {
        self.fixture.map_or(&[][..], |fixture| fixture.needs()).iter().chain(self.needs)
    }
}
