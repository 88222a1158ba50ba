//! What naming costs: the first answer, then addresses cold and warm, and the
//! worker's memory.
//!
//! ```text
//! cargo run --release -p probe --example symbolize -- FILE [lines]
//! ```
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use probe::profile::Text;
use probe::symbol::{ARGUMENT, Ask, Client, Detail, Object, ObjectKind, worker_main};
use std::error::Error;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Instant;

/// Addresses that are looked up, spread over the file.
const ADDRESSES: u64 = 10_000;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("which file?")?;
    if path == ARGUMENT {
        return Ok(worker_main());
    }
    let detail = match arguments.next().as_deref() {
        Some("lines") => Detail::Lines,
        _ => Detail::Names,
    };
    let length = File::open(&path)?.metadata()?.len();
    let started = Instant::now();
    let mut client = Client::spawn(std::env::current_exe()?)?;
    println!("start           {:>10.2?}", started.elapsed());
    let addresses: Vec<_> = (0..ADDRESSES)
        .map(|n| if path == "/proc/kallsyms" { kernel_address(n) } else { length / ADDRESSES * n })
        .collect();
    let middle = addresses.get(addresses.len() / 2..=addresses.len() / 2).unwrap_or_default();
    for (what, addresses) in [("first answer", middle), ("cold", &addresses), ("warm", &addresses)]
    {
        let file = OwnedFd::from(File::open(&path)?);
        let kind = if path == "/proc/kallsyms" {
            ObjectKind::Kernel { kallsyms: file }
        } else {
            ObjectKind::File { file, debug: Vec::new() }
        };
        let object = Object { key: 1, kind, module: Text::from("module") };
        let started = Instant::now();
        let answer = client.ask(Ask { object, addresses: addresses.to_vec(), detail }).names;
        let elapsed = started.elapsed();
        let named: Vec<_> = answer.iter().flatten().collect();
        println!(
            "{what:<15} {elapsed:>10.2?} {:>10.2?} each, {} of {} named, {} lines, {} by their start",
            elapsed / u32::try_from(addresses.len())?,
            named.len(),
            addresses.len(),
            named.iter().map(|lines| lines.len()).sum::<usize>(),
            named.iter().filter(|lines| lines[0].function.name.as_str().contains("!fn_")).count(),
        );
    }
    println!("{:?}", client.stats());
    Ok(ExitCode::SUCCESS)
}

/// Somewhere in the first 20 MB of the kernel's text, as x86-64 maps it
/// without KASLR.
const fn kernel_address(n: u64) -> u64 {
    0xffff_ffff_8100_0000 + n * 2000
}
