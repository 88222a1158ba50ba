//! Tests that find out at run time whether this machine can run them.
//!
//! Cargo's own harness knows only what was ignored when it was compiled, and
//! a test that cannot run must never say "ok". A target that uses this one has
//! `harness = false` and a `main` that returns [`run`]`(vec![…])`.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Set, it turns a test that says "ignored" into one that fails: continuous
/// integration has everything that a test can ask for.
pub const STRICT_VARIABLE: &str = "OTOP_CI";

/// Why a test did not give an answer.
#[derive(Debug)]
pub enum Stopped {
    /// The machine lacks something, which is named: the test says "ignored".
    Ignored(String),
    /// The code under test is wrong.
    Failed(String),
}

impl Stopped {
    /// A failure with its text.
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }
}

impl From<crate::Missing> for Stopped {
    fn from(missing: crate::Missing) -> Self {
        match missing {
            crate::Missing::Tool { .. } => Self::Ignored(missing.to_string()),
            crate::Missing::Build { .. } | crate::Missing::Io { .. } => {
                Self::Failed(missing.to_string())
            }
        }
    }
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A test by name. A panic in it is a failure, as everywhere.
pub fn test(
    name: impl Into<String>,
    body: impl FnOnce() -> Result<(), Stopped> + Send + 'static,
) -> Trial {
    let strict = std::env::var_os(STRICT_VARIABLE).is_some();
    Trial::ignorable_test(name, move || outcome(body(), strict))
}

/// Runs `tests` under the command line of `cargo test`.
#[must_use]
pub fn run(tests: Vec<Trial>) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn outcome(result: Result<(), Stopped>, strict: bool) -> Result<Completion, Failed> {
    match result {
        Ok(()) => Ok(Completion::Completed),
        Err(Stopped::Ignored(why)) if strict => {
            Err(format!("cannot run here ({STRICT_VARIABLE} is set): {why}").into())
        }
        Err(Stopped::Ignored(why)) => Ok(Completion::ignored_with(why)),
        Err(Stopped::Failed(why)) => Err(why.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(result: Result<(), Stopped>, strict: bool, expected: &str) {
        let said = match outcome(result, strict) {
            Ok(Completion::Completed) => "ok".to_owned(),
            Ok(Completion::Ignored { reason }) => format!("ignored: {}", reason.unwrap()),
            Err(failed) => format!("failed: {}", failed.message().unwrap()),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn what_cannot_run_never_says_ok() {
        let ignored = || Err(Stopped::Ignored("no go".into()));
        check(Ok(()), false, "ok");
        check(Ok(()), true, "ok");
        check(ignored(), false, "ignored: no go");
        check(ignored(), true, "failed: cannot run here (OTOP_CI is set): no go");
        check(Err(Stopped::failed("wrong")), false, "failed: wrong");
    }
}
