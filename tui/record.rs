//! Sampling for a while into a file of folded stacks: a line a stack, its
//! functions from the root set apart by `;`, a blank, and the samples
//! (the format of `stackcollapse` in the `FlameGraph` tools).

use crate::event::{Event, Signal};
use anyhow::Result;
use probe::profile::{FlameTree, Source};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// Waits until the time is over, the source has ended, or a signal comes;
/// gives the signal. What was sampled until then is kept all the same.
pub async fn wait(
    duration: Duration,
    source: &Arc<dyn Source>,
    events: &mut Receiver<Event>,
) -> Option<i32> {
    let over = tokio::time::sleep(duration);
    tokio::pin!(over);
    while source.ended().is_none() {
        tokio::select! {
            () = &mut over => break,
            event = events.recv() => match event {
                Some(Event::Signal(Signal::End(number))) => return Some(number),
                Some(_) => {}
                None => break,
            }
        }
    }
    None
}

/// Writes a tree as folded stacks.
///
/// # Errors
///
/// Where `out` cannot be written to.
pub fn write_folded(tree: &FlameTree, out: &mut dyn Write) -> Result<()> {
    for (index, node) in tree.nodes.iter().enumerate().skip(1) {
        if node.self_value == 0 {
            continue;
        }
        let mut way: Vec<String> = std::iter::successors(Some(index), |at| {
            tree.nodes.get(*at).and_then(|node| node.parent).filter(|parent| *parent > 0)
        })
        .filter_map(|at| tree.nodes.get(at))
        // A `;` in a name would make two of it.
        .map(|node| node.name.as_str().replace(';', ":"))
        .collect();
        way.reverse();
        writeln!(out, "{} {}", way.join(";"), node.self_value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use probe::profile::{FlameNode, FrameKind};

    #[test]
    fn stacks_are_folded_from_the_root() {
        let node = |name: &str, self_value, parent| FlameNode {
            name: name.into(),
            module: "m".into(),
            source: None,
            kind: FrameKind::Native,
            total: 9,
            self_value,
            parent,
            children: Vec::new(),
        };
        let nodes = vec![
            node("all", 0, None),
            node("api", 0, Some(0)),
            node("main", 2, Some(1)),
            node("a;b\nc", 7, Some(2)),
        ];
        let mut out = Vec::new();
        write_folded(&FlameTree { nodes, depth: 4 }, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "api;main 2\napi;main;a:b\\x0ac 7\n");
    }
}
