//! Programs whose call chains, or whose shares of the CPU, are known before they
//! run, built on demand into the target directory.
//!
//! They are not built by a build script: testing otop asks for a C compiler, and
//! a test that needs more than the machine has says "ignored", through
//! [`harness`]. Every program ends after the seconds in its first argument, 30 if
//! there is none, and with the thread that started it.
//!
//! ```no_run
//! use test_programs::{Chain, Program, Running, build};
//!
//! let program = Program::Chain(Chain::default());
//! let running = Running::start(&build(&program)?)?;
//! println!("{}: {:?}", running.pid(), program.chain());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod chain;
pub mod harness;
mod missing;
mod program;
mod recipe;
mod running;
mod tool;

pub use chain::{Chain, Compiler, Form, Linker};
pub use missing::Missing;
pub use program::{Program, Share};
pub use running::Running;

use std::path::PathBuf;

/// The path of `program`, which is built if it is not there yet.
///
/// # Errors
/// [`Missing::Tool`] if this machine cannot build it; anything else is a fault
/// of the program or of the machine.
pub fn build(program: &Program) -> Result<PathBuf, Missing> {
    cache::build(&recipe::of(program)?)
}
