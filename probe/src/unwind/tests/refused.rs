//! Files that have no table, and limits.

use super::sample::{CODE, Frames, Sample};
use crate::unwind::{Error, Limits, build};

fn check(change: impl Fn(&mut Vec<u8>), expected: &Error) {
    let mut elf = Frames::x86_64("zR").function(0, 8, &[]).elf();
    change(&mut elf);
    assert_eq!(build(&elf, &Limits::default()).map(|table| table.stats).as_ref(), Err(expected));
}

#[test]
fn files_that_cannot_run_here() {
    check(Vec::clear, &Error::NotElf);
    check(|elf| elf[1] = b'L', &Error::NotElf);
    check(|elf| elf.truncate(63), &Error::NotElf);
    check(|elf| elf.truncate(64), &Error::NotElf);
    check(|elf| elf[4] = 1, &Error::Bits32);
    check(|elf| elf[5] = 2, &Error::BigEndian);
    check(|elf| elf[18] = 243, &Error::Machine(243));
    // No program headers; one that is no PT_LOAD; one that is not executable.
    check(|elf| elf[56] = 0, &Error::NoCode);
    check(|elf| elf[64] = 2, &Error::NoCode);
    check(|elf| elf[68] = 4, &Error::NoCode);
    check(|elf| elf.truncate(CODE as usize), &Error::NoCode);
    // A debug file has the segment, but nothing of it.
    check(|elf| elf[96..104].fill(0), &Error::NoCode);
    // p_vaddr + p_filesz overflows.
    check(|elf| elf[80..88].fill(0xff), &Error::SegmentOrder);
    // The section's name.
    check(|elf| elf[40..48].fill(0xff), &Error::NoFunctions);
}

#[test]
fn segments_out_of_order() {
    let mut elf = Frames::x86_64("zR").function(0, 8, &[]).elf();
    elf[56] = 2;
    elf.copy_within(64..120, 120);
    assert_eq!(build(&elf, &Limits::default()).err(), Some(Error::SegmentOrder));
}

#[test]
fn limits() {
    let mut frames = Frames::x86_64("zR");
    for nth in 0..10 {
        frames = frames.function(nth * 16, 8, &[0x41, 0x0e, 16]);
    }
    let elf = frames.elf();
    let check = |limits: Limits, expected: Option<Error>| {
        assert_eq!(build(&elf, &limits).err(), expected);
    };
    let enough = Limits { functions_max: 10, rows_max: 30, ..Limits::default() };
    check(enough, None);
    check(Limits { functions_max: 9, ..enough }, Some(Error::Functions(9)));
    check(Limits { rows_max: 28, ..enough }, Some(Error::Rows(28)));
    check(Limits { steps_max: 20, ..enough }, Some(Error::Steps(20)));
}

#[test]
fn a_long_common_entry_that_is_never_whole() {
    const FUNCTIONS: usize = 50;
    // Inside a function's instructions: an entry with an augmentation of 1 MiB.
    let text = vec![b'x'; 1 << 20];
    let mut long = (text.len() as u32 + 6).to_le_bytes().to_vec();
    long.extend([0, 0, 0, 0, 1].iter().chain(&text).chain(&[0]));
    let mut frames = Frames::x86_64("zR").function(0, 8, &long);
    for nth in 1..=FUNCTIONS as u32 {
        frames = frames.function(nth * 16, 8, &[]);
    }
    let mut section = frames.section();
    let first = u32::from_le_bytes(section[..4].try_into().unwrap()) as usize + 4;
    let long_at = first + 25;
    // Functions of 32 bytes each, and the end; the pointer goes back from itself.
    let functions_at = section.len() - 4 - FUNCTIONS * 32;
    for pointer in (functions_at + 4..).step_by(32).take(FUNCTIONS) {
        let back = (pointer - long_at) as u32;
        section[pointer..pointer + 4].copy_from_slice(&back.to_le_bytes());
    }
    let elf = Sample::new(vec![(".eh_frame", section)]).elf();
    let limits = Limits { steps_max: 100_000, ..Limits::default() };
    assert_eq!(build(&elf, &limits).err(), Some(Error::Steps(100_000)));
}

#[test]
fn a_section_that_would_be_too_large() {
    // SHF_COMPRESSED: ELFCOMPRESS_ZLIB, with a size that is never there.
    let mut data = [1_u32, 0].map(u32::to_le_bytes).concat();
    data.extend((1_u64 << 40).to_le_bytes());
    data.extend([0; 24]);
    let mut sample = Sample::new(Vec::new());
    sample.sections.push((".debug_frame", 1 << 11, data));
    assert_eq!(build(&sample.elf(), &Limits::default()).err(), Some(Error::NoFunctions));
}
