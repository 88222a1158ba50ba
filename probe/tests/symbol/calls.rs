//! Which return addresses follow a call, against what a disassembler says.

use super::support::{Scratch, Test, ask, client, offset, offsets, place, run, text};
use probe::profile::Call;
use probe::symbol::Detail;
use std::path::Path;

const TOOLS: &[&str] = &["cc", "nm", "readelf", "objdump"];

pub(crate) const TESTS: &[Test] = &[
    ("every_instruction_is_a_call_or_none", TOOLS, every_instruction),
    ("direct_calls_tell_their_target", TOOLS, direct_calls),
    ("code_is_not_looked_at_for_lines", TOOLS, not_for_lines),
];

/// Calls in all forms: direct, by register, by memory, and through the PLT.
const C: &str = "#include <stdlib.h>
typedef int function(int);
__attribute__((noinline)) int callee(int x) { volatile int y = x; return y + 1; }
static function *volatile pointer = callee;
struct table { long a[40]; function *functions[40]; };
int direct(int x) { return callee(x) + 1; }
int by_pointer(int x) { return pointer(x) + 1; }
int by_table(struct table *table, long n) { return table->functions[n](3) + table->functions[7](4); }
int by_stack(int x) { function *volatile local[30]; local[x] = pointer; return local[x](x) + 1; }
int outside(int x) { return abs(rand() + x) + 1; }
";

/// An instruction by `objdump`: its address, its length, and its text.
type Instruction = (u64, u64, String);

fn disassemble(path: &Path) -> Vec<Instruction> {
    let listing = run("objdump", &["-d", "-w", text(path)]);
    let instructions = listing.lines().filter_map(|line| {
        let mut fields = line.trim().splitn(3, '\t');
        let address = u64::from_str_radix(fields.next()?.strip_suffix(':')?, 16).ok()?;
        let len = fields.next()?.split_whitespace().map(str::len).sum::<usize>() / 2;
        Some((address, len as u64, fields.next()?.trim().to_owned()))
    });
    instructions.collect()
}

fn is_call(text: &str) -> bool {
    let mut words = text.split_whitespace();
    words.any(|word| ["call", "callq", "bl", "blr"].contains(&word))
}

/// What is known of the last byte of each instruction.
fn calls(path: &Path, instructions: &[Instruction]) -> Vec<Call> {
    let ends: Vec<_> = instructions.iter().map(|(address, len, _)| address + len - 1).collect();
    let code = client().ask(ask(path, &offsets(path, &ends), Detail::Names)).code;
    assert_eq!(code.len(), instructions.len());
    code.into_iter().map(|code| code.call).collect()
}

fn every_instruction() {
    let scratch = Scratch::new();
    for flags in [&["-O0"][..], &["-O2"], &["-O2", "-fno-plt"], &["-O2", "-fcf-protection=none"]] {
        let library = scratch.compile("cc", C, "library.so", flags);
        let instructions = disassemble(&library);
        let mut found = 0;
        for (instruction, call) in instructions.iter().zip(calls(&library, &instructions)) {
            assert_eq!(call != Call::Missing, is_call(&instruction.2), "{instruction:x?} {call:?}");
            found += u32::from(call != Call::Missing);
        }
        assert!(found >= 7, "{flags:?}: {found}");
    }
}

fn direct_calls() {
    let scratch = Scratch::new();
    let flags = ["-O1", "-fvisibility=hidden"];
    let library = scratch.compile("cc", C, "library.so", &flags);
    let instructions = disassemble(&library);
    let callee = place(&library, "callee").0;
    let (start, size) = place(&library, "direct");
    let mut targets = Vec::new();
    for (instruction, call) in instructions.iter().zip(calls(&library, &instructions)) {
        if !is_call(&instruction.2) {
            continue;
        }
        let through_plt = instruction.2.contains("@plt");
        assert!(!through_plt || call == Call::Indirect, "{instruction:x?} {call:?}");
        let at = offset(&library, instruction.0);
        if (start..start + size).contains(&at) {
            targets.push(call);
        }
    }
    assert_eq!(targets, [Call::Direct(callee)]);
    let answer = client().ask(ask(&library, &[start, start + size - 1, callee], Detail::Names));
    let functions: Vec<_> = answer.code.iter().map(|code| code.function).collect();
    assert_eq!(functions, [Some(start), Some(start), Some(callee)]);
}

fn not_for_lines() {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &["-g"]);
    let (start, _) = place(&library, "direct");
    let answer = client().ask(ask(&library, &[start], Detail::Lines));
    assert_eq!((answer.names.len(), answer.code), (1, vec![probe::profile::Code::default()]));
}
