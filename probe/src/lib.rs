//! From kernel bytes to a [`profile::Snapshot`] and to the wire.
//!
//! ```text
//!  kernel/            kernel/          process/            profile/
//!  sample (BPF) ─▶ drain ─▶ decode ─▶ resolve ─▶ record ─▶ Store ─▶ Snapshot ─▶ screen,
//!  perf records ─▶ drain ─▶ decode ─▶ mappings              ▲                   export,
//!                                                           │                   tee
//!                                        symbol/  ask ─▶ worker ─▶ answer
//! ```
//!
//! `kernel`, `process`, `unwind`, `symbol` and `format` know [`profile`] and not
//! each other; [`pipeline`] alone joins them.

pub mod format;
pub mod kernel;
pub mod pipeline;
pub mod process;
pub mod profile;
pub mod symbol;
pub mod unwind;
