//! The real otop, on the real kernel, against programs whose behaviour is known.
//!
//! All of it needs root; without it each test says "ignored".

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod books;
mod command;
mod cpus;
mod ending;
mod names;
mod otop;
#[path = "../support/root.rs"]
mod root;
mod screen;
mod shares;
mod target;
mod tmux;

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the made-up machine is for the tests of the screens")]
mod support;

use libtest_mimic::Trial;
use std::process::ExitCode;
use std::sync::{PoisonError, RwLock};
use test_programs::harness::{Stopped, run, test};

/// Held by a test that takes a CPU away, against all others.
static CPUS: RwLock<()> = RwLock::new(());

fn main() -> ExitCode {
    // The engine starts this program anew to read symbols, as it does otop.
    if let Some(ended) = tui::live::started_by_itself(std::env::args_os()) {
        return ended;
    }
    let mut tests = vec![alone("cpus::leave_and_come_back", cpus::leave_and_come_back)];
    tests.extend(shares::tests());
    tests.extend(screen::tests());
    tests.extend(books::tests());
    tests.extend(target::tests());
    tests.extend(command::tests());
    tests.extend(names::tests());
    tests.extend(ending::tests());
    run(tests)
}

/// A test that samples.
fn sampling(
    name: impl Into<String>,
    body: impl FnOnce() -> Result<(), Stopped> + Send + 'static,
) -> Trial {
    test(name, || {
        root::check()?;
        let _cpus = CPUS.read().unwrap_or_else(PoisonError::into_inner);
        body()
    })
}

/// A test that changes the machine for all others.
fn alone(
    name: impl Into<String>,
    body: impl FnOnce() -> Result<(), Stopped> + Send + 'static,
) -> Trial {
    test(name, || {
        root::check()?;
        let _cpus = CPUS.write().unwrap_or_else(PoisonError::into_inner);
        body()
    })
}
