//! Folded stacks: the text that `flamegraph.pl` (Brendan Gregg's `FlameGraph`)
//! and most viewers of flame graphs read.
//!
//! ```text
//! nginx;main;ngx_process_events;epoll_wait 42
//! ```
//!
//! A line a stack: the process and its functions, outermost first, joined by
//! semicolons, then a space and the value.

use crate::profile::flame::flame;
use crate::profile::{FlameOptions, Query, Scope, Snapshot};
use std::io::{self, BufWriter, Write};

/// What an empty name is written as: some readers take two semicolons in a row
/// for one.
const NAME_NONE: &str = "[unnamed]";

/// Writes the samples that `query` selects. Callers come before what they call,
/// and what one function calls is in the order of names; the same snapshot and
/// query always give the same bytes. Functions of one name in several modules
/// have a line each, which readers add up.
///
/// # Errors
/// Those of `out`, which need not be buffered.
pub fn write(snapshot: &Snapshot, query: &Query, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let tree = flame(snapshot, query, FlameOptions::default());
    let mut line = String::new();
    // Nodes that are to be written, the next one last, each with how much of the
    // line stays before its name.
    let mut next: Vec<(usize, usize)> = Vec::new();
    if let Some(process) = only_process(snapshot, &query.scope) {
        push_name(&mut line, process);
    }
    let start = line.len();
    next.extend(tree.children(0).rev().map(|child| (child, start)));
    while let Some((index, prefix)) = next.pop() {
        let (Some(node), Some(label)) = (tree.nodes.get(index), tree.label(index)) else {
            continue;
        };
        line.truncate(prefix);
        push_name(&mut line, label.name.as_str());
        if node.self_value > 0 {
            writeln!(out, "{line} {}", node.self_value)?;
        }
        next.extend(tree.children(index).rev().map(|child| (child, line.len())));
    }
    out.flush()
}

/// The process's name, where the scope has but one and its stacks don't start
/// with it.
fn only_process<'a>(snapshot: &'a Snapshot, scope: &Scope) -> Option<&'a str> {
    let (Scope::Process(key) | Scope::Thread(key, _)) = scope else { return None };
    let mut processes = snapshot.tables.processes.iter().map(|(_, process)| process);
    processes.find(|process| process.key == *key).map(|process| process.name.as_str())
}

/// Appends a name. Line breaks cannot be in it, since it is [escaped
/// text](crate::profile::Text); a semicolon would part it in two.
fn push_name(line: &mut String, name: &str) {
    if !line.is_empty() {
        line.push(';');
    }
    let name = if name.is_empty() { NAME_NONE } else { name };
    line.extend(name.chars().map(|c| if c == ';' { ':' } else { c }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::fixture::{any_query, any_samples, everything, key, snapshot};
    use proptest::prelude::*;

    fn folded(snapshot: &Snapshot, query: &Query) -> String {
        let mut bytes = Vec::new();
        write(snapshot, query, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[track_caller]
    fn check(samples: &[(&str, u64)], scope: Scope, expected: &str) {
        let snapshot = snapshot(samples);
        assert_eq!(folded(&snapshot, &Query { scope, ..everything(&snapshot) }), expected);
    }

    #[test]
    fn a_line_is_a_stack_and_its_value() {
        let samples = [("p;main;f", 2), ("p;main@2+f", 1), ("a;main;k_b", 4), ("p;main", 1)];
        let machine = "a;main;k_b 4\np;main 1\np;main;f 3\n";
        check(&samples, Scope::Machine, machine);
        check(&samples, Scope::Process(key("p").0), "p;main 1\np;main;f 3\n");
        check(&samples, Scope::Process(key("z").0), "");
        check(&[], Scope::Machine, "");
    }

    #[test]
    fn names_cannot_break_a_line() {
        let mut line = String::new();
        push_name(&mut line, "a;b");
        push_name(&mut line, "");
        push_name(&mut line, "f(int, char)");
        assert_eq!(line, "a:b;[unnamed];f(int, char)");
        check(&[("p;a\nb\x1b", 1)], Scope::Machine, "p;a\\x0ab\\x1b 1\n");
    }

    proptest! {
        #[test]
        fn lines_add_up_to_the_samples(
            samples in any_samples(), (scope, filter, _) in any_query(),
        ) {
            let snapshot = snapshot(&samples);
            let filter = filter.parse().unwrap();
            let query = Query { scope, filter, ..everything(&snapshot) };
            let text = folded(&snapshot, &query);
            let value = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap();
            let sum: u64 = text.lines().map(value).sum();
            prop_assert_eq!(sum, flame(&snapshot, &query, FlameOptions::default()).nodes[0].total);
            let stacks: Vec<_> = text.lines().map(|line| line.rsplit_once(' ').unwrap().0).collect();
            for stack in &stacks {
                let process = stack.split(';').next().unwrap();
                prop_assert!(["c", "p", "q"].contains(&process), "{}", stack);
            }
            prop_assert_eq!(folded(&snapshot, &query), text);
        }
    }
}
