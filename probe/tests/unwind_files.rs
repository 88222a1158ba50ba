//! The unwind tables of real files against gimli's own reading of them. A file
//! that is not on this machine makes its case "ignored".
//!
//! arm64 files are read below the directory that `OTOP_ARM64_ROOT` names: Debian's
//! libc6, libssl3 and libstdc++6 for arm64, unpacked by `dpkg-deb -x`.

#![expect(clippy::unwrap_used, reason = "a failed test panics")]

mod unwind_reference;

use gimli::{BaseAddresses, DebugFrame, EhFrame, LittleEndian};
use libtest_mimic::{Arguments, Failed, Trial};
use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use probe::unwind::{Limits, build};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use unwind_reference::{AARCH64, Depth, Verdict, X86_64, compare};

type Elf<'a> = ElfFile64<'a, object::LittleEndian>;

/// Libraries of Debian's x86-64.
const LIBRARIES: [&str; 6] = [
    "libc.so.6",
    "libcrypto.so.3",
    "libm.so.6",
    "libstdc++.so.6",
    "libgcc_s.so.1",
    "ld-linux-x86-64.so.2",
];
/// Paths below `OTOP_ARM64_ROOT`.
const ARM64: [&str; 4] = [
    "lib/aarch64-linux-gnu/libc.so.6",
    "lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
    "usr/lib/aarch64-linux-gnu/libcrypto.so.3",
    "usr/lib/aarch64-linux-gnu/libstdc++.so.6.0.30",
];
/// Of a file's compared places so many may have no rule: code that has popped its
/// return address into a register, in some libraries' few hand-written functions.
const UNSUPPORTED_MAX: usize = 24;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = LIBRARIES
        .iter()
        .map(|name| file(name, Some(Path::new("/usr/lib/x86_64-linux-gnu").join(name))))
        .collect();
    trials.push(file("node", Some("/usr/bin/node".into())));
    let libraries = output("rustc", &["--print", "sysroot"]).map(|it| Path::new(&it).join("lib"));
    let driver = libraries.and_then(|path| starting_with(&path, "librustc_driver"));
    trials.push(file("librustc_driver", driver));
    let python = output("python3", &["-c", "import sys; print(sys.base_prefix)"]);
    let python = python.map(|it| Path::new(&it).join("lib"));
    trials.push(file("libpython", python.and_then(|path| starting_with(&path, "libpython3.1"))));
    trials.push(file("lld", std::env::current_exe().ok().filter(|path| linked_by_lld(path))));
    let arm64 = std::env::var_os("OTOP_ARM64_ROOT").map(PathBuf::from);
    trials.extend(ARM64.map(|name| {
        let name_here = format!("arm64 {}", name.rsplit('/').next().unwrap_or(name));
        file(&name_here, arm64.as_ref().map(|root| root.join(name)))
    }));
    trials.push(without_section_headers("/usr/lib/x86_64-linux-gnu/libcrypto.so.3"));
    trials.push(Trial::test("vdso", || whole(&vdso()?)));
    trials.push(go("go", GO_PROGRAM, &[]));
    trials.push(go("go pie", GO_PROGRAM, &["-buildmode=pie"]));
    trials.push(go("cgo", CGO_PROGRAM, &[]));
    trials.push(go("cgo pie", CGO_PROGRAM, &["-buildmode=pie"]));
    trials.extend(["none", "zlib", "zlib-gnu"].map(compressed));
    libtest_mimic::run(&arguments, trials).exit()
}

/// What a program prints, if it is here.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn starting_with(directory: &Path, name: &str) -> Option<PathBuf> {
    let files = std::fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    let mut found: Vec<_> = files
        .filter(|path| path.file_name().is_some_and(|it| it.to_string_lossy().starts_with(name)))
        .collect();
    found.sort();
    found.pop()
}

/// Whether the code's addresses are other than its offsets in the file.
fn linked_by_lld(path: &Path) -> bool {
    let data = std::fs::read(path).unwrap_or_default();
    let endian = object::LittleEndian;
    Elf::parse(data.as_slice()).is_ok_and(|elf| {
        elf.elf_program_headers().iter().any(|program| {
            program.p_type(endian) == object::elf::PT_LOAD
                && program.p_flags(endian).contains(object::elf::PF_X)
                && program.p_vaddr(endian) != program.p_offset(endian)
        })
    })
}

/// A case for one ELF file.
fn file(name: &str, path: Option<PathBuf>) -> Trial {
    let missing = !path.as_ref().is_some_and(|path| path.is_file());
    let run = move || whole(&std::fs::read(path.unwrap())?);
    Trial::test(name, run).with_ignored_flag(missing)
}

/// A file whose section headers were removed has the same table.
fn without_section_headers(path: &'static str) -> Trial {
    let run = move || {
        let mut data = std::fs::read(path)?;
        let expected = build(&data, &Limits::default())?;
        // e_shoff; e_shnum and e_shstrndx.
        data[40..48].fill(0);
        data[60..64].fill(0);
        let found = build(&data, &Limits::default())?;
        (found.pages() == expected.pages()).then_some(()).ok_or_else(|| "another table".into())
    };
    Trial::test("no section headers", run).with_ignored_flag(!Path::new(path).is_file())
}

/// The image that the kernel maps into this process.
fn vdso() -> Result<Vec<u8>, Failed> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).ok_or("no vDSO")?;
    let (range, _) = line.split_once(' ').ok_or("no range")?;
    let (start, end) = range.split_once('-').ok_or("no range")?;
    let (start, end) = (u64::from_str_radix(start, 16)?, u64::from_str_radix(end, 16)?);
    let mut image = vec![0; usize::try_from(end - start)?];
    std::fs::File::open("/proc/self/mem")?.read_exact_at(&mut image, start)?;
    Ok(image)
}

/// Compares the whole of `.eh_frame`.
fn whole(data: &[u8]) -> Result<(), Failed> {
    let table = build(data, &Limits::default())?;
    let elf = Elf::parse(data)?;
    let numbers = match elf.elf_header().e_machine(object::LittleEndian) {
        object::elf::EM_AARCH64 => AARCH64,
        _ => X86_64,
    };
    let section = elf.section_by_name(".eh_frame").ok_or("no .eh_frame")?;
    let bases = BaseAddresses::default().set_eh_frame(section.address());
    let mut frames = EhFrame::new(section.data()?, LittleEndian);
    if numbers.ra == AARCH64.ra {
        frames.set_vendor(gimli::Vendor::AArch64);
    }
    verdict(&compare(&table, &elf, &frames, &bases, numbers, Depth::All))
}

fn verdict(verdict: &Verdict) -> Result<(), Failed> {
    if verdict.wrong.is_empty() && verdict.compared > 0 && verdict.unsupported <= UNSUPPORTED_MAX {
        return Ok(());
    }
    let Verdict { compared, unsupported, frame_pointer_lost, wrong } = verdict;
    let some: Vec<_> = wrong.iter().take(10).map(|it| it.1.as_str()).collect();
    let counts = format!("{unsupported} unsupported, {frame_pointer_lost} without frame pointer");
    Err(format!("{} of {compared} wrong, {counts}\n{}", wrong.len(), some.join("\n")).into())
}

/// A directory for what a case builds.
fn directory(name: &str) -> Result<PathBuf, Failed> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.replace(' ', "-"));
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

fn run(command: &mut Command) -> Result<(), Failed> {
    let output = command.output()?;
    let error = || String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or_else(|| error().into())
}

const GO_PROGRAM: &str = "package main\nimport \"fmt\"\nfunc main() { fmt.Println(1) }\n";

/// Linked by the C linker, with C code before the Go code.
const CGO_PROGRAM: &str = "package main\nimport \"C\"\nfunc main() { println(1) }\n";

/// The table of a stripped Go program, which is from `.gopclntab`, against the
/// `.debug_frame` of the same program before.
fn go(name: &'static str, program: &'static str, flags: &'static [&'static str]) -> Trial {
    let run = move || {
        let directory = directory(name)?;
        std::fs::write(directory.join("main.go"), program)?;
        let compile = |output: &str, strip: &str| {
            let mut command = Command::new("go");
            command
                .current_dir(&directory)
                .env("CGO_ENABLED", if program == CGO_PROGRAM { "1" } else { "0" })
                .env("GO111MODULE", "off");
            command.env("GOCACHE", directory.join("cache")).arg("build").args(flags);
            run(command.args(["-ldflags", strip, "-o", output, "main.go"]))?;
            std::fs::read(directory.join(output)).map_err(Failed::from)
        };
        let (whole, stripped) = (compile("whole", "")?, compile("stripped", "-s -w")?);
        go_tables(&whole, &stripped)
    };
    let missing = output("go", &["version"]).and(output("cc", &["--version"])).is_none();
    Trial::test(name, run).with_ignored_flag(missing)
}

/// Functions whose callers `.debug_frame` does not lead to. The byte before belongs
/// to the one that returns from signal handlers.
const GO_SPECIAL: [&str; 10] = [
    "runtime.goexit",
    "runtime.mstart",
    "runtime.mcall",
    "runtime.morestack",
    "runtime.rt0_go",
    "runtime.systemstack",
    "runtime.asmcgocall",
    "runtime.sigreturn__sigaction",
    "_rt0_amd64_linux",
    "_rt0_amd64",
];

fn go_tables(whole: &[u8], stripped: &[u8]) -> Result<(), Failed> {
    let elf = Elf::parse(whole)?;
    let section = elf.section_by_name(".debug_frame").ok_or("no .debug_frame")?;
    let data = section.uncompressed_data()?;
    let frames = DebugFrame::new(&data, LittleEndian);
    let special: Vec<_> = elf
        .symbols()
        .filter(|symbol| {
            symbol.name().is_ok_and(|name| GO_SPECIAL.contains(&name.trim_end_matches(".abi0")))
        })
        .map(|symbol| symbol.address() - 1..symbol.address() + symbol.size())
        .collect();
    for elf_of_table in [whole, stripped] {
        let table = build(elf_of_table, &Limits::default())?;
        let bases = BaseAddresses::default();
        let mut found = compare(&table, &elf, &frames, &bases, X86_64, Depth::CfaAndReturn);
        found.wrong.retain(|(ip, _)| !special.iter().any(|range| range.contains(ip)));
        verdict(&found)?;
    }
    Ok(())
}

const C_PROGRAM: &str = "int f(int n) { return n ? f(n - 1) * 3 + f(n / 2) : 1; }\n\
    int main(int n, char **v) { return f(n + v[0][0]); }\n";

/// A C program without `.eh_frame` of its own, its `.debug_frame` compressed.
fn compressed(format: &'static str) -> Trial {
    let name = format!("debug_frame {format}");
    let tools = output("cc", &["--version"]).and(output("objcopy", &["--version"]));
    let run = move || {
        let directory = directory(&format!("debug_frame-{format}"))?;
        std::fs::write(directory.join("main.c"), C_PROGRAM)?;
        run(Command::new("cc").current_dir(&directory).args([
            "-O1",
            "-g",
            "-fno-asynchronous-unwind-tables",
            "-fno-unwind-tables",
            "-o",
            "main",
            "main.c",
        ]))?;
        let flag = format!("--compress-debug-sections={format}");
        run(Command::new("objcopy").current_dir(&directory).args([&flag, "main", "small"]))?;
        let data = std::fs::read(directory.join("small"))?;
        let elf = Elf::parse(data.as_slice())?;
        let section = elf.section_by_name(".debug_frame").ok_or("no .debug_frame")?;
        let bytes = section.uncompressed_data()?;
        let frames = DebugFrame::new(&bytes, LittleEndian);
        let bases = BaseAddresses::default();
        let table = build(&data, &Limits::default())?;
        verdict(&compare(&table, &elf, &frames, &bases, X86_64, Depth::All))
    };
    Trial::test(name, run).with_ignored_flag(tools.is_none())
}
