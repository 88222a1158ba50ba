//! Go's tables.

use super::sample::{AARCH64, ABOVE, CODE, CODE_BYTES, Sample};
use super::{rule, rule_at, table as built};
use crate::unwind::{Error, Limits, build};
use probe_ebpf::table::{
    CFA_END, CFA_FP, CFA_NONE, CFA_SIGNAL, CFA_SP, FP_AND_RA_AT_CFA, FP_AT_CFA, FP_SAME,
    FP_UNDEFINED, RA_IN_REGISTER, Rule,
};

/// Layouts of `.gopclntab`, by the first release that has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Go12,
    Go116,
    Go118,
    Go120,
    /// As 1.20, but the header does not say where the text is.
    Go126,
}

const VERSIONS: [Version; 5] =
    [Version::Go12, Version::Go116, Version::Go118, Version::Go120, Version::Go126];

/// A function: where in the code, its name, and for how many bytes its frame has
/// which size.
type Function<'a> = (u32, &'a str, &'a [(u32, i32)]);

/// Writes the table of `functions`, the last of which ends with its steps.
pub(super) fn table(version: Version, functions: &[Function<'_>]) -> Vec<u8> {
    let wide = matches!(version, Version::Go12 | Version::Go116);
    let (mut names, mut steps, mut records) = (vec![0], vec![0], Vec::new());
    let mut entries = Vec::new();
    let code = u64::from(CODE) + ABOVE;
    let entry = |at: u32| if wide { code + u64::from(at) } else { u64::from(at) };
    let word = |value: u64| value.to_le_bytes()[..if wide { 8 } else { 4 }].to_vec();
    let entries_bytes = (functions.len() * 2 + 1) * if wide { 8 } else { 4 };
    // In Go 1.2 every offset is from the table's start.
    let before = if version == Version::Go12 { 16 } else { 0 };
    let record_bytes = if wide { 48 } else { 44 };
    let records_at = before + entries_bytes;
    let names_at = records_at + functions.len() * record_bytes;
    let names_len: usize = functions.iter().map(|it| it.1.len() + 1).sum::<usize>() + 1;
    let steps_at = names_at + names_len;
    let base = |at: usize| if version == Version::Go12 { at } else { 0 };
    for (nth, (at, name, rows)) in functions.iter().enumerate() {
        entries.extend(word(entry(*at)));
        entries.extend(word((records_at + nth * record_bytes) as u64));
        let mut record = word(entry(*at));
        for value in [base(names_at) + names.len(), 0, 0, base(steps_at) + steps.len()] {
            record.extend((value as u32).to_le_bytes());
        }
        record.resize(record_bytes, 0);
        records.extend(record);
        names.extend(name.bytes().chain([0]));
        let mut size = -1;
        for (bytes, next) in *rows {
            let change = next - size;
            varint(&mut steps, (change << 1 ^ change >> 31) as u32);
            varint(&mut steps, *bytes);
            size = *next;
        }
        steps.push(0);
    }
    if let Some((at, _, rows)) = functions.last() {
        entries.extend(word(entry(at + rows.iter().map(|row| row.0).sum::<u32>())));
    }
    assert_eq!(entries.len(), entries_bytes);
    assert_eq!(names.len(), names_len);
    header(version, functions.len(), &[entries, records].concat(), &names, &steps)
}

fn header(version: Version, count: usize, pcln: &[u8], names: &[u8], steps: &[u8]) -> Vec<u8> {
    let magic: u32 = match version {
        Version::Go12 => 0xffff_fffb,
        Version::Go116 => 0xffff_fffa,
        Version::Go118 => 0xffff_fff0,
        Version::Go120 | Version::Go126 => 0xffff_fff1,
    };
    let text = u64::from(CODE) + ABOVE;
    let mut table = magic.to_le_bytes().to_vec();
    table.extend([0, 0, 1, 8]);
    let parts = |words: usize| {
        let names_at = 8 + words * 8;
        let steps_at = names_at + names.len();
        let pcln_at = steps_at + steps.len();
        (names_at as u64, steps_at as u64, pcln_at as u64)
    };
    let count = count as u64;
    let words: Vec<u64> = match version {
        Version::Go12 => {
            table.extend(count.to_le_bytes());
            return [&table, pcln, names, steps].concat();
        }
        Version::Go116 => {
            let (names_at, steps_at, pcln_at) = parts(7);
            vec![count, 0, names_at, 0, 0, steps_at, pcln_at]
        }
        Version::Go118 | Version::Go120 | Version::Go126 => {
            let (names_at, steps_at, pcln_at) = parts(8);
            let text = if version == Version::Go126 { 0 } else { text };
            vec![count, 0, text, names_at, 0, 0, steps_at, pcln_at]
        }
    };
    table.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    [&table, names, steps, pcln].concat()
}

fn varint(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// A file with `code` and, for Go 1.26, the module's data.
fn sample(version: Version, functions: &[Function<'_>], code: &[u8]) -> Sample {
    let mut module = vec![0; 176];
    module.extend((u64::from(CODE) + ABOVE).to_le_bytes());
    let mut sections = vec![(".gopclntab", table(version, functions))];
    if version == Version::Go126 {
        sections.push((".go.module", module));
    }
    let mut sample = Sample::new(sections);
    sample.code = code.to_vec();
    sample
}

/// push rbp; mov rbp, rsp; sub rsp, 24.
const SINCE_1_21: &[u8] = &[0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 24];
/// sub rsp, 24; mov [rsp + 16], rbp.
const UNTIL_1_20: &[u8] = &[0x48, 0x83, 0xec, 24, 0x48, 0x89, 0x6c, 0x24, 16];

fn check(functions: &[Function<'_>], code: &[u8], expected: &[(u32, Rule)]) {
    for version in VERSIONS {
        let table = built(&sample(version, functions, code).elf());
        for (at, rule) in expected {
            assert_eq!(rule_at(&table, CODE + at), *rule, "{version:?} at {at}");
        }
        assert_eq!(table.stats.malformed, 0);
    }
}

#[test]
fn frames_by_their_size() {
    check(
        &[(0, "main.main", &[(1, 0), (7, 8), (32, 32), (200, 0)])],
        SINCE_1_21,
        &[
            (0, rule(CFA_SP, 8, FP_SAME, 0)),
            (1, rule(CFA_SP, 16, FP_AT_CFA, -16)),
            (8, rule(CFA_SP, 40, FP_AT_CFA, -16)),
            (39, rule(CFA_SP, 40, FP_AT_CFA, -16)),
            (40, rule(CFA_SP, 8, FP_SAME, 0)),
            (239, rule(CFA_SP, 8, FP_SAME, 0)),
            (240, rule(CFA_NONE, 0, 0, 0)),
        ],
    );
    check(
        &[(0, "main.main", &[(4, 0), (60, 24)])],
        UNTIL_1_20,
        &[(3, rule(CFA_SP, 8, FP_SAME, 0)), (4, rule(CFA_SP, 32, FP_AT_CFA, -16))],
    );
    // Assembly that keeps the frame pointer where the table doesn't say.
    check(
        &[(0, "crosscall2", &[(4, 0), (60, 64)])],
        &[0x90; 64],
        &[(4, rule(CFA_SP, 72, FP_UNDEFINED, 0))],
    );
}

#[test]
fn functions_that_are_special() {
    let code = [&[0x90; 64][..], &[0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05]].concat();
    check(
        &[
            (0, "runtime.goexit", &[(16, 0)]),
            (16, "runtime.goexit1", &[(16, 0)]),
            (32, "runtime.systemstack", &[(32, 0)]),
            (64, "runtime.sigreturn__sigaction", &[(16, 0)]),
        ],
        &code,
        &[
            (0, rule(CFA_END, 0, 0, 0)),
            (16, rule(CFA_SP, 8, FP_SAME, 0)),
            (40, rule(CFA_FP, 16, FP_AT_CFA, -16)),
            (62, rule(CFA_FP, 16, FP_AT_CFA, -16)),
            (63, rule(CFA_SIGNAL, 0, 0, 0)),
            (64, rule(CFA_SIGNAL, 0, 0, 0)),
        ],
    );
}

#[test]
fn arm64() {
    for version in VERSIONS {
        let mut sample = sample(version, &[(0, "main.main", &[(4, 0), (60, 48)])], &[]);
        sample.machine = AARCH64;
        let table = built(&sample.elf());
        assert_eq!(rule_at(&table, CODE), rule(CFA_SP, 0, RA_IN_REGISTER, 0));
        assert_eq!(rule_at(&table, CODE + 4), rule(CFA_SP, 48, FP_AND_RA_AT_CFA, -56));
    }
}

#[test]
fn text_that_the_loader_writes() {
    let mut sections = vec![(".gopclntab", table(Version::Go126, &[(0, "main.main", &[(9, 0)])]))];
    let refused = build(&Sample::new(sections.clone()).elf(), &Limits::default());
    assert_eq!(refused.err(), Some(Error::NoFunctions));
    // The first section's header word is relocated, the second entry's.
    let code = u64::from(CODE) + ABOVE;
    let header = code + u64::from(CODE_BYTES) + 24;
    let relocations = [1, 8, 7, header, 8, code].map(u64::to_le_bytes).concat();
    sections.push((".rela.dyn", relocations));
    let table = built(&Sample::new(sections).elf());
    assert_eq!(rule_at(&table, CODE + 8), rule(CFA_SP, 8, FP_SAME, 0));
}

#[test]
fn steps_that_are_cut() {
    let mut cut = table(Version::Go12, &[(0, "main.main", &[(4, 0), (4, 8)])]);
    cut.truncate(cut.len() - 2);
    let table = built(&Sample::new(vec![(".gopclntab", cut)]).elf());
    assert_eq!(table.stats.malformed, 1);
    assert_eq!(rule_at(&table, CODE), rule(CFA_SP, 8, FP_SAME, 0));
}
