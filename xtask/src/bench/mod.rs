//! Measurements of otop beside its peers, in the same run on the same machine.
//!
//! A figure without its neighbour says nothing: how busy the machine was and how
//! fast it is are in it. So each command measures the peer in turn with otop, and
//! prints one line about the machine and a Markdown table for `BENCHMARKS.md`.

mod bpf_stats;
mod cost;
pub(crate) mod load;
mod machine;
mod start;
mod table;
mod usage;

use anyhow::Result;
use clap::Subcommand;

use crate::places;
use crate::terminal::Size;

/// The terminal that screens are measured on.
const SIZE: Size = Size { columns: 200, rows: 60 };

/// What there is to measure.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// The time from exec to the first screen and to the first named flame view
    Start(start::Options),
    /// CPU time and memory that otop itself takes, on a busy and on an idle machine
    Cost(cost::Options),
}

/// Measures, and prints.
///
/// # Errors
/// Without root, without perf, or where one of the programs does not do what is
/// to be timed.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    places::ensure_root()?;
    match bench {
        Bench::Start(options) => start::run(options),
        Bench::Cost(options) => cost::run(options),
    }
}
