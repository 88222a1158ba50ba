//! Files that were cut or changed: a table or an error, and never more rows or
//! functions than allowed.

use super::go::{self, Version};
use super::sample::{CODE, Frames, Sample};
use crate::unwind::{Limits, build};
use proptest::prelude::*;
use std::sync::LazyLock;

const LIMITS: Limits =
    Limits { functions_max: 100, rows_max: 200, steps_max: 10_000, section_bytes_max: 1 << 16 };

/// A file with every kind of section.
static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let frames = Frames::x86_64("zR")
        .function(0, 64, &[0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x0a, 0x50, 0x0b])
        .function(64, 64, &[0x0f, 5, 0x77, 40, 6, 0x23, 8])
        .function(128, 64, &[0x10, 6, 2, 0x76, 0, 0x05, 40, 1, 0x12, 7, 0x7e]);
    let go = go::table(Version::Go120, &[(512, "main.main", &[(16, 0), (48, 24)])]);
    let sections = vec![(".eh_frame", frames.section()), (".gopclntab", go)];
    Sample::new(sections).elf()
});

/// Where the file has something: the headers, and what follows the code.
fn places() -> impl Strategy<Value = usize> {
    let after = (CODE + super::sample::CODE_BYTES) as usize;
    prop_oneof![0..120_usize, after..FILE.len()]
}

fn check(elf: &[u8]) {
    let Ok(table) = build(elf, &LIMITS) else { return };
    assert!(table.stats.rows <= LIMITS.rows_max && table.stats.functions <= LIMITS.functions_max);
    for offset in [0, CODE - 1, CODE, CODE + 100, CODE + 600, u32::MAX] {
        if let Some(number) = table.lookup(offset) {
            assert!(usize::from(number) < table.rules.len());
        }
    }
}

#[test]
fn the_file_itself_is_whole() {
    let stats = build(&FILE, &LIMITS).unwrap().stats;
    assert_eq!((stats.rows, stats.functions, stats.malformed), (9, 4, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes(changes in prop::collection::vec((places(), any::<u8>()), 1..6)) {
        let mut elf = FILE.clone();
        for (at, byte) in changes {
            elf[at] = byte;
        }
        check(&elf);
    }

    #[test]
    fn extreme_words(at in places(), word in prop_oneof![Just(u64::MAX), Just(0), Just(1 << 63), Just(u64::from(u32::MAX))]) {
        let mut elf = FILE.clone();
        let end = (at + 8).min(elf.len());
        elf[at..end].copy_from_slice(&word.to_le_bytes()[..end - at]);
        check(&elf);
    }

    #[test]
    fn cut(at in places()) {
        check(&FILE[..at]);
    }

    #[test]
    fn random_call_frames(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&Frames::x86_64("zR").function(0, 200, &bytes).elf());
        check(&Sample::new(vec![(".eh_frame", bytes.clone()), (".debug_frame", bytes)]).elf());
    }

    #[test]
    fn random_pclntab(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let header = [0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8, 3, 0, 0, 0, 0, 0, 0, 0];
        check(&Sample::new(vec![(".gopclntab", [&header[..], &bytes].concat())]).elf());
    }
}
