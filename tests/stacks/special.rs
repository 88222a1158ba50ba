//! Programs that do what breaks unwinders.

use crate::recording::Recording;
use crate::verdict::{Tally, judge};
use crate::{not_met, sampling, scratch};
use libtest_mimic::Trial;
use probe::kernel::Target;
use std::path::Path;
use test_programs::harness::Stopped;
use test_programs::{Chain, Program, Running, build};

const HZ: u32 = 1999;
const SAMPLES: u64 = 2000;
/// % of stacks that have to reach the root.
const COMPLETE_MIN: f64 = 99.0;
/// % of stacks that may have a frame which is not the program's.
const WRONG_MAX: f64 = 0.1;
const SECONDS: u32 = 90;

pub(crate) fn tests() -> Vec<Trial> {
    let programs = [
        ("special::exceptions", Program::Exceptions),
        ("special::alloca", Program::Alloca),
        ("special::dlopen_and_dlclose", Program::Dlopen),
        ("special::fork", Program::Fork),
        ("special::signal_stack", Program::Signal),
        ("special::procedure_linkage_table", Program::Plt),
        ("special::realigned_stack", Program::Realigned),
    ];
    let mut tests: Vec<Trial> = programs
        .into_iter()
        .map(|(name, program)| sampling(name, move || is_complete(program)))
        .collect();
    tests.push(not_met(
        "a child of vfork is unknown to the walk until user space has heard of it",
        sampling("special::vfork", || is_complete(Program::Vfork)),
    ));
    tests.push(sampling("special::upgraded_executable", || {
        is_complete_after("upgraded", |file| {
            // As package managers do: the new file is renamed over the old one.
            let new = file.with_extension("new");
            std::fs::copy(build(&Program::BusyC)?, &new)?;
            Ok(std::fs::rename(&new, file)?)
        })
    }));
    tests.push(sampling("special::deleted_executable", || {
        is_complete_after("deleted", |file| Ok(std::fs::remove_file(file)?))
    }));
    tests
}

/// A chain whose file is changed while it runs, before otop has seen it.
fn is_complete_after(
    name: &str,
    change: impl FnOnce(&Path) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    let program = Program::Chain(Chain::default());
    let file = scratch(name);
    std::fs::copy(build(&program)?, &file)?;
    let running = Running::start_for(&file, SECONDS)?;
    change(&file)?;
    hold(program, name, &running)
}

fn is_complete(program: Program) -> Result<(), Stopped> {
    let path = build(&program)?;
    let running = Running::start_for(&path, SECONDS)?;
    hold(program, &path.file_name().unwrap().to_string_lossy(), &running)
}

/// Samples what runs, and what it forks, which has the same name.
fn hold(program: Program, name: &str, running: &Running) -> Result<(), Stopped> {
    // Forked before: not below the first one for otop, which watches forks.
    let target = match program {
        Program::Fork => Target::Processes(vec![u32::try_from(running.note()).unwrap()]),
        _ => Target::Tree(running.pid()),
    };
    let recording = Recording::start(HZ, target)?;
    recording.until_sampled_by_name(name, SAMPLES);
    let recorded = recording.end();
    let chain = program.chain();
    let mut tally = Tally::default();
    for stack in recorded.stacks(|_, process| process == name) {
        tally.add(judge(&stack, &chain, &[name, "plugin_c"]), stack.count);
    }
    eprintln!("{program:?}: {tally}");
    if tally.complete() < COMPLETE_MIN || tally.wrong() > WRONG_MAX {
        return Err(Stopped::failed(tally.to_string()));
    }
    Ok(())
}
