//! Tests of the flame tree.

use super::super::fixture::{any_query, any_samples, everything, key, snapshot};
use super::super::{Query, Scope};
use super::*;
use proptest::prelude::*;

/// The tree as `name total/self(children …)`.
fn draw(tree: &FlameTree, node: usize) -> String {
    let FlameNode { total, self_value, .. } = tree.nodes[node];
    let children: Vec<_> = tree.children(node).map(|child| draw(tree, child)).collect();
    let children =
        if children.is_empty() { String::new() } else { format!("({})", children.join(" ")) };
    format!("{} {total}/{self_value}{children}", tree.label(node).unwrap().name)
}

#[track_caller]
fn check(samples: &[(&str, u64)], scope: Scope, options: FlameOptions, expected: &str) {
    let snapshot = snapshot(samples);
    let query = Query { scope, ..everything(&snapshot) };
    assert_eq!(draw(&flame(&snapshot, &query, options), 0), expected);
}

const PLAIN: FlameOptions =
    FlameOptions { direction: Direction::Callees, merge_recursion: false, hide_kernel: false };
const CALLERS: FlameOptions = FlameOptions { direction: Direction::Callers, ..PLAIN };

fn one() -> Scope {
    Scope::Process(key("p").0)
}

#[test]
fn functions_merge_whatever_their_address() {
    let samples = [("p;main@1;f@1", 1), ("p;main@2;f@2;g", 2), ("p;main@1;a", 4)];
    check(&samples, one(), PLAIN, "all 7/0(main 7/0(a 4/4 f 3/1(g 2/2)))");
    check(&samples, Scope::Machine, PLAIN, "all 7/0(p 7/0(main 7/0(a 4/4 f 3/1(g 2/2))))");
    check(&[("p;main+f+g", 1), ("p;main;f", 2)], one(), PLAIN, "all 3/0(main 3/0(f 3/2(g 1/1)))");
    check(&[], one(), PLAIN, "all 0/0");
}

#[test]
fn processes_of_one_name_stand_together() {
    let samples = [("q:1;f", 1), ("p:2;f", 2), ("p:3;f", 3), ("p:3;p", 1)];
    check(&samples, Scope::Machine, PLAIN, "all 7/0(p 6/0(f 5/5 p 1/1) q 1/0(f 1/1))");
}

#[test]
fn callers_start_at_the_leaf() {
    let samples = [("p;a;b;c", 1), ("q;x;c", 2), ("p;a", 4), ("p;a;b", 8)];
    let expected = "all 15/0(a 4/4 b 8/0(a 8/8) c 3/0(b 1/0(a 1/1) x 2/2))";
    check(&samples, Scope::Machine, CALLERS, expected);
}

#[test]
fn recursion_merges_when_it_is_direct() {
    let samples = [("p;f@1;f@2;f@2;g", 1), ("p;f@1;g;f", 2), ("p;f@1;f@2", 4), ("p;f+f;g", 8)];
    let merged = FlameOptions { merge_recursion: true, ..PLAIN };
    check(&samples, one(), merged, "all 15/0(f 15/4(g 11/9(f 2/2)))");
    let merged = FlameOptions { merge_recursion: true, ..CALLERS };
    check(&samples, one(), merged, "all 15/0(f 6/4(g 2/0(f 2/2)) g 9/0(f 9/9))");
}

#[test]
fn a_hidden_kernel_counts_for_its_callers() {
    let samples = [("p;f;k_a;k_b", 1), ("p;f;g", 2), ("p;k_a", 4)];
    let hidden = FlameOptions { hide_kernel: true, ..PLAIN };
    check(&samples, one(), hidden, "all 7/4(f 3/1(g 2/2))");
    check(&samples, Scope::Machine, hidden, "all 7/0(p 7/4(f 3/1(g 2/2)))");
    let hidden = FlameOptions { hide_kernel: true, ..CALLERS };
    check(&samples, one(), hidden, "all 7/4(f 1/1 g 2/0(f 2/2))");
}

#[test]
fn a_path_finds_its_node_in_another_tree() {
    let (old, new) = (snapshot(&[("p;f;g", 1)]), snapshot(&[("a;b", 1), ("p;c", 9), ("p;f;g", 1)]));
    let old = flame(&old, &everything(&old), PLAIN);
    let new = flame(&new, &everything(&new), PLAIN);
    let path = old.path(old.nodes.len() - 1);
    let names: Vec<_> = path.iter().map(|label| label.name.as_str()).collect();
    assert_eq!(names, ["p", "f", "g"]);
    let found = new.find(&path).unwrap();
    assert_eq!(new.path(found), path);
    assert_eq!(new.find(&[]), Some(0));
    assert_eq!(old.find(&new.path(1)), None);
}

fn any_options() -> impl Strategy<Value = FlameOptions> {
    let direction = prop_oneof![Just(Direction::Callees), Just(Direction::Callers)];
    (direction, any::<bool>(), any::<bool>()).prop_map(
        |(direction, merge_recursion, hide_kernel)| FlameOptions {
            direction,
            merge_recursion,
            hide_kernel,
        },
    )
}

proptest! {
    #[test]
    fn every_box_is_as_wide_as_what_it_holds(
        samples in any_samples(), (scope, filter, _) in any_query(), options in any_options(),
    ) {
        let snapshot = snapshot(&samples);
        let filter = filter.parse().unwrap();
        let tree = flame(&snapshot, &Query { scope, filter, ..everything(&snapshot) }, options);
        let all: u64 = samples.iter().map(|(_, value)| value).sum();
        prop_assert_eq!(tree.nodes[0].total + tree.hidden, all);
        prop_assert_eq!(tree.nodes.iter().map(|n| n.self_value).sum::<u64>(), tree.nodes[0].total);
        let mut depths = vec![0; tree.nodes.len()];
        depths[0] = 1;
        for (index, node) in tree.nodes.iter().enumerate() {
            let children = tree.children(index);
            let below: u64 = tree.nodes[children.clone()].iter().map(|child| child.total).sum();
            prop_assert_eq!(node.total, node.self_value + below);
            let labels: Vec<_> = children.clone().map(|c| tree.label(c).unwrap()).collect();
            prop_assert!(labels.is_sorted_by(|a, b| a.order(b).is_lt()));
            for child in children {
                prop_assert_eq!(tree.parent(child), Some(index));
                prop_assert!(child > index && depths[child] == 0);
                depths[child] = depths[index] + 1;
            }
            prop_assert_eq!(tree.find(&tree.path(index)), Some(index));
        }
        prop_assert!(!depths.contains(&0));
        prop_assert_eq!(depths.iter().max(), Some(&tree.depth));
    }
}
