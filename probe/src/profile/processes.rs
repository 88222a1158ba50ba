//! The process list.

use super::process::ProcessKey;
use super::{Query, Snapshot, Text};

/// One process incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRow {
    /// Who.
    pub key: ProcessKey,
    /// Its name.
    pub name: Text,
    /// The container, pod or unit; empty where there is none.
    pub place: Text,
    /// The sum of its samples.
    pub samples: u64,
    /// Of those, the ones whose leaf is in the kernel.
    pub kernel: u64,
    /// How many of its threads were seen.
    pub threads: u32,
    /// The function with the most self samples, and its samples.
    pub hottest: Option<(Text, u64)>,
}

/// The processes of one query. The `samples` of all rows add up to `sum`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessTable {
    /// By samples, then pid.
    pub rows: Vec<ProcessRow>,
    /// The sum of the samples in range, scope and filter.
    pub sum: u64,
}

/// Computes the process list.
#[must_use]
pub fn processes(_snapshot: &Snapshot, _query: &Query) -> ProcessTable {
    ProcessTable::default()
}
