//! The order of rows.

use crate::action::Resort;
use probe::profile::{ProcessRow, ProcessTable, TopRow, TopTable};
use std::cmp::{Ordering, Reverse};

/// What rows can be ordered by.
pub trait Column: Copy + Eq + 'static {
    /// Every column, from left to right.
    const ALL: &'static [Self];
}

/// An order of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort<C> {
    /// By what.
    pub column: C,
    /// The other way round: the smallest or the last in the alphabet first.
    pub inverted: bool,
}

impl<C: Column> Sort<C> {
    /// The order after a change.
    #[must_use]
    pub fn change(self, resort: Resort) -> Self {
        let at = C::ALL.iter().position(|column| *column == self.column).unwrap_or(0);
        let step = |steps| C::ALL.iter().cycle().nth(at + steps).copied().unwrap_or(self.column);
        match resort {
            Resort::Next => Self { column: step(1), inverted: false },
            Resort::Previous => Self { column: step(C::ALL.len() - 1), inverted: false },
            Resort::Invert => Self { inverted: !self.inverted, ..self },
        }
    }

    const fn direct(self, order: Ordering) -> Ordering {
        if self.inverted { order.reverse() } else { order }
    }
}

/// What the top list can be ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TopColumn {
    /// Self samples, most first.
    #[default]
    SelfValue,
    /// Total samples, most first.
    Total,
    /// Name.
    Name,
    /// Module, then self.
    Module,
    /// Process, then self.
    Process,
}

impl Column for TopColumn {
    const ALL: &'static [Self] =
        &[Self::SelfValue, Self::Total, Self::Name, Self::Module, Self::Process];
}

/// What the process list can be ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessColumn {
    /// Samples, most first.
    #[default]
    Samples,
    /// Samples in the kernel, most first.
    Kernel,
    /// Pid.
    Pid,
    /// Name, then pid.
    Name,
    /// Container or unit, then samples.
    Place,
}

impl Column for ProcessColumn {
    const ALL: &'static [Self] = &[Self::Samples, Self::Kernel, Self::Pid, Self::Name, Self::Place];
}

/// Orders the rows of a top list. Ties are broken so that rows never swap
/// without cause.
pub fn sort_top(table: &mut TopTable, sort: Sort<TopColumn>) {
    let by_self = |row: &TopRow| (Reverse(row.self_value), Reverse(row.total));
    table.rows.sort_by(|a, b| {
        let order = match sort.column {
            TopColumn::SelfValue => by_self(a).cmp(&by_self(b)),
            TopColumn::Total => (Reverse(a.total), Reverse(a.self_value))
                .cmp(&(Reverse(b.total), Reverse(b.self_value))),
            TopColumn::Name => a.name.cmp(&b.name),
            TopColumn::Module => (&a.module, by_self(a)).cmp(&(&b.module, by_self(b))),
            TopColumn::Process => (&a.process, by_self(a)).cmp(&(&b.process, by_self(b))),
        };
        sort.direct(order).then_with(|| (&a.name, &a.module).cmp(&(&b.name, &b.module)))
    });
}

/// Orders the rows of a process list.
pub fn sort_processes(table: &mut ProcessTable, sort: Sort<ProcessColumn>) {
    let by_samples = |row: &ProcessRow| Reverse(row.samples);
    table.rows.sort_by(|a, b| {
        let order = match sort.column {
            ProcessColumn::Samples => by_samples(a).cmp(&by_samples(b)),
            ProcessColumn::Kernel => b.kernel.cmp(&a.kernel),
            ProcessColumn::Pid => a.key.pid.cmp(&b.key.pid),
            ProcessColumn::Name => a.name.cmp(&b.name),
            // Rows without one come last: most have none.
            ProcessColumn::Place => (a.place.is_empty(), &a.place, by_samples(a)).cmp(&(
                b.place.is_empty(),
                &b.place,
                by_samples(b),
            )),
        };
        sort.direct(order).then_with(|| a.key.cmp(&b.key))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use probe::profile::FrameKind;

    #[test]
    fn columns_go_round() {
        let sort = Sort::<TopColumn>::default();
        assert_eq!(sort.change(Resort::Next).column, TopColumn::Total);
        assert_eq!(sort.change(Resort::Previous).column, TopColumn::Process);
        assert!(sort.change(Resort::Invert).inverted);
        assert!(!sort.change(Resort::Invert).change(Resort::Next).inverted);
    }

    #[test]
    fn top_rows_are_ordered_and_ties_are_stable() {
        let row = |name: &str, self_value, total| TopRow {
            name: name.into(),
            module: "m".into(),
            source: None,
            line: 0,
            kind: FrameKind::Native,
            self_value,
            total,
            processes: 1,
            process: "p".into(),
        };
        let check = |column, inverted, expected: [&str; 3]| {
            let rows = vec![row("c", 5, 5), row("a", 5, 5), row("b", 1, 9)];
            let mut table = TopTable { rows, sum: 11, hidden: 0 };
            sort_top(&mut table, Sort { column, inverted });
            let names: Vec<_> = table.rows.iter().map(|row| row.name.as_str()).collect();
            assert_eq!(names, expected, "{column:?} {inverted}");
        };
        check(TopColumn::SelfValue, false, ["a", "c", "b"]);
        check(TopColumn::SelfValue, true, ["b", "a", "c"]);
        check(TopColumn::Total, false, ["b", "a", "c"]);
        check(TopColumn::Name, false, ["a", "b", "c"]);
        check(TopColumn::Name, true, ["c", "b", "a"]);
    }
}
