//! Every program builds, gets to where it is to be seen, and goes away.

use std::fs;
use std::process::ExitCode;

use test_programs::harness::{Stopped, run, test};
use test_programs::{Chain, Compiler, Form, Linker, Program, Running, build};

fn main() -> ExitCode {
    let mut tests = vec![
        test("ends_after_its_seconds", ends_after_its_seconds),
        test("ends_when_dropped", ends_when_dropped),
        test("is_built_once", is_built_once),
        test("a_chain_holds_its_names", a_chain_holds_its_names),
        test("a_stripped_chain_holds_none", a_stripped_chain_holds_none),
        test("many_mappings_are_there", many_mappings_are_there),
        test("the_note_is_the_childs_pid", the_note_is_the_childs_pid),
    ];
    // Chains have a list of their own below.
    let others = Program::all().into_iter().filter(|other| !matches!(other, Program::Chain(_)));
    for program in others {
        tests.push(test(format!("starts::{program:?}"), move || starts(program)));
    }
    for linker in [Linker::Bfd, Linker::Lld, Linker::Mold] {
        let program = Program::RustChain(linker);
        tests.push(test(format!("starts::{program:?}"), move || starts(program)));
    }
    for chain in chains() {
        let name = format!(
            "starts::chain::{:?}::{:?}::{:?}::O{}::{}",
            chain.compiler, chain.linker, chain.form, chain.optimize, chain.depth
        );
        tests.push(test(name, move || starts(Program::Chain(chain))));
    }
    run(tests)
}

/// Each value of each option at least once.
fn chains() -> Vec<Chain> {
    let base = Chain::default();
    let mut chains: Vec<Chain> =
        [10, 40, 120, 400].into_iter().map(|depth| Chain { depth, ..base }).collect();
    for compiler in [Compiler::Cc, Compiler::Clang] {
        for optimize in 0..=3 {
            let frame_pointer = optimize % 2 == 0;
            chains.push(Chain { depth: 41, compiler, optimize, frame_pointer, ..base });
        }
        for linker in [Linker::Bfd, Linker::Gold, Linker::Lld, Linker::Mold] {
            chains.push(Chain { compiler, linker, ..base });
        }
    }
    for form in [Form::Fixed, Form::StaticPie, Form::Static] {
        chains.push(Chain { form, ..base });
    }
    chains.push(Chain { compiler: Compiler::Musl, form: Form::Static, ..base });
    chains.push(Chain { stripped: true, depth: 39, ..base });
    chains
}

fn starts(program: Program) -> Result<(), Stopped> {
    let running = Running::start(&build(&program)?)?;
    assert!(running.pid() > 0);
    assert!(!program.chain().is_empty());
    let percent: u32 = program.shares().iter().map(|share| share.percent).sum();
    assert!(percent == 0 || percent == 100, "{percent}");
    Ok(())
}

fn ends_after_its_seconds() -> Result<(), Stopped> {
    for program in [Program::BusyC, Program::BusyRust, Program::Exec, Program::GoChain] {
        let mut running = Running::start_for(&build(&program)?, 1)?;
        let status = running.wait()?;
        assert!(status.success(), "{program:?}: {status}");
    }
    Ok(())
}

fn ends_when_dropped() -> Result<(), Stopped> {
    let running = Running::start(&build(&Program::BusyC)?)?;
    let process = format!("/proc/{}", running.pid());
    assert!(fs::exists(&process)?);
    drop(running);
    assert!(!fs::exists(&process)?);
    Ok(())
}

fn is_built_once() -> Result<(), Stopped> {
    let first = build(&Program::Alloca)?;
    let made = fs::metadata(&first)?.modified()?;
    let second = build(&Program::Alloca)?;
    assert_eq!(first, second);
    assert_eq!(made, fs::metadata(&second)?.modified()?);
    Ok(())
}

fn a_chain_holds_its_names() -> Result<(), Stopped> {
    let program = Program::Chain(Chain { depth: 120, ..Chain::default() });
    let bytes = fs::read(build(&program)?)?;
    for name in program.chain() {
        assert!(holds(&bytes, &name), "{name} is not in the symbol table");
    }
    assert!(!holds(&bytes, "chain_120"));
    Ok(())
}

fn a_stripped_chain_holds_none() -> Result<(), Stopped> {
    let program = Program::Chain(Chain { stripped: true, ..Chain::default() });
    let bytes = fs::read(build(&program)?)?;
    assert!(!holds(&bytes, "chain_000"));
    Ok(())
}

fn many_mappings_are_there() -> Result<(), Stopped> {
    let running = Running::start(&build(&Program::Mappings)?)?;
    let maps = fs::read_to_string(format!("/proc/{}/maps", running.pid()))?;
    let lines = maps.lines().count() as u64;
    assert!(lines >= running.note(), "{lines} lines, {} told", running.note());
    let allowed: u64 =
        fs::read_to_string("/proc/sys/vm/max_map_count")?.trim().parse().unwrap_or(0);
    assert!(running.note() > 100_000.min(allowed) * 9 / 10, "only {}", running.note());
    Ok(())
}

fn the_note_is_the_childs_pid() -> Result<(), Stopped> {
    let running = Running::start(&build(&Program::Fork)?)?;
    let status = fs::read_to_string(format!("/proc/{}/status", running.note()))?;
    assert!(status.contains(&format!("PPid:\t{}\n", running.pid())), "{status}");
    Ok(())
}

/// Whether `bytes` hold `name` as a whole entry of a string table.
fn holds(bytes: &[u8], name: &str) -> bool {
    let entry = format!("\0{name}\0");
    bytes.windows(entry.len()).any(|window| window == entry.as_bytes())
}
