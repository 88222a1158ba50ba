//! One process from fork to exit, and the programs that it ran.

use super::regions::Regions;
use super::scan::Seen;
use super::stat::StartRange;
use crate::profile::{Place, Text};
use std::collections::VecDeque;

/// How many programs of one process are remembered, the running one included:
/// samples that come a little late still belong to an earlier one.
const INCARNATIONS_MAX: usize = 4;

/// How long after `exec` a sample may still carry the count of before: the
/// kernel reports the new name just before it counts (`begin_new_exec`).
const EXEC_SETTLES_NS: u64 = 1_000_000;

/// One program of one process: what [`ProcessKey`](crate::profile::ProcessKey)
/// names.
#[derive(Clone, Debug)]
pub struct Incarnation {
    /// When it began, or when the scan saw it, in ns of `CLOCK_MONOTONIC`.
    pub since_ns: u64,
    /// The command's name.
    pub name: Text,
    /// The executable, as the process sees it.
    pub exe: Option<Text>,
    /// Where it belongs; as its parent did, until [`Table::set_place`] or a
    /// scan says otherwise.
    ///
    /// [`Table::set_place`]: super::Table::set_place
    pub place: Place,
    /// What is mapped.
    pub regions: Regions,
}

/// A process from fork to exit.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) start: StartRange,
    pub(super) as_of_ns: u64,
    pub(super) from_scan: bool,
    pub(super) threads: i64,
    /// When the leader ended; others of its threads may run on.
    pub(super) leader_exit_ns: Option<u64>,
    /// When the last thread ended.
    pub(super) end_ns: Option<u64>,
    /// When an event or a sample last spoke of it.
    pub(super) touched_ns: u64,
    /// What runs, or ran last.
    pub(super) current: Incarnation,
    /// What ran before, oldest first.
    earlier: VecDeque<Incarnation>,
    /// How many older ones were forgotten.
    forgotten: u32,
    /// The exec count of the first program of this life, forgotten or not.
    first_exec_id: Option<u32>,
}

/// Why a sample has no incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// From before the first program that is remembered.
    Early,
    /// From after an `exec` that was not reported.
    Unseen,
}

impl Life {
    pub(super) fn seen(seen: Seen) -> Self {
        let program = Incarnation {
            since_ns: seen.as_of_ns,
            name: seen.name,
            exe: seen.exe,
            place: seen.place,
            regions: seen.regions,
        };
        Self {
            as_of_ns: seen.as_of_ns,
            from_scan: true,
            threads: i64::from(seen.threads),
            ..Self::new(seen.start, program)
        }
    }

    /// The child of `parent`, or of a process that is not known.
    pub(super) fn forked(parent: Option<&Self>, start: StartRange, time_ns: u64) -> Self {
        let current = parent.map(|parent| parent.current.clone());
        let program = Incarnation {
            since_ns: time_ns,
            ..current.unwrap_or_else(|| Incarnation {
                since_ns: time_ns,
                name: Text::default(),
                exe: None,
                place: Place::default(),
                regions: Regions::default(),
            })
        };
        let first_exec_id = parent.and_then(Self::exec_id);
        Self { first_exec_id, ..Self::new(start, program) }
    }

    fn new(start: StartRange, program: Incarnation) -> Self {
        Self {
            start,
            as_of_ns: 0,
            from_scan: false,
            threads: 1,
            leader_exit_ns: None,
            end_ns: None,
            touched_ns: program.since_ns,
            current: program,
            earlier: VecDeque::new(),
            forgotten: 0,
            first_exec_id: None,
        }
    }

    /// Whether the running program was begun by an `exec` that was reported.
    pub(super) fn has_execed(&self) -> bool {
        self.forgotten > 0 || !self.earlier.is_empty()
    }

    /// The exec count of the running program, once a sample has told it.
    fn exec_id(&self) -> Option<u32> {
        Some(self.first_exec_id?.wrapping_add(self.ordinal(self.earlier.len())))
    }

    /// How many programs of this life came before the one at `index`.
    fn ordinal(&self, index: usize) -> u32 {
        self.forgotten.wrapping_add(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// Another program, with nothing mapped yet. Only the thread that called
    /// exec is left, and it is the leader now.
    pub(super) fn exec(&mut self, name: Text, time_ns: u64) {
        let place = self.current.place.clone();
        let regions = Regions::default();
        let next = Incarnation { since_ns: time_ns, name, exe: None, place, regions };
        self.earlier.push_back(std::mem::replace(&mut self.current, next));
        if self.earlier.len() >= INCARNATIONS_MAX {
            self.earlier.pop_front();
            self.forgotten = self.forgotten.wrapping_add(1);
        }
        self.threads = 1;
        self.leader_exit_ns = None;
        self.end_ns = None;
    }

    /// The program that a sample with this exec count belongs to.
    pub(super) fn program(&mut self, exec_id: u32, time_ns: u64) -> Result<&Incarnation, Miss> {
        let index = match self.first_exec_id {
            Some(first) => {
                let ordinal = exec_id.wrapping_sub(first).wrapping_sub(self.forgotten);
                // A distance with a sign: below zero is before what is remembered.
                usize::try_from(ordinal.cast_signed()).map_err(|_| Miss::Early)?
            }
            None => self.program_at(exec_id, time_ns).ok_or(Miss::Early)?,
        };
        self.programs().nth(index).ok_or(Miss::Unseen)
    }

    /// The program that ran at a time; once it has run for a while, its exec
    /// count is known from the sample.
    fn program_at(&mut self, exec_id: u32, time_ns: u64) -> Option<usize> {
        let ran_by = |program: &Incarnation| program.since_ns <= time_ns;
        let index = if ran_by(&self.current) {
            self.earlier.len()
        } else {
            self.earlier.iter().rposition(ran_by)?
        };
        let since_ns = self.programs().nth(index)?.since_ns;
        if since_ns.saturating_add(EXEC_SETTLES_NS) <= time_ns {
            self.first_exec_id = Some(exec_id.wrapping_sub(self.ordinal(index)));
        }
        Some(index)
    }

    /// The programs that are remembered, oldest first.
    pub(super) fn programs(&self) -> impl Iterator<Item = &Incarnation> {
        self.earlier.iter().chain(std::iter::once(&self.current))
    }
}
