//! What there is to build, and what is known of it.

use crate::{Chain, Linker};

/// A program with known behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    /// C: 70 % of its work in `hot_a`, 30 % in `warm_a`.
    BusyC,
    /// C++: 60 % of its work in a method, 40 % in a function template.
    BusyCpp,
    /// Rust, released: 80 % of its work in `hot_c`, 20 % in `warm_c`.
    BusyRust,
    /// A generated chain of C functions.
    Chain(Chain),
    /// A chain of eight Rust functions, released, by a linker.
    RustChain(Linker),
    /// Nine frames of Go, the leaf without a frame of its own.
    GoChain,
    /// One function 400 times on the stack.
    Recursion,
    /// C++ exceptions thrown through two frames and caught, in a loop.
    Exceptions,
    /// A frame whose size is known only at run time.
    Alloca,
    /// A library loaded, worked in and unloaded, in a loop.
    Dlopen,
    /// Calls through the procedure linkage table, in a loop.
    Plt,
    /// A child that works after `fork`; [`crate::Running::note`] is its pid.
    Fork,
    /// Children that work on their parent's stack, one after another, after
    /// `vfork`; the note is the pid of the first.
    Vfork,
    /// A signal handler that works on an alternate stack, above a frame on the
    /// first one that did not call it.
    Signal,
    /// A process that becomes itself anew about 1,000 times a second.
    Exec,
    /// A process that becomes [`Program::PairB`], copied beside it as `pair_b`,
    /// which becomes this one, `pair_a`, about 1,000 times a second.
    PairA,
    /// See [`Program::PairA`].
    PairB,
    /// A process that is gone after 30 ms of CPU time.
    Brief,
    /// 100,000 mappings, or as many as `vm.max_map_count` allows: the note tells.
    Mappings,
    /// Frames that align the stack pointer, whose CFA is a DWARF expression.
    Realigned,
    /// Two calls that are inlined into a third, with debug information.
    Inlined,
    /// The clock asked in a loop, which the vDSO answers.
    Clock,
}

/// A function's part of a program's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its name, demangled, without the hash of old Rust mangling.
    pub function: &'static str,
    /// Of 100.
    pub percent: u32,
}

impl Program {
    /// One of each that has its own source and runs by itself; chains with their
    /// usual options.
    #[must_use]
    pub fn all() -> Vec<Self> {
        vec![
            Self::BusyC,
            Self::BusyCpp,
            Self::BusyRust,
            Self::Chain(Chain::default()),
            Self::RustChain(Linker::Default),
            Self::GoChain,
            Self::Recursion,
            Self::Exceptions,
            Self::Alloca,
            Self::Dlopen,
            Self::Plt,
            Self::Fork,
            Self::Vfork,
            Self::Signal,
            Self::Exec,
            Self::Brief,
            Self::Mappings,
            Self::Realigned,
            Self::Inlined,
            Self::Clock,
        ]
    }

    /// The functions on the stack in the hottest place, by their demangled names,
    /// leaf first, down to the program's `main`; what lies below is the language's.
    /// A signal's frame and the vDSO's, which are the kernel's, are not among them.
    #[must_use]
    pub fn chain(&self) -> Vec<String> {
        let fixed: &[&str] = match self {
            Self::Chain(chain) => return chain.names(),
            Self::Recursion => {
                let mut names = vec!["recurse".to_owned(); 400];
                names.insert(0, "recursion_leaf".to_owned());
                names.push("main".to_owned());
                return names;
            }
            Self::RustChain(_) => return rust_chain(),
            Self::BusyC => &["hot_a", "serve_a", "main"],
            Self::BusyCpp => &[
                "shop::Cart::hot_b(unsigned long) const",
                "shop::Cart::checkout(unsigned long) const",
                "main",
            ],
            Self::BusyRust => &["busy::hot_c", "busy::serve_c", "busy::main"],
            Self::GoChain => &[
                "main.leaf",
                "main.chain7",
                "main.chain6",
                "main.chain5",
                "main.chain4",
                "main.chain3",
                "main.chain2",
                "main.chain1",
                "main.main",
            ],
            Self::Exceptions => &[
                "thrower(unsigned long)",
                "through_two(unsigned long)",
                "through_one(unsigned long)",
                "catcher(unsigned long)",
                "main",
            ],
            Self::Alloca => &["alloca_leaf", "alloca_caller", "main"],
            Self::Dlopen => &["plugin_hot", "load_and_work", "main"],
            Self::Plt => &["plt_step", "plt_caller", "main"],
            Self::Fork => &["fork_leaf", "main"],
            Self::Vfork => &["vfork_leaf", "vfork_caller", "main"],
            Self::Signal => &["handler_leaf", "handler", "raiser", "main"],
            Self::Exec => &["exec_leaf", "main"],
            Self::PairA => &["pair_a_leaf", "main"],
            Self::PairB => &["pair_b_leaf", "main"],
            Self::Brief => &["brief_leaf", "main"],
            Self::Mappings => &["mappings_leaf", "main"],
            Self::Inlined => &["work", "inlined_hot", "inlined_caller", "main"],
            Self::Clock => &["clock_caller", "main"],
            Self::Realigned => &["realigned_leaf", "realigned_inner", "realigned_outer", "main"],
        };
        fixed.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The parts of the program's user-space samples that its functions must have,
    /// by themselves; empty where they are not known.
    #[must_use]
    pub fn shares(&self) -> &'static [Share] {
        match self {
            Self::BusyC => &[
                Share { function: "hot_a", percent: 70 },
                Share { function: "warm_a", percent: 30 },
            ],
            Self::BusyCpp => &[
                Share { function: "shop::Cart::hot_b(unsigned long) const", percent: 60 },
                Share { function: "unsigned long shop::warm_b<8u>(unsigned long)", percent: 40 },
            ],
            Self::BusyRust => &[
                Share { function: "busy::hot_c", percent: 80 },
                Share { function: "busy::warm_c", percent: 20 },
            ],
            _ => &[],
        }
    }
}

/// How many Rust functions lie between `main` and the leaf.
pub(crate) const RUST_DEPTH: u32 = 8;

fn rust_chain() -> Vec<String> {
    let calls = (0..RUST_DEPTH).rev().map(|index| format!("rust_chain::chain_{index}"));
    let ends = |name: &str| std::iter::once(format!("rust_chain::{name}"));
    ends("chain_leaf").chain(calls).chain(ends("main")).collect()
}
