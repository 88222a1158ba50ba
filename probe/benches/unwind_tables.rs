//! How long unwind tables of large files take, how big they are, and what of the
//! files' code they leave out. `cargo bench -p probe --bench unwind_tables [FILE...]`

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints its figures, which are small"
)]

use object::{Object as _, ObjectSection as _};
use probe::unwind::{Limits, RuleBook, Table, build};
use probe_ebpf::table::{
    CFA_DEREF, CFA_END, CFA_FP, CFA_NONE, CFA_PLT, CFA_REGISTER, CFA_SIGNAL, CFA_SP,
    CFA_UNSUPPORTED,
};
use std::time::Instant;

/// Builds of each file, of which the median counts.
const RUNS: usize = 5;
/// Files that are large where they exist.
const FILES: [&str; 8] = [
    "/usr/bin/node",
    "/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1",
    "/usr/lib/x86_64-linux-gnu/libLLVM-15.so.1",
    "/usr/lib/x86_64-linux-gnu/libclang-cpp.so.19.1",
    "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so",
    "/usr/local/go/bin/go",
];
/// Classes of rules, in the order of their `CFA_*`.
const CLASSES: [(u8, &str); 9] = [
    (CFA_NONE, "none"),
    (CFA_SP, "sp"),
    (CFA_FP, "fp"),
    (CFA_PLT, "plt"),
    (CFA_REGISTER, "register"),
    (CFA_DEREF, "deref"),
    (CFA_SIGNAL, "signal"),
    (CFA_END, "end"),
    (CFA_UNSUPPORTED, "unsupported"),
];

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let files = if named.is_empty() { FILES.map(String::from).to_vec() } else { named };
    let mut sum = [0.0; 5];
    let mut book = RuleBook::new();
    print!("{:>9} {:>8} {:>9} {:>9} {:>6}", "median ms", "text MB", "rows", "bytes", "rules");
    for (_, name) in CLASSES {
        print!(" {name:>11}");
    }
    println!("  file");
    for path in files {
        let Ok(data) = std::fs::read(&path) else { continue };
        let mut times = Vec::new();
        let mut table = None;
        for _ in 0..RUNS {
            let start = Instant::now();
            table = build(&data, &Limits::default()).ok();
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let Some(table) = table else { continue };
        book.intern(&table.rules);
        let figures = [
            times.get(RUNS / 2).copied().unwrap_or_default(),
            text_mb(&data),
            table.stats.rows as f64,
            table.stats.bytes as f64,
            table.rules.len() as f64,
        ];
        print_figures(&figures);
        for count in classes(&table) {
            print!(" {count:>11}");
        }
        println!("  {path} {:?}", table.stats.unsupported);
        sum.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
    }
    sum[4] = book.rules().len() as f64;
    print_figures(&sum);
    println!("  sum; rules of the machine");
}

fn print_figures(&[ms, text, rows, bytes, rules]: &[f64; 5]) {
    print!("{ms:>9.1} {text:>8.1} {rows:>9} {bytes:>9} {rules:>6}");
}

fn text_mb(data: &[u8]) -> f64 {
    let Ok(file) = object::File::parse(data) else { return 0.0 };
    let text = file.section_by_name(".text").map_or(0, |section| section.size());
    text as f64 / 1e6
}

/// Rows of each class.
fn classes(table: &Table) -> [usize; 9] {
    let mut counts = [0; 9];
    for (_, number) in table.rows() {
        let class = table.rules.get(usize::from(number)).map_or(0, |rule| rule.cfa);
        counts[usize::from(class)] += 1;
    }
    counts
}
