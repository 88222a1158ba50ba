//! Everything that runs has a name.

use crate::otop::{Otop, count, functions, rows, scratch};
use crate::sampling;
use crate::shares::RUN_S;
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use test_programs::harness::Stopped;
use test_programs::{Chain, Form, Program, Running, build};

pub(crate) fn tests() -> Vec<Trial> {
    let shown = [
        (Program::BusyCpp, "shop::Cart::hot_b"),
        (Program::BusyCpp, "shop::warm_b<(unsigned int)8>"),
        (Program::BusyRust, "busy::hot_c"),
        (Program::GoChain, "main.leaf"),
        (Program::Dlopen, "plugin_hot"),
    ];
    let shown = shown.into_iter().map(|(program, name)| {
        sampling(format!("names::{program:?}::{name}"), move || shows(program, name))
    });
    let mut tests = vec![
        sampling("names::of_a_deleted_executable", of_a_deleted_executable),
        sampling("names::in_a_chroot", in_a_chroot),
        sampling("names::in_another_mount_namespace", in_another_mount_namespace),
        sampling("names::of_the_kernel", of_the_kernel),
        sampling("names::of_the_vdso", of_the_vdso),
        sampling("names::of_inlined_functions_with_lines", of_inlined_functions_with_lines),
        sampling("names::of_a_stripped_program", of_a_stripped_program),
    ];
    tests.extend(shown);
    tests
}

/// Watches a process until `look` finds something.
#[track_caller]
fn find<T>(pid: u32, what: &str, look: impl FnMut(&Value) -> Option<T>) -> T {
    Otop::start(["--hz", "499", "--pid", &pid.to_string()]).find(what, look)
}

/// Waits until the hottest function of a process has a name.
#[track_caller]
fn check(running: &Running, name: &str) {
    find(running.pid(), name, |line| functions(line).contains(&name).then_some(()));
}

fn shows(program: Program, name: &str) -> Result<(), Stopped> {
    check(&Running::start_for(&build(&program)?, RUN_S)?, name);
    Ok(())
}

fn of_a_deleted_executable() -> Result<(), Stopped> {
    let path = scratch("deleted_c");
    std::fs::copy(build(&Program::BusyC)?, &path)?;
    let running = Running::start_for(&path, RUN_S)?;
    std::fs::remove_file(&path)?;
    check(&running, "hot_a");
    Ok(())
}

/// A program that needs no libraries, and the name of its leaf.
fn alone() -> Result<(std::path::PathBuf, String), Stopped> {
    let program = Program::Chain(Chain { form: Form::Static, depth: 10, ..Chain::default() });
    let leaf = program.chain().swap_remove(0);
    Ok((build(&program)?, leaf))
}

fn in_a_chroot() -> Result<(), Stopped> {
    let (path, leaf) = alone()?;
    let root = scratch("root");
    std::fs::create_dir_all(&root)?;
    std::fs::copy(path, root.join("program"))?;
    let mut command = Command::new("chroot");
    command.arg(&root).arg("/program");
    check(&Running::start_by(command, RUN_S)?, &leaf);
    Ok(())
}

fn in_another_mount_namespace() -> Result<(), Stopped> {
    let (path, leaf) = alone()?;
    let folder = scratch("mount");
    std::fs::create_dir_all(&folder)?;
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs none \"$2\" && cp \"$1\" \"$2/program\" && exec \"$2/program\" $3";
    command.args(["--mount", "sh", "-c", script, "sh"]).args([&path, &folder]);
    let running = Running::start_by(command, RUN_S)?;
    // The mount is that process's alone.
    assert!(!folder.join("program").exists());
    check(&running, &leaf);
    Ok(())
}

/// Killed when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It has ended by itself: nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn of_the_kernel() -> Result<(), Stopped> {
    let mut copy = Command::new("dd");
    copy.args(["if=/dev/zero", "of=/dev/null", "bs=64k"]).stderr(Stdio::null());
    let copy = Killed(copy.spawn()?);
    let symbols = std::fs::read_to_string("/proc/kallsyms")?;
    let symbols: HashSet<&str> =
        symbols.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    let names: Vec<String> = find(copy.0.id(), "kernel functions", |line| {
        let kernel = rows(line, "top").iter().filter(|row| row["kind"] == "kernel");
        let names = kernel.filter_map(|row| row["function"].as_str().map(str::to_owned));
        let names: Vec<String> = names.collect();
        // In the first moments some may still wait for theirs.
        let named = names.iter().all(|name| symbols.contains(name.as_str()));
        (named && names.len() >= 5 && count(line, "samples") >= 100).then_some(names)
    });
    // What reads zeros, by its system call (`drivers/char/mem.c`, `fs/read_write.c`).
    assert!(names.iter().any(|name| name == "vfs_read"), "{names:?}");
    Ok(())
}

fn of_the_vdso() -> Result<(), Stopped> {
    let running = Running::start_for(&build(&Program::Clock)?, RUN_S)?;
    find(running.pid(), "the vDSO's function", |line| {
        let hot = rows(line, "top").first()?;
        let named = hot["function"].as_str()?.ends_with("clock_gettime");
        (named && hot["module"] == "[vdso]").then_some(())
    });
    Ok(())
}

fn of_inlined_functions_with_lines() -> Result<(), Stopped> {
    let program = Program::Inlined;
    let running = Running::start_for(&build(&program)?, RUN_S)?;
    let chain = program.chain();
    // Names come first, lines and what was inlined after them.
    find(running.pid(), "work in inlined_hot in inlined_caller", |line| {
        let row = |name: &str| rows(line, "top").iter().find(|row| row["function"] == name);
        let sources = ["life.h", "inlined.c", "inlined.c"];
        let found = chain.iter().zip(sources).all(|(name, source)| {
            row(name).is_some_and(|row| {
                let path = row["source"].as_str().unwrap_or_default();
                path.ends_with(source) && count(row, "line") > 0 && count(row, "total") > 0
            })
        });
        (found && functions(line).first() == Some(&"work")).then_some(())
    });
    Ok(())
}

fn of_a_stripped_program() -> Result<(), Stopped> {
    let chain = Chain { depth: 12, stripped: true, ..Chain::default() };
    let path = build(&Program::Chain(chain))?;
    // The same code with its symbols tells where the function is.
    let whole = Program::Chain(Chain { stripped: false, ..chain });
    let offset = offset_of(&build(&whole)?, &whole.chain()[0])?;
    let module = path.file_name().unwrap().to_string_lossy().into_owned();
    check(&Running::start_for(&path, RUN_S)?, &format!("{module}!fn_{offset:x}"));
    Ok(())
}

/// The address of a function in a file.
fn offset_of(path: &Path, function: &str) -> Result<u64, Stopped> {
    let output = Command::new("nm").arg(path).output();
    let output = output.map_err(|_| Stopped::Ignored("nm (binutils) is not installed".into()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.ends_with(&format!(" {function}")));
    let address = line.and_then(|line| line.split(' ').next());
    address
        .and_then(|hex| u64::from_str_radix(hex, 16).ok())
        .ok_or_else(|| Stopped::failed(format!("{function} is not in {}", path.display())))
}
