//! The top list: who uses the CPU, by self and total.

mod sums;
#[cfg(test)]
mod tests;

use self::sums::{Sum, Sums};
use super::forest::{Grower, Shape};
use super::label::{Label, Labels};
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
    /// The line in the source file at the address that most samples went through;
    /// 0 where unknown.
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

/// The top list of code.
fn code(snapshot: &Snapshot, query: &Query, grouping: Grouping) -> TopTable {
    let tables = &snapshot.tables;
    let mut labels = Labels::new(tables);
    let processes_len = tables.processes.len();
    let selection =
        Selector::new(snapshot, query, &mut labels, processes_len, Handle::index).select();
    let mut sums = Sums::new(grouping);
    let mut grower = Grower::new(tables, &mut labels, Shape::default());
    for (process, samples) in selection.groups().enumerate() {
        if !samples.is_empty() {
            // The root is no row, so what it is called does not matter.
            let (tree, labels) = grower.tree(0, samples);
            sums.add_process(tree, labels, process);
        }
    }
    let rows = finish(sums, snapshot, &labels, grouping);
    TopTable { rows, sum: selection.sum, hidden: selection.hidden }
}

/// Puts the rows in order and gives them their names.
fn finish(sums: Sums, snapshot: &Snapshot, labels: &Labels<'_>, grouping: Grouping) -> Vec<TopRow> {
    let labelled = |(sum, spot)| (sum, labels.at(spot), labels.spot(spot).line);
    let mut rows: Vec<_> = sums.finish().map(labelled).collect();
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
