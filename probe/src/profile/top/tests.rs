//! Tests of the top list.

use super::super::Range;
use super::super::fixture::{any_query, any_samples, everything, snapshot};
use super::*;
use proptest::prelude::*;

const GROUPINGS: [Grouping; 5] =
    [Grouping::Function, Grouping::Module, Grouping::Line, Grouping::Process, Grouping::Place];

/// Each row as `name self/total ×processes process`.
#[track_caller]
fn check(samples: &[(&str, u64)], grouping: Grouping, expected: &[&str]) {
    let snapshot = snapshot(samples);
    let row = |row: &TopRow| {
        let TopRow { name, self_value, total, processes, process, .. } = row;
        format!("{name} {self_value}/{total} ×{processes} {process}")
    };
    let table = top(&snapshot, &everything(&snapshot), grouping);
    assert_eq!(table.rows.iter().map(row).collect::<Vec<_>>(), expected);
}

#[test]
fn a_sample_counts_once_a_row() {
    use Grouping::{Function, Line, Module, Place, Process};
    let recursion = [("p;main@1;f@2;g@3;f@4;f@5", 3), ("p;main@1;f@2", 1)];
    check(&recursion, Function, &["f 4/4 ×1 p", "main 0/4 ×1 p", "g 0/3 ×1 p"]);
    check(&recursion, Module, &["app 4/4 ×1 p"]);
    check(
        &recursion,
        Line,
        &["f:5 3/3 ×1 p", "f:2 1/4 ×1 p", "main:1 0/4 ×1 p", "f:4 0/3 ×1 p", "g:3 0/3 ×1 p"],
    );
    let inlined = [("p;main@1+f@2;k_read", 1), ("p;main@1+f@2", 1)];
    check(&inlined, Function, &["f 1/2 ×1 p", "k_read 1/1 ×1 p", "main 0/2 ×1 p"]);
    check(&inlined, Module, &["app 1/2 ×1 p", "kernel 1/1 ×1 p"]);
    let several = [("p:1;f", 1), ("p:2;f", 1), ("q:3;f", 5), ("c:4;g", 1)];
    check(&several, Function, &["f 7/7 ×3 q", "g 1/1 ×1 c"]);
    check(&several, Process, &["q 5/5 ×1 q", "p 2/2 ×2 p", "c 1/1 ×1 c"]);
    check(&several, Place, &["[none] 7/7 ×3 q", "cccccccccccc 1/1 ×1 c"]);
    let nameless = [("p;f;?libx", 1), ("p;f;?libx", 1), ("p;!liby", 1)];
    check(&nameless, Function, &["libx … 2/2 ×1 p", "[liby] 1/1 ×1 p", "f 0/2 ×1 p"]);
    check(&nameless, Module, &["libx 2/2 ×1 p", "liby 1/1 ×1 p", "app 0/2 ×1 p"]);
}

#[test]
fn a_function_shows_its_hottest_line_and_kind() {
    let snapshot = snapshot(&[("p;f@7", 1), ("p;f@8;k_read", 3)]);
    let table = top(&snapshot, &everything(&snapshot), Grouping::Function);
    let f = &table.rows[1];
    assert_eq!(
        (f.line, f.kind, f.source.as_ref().unwrap().as_str()),
        (8, FrameKind::Native, "app.rs")
    );
    assert_eq!(table.rows[0].kind, FrameKind::Kernel);
    let table = top(&snapshot, &everything(&snapshot), Grouping::Process);
    assert_eq!(table.rows[0].kind, FrameKind::Marker);
}

proptest! {
    #[test]
    fn sums_are_those_of_the_samples(
        samples in any_samples(), (scope, filter, end_ns) in any_query(),
    ) {
        let snapshot = snapshot(&samples);
        let range = Range { start_ns: end_ns / 2, end_ns };
        let filter = filter.parse().unwrap();
        let query = Query { range, scope, filter, ..everything(&snapshot) };
        let all: u64 = snapshot.points(range, 0).map(|(_, value)| value).sum();
        for grouping in GROUPINGS {
            let table = top(&snapshot, &query, grouping);
            prop_assert_eq!(table.sum + table.hidden, all);
            let own: u64 = table.rows.iter().map(|row| row.self_value).sum();
            prop_assert_eq!(own, table.sum);
            for (index, row) in table.rows.iter().enumerate() {
                prop_assert!(row.self_value <= row.total && row.total <= table.sum);
                prop_assert!(row.processes > 0);
                prop_assert!(!table.rows[..index].iter().any(|other| other.same(row)));
            }
        }
    }

    /// Against the definition: a row's total is the sum of the samples that
    /// name it at least once.
    #[test]
    fn totals_are_those_of_the_definition(samples in any_samples()) {
        let snapshot = snapshot(&samples);
        let table = top(&snapshot, &everything(&snapshot), Grouping::Function);
        for row in table.rows.iter().filter(|row| row.name.as_str().len() == 1) {
            let calls = |sample: &str| {
                let frames = sample.split(';').skip(1).flat_map(|frame| frame.split('+'));
                frames.filter_map(|f| f.split('@').next()).any(|f| f == row.name.as_str())
            };
            let expected = samples.iter().filter(|(sample, _)| calls(sample));
            prop_assert_eq!(row.total, expected.map(|(_, value)| value).sum::<u64>());
        }
    }
}
