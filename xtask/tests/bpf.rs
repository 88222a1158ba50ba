//! `cargo xtask bpf` on a crate of its own: what it writes, what it accepts, and
//! what it refuses.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use tempfile::TempDir;
use test_programs::harness::{Stopped, run, test};

const SOURCE: &str = r#"
#include "types.bpf.h"
#include <bpf/bpf_helpers.h>
struct { __uint(type, 2); __uint(max_entries, 1); __type(key, u32); __type(value, u64); } COUNT SEC(".maps");
SEC("perf_event") int sample(void *context)
{
	u32 zero = 0;
	u64 *count = bpf_map_lookup_elem(&COUNT, &zero);
	if (count) __sync_fetch_and_add(count, STEP);
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
"#;

const TYPES: &str = r"
typedef unsigned char __u8; typedef unsigned short __u16; typedef unsigned int __u32; typedef unsigned long long __u64;
typedef signed char __s8; typedef short __s16; typedef int __s32; typedef long long __s64;
typedef __u16 __be16; typedef __u32 __be32; typedef __u32 __wsum; typedef __u32 u32; typedef __u64 u64;
";

fn main() -> ExitCode {
    run(vec![
        test("bpf::writes_an_object_for_each_machine", writes_an_object_for_each_machine),
        test("bpf::gives_the_same_bytes_in_any_directory", gives_the_same_bytes_in_any_directory),
        test("bpf::check_refuses_a_stale_object", check_refuses_a_stale_object),
        test("bpf::check_writes_nothing", check_writes_nothing),
        test("bpf::a_compile_error_is_a_failure", a_compile_error_is_a_failure),
        test("bpf::no_source_is_a_failure", no_source_is_a_failure),
    ])
}

fn writes_an_object_for_each_machine() -> Result<(), Stopped> {
    let crate_dir = crate_with("1")?;
    succeeds(crate_dir.path(), &[])?;
    for machine in ["x86_64", "aarch64"] {
        let bytes = fs::read(object(crate_dir.path(), machine))?;
        assert_eq!(bytes[..4], *b"\x7fELF");
        assert_eq!(u16::from_le_bytes([bytes[18], bytes[19]]), 247, "e_machine is EM_BPF");
        assert!(contains(&bytes, b".BTF.ext"), "line and relocation records are kept");
        assert!(!contains(&bytes, b".debug_info"), "DWARF is stripped");
    }
    Ok(())
}

fn gives_the_same_bytes_in_any_directory() -> Result<(), Stopped> {
    let (one, other) = (crate_with("1")?, crate_with("1")?);
    succeeds(one.path(), &[])?;
    succeeds(other.path(), &[])?;
    for machine in ["x86_64", "aarch64"] {
        let bytes = fs::read(object(one.path(), machine))?;
        assert_eq!(bytes, fs::read(object(other.path(), machine))?);
        let dir = one.path().as_os_str().as_encoded_bytes();
        assert!(!contains(&bytes, dir), "a path of this machine is in the object");
    }
    Ok(())
}

fn check_refuses_a_stale_object() -> Result<(), Stopped> {
    let crate_dir = crate_with("1")?;
    succeeds(crate_dir.path(), &[])?;
    succeeds(crate_dir.path(), &["--check"])?;
    write_sources(crate_dir.path(), "2")?;
    let said = fails(crate_dir.path(), &["--check"])?;
    assert!(said.contains("probe.x86_64.bpf.o"), "{said}");
    assert!(said.contains("run `cargo xtask bpf`"), "{said}");
    Ok(())
}

fn check_writes_nothing() -> Result<(), Stopped> {
    let crate_dir = crate_with("1")?;
    fails(crate_dir.path(), &["--check"])?;
    assert!(!object(crate_dir.path(), "x86_64").exists());
    Ok(())
}

fn a_compile_error_is_a_failure() -> Result<(), Stopped> {
    let crate_dir = crate_with("not_declared")?;
    let said = fails(crate_dir.path(), &[])?;
    assert!(said.contains("not_declared") && said.contains("clang-19 failed"), "{said}");
    assert!(!object(crate_dir.path(), "x86_64").exists());
    Ok(())
}

fn no_source_is_a_failure() -> Result<(), Stopped> {
    let crate_dir = tempfile::tempdir()?;
    fs::create_dir(crate_dir.path().join("src"))?;
    let said = fails(crate_dir.path(), &["--check"])?;
    assert!(said.contains("no *.bpf.c in"), "{said}");
    Ok(())
}

/// A crate whose one program adds `step` to a count, where clang-19 and
/// libbpf's headers are there to build it.
fn crate_with(step: &str) -> Result<TempDir, Stopped> {
    for tool in ["clang-19", "llvm-strip-19"] {
        if Command::new(tool).arg("--version").output().is_err() {
            return Err(Stopped::Ignored(format!("{tool} is not installed")));
        }
    }
    if !Path::new("/usr/include/bpf/bpf_helpers.h").exists() {
        return Err(Stopped::Ignored("libbpf-dev is not installed".to_owned()));
    }
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("src"))?;
    write_sources(dir.path(), step)?;
    Ok(dir)
}

fn write_sources(dir: &Path, step: &str) -> Result<(), Stopped> {
    fs::write(dir.join("src/probe.bpf.c"), SOURCE.replace("STEP", step))?;
    fs::write(dir.join("src/types.bpf.h"), TYPES)?;
    Ok(())
}

fn object(dir: &Path, machine: &str) -> std::path::PathBuf {
    dir.join(format!("probe.{machine}.bpf.o"))
}

fn xtask(dir: &Path, arguments: &[&str]) -> Result<Output, Stopped> {
    let fixed = [OsStr::new("bpf"), OsStr::new("--dir"), dir.as_os_str()];
    Ok(Command::new(env!("CARGO_BIN_EXE_xtask")).args(fixed).args(arguments).output()?)
}

fn succeeds(dir: &Path, arguments: &[&str]) -> Result<(), Stopped> {
    let output = xtask(dir, arguments)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn fails(dir: &Path, arguments: &[&str]) -> Result<String, Stopped> {
    let output = xtask(dir, arguments)?;
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
