//! otop's chores, run as `cargo xtask <chore>`: what a developer does now and
//! then, and what a build must never need.

mod bench;
mod bpf;
mod places;
mod screenshot;
mod terminal;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "otop's chores")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Compile the BPF programs into the object files that are committed
    Bpf(bpf::Options),
    /// Measure otop beside its peers
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Draw screenshots/*.svg from a real otop on a busy machine
    Screenshot(screenshot::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().chore {
        Chore::Bpf(options) => bpf::run(&options),
        Chore::Bench(bench) => bench::run(&bench),
        Chore::Screenshot(options) => screenshot::run(&options),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(io::stderr(), "error: {error:#}");
    ExitCode::FAILURE
}
