//! What the rows of code add up to, one process after the other.

use crate::profile::forest::{Forest, Step};
use crate::profile::label::{Labels, Spot, SpotIndex};
use crate::profile::{Grouping, Text};
use foldhash::HashMap;

/// What is known of one row.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    /// The sum of the samples whose leaf it is.
    pub(super) self_value: u64,
    /// The sum of the samples that it is in.
    pub(super) total: u64,
    /// How many processes it was seen in.
    pub(super) processes: u32,
    /// Of the process in which most was seen: its handle and how much.
    pub(super) most: (usize, u64),
    /// The process in which it was seen last, and the total there so far.
    seen_in: Option<usize>,
    here: u64,
    /// How often it is on the way from the root to the node that is visited.
    on_path: u32,
    /// The spot that most samples went through, and how many.
    hottest: Option<(SpotIndex, u64)>,
}

/// The rows of one table.
#[derive(Debug)]
pub(super) struct Sums {
    grouping: Grouping,
    rows: Vec<Sum>,
    /// By spot: its row.
    row_of: Vec<usize>,
    /// By spot: the sum of the samples that went through it.
    totals: Vec<u64>,
    modules: HashMap<Text, usize>,
    lines: HashMap<Spot, usize>,
}

impl Sums {
    /// No rows yet.
    pub(super) fn new(grouping: Grouping) -> Self {
        let (rows, row_of, totals) = (Vec::new(), Vec::new(), Vec::new());
        let (modules, lines) = (HashMap::default(), HashMap::default());
        Self { grouping, rows, row_of, totals, modules, lines }
    }

    /// Adds the samples of one process.
    pub(super) fn add_process(&mut self, tree: &Forest, labels: &Labels<'_>, process: usize) {
        self.make_rows(labels);
        let mut seen = Vec::new();
        tree.walk(|step, node| {
            let row = self.row_of[node.spot as usize];
            let sum = &mut self.rows[row];
            if step == Step::Leave {
                sum.on_path -= 1;
                return;
            }
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
            let total = &mut self.totals[node.spot as usize];
            *total = total.saturating_add(node.total);
        });
        for row in seen {
            let sum = &mut self.rows[row];
            let here = std::mem::take(&mut sum.here);
            sum.total = sum.total.saturating_add(here);
            sum.processes += 1;
            if sum.processes == 1 || here > sum.most.1 {
                sum.most = (process, here);
            }
        }
    }

    /// Every row that was seen, with its hottest spot.
    pub(super) fn finish(mut self) -> impl Iterator<Item = (Sum, SpotIndex)> {
        for ((spot, row), total) in (0..).zip(self.row_of).zip(self.totals) {
            let sum = &mut self.rows[row];
            if sum.hottest.is_none_or(|(_, most)| total > most) {
                sum.hottest = Some((spot, total));
            }
        }
        let seen = |sum: Sum| match sum.hottest {
            Some((spot, _)) if sum.processes > 0 => Some((sum, spot)),
            _ => None,
        };
        self.rows.into_iter().filter_map(seen)
    }

    /// Gives each spot that is new its row.
    fn make_rows(&mut self, labels: &Labels<'_>) {
        for spot in labels.spots().iter().skip(self.row_of.len()) {
            let row = match self.grouping {
                Grouping::Line => {
                    let next = self.lines.len();
                    *self.lines.entry(*spot).or_insert(next)
                }
                Grouping::Module => {
                    let next = self.modules.len();
                    let module = labels.label(spot.label).module.clone();
                    *self.modules.entry(module).or_insert(next)
                }
                _ => spot.label as usize,
            };
            self.row_of.push(row);
            if self.rows.len() <= row {
                self.rows.resize(row + 1, Sum::default());
            }
        }
        self.totals.resize(self.row_of.len(), 0);
    }
}
