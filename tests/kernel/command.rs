//! `otop -- COMMAND`.

use crate::otop::{Otop, command, count, functions, rows};
use crate::sampling;
use libtest_mimic::Trial;
use std::process::Output;
use test_programs::harness::Stopped;
use test_programs::{Program, build};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        sampling("command::with_what_it_forks", with_what_it_forks),
        sampling("command::gives_its_exit_code", gives_its_exit_code),
        sampling("command::runs_as_who_called_sudo", runs_as_who_called_sudo),
        sampling("command::does_not_exist", does_not_exist),
    ]
}

fn run(line: &[&str]) -> std::io::Result<Output> {
    command(["--plain", "--"]).args(line).output()
}

fn with_what_it_forks() -> Result<(), Stopped> {
    let path = build(&Program::Fork)?.display().to_string();
    // It forks at once, waits for its child, which works, and ends after 3 s.
    let mut otop = Otop::start(["--hz", "499", "--", &path, "3"]);
    let mut last = None;
    while let Some(line) = otop.next() {
        if functions(&line).first() == Some(&"fork_leaf") {
            last = Some(line);
        }
    }
    let line = last.unwrap_or_else(|| panic!("the child was never seen"));
    assert!(count(&line, "samples") >= 100, "{line:#}");
    let names: Vec<_> = rows(&line, "processes").iter().map(|row| &row["name"]).collect();
    // The launcher is otop itself until it becomes the command.
    assert!(names.iter().all(|name| **name == "fork_c" || **name == "exe"), "{names:?}");
    let ended = otop.wait();
    assert!(ended.status.success(), "{}", ended.stderr);
    Ok(())
}

fn gives_its_exit_code() -> Result<(), Stopped> {
    for (line, code) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["/etc/passwd"], 126),
    ] {
        let output = run(line)?;
        assert_eq!(output.status.code(), Some(code), "{line:?}: {output:?}");
    }
    Ok(())
}

fn runs_as_who_called_sudo() -> Result<(), Stopped> {
    // Not the ids of anybody, so that they come from the environment alone.
    let mut otop = command(["--plain", "--", "sh", "-c", "echo ids $(id -u) $(id -g)"]);
    otop.env("SUDO_UID", "54321").env("SUDO_GID", "54322").env("SUDO_USER", "otop-test-nobody");
    let says = |output: &Output, line: &str| {
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(stdout.lines().any(|other| other == line), "{line:?} is not in {stdout}");
    };
    says(&otop.output()?, "ids 54321 54322");
    says(&run(&["sh", "-c", "echo ids $(id -u)"])?, "ids 0");
    Ok(())
}

fn does_not_exist() -> Result<(), Stopped> {
    let output = run(&["/nowhere/at-all"])?;
    assert_eq!(output.status.code(), Some(127), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = stderr.lines().filter(|line| !line.contains(" samples in ")).collect();
    let expected = "otop: cannot execute /nowhere/at-all: No such file or directory (os error 2)";
    assert_eq!(errors, [expected]);
    Ok(())
}
