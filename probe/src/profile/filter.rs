//! Which samples count: terms that must all hold.

mod expression;
mod matcher;

pub use expression::FilterError;
pub(super) use matcher::Matcher;

use super::{FrameKind, Text};

/// One condition on a sample. Text is looked for in what the screen shows;
/// upper and lower case are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// The process's name contains this.
    ProcessName(Text),
    /// The pid is this.
    Pid(u32),
    /// The thread id is this.
    Tid(u32),
    /// The thread's name contains this.
    ThreadName(Text),
    /// The container, pod or unit contains this.
    Place(Text),
    /// The CPU is this.
    Cpu(u16),
    /// Some frame is of this kind.
    Kind(FrameKind),
    /// Some function's name contains this.
    Function(Text),
    /// Some function's name or the process's contains this.
    Word(Text),
    /// The leaf is in user space.
    User,
    /// The leaf is in the kernel.
    Kernel,
}

/// Conditions that must all hold; none is everything.
///
/// `Display` writes, and `FromStr` reads, the expression that people type:
/// `comm=nginx cpu=3 fn~parse user`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In the order in which they stand on the screen.
    pub terms: Vec<Term>,
}
