//! Any bytes as an ELF file: a table within its limits, or an error.
//! `cargo +nightly fuzz run eh_frame`, with real files as the corpus.

#![no_main]

use libfuzzer_sys::fuzz_target;
use probe::unwind::{Limits, build};

const LIMITS: Limits = Limits {
    functions_max: 10_000,
    rows_max: 50_000,
    steps_max: 200_000,
    section_bytes_max: 1 << 20,
};

fuzz_target!(|elf: &[u8]| {
    let Ok(table) = build(elf, &LIMITS) else { return };
    assert!(table.stats.rows <= LIMITS.rows_max);
    for offset in (0..u32::try_from(elf.len()).unwrap_or(u32::MAX)).step_by(61) {
        if let Some(number) = table.lookup(offset) {
            assert!(usize::from(number) < table.rules.len());
        }
    }
});
