//! The top list: who uses the CPU, by self and total.

#[cfg(test)]
mod tests;

use super::forest::{Forest, NodeIndex, Shape, Step};
use super::label::{Label, Labels, Spot, SpotIndex};
use super::select::Selector;
use super::{FrameKind, Grouping, Handle, Process, ProcessHandle, Query, Snapshot, Text};
use foldhash::HashMap;

/// What the processes of no container and no unit are filed under.
const PLACE_NONE: &str = "[none]";

/// One row.
///
/// Name, module and source together tell a row from the others of its table,
/// and find it again in the next one ([`TopRow::same`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopRow {
    /// What the row is: a function's name, `function:line`, a module, the name
    /// of processes, or a place.
    pub name: Text,
    /// The module that it belongs to; empty where the row is not code.
    pub module: Text,
    /// The source file, where known.
    pub source: Option<Text>,
    /// The line in the source file that most samples went through; 0 where
    /// unknown.
    pub line: u32,
    /// What kind of code it is; that of the hottest part where several are, and
    /// [`FrameKind::Marker`] where it is not code.
    pub kind: FrameKind,
    /// The sum of samples whose leaf it is.
    pub self_value: u64,
    /// The sum of samples that it is in anywhere, each counted once.
    pub total: u64,
    /// In how many processes it was seen.
    pub processes: u32,
    /// The process in which most of it was seen.
    pub process: Text,
}

impl TopRow {
    /// Whether both stand for the same thing, in tables of the same grouping.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        (&self.name, &self.module, &self.source) == (&other.name, &other.module, &other.source)
    }
}

/// The rows of one query. The `self_value` of all rows add up to `sum`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopTable {
    /// By self, then total, then name.
    pub rows: Vec<TopRow>,
    /// The sum of the samples in range, scope and filter.
    pub sum: u64,
    /// The sum of the samples in range that scope or filter left out.
    pub hidden: u64,
}

/// Computes the top list.
#[must_use]
pub fn top(snapshot: &Snapshot, query: &Query, grouping: Grouping) -> TopTable {
    match grouping {
        Grouping::Function | Grouping::Module | Grouping::Line => code(snapshot, query, grouping),
        Grouping::Process => owners(snapshot, query, |process| process.name.clone()),
        Grouping::Place => owners(snapshot, query, |process| {
            process.place.label().map_or_else(|| PLACE_NONE.into(), Text::from)
        }),
    }
}

/// The top list of processes, by what `name` says about them.
fn owners(snapshot: &Snapshot, query: &Query, name: impl Fn(&Process) -> Text) -> TopTable {
    let processes = &snapshot.tables.processes;
    let mut labels = Labels::new(&snapshot.tables);
    let selector = Selector::new(snapshot, query, &mut labels, processes.len(), Handle::index);
    let mut table = TopTable::default();
    let mut used = vec![None; processes.len()];
    selector.for_each(|_, process, value| match process {
        Some(process) => used[process] = Some(value.saturating_add(used[process].unwrap_or(0))),
        None => table.hidden = table.hidden.saturating_add(value),
    });
    let mut by_name: HashMap<Text, (TopRow, u64)> = HashMap::default();
    for ((_, process), used) in processes.iter().zip(used) {
        let Some(used) = used else { continue };
        let name = name(process);
        let new = || (owner(name.clone()), 0);
        let (row, most) = by_name.entry(name.clone()).or_insert_with(new);
        row.total = row.total.saturating_add(used);
        row.processes += 1;
        if row.processes == 1 || used > *most {
            (row.process, *most) = (process.name.clone(), used);
        }
        table.sum = table.sum.saturating_add(used);
    }
    table.rows = by_name.into_values().map(|(row, _)| row).collect();
    for row in &mut table.rows {
        row.self_value = row.total;
    }
    table.rows.sort_unstable_by(|a, b| (b.total, &a.name).cmp(&(a.total, &b.name)));
    table
}

/// A row that nothing was counted for yet.
fn owner(name: Text) -> TopRow {
    let Label { name, module, source, kind } = Label::not_code(name);
    let process = Text::default();
    TopRow { name, module, source, kind, line: 0, self_value: 0, total: 0, processes: 0, process }
}

/// What is known of one row while samples are added up.
#[derive(Clone, Debug, Default)]
struct Sum {
    self_value: u64,
    total: u64,
    processes: u32,
    /// Of the process in which most was seen: its handle and how much.
    most: (usize, u64),
    /// The process in which it was seen last, and the total there so far.
    seen_in: Option<usize>,
    here: u64,
    /// How often it is on the way from the root to the node that is visited.
    on_path: u32,
    /// The spot that most samples went through, and how many.
    hottest: Option<(SpotIndex, u64)>,
}

/// The top list of code.
fn code(snapshot: &Snapshot, query: &Query, grouping: Grouping) -> TopTable {
    let tables = &snapshot.tables;
    let mut labels = Labels::new(tables);
    let processes_len = tables.processes.len();
    let selection =
        Selector::new(snapshot, query, &mut labels, processes_len, Handle::index).select();
    // What the roots are does not matter here: they are no row.
    let roots = std::iter::repeat_n(0, processes_len);
    let forest = Forest::new(&selection, roots, tables, &mut labels, Shape::default());
    let row_of = rows_of_spots(&labels, grouping);
    let rows_len = row_of.iter().max().map_or(0, |last| last + 1);
    let mut sums = vec![Sum::default(); rows_len];
    for (process, root) in forest.roots().iter().enumerate() {
        add_process(&mut sums, &row_of, &forest, *root, process);
    }
    find_hottest(&mut sums, &row_of, &forest);
    let rows = finish(sums, snapshot, &labels, grouping);
    TopTable { rows, sum: selection.sum, hidden: selection.hidden }
}

/// Which row each spot belongs to.
fn rows_of_spots(labels: &Labels<'_>, grouping: Grouping) -> Vec<usize> {
    let mut modules: HashMap<&Text, usize> = HashMap::default();
    let row = |(index, spot): (usize, &Spot)| match grouping {
        Grouping::Line => index,
        Grouping::Module => {
            let next = modules.len();
            *modules.entry(&labels.label(spot.label).module).or_insert(next)
        }
        _ => spot.label as usize,
    };
    labels.spots().iter().enumerate().map(row).collect()
}

/// Adds the samples of one process, whose tree hangs from `root`.
fn add_process(
    sums: &mut [Sum],
    row_of: &[usize],
    forest: &Forest,
    root: NodeIndex,
    process: usize,
) {
    let mut seen = Vec::new();
    forest.walk(root, |step, node| {
        let row = row_of[node.spot as usize];
        let sum = &mut sums[row];
        match step {
            Step::Enter => {
                // Below itself it is counted already.
                if sum.on_path == 0 {
                    sum.here = sum.here.saturating_add(node.total);
                }
                if sum.seen_in != Some(process) {
                    sum.seen_in = Some(process);
                    seen.push(row);
                }
                sum.on_path += 1;
                sum.self_value = sum.self_value.saturating_add(node.self_value);
            }
            Step::Leave => sum.on_path -= 1,
        }
    });
    for row in seen {
        let sum = &mut sums[row];
        let here = std::mem::take(&mut sum.here);
        sum.total = sum.total.saturating_add(here);
        sum.processes += 1;
        if sum.processes == 1 || here > sum.most.1 {
            sum.most = (process, here);
        }
    }
}

/// Finds the spot of each row that most samples went through.
fn find_hottest(sums: &mut [Sum], row_of: &[usize], forest: &Forest) {
    let mut totals = vec![0_u64; row_of.len()];
    for (_, node) in forest.code() {
        let total = &mut totals[node.spot as usize];
        *total = total.saturating_add(node.total);
    }
    for ((spot, row), total) in (0..).zip(row_of).zip(totals) {
        let sum = &mut sums[*row];
        if sum.hottest.is_none_or(|(_, most)| total > most) {
            sum.hottest = Some((spot, total));
        }
    }
}

/// Puts the rows in order and gives them their names.
fn finish(
    sums: Vec<Sum>,
    snapshot: &Snapshot,
    labels: &Labels<'_>,
    grouping: Grouping,
) -> Vec<TopRow> {
    let seen = |sum: Sum| {
        let (spot, _) = sum.hottest.filter(|_| sum.processes > 0)?;
        Some((sum, labels.at(spot), labels.spot(spot).line))
    };
    let mut rows: Vec<_> = sums.into_iter().filter_map(seen).collect();
    rows.sort_unstable_by(|(a, a_label, a_line), (b, b_label, b_line)| {
        let by_value = (b.self_value, b.total).cmp(&(a.self_value, a.total));
        by_value.then_with(|| match grouping {
            Grouping::Module => a_label.module.cmp(&b_label.module),
            _ => a_label.order(b_label).then(a_line.cmp(b_line)),
        })
    });
    let row = |(sum, label, line): (Sum, &Label, u32)| {
        let process = ProcessHandle::from_index(sum.most.0);
        let process = snapshot.tables.processes.get(process);
        TopRow {
            name: row_name(label, line, grouping),
            module: label.module.clone(),
            source: label.source.clone().filter(|_| grouping != Grouping::Module),
            line: if grouping == Grouping::Module { 0 } else { line },
            kind: label.kind,
            self_value: sum.self_value,
            total: sum.total,
            processes: sum.processes,
            process: process.map(|process| process.name.clone()).unwrap_or_default(),
        }
    };
    rows.into_iter().map(row).collect()
}

fn row_name(label: &Label, line: u32, grouping: Grouping) -> Text {
    match grouping {
        Grouping::Module => label.module.clone(),
        Grouping::Line if line > 0 => format!("{}:{line}", label.name).into(),
        _ => label.name.clone(),
    }
}
