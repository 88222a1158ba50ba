//! What comes from the kernel: samples from the BPF program, process records
//! from perf, and the counters of both.
//!
//! This is the only module that uses aya, and the only one with unsafe code.

pub mod attach;
pub mod clock;
pub mod cpus;
pub mod doctor;
mod perf;
pub mod records;
pub mod sample;
mod sideband;
pub mod tables;

pub use attach::{Error, Options, Sampler, Target};
pub use records::ProcessRecord;
pub use sample::{CodeAddress, RawSample, StackCopy};
pub use tables::Tables;
