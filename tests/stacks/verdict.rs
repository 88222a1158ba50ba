//! Whether a stack is what its program has.

use crate::recording::{Stack, UserFrame};
use std::collections::BTreeMap;
use std::fmt;

/// What is to be said of one stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// Every function of the chain, in order, from the leaf to the root.
    Exact,
    /// The root, by way of functions that are in the chain, in its order, with
    /// more on top: the program was not in its leaf.
    Complete,
    /// All right as far as it goes, but the root was not reached.
    Incomplete(String),
    /// A frame that cannot be where it is.
    Wrong(String),
}

/// What may lie below a program's `main`.
const RUNTIME: [&str; 10] = [
    "__libc_start",
    "libc_start_main_stage2",
    "_start_c",
    "std::",
    "core::",
    "<fn",
    "main",
    "runtime.main",
    "_start",
    "runtime.goexit",
];

/// The outermost function of a process or goroutine.
const ROOTS: [&str; 4] = ["_start", "runtime.goexit", "runtime.goexit.abi0", "_start_c"];

/// Holds `stack` against `chain`, the names from the leaf to the program's main
/// function; `program` is the module that they are in.
pub(crate) fn judge(stack: &Stack, chain: &[String], own: &[&str]) -> Verdict {
    let is_root = |frame: &UserFrame| ROOTS.contains(&frame.function.as_str());
    let Some(root) = stack.user.last() else {
        return Verdict::Incomplete("no frame at all".to_owned());
    };
    // From the root to the leaf.
    let mut frames = stack.user.iter().rev().peekable();
    if !is_root(root) {
        return match position(root, chain) {
            Some(_) => Verdict::Incomplete(format!("ends at {}", told(root))),
            None if own.contains(&root.module.as_str()) => Verdict::Wrong(told(root)),
            None => Verdict::Incomplete(format!("ends at {}", told(root))),
        };
    }
    let main = chain.last();
    while frames.next_if(|frame| Some(&frame.function) != main && is_runtime(frame)).is_some() {}
    // C's main is below Rust's, which is called `program::main`.
    let mut expected = chain.iter().rev().peekable();
    while let Some(frame) = frames.next_if(|frame| Some(&&frame.function) == expected.peek()) {
        let _ = frame;
        expected.next();
    }
    match (frames.next(), expected.next()) {
        (None, None) => Verdict::Exact,
        (Some(frame), Some(_)) if !own.contains(&frame.module.as_str()) => above(frames, own),
        (Some(frame), _) if is_stub(frame) => above(frames, own),
        (Some(frame), _) => Verdict::Wrong(told(frame)),
        (None, Some(_)) => Verdict::Complete,
    }
}

/// What is called from the chain: libraries, none of which calls back.
fn above<'a>(frames: impl Iterator<Item = &'a UserFrame>, own: &[&str]) -> Verdict {
    let mut own_frames = frames.filter(|frame| own.contains(&frame.module.as_str()));
    own_frames.find(|frame| !is_stub(frame)).map_or(Verdict::Complete, |frame| {
        Verdict::Wrong(told(frame))
    })
}

/// A stub of the procedure linkage table.
fn is_stub(frame: &UserFrame) -> bool {
    frame.function.ends_with("@plt")
}

fn is_runtime(frame: &UserFrame) -> bool {
    frame.module.starts_with("libc.so")
        || RUNTIME.iter().any(|start| frame.function.starts_with(start))
}

fn position(frame: &UserFrame, chain: &[String]) -> Option<usize> {
    chain.iter().position(|name| *name == frame.function)
}

fn told(frame: &UserFrame) -> String {
    let UserFrame { function, module, address, .. } = frame;
    format!("{module}+{address:#x} {function}")
}

/// Verdicts by how often they were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(BTreeMap<Verdict, u64>);

impl Tally {
    pub(crate) fn add(&mut self, verdict: Verdict, count: u64) {
        *self.0.entry(verdict).or_default() += count;
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0.values().sum()
    }

    fn percent(&self, which: impl Fn(&Verdict) -> bool) -> f64 {
        let some = self.0.iter().filter(|(verdict, _)| which(verdict));
        percent(some.map(|(_, count)| count).sum(), self.sum())
    }

    /// % of stacks that are exact.
    pub(crate) fn exact(&self) -> f64 {
        self.percent(|verdict| *verdict == Verdict::Exact)
    }

    /// % of stacks that reach the root by known functions.
    pub(crate) fn complete(&self) -> f64 {
        self.percent(|verdict| matches!(verdict, Verdict::Exact | Verdict::Complete))
    }

    /// % of stacks with a frame that is not the program's.
    pub(crate) fn wrong(&self) -> f64 {
        self.percent(|verdict| matches!(verdict, Verdict::Wrong(_)))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:6} samples: {:6.2} % exact, {:6.2} % complete, {:.2} % wrong",
            self.sum(),
            self.exact(),
            self.complete(),
            self.wrong()
        )?;
        let mut rest: Vec<_> = self
            .0
            .iter()
            .filter(|(verdict, _)| !matches!(verdict, Verdict::Exact | Verdict::Complete))
            .collect();
        rest.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        rest.iter().take(4).try_for_each(|(verdict, count)| write!(f, "; {count} {verdict:?}"))
    }
}

/// `part` in % of `whole`.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}
