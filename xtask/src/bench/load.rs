//! Work for every CPU: programs whose hot functions are known by name.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use test_programs::{Program, Running, build};

use super::machine;

/// The three ways of being busy, by language.
const PROGRAMS: [Program; 3] = [Program::BusyC, Program::BusyCpp, Program::BusyRust];

/// A function that every program of [`start`] with it spends most time in.
pub(super) const HOT: &str = "hot_a";

/// Seconds after which a program that was forgotten ends.
const SECONDS_MAX: u32 = 3600;

/// The paths of the three programs, built if they are not there yet.
///
/// # Errors
/// Where there is no compiler.
pub(crate) fn programs() -> Result<Vec<PathBuf>> {
    PROGRAMS.iter().map(|program| Ok(build(program)?)).collect()
}

/// Starts each program once, and more of them on machines of more CPUs. They end
/// when the result is dropped, or with this thread.
///
/// # Errors
/// Where there is no compiler.
pub(super) fn start() -> Result<Vec<Running>> {
    let programs = programs()?;
    let count = machine::cpus().max(programs.len());
    let start = |path: &PathBuf| {
        Running::start_for(path, SECONDS_MAX)
            .with_context(|| format!("cannot start {}", path.display()))
    };
    programs.iter().cycle().take(count).map(start).collect()
}
