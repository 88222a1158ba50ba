//! The unwind tables of real files against gimli's own reading of them. A file
//! that is not on this machine makes its case "ignored".
//!
//! arm64 packages, unpacked below a directory, are read where `OTOP_ARM64_ROOT`
//! names it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test panics")]

mod unwind_reference;

use gimli::{BaseAddresses, EhFrame, LittleEndian};
use libtest_mimic::{Arguments, Failed, Trial};
use object::read::elf::{ElfFile64, FileHeader as _};
use object::{Object as _, ObjectSection as _};
use probe::unwind::{Limits, build};
use std::path::{Path, PathBuf};
use unwind_reference::{AARCH64, Verdict, X86_64, compare};

/// Of a file's compared places, so many may have no rule: one in this many.
const UNSUPPORTED_ONE_IN: usize = 1000;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for name in ["libc.so.6", "libcrypto.so.3", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1"] {
        trials.push(file(name, Some(format!("/usr/lib/x86_64-linux-gnu/{name}").into())));
    }
    trials.push(file("ld.so", Some("/lib64/ld-linux-x86-64.so.2".into())));
    trials.push(file("python", newest("/root/.pyenv/versions", "bin/python3")));
    trials.push(file("node", Some("/usr/bin/node".into())));
    trials.push(file("self", std::env::current_exe().ok()));
    if let Some(root) = std::env::var_os("OTOP_ARM64_ROOT") {
        for path in ["lib/aarch64-linux-gnu/libc.so.6"] {
            trials.push(file(path, Some(Path::new(&root).join(path))));
        }
    }
    libtest_mimic::run(&arguments, trials).exit()
}

fn newest(directory: &str, below: &str) -> Option<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(directory)
        .ok()?
        .flatten()
        .map(|entry| entry.path().join(below))
        .collect();
    found.sort();
    found.pop()
}

/// A case for one ELF file.
fn file(name: &str, path: Option<PathBuf>) -> Trial {
    let missing = !path.as_ref().is_some_and(|path| path.is_file());
    let run = move || judge(&std::fs::read(path.unwrap())?);
    Trial::test(name, run).with_ignored_flag(missing)
}

fn judge(data: &[u8]) -> Result<(), Failed> {
    let table = build(data, &Limits::default())?;
    let elf = ElfFile64::<object::LittleEndian>::parse(data)?;
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
    verdict(&compare(&table, &elf, &frames, &bases, numbers))
}

fn verdict(verdict: &Verdict) -> Result<(), Failed> {
    if std::env::var_os("OTOP_VERBOSE").is_some() {
        println!("{verdict:?}");
    }
    if !verdict.wrong.is_empty() {
        return Err(verdict.wrong.join("\n").into());
    }
    if verdict.compared == 0 {
        return Err("nothing was compared".into());
    }
    if verdict.unsupported > verdict.compared / UNSUPPORTED_ONE_IN + 8 {
        return Err(format!("{verdict:?}").into());
    }
    Ok(())
}
