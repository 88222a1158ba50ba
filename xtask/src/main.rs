//! otop's chores, run as `cargo xtask <chore>`: what a developer does now and
//! then, and what a build must never need.

mod bpf;

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
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().chore {
        Chore::Bpf(options) => bpf::run(&options),
    }
}
