//! The command line as a user meets it: the program, its exit codes, its words.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage has failed")]

use std::process::{Command, Output};

fn otop(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_otop")).args(arguments).output().unwrap()
}

/// Fails with this code and says this on stderr, in one line, and no panic.
#[track_caller]
fn check(arguments: &[&str], code: i32, expected: &str) {
    let Output { status, stdout, stderr } = otop(arguments);
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(stdout.is_empty(), "{arguments:?}");
    let first = stderr.lines().next().unwrap_or_default();
    assert!(first.contains(expected), "{arguments:?}: {first}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn usage_errors_exit_with_2() {
    check(&["--hz", "0"], 2, "0 is not in 1..=10000");
    check(&["--filter", "a=b"], 2, "no key `a`");
    check(&["--theme", "mauve"], 2, "there are dark, light");
    check(&["record"], 2, "required");
    check(&["--window", "soon"], 2, "write it like 500ms, 10s, 2m or 1h");
}

#[test]
fn an_output_that_cannot_be_is_refused_before_sampling() {
    check(&["record", "-o", "/dev/null"], 1, "otop: /dev/null is no regular file");
    check(&["record", "-o", "/nowhere/at/all"], 1, "otop: there is no folder /nowhere/at");
    check(&["--plain", "--stats-json", "/"], 1, "otop: / names no file");
}

#[test]
fn help_teaches() {
    let help = String::from_utf8(otop(&["--help"]).stdout).unwrap();
    for expected in ["Examples:", "sudo otop -- make -j8", "record", "doctor", "--filter"] {
        assert!(help.contains(expected), "{expected}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 100));
}
