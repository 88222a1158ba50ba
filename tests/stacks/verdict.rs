//! Whether a stack is what its program has.

use crate::recording::{Stack, UserFrame};
use std::collections::BTreeMap;
use std::fmt;

/// What is to be said of one stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// Every function of the chain, in order, down to the root. What it calls in
    /// libraries may lie above its leaf.
    Exact,
    /// The root, by way of functions that are in the chain, in its order: the
    /// program was not in its leaf.
    Complete,
    /// A thread of the language's own, or between two stacks: none of the chain's.
    Elsewhere,
    /// All right as far as it goes, but the root was not reached.
    Incomplete(String),
    /// A frame that cannot be where it is.
    Wrong(String),
}

/// The functions that may lie between a program's main function and the root, by
/// how their names begin: glibc's, musl's, Rust's and Go's.
const RUNTIME: [&str; 9] = [
    "__libc_start",
    "libc_start_main_stage2",
    "_start",
    "std::",
    "<fn",
    "core::",
    "main",
    "runtime.main",
    "runtime.goexit",
];

/// The outermost functions: of a process; of a goroutine; and of a static program
/// with musl, which is built without unwind information.
const ROOTS: [&str; 4] =
    ["_start", "runtime.goexit", "runtime.goexit.abi0", "libc_start_main_stage2"];

/// Where Go's own stacks end: it changes from a goroutine's stack to a thread's.
const GO_ROOTS: [&str; 3] = ["runtime.mstart", "runtime.mcall", "runtime.systemstack"];

/// What the compiler puts into every file to be run as it is loaded and unloaded.
const LOADING: [&str; 5] =
    ["_init", "_fini", "frame_dummy", "__do_global_dtors_aux", "deregister_tm_clones"];

/// Holds `stack` against `chain`, the names from the leaf to the program's main
/// function; `own` are the modules that they are in.
pub(crate) fn judge(stack: &Stack, chain: &[String], own: &[&str]) -> Verdict {
    let frames: Vec<&UserFrame> =
        stack.user.iter().rev().filter(|frame| !is_signal_frame(frame, own)).collect();
    let names: Vec<&str> = frames.iter().map(|frame| plain(&frame.function)).collect();
    let Some(root) = names.first() else {
        return Verdict::Incomplete("no frame at all".to_owned());
    };
    if GO_ROOTS.iter().any(|go| root.starts_with(go)) {
        return Verdict::Elsewhere;
    }
    if is_landing(stack, own) {
        return Verdict::Elsewhere;
    }
    if !ROOTS.contains(root) {
        return Verdict::Incomplete(told(stack));
    }
    let chain: Vec<&str> = chain.iter().rev().map(|name| plain(name)).collect();
    let is_runtime = |(frame, name): &(&&UserFrame, &&str)| {
        Some(*name) != chain.first()
            && (frame.module.starts_with("libc.so")
                || RUNTIME.iter().any(|start| name.starts_with(start)))
    };
    let below = frames.iter().zip(&names).take_while(is_runtime).count();
    let found = &names[below..];
    let same = found.iter().zip(&chain).take_while(|(found, expected)| found == expected).count();
    let mut above = frames.iter().skip(below + same);
    if above.any(|frame| own.contains(&frame.module.as_str()) && !is_anywhere(frame)) {
        return Verdict::Wrong(told(stack));
    }
    if same == chain.len() { Verdict::Exact } else { Verdict::Complete }
}

/// Whether an exception is about to land: libgcc has then overwritten the frame
/// that it is in with the one that it will return to (`__builtin_eh_return`), and
/// no unwinder can follow. Only libstdc++ calls this function.
fn is_landing(stack: &Stack, own: &[&str]) -> bool {
    stack.user.windows(2).any(|pair| {
        pair[0].function == "_Unwind_RaiseException" && own.contains(&pair[1].module.as_str())
    })
}

/// Whether the kernel put it there, for a handler to return to.
fn is_signal_frame(frame: &UserFrame, own: &[&str]) -> bool {
    own.contains(&"signal_c")
        && frame.module.starts_with("libc.so")
        && (frame.function == "__restore_rt" || frame.function.contains("!fn_"))
}

/// Whether it may lie above any function of the program: a stub of the procedure
/// linkage table, what loading runs, what the language brings.
fn is_anywhere(frame: &UserFrame) -> bool {
    let name = frame.function.as_str();
    let brought = ["std::", "<std::", "core::", "runtime.", "_start"];
    // A stub has no symbol of its own.
    name.ends_with("@plt")
        || name.contains("!fn_")
        || LOADING.contains(&name)
        || brought.iter().any(|start| name.starts_with(start))
}

/// A name without parameters, and without what a compiler adds to that of a part.
fn plain(name: &str) -> &str {
    let name = name.split_once('(').map_or(name, |(name, _)| name);
    name.strip_suffix(".cold").unwrap_or(name)
}

/// The frames from the leaf on, as many as can be read, and the outermost.
fn told(stack: &Stack) -> String {
    let frame = |frame: &UserFrame| {
        let UserFrame { function, module, address, .. } = frame;
        format!("{module}+{address:#x} {function}")
    };
    let mut told: Vec<String> = stack.user.iter().take(6).map(frame).collect();
    if stack.user.len() > told.len() {
        told.push(format!("({} frames)", stack.user.len() - told.len()));
        told.extend(stack.user.last().map(frame));
    }
    if let Some(kernel) = &stack.kernel {
        told.insert(0, format!("kernel {kernel}"));
    }
    told.join(" < ")
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
        percent(some.map(|(_, count)| count).sum(), self.own())
    }

    /// How many are the chain's.
    fn own(&self) -> u64 {
        self.0.iter().filter(|(v, _)| **v != Verdict::Elsewhere).map(|(_, count)| count).sum()
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
        match self.sum() - self.own() {
            0 => {}
            elsewhere => write!(f, ", {elsewhere} elsewhere")?,
        }
        let mut rest: Vec<_> = self
            .0
            .iter()
            .filter(|(verdict, _)| matches!(verdict, Verdict::Incomplete(_) | Verdict::Wrong(_)))
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
