//! The top list: who uses the CPU, by self and total.

use super::{FrameKind, Grouping, Query, Snapshot, Text};

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopRow {
    /// What the row is: a function's name, a module, a `file:line`, …
    pub name: Text,
    /// The module that it belongs to; empty where the row is not code.
    pub module: Text,
    /// `file:line` of the function, where known.
    pub source: Option<Text>,
    /// What kind of code it is; that of the hottest part where several are.
    pub kind: FrameKind,
    /// The sum of samples whose leaf it is.
    pub self_value: u64,
    /// The sum of samples that it is in anywhere, each counted once.
    pub total: u64,
    /// In how many processes it was seen.
    pub processes: u32,
    /// The process in which most of it was seen.
    pub process: Text,
}

/// The rows of one query. The `self_value` of all rows add up to `sum`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopTable {
    /// By self, then total, then name.
    pub rows: Vec<TopRow>,
    /// The sum of the samples in range, scope and filter.
    pub sum: u64,
    /// The sum of the samples in range that scope or filter left out.
    pub hidden: u64,
}

/// Computes the top list.
#[must_use]
pub fn top(_snapshot: &Snapshot, _query: &Query, _grouping: Grouping) -> TopTable {
    TopTable::default()
}
