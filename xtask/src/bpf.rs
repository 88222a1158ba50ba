//! Compiles `src/*.bpf.c` of `probe-ebpf` into the objects that are committed
//! beside it, so that building otop asks for Rust alone.
//!
//! The compiler is pinned, paths are mapped away and debug sections stripped:
//! the same sources give the same bytes on every machine, and `--check` can
//! hold the committed objects against them.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, bail, ensure};

use crate::places;

/// The pinned compiler: another major version gives other bytes.
const CLANG: &str = "clang-19";
/// Drops `.debug_*` and keeps `.BTF` and `.BTF.ext`, which the loader needs.
const STRIP: &str = "llvm-strip-19";
/// The suffix of a translation unit; what it includes is named `*.bpf.h`.
const SOURCE_SUFFIX: &str = ".bpf.c";

/// A machine whose kernel the programs run on: its name in `uname -m`, and the
/// macro by which libbpf's `bpf_tracing.h` picks the layout of `pt_regs`.
struct Target {
    machine: &'static str,
    define: &'static str,
}

const TARGETS: [Target; 2] = [
    Target { machine: "x86_64", define: "-D__TARGET_ARCH_x86" },
    Target { machine: "aarch64", define: "-D__TARGET_ARCH_arm64" },
];

/// What `cargo xtask bpf` can be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write nothing; fail if a committed object differs from its sources
    #[arg(long)]
    check: bool,
    /// The crate that holds src/*.bpf.c and the objects [default: probe-ebpf]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Builds every object, then writes it or compares it with the one there.
pub(crate) fn run(options: &Options) -> Result<()> {
    let dir = match &options.dir {
        Some(dir) => dir.clone(),
        None => places::workspace()?.join("probe-ebpf"),
    };
    let dir = dir.canonicalize().with_context(|| format!("no directory {}", dir.display()))?;
    let sources = sources(&dir)?;
    ensure!(!sources.is_empty(), "no *{SOURCE_SUFFIX} in {}", dir.join("src").display());

    let mut stale = Vec::new();
    for name in &sources {
        for target in &TARGETS {
            let object = dir.join(format!("{name}.{}.bpf.o", target.machine));
            let built = compile(&dir, name, target)?;
            let same = fs::read(&object).is_ok_and(|committed| committed == built);
            if options.check && !same {
                stale.push(object.display().to_string());
            } else if !options.check && !same {
                fs::write(&object, &built)
                    .with_context(|| format!("cannot write {}", object.display()))?;
            }
            let state = match (same, options.check) {
                (true, _) => "as built",
                (false, true) => "differs",
                (false, false) => "written",
            };
            writeln!(io::stdout(), "{} {} bytes, {state}", object.display(), built.len())?;
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    bail!(
        "not what its sources give: {}\nrun `cargo xtask bpf` and commit the result \
         (built with {})",
        stale.join(", "),
        version(CLANG)
    )
}

/// The names, without suffix and in order, of the translation units in `dir`.
fn sources(dir: &Path) -> Result<Vec<String>> {
    let src = dir.join("src");
    let mut names = Vec::new();
    for entry in fs::read_dir(&src).with_context(|| format!("cannot list {}", src.display()))? {
        let file = entry?.file_name();
        if let Some(name) = file.to_str().and_then(|file| file.strip_suffix(SOURCE_SUFFIX)) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// One stripped object, as bytes.
fn compile(dir: &Path, name: &str, target: &Target) -> Result<Vec<u8>> {
    let object =
        env::temp_dir().join(format!("{name}.{}.{}.o", target.machine, std::process::id()));
    let built = compile_to(&object, dir, name, target);
    // Left behind only by a compiler that failed, or not made at all.
    let removed = fs::remove_file(&object);
    let bytes = built?;
    removed.with_context(|| format!("cannot remove {}", object.display()))?;
    Ok(bytes)
}

fn compile_to(object: &Path, dir: &Path, name: &str, target: &Target) -> Result<Vec<u8>> {
    let mut map = std::ffi::OsString::from("-ffile-prefix-map=");
    map.push(dir);
    map.push("=.");
    call(
        Command::new(CLANG)
            .current_dir(dir)
            .args(["-target", "bpf", "-mcpu=v3", "-O2", "-g", target.define])
            .args(["-Wall", "-Werror"])
            .args([map.as_os_str(), OsStr::new("-Isrc"), OsStr::new("-c")])
            .arg(format!("src/{name}{SOURCE_SUFFIX}"))
            .arg("-o")
            .arg(object),
    )?;
    call(Command::new(STRIP).arg("-g").arg(object))?;
    fs::read(object).with_context(|| format!("cannot read {}", object.display()))
}

fn call(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| {
        format!("cannot run {program}: apt-get install clang-19 llvm-19 libbpf-dev")
    })?;
    ensure!(status.success(), "{program} failed: {status}");
    Ok(())
}

/// The first line of `program --version`, for a message.
fn version(program: &str) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| program.to_owned())
}
