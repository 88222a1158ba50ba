//! Generated call chains of every shape: each sample has to show every frame.

use crate::recording::{Recorded, Recording};
use crate::sampling;
use crate::verdict::{Tally, judge};
use libtest_mimic::Trial;
use probe::kernel::Target;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use test_programs::harness::Stopped;
use test_programs::{Chain, Compiler, Form, Linker, Program, Running, build};

/// Samples a second on each CPU.
const HZ: u32 = 1999;
/// Samples of each program: 5 of them are 0.5 %.
const SAMPLES: u64 = 1000;
/// % of samples that have to be exact.
const EXACT_MIN: f64 = 99.5;
/// How long the programs run at most, in seconds.
const SECONDS: u32 = 90;

/// Programs that are sampled together.
type Group = fn() -> Vec<Program>;

pub(crate) fn tests() -> Vec<Trial> {
    let groups: [(&str, Group); 4] = [
        ("chains::depths_and_optimization", depths_and_optimization),
        ("chains::linkers", linkers),
        ("chains::forms", forms),
        ("chains::other_languages", other_languages),
    ];
    let mut tests: Vec<Trial> = groups
        .into_iter()
        .map(|(name, group)| sampling(name, move || are_exact(&group())))
        .collect();
    tests.push(sampling("chains::stripped", stripped));
    tests
}

/// gcc and clang, -O0 to -O3, with and without frame pointers, by depth.
fn depths_and_optimization() -> Vec<Program> {
    let base = Chain::default();
    let mut chains = Vec::new();
    for (depth, optimize) in [(10, 0), (40, 1), (120, 2), (400, 3)] {
        for (compiler, frame_pointer) in [(Compiler::Cc, false), (Compiler::Clang, false)] {
            chains.push(Chain { depth, optimize, compiler, frame_pointer, ..base });
        }
    }
    chains.push(Chain { depth: 400, optimize: 0, frame_pointer: true, ..base });
    chains.push(Chain { compiler: Compiler::Clang, frame_pointer: true, ..base });
    chains.into_iter().map(Program::Chain).collect()
}

fn linkers() -> Vec<Program> {
    let base = Chain { depth: 41, ..Chain::default() };
    let mut chains = Vec::new();
    for linker in [Linker::Bfd, Linker::Gold, Linker::Lld, Linker::Mold] {
        chains.push(Chain { linker, ..base });
        chains.push(Chain { linker, compiler: Compiler::Clang, optimize: 3, ..base });
    }
    chains.into_iter().map(Program::Chain).collect()
}

fn forms() -> Vec<Program> {
    let base = Chain { depth: 42, ..Chain::default() };
    let mut chains: Vec<Chain> = [Form::Fixed, Form::StaticPie, Form::Static]
        .into_iter()
        .map(|form| Chain { form, ..base })
        .collect();
    chains.push(Chain { form: Form::StaticPie, compiler: Compiler::Clang, ..base });
    chains.push(Chain { form: Form::Static, compiler: Compiler::Musl, ..base });
    chains.into_iter().map(Program::Chain).collect()
}

fn other_languages() -> Vec<Program> {
    vec![
        Program::RustChain(Linker::Default),
        Program::RustChain(Linker::Lld),
        Program::RustChain(Linker::Mold),
        Program::GoChain,
        Program::Recursion,
    ]
}

/// Samples the programs together; those whose tools are missing are left out,
/// and named at the end.
fn are_exact(programs: &[Program]) -> Result<(), Stopped> {
    let mut running = Vec::new();
    let mut missing = None;
    for program in programs {
        match build(program).map_err(Stopped::from) {
            Ok(path) => running.push((program, Running::start_for(&path, SECONDS)?)),
            Err(Stopped::Ignored(why)) => missing = Some(why),
            Err(failed) => return Err(failed),
        }
    }
    let pids: Vec<u32> = running.iter().map(|(_, running)| running.pid()).collect();
    let recorded = record(&pids)?;
    let mut failed = Vec::new();
    for (program, running) in &running {
        let path = build(program).map_err(Stopped::from)?;
        let name = path.file_name().unwrap().to_string_lossy();
        let chain = program.chain();
        let mut tally = Tally::default();
        for stack in recorded.stacks(|pid, _| pid == running.pid()) {
            tally.add(judge(&stack, &chain, &[&name]), stack.count);
        }
        eprintln!("{program:?}: {tally}");
        if tally.exact() < EXACT_MIN {
            failed.push(format!("{program:?}: {tally}"));
        }
    }
    if !failed.is_empty() {
        return Err(Stopped::failed(failed.join("\n")));
    }
    missing.map_or(Ok(()), |why| Err(Stopped::Ignored(why)))
}

fn record(pids: &[u32]) -> Result<Recorded, Stopped> {
    let recording = Recording::start(HZ, Target::Processes(pids.to_vec()))?;
    recording.until_sampled(pids, SAMPLES);
    Ok(recording.end())
}

/// A stripped chain is that of its twin, which has names at the same places.
fn stripped() -> Result<(), Stopped> {
    let chain = Chain { depth: 39, ..Chain::default() };
    let (twin, bare) = (Program::Chain(chain), Program::Chain(Chain { stripped: true, ..chain }));
    let symbols = symbols(&build(&twin)?)?;
    let path = build(&bare)?;
    let name = path.file_name().unwrap().to_string_lossy();
    let running = Running::start_for(&path, SECONDS)?;
    let recorded = record(&[running.pid()])?;
    let mut tally = Tally::default();
    for mut stack in recorded.stacks(|pid, _| pid == running.pid()) {
        for frame in stack.user.iter_mut().filter(|frame| frame.module == name) {
            let (start, real) = symbols.range(..=frame.address).next_back().unwrap();
            let expected = format!("{name}!fn_{start:x}");
            assert!(frame.function == expected || real == "_start", "{frame:?}: {expected}");
            frame.function.clone_from(real);
        }
        tally.add(judge(&stack, &bare.chain(), &[&name]), stack.count);
    }
    eprintln!("stripped: {tally}");
    if tally.exact() < EXACT_MIN {
        return Err(Stopped::failed(tally.to_string()));
    }
    Ok(())
}

/// The functions of a program by where they begin in the file: GNU ld maps a
/// position-independent program's code at its offset.
fn symbols(program: &Path) -> Result<BTreeMap<u64, String>, Stopped> {
    let output = Command::new("nm").arg("--defined-only").arg(program).output();
    let output = output.map_err(|_| Stopped::Ignored("nm is not installed".to_owned()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let symbol = |line: &str| {
        let mut fields = line.split_whitespace();
        let start = u64::from_str_radix(fields.next()?, 16).ok()?;
        matches!(fields.next()?, "T" | "t").then_some((start, fields.next()?.to_owned()))
    };
    Ok(text.lines().filter_map(symbol).collect())
}
