//! The symbolizer against real files: names from every source there is, and
//! files and workers that misbehave.
//!
//! The test program is its own worker, so it has a `main` of its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics fails")]

mod calls;
mod faults;
mod names;
mod support;

use libtest_mimic::{Arguments, Trial};
use probe::symbol::{ARGUMENT, worker_main};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [ARGUMENT] => return worker_main(),
        [faults::ARGUMENT, how, ARGUMENT] => faults::misbehave(how),
        _ => {}
    }
    let trials =
        names::TESTS.iter().chain(calls::TESTS).chain(faults::TESTS).map(|(name, needs, test)| {
            let missing = needs.iter().any(|tool| !support::has(tool));
            Trial::test(*name, || {
                test();
                Ok(())
            })
            .with_ignored_flag(missing)
        });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
