//! The stacks that otop's engine finds, held against what is known of them: by
//! how a program was made, by its own reports, or by another unwinder.
//!
//! All of it needs root; without it each test says "ignored". Each test prints
//! what it measured.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and prints what it measured"
)]

mod brief;
mod chains;
mod mappings;
mod oracle;
mod real;
mod recording;
#[path = "../support/root.rs"]
mod root;
mod special;
mod verdict;

use libtest_mimic::Trial;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use test_programs::harness::{Stopped, run, test};

/// Held by the test that samples: programs of another one would take its share
/// of the CPUs away.
static CPUS: Mutex<()> = Mutex::new(());

fn main() -> ExitCode {
    // The engine starts this program anew to read symbols and tables, as it does
    // otop.
    if let Some(ended) = tui::live::started_by_itself(std::env::args_os()) {
        return ended;
    }
    let mut tests = chains::tests();
    tests.extend(special::tests());
    tests.extend(brief::tests());
    tests.extend(real::tests());
    tests.extend(mappings::tests());
    tests.extend(oracle::tests());
    run(tests)
}

/// A test that samples.
fn sampling(
    name: impl Into<String>,
    body: impl FnOnce() -> Result<(), Stopped> + Send + 'static,
) -> Trial {
    test(name, || {
        root::check()?;
        let _cpus = CPUS.lock().unwrap_or_else(PoisonError::into_inner);
        body()
    })
}

/// A test of what is not reached yet, and why; it runs with `--ignored`.
fn not_met(why: &str, trial: Trial) -> Trial {
    trial.with_ignored_flag(true).with_kind(format!("not met yet: {why}"))
}

/// A file of this test run alone.
fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(std::process::id().to_string());
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}
