//! Every process, as it was at the time of an event or a sample.
//!
//! Events and samples come merged in the order of their times. Before the
//! first event, every process that a scan saw is put in with [`Table::seed`];
//! the reports must have begun before the scan, and samples are best asked for
//! after it.

use super::event::{Change, Event};
use super::intern::Interner;
use super::life::{Incarnation, Life, Miss};
use super::regions::Region;
use super::scan::Seen;
use super::stat::StartRange;
use crate::profile::Place;
use std::collections::{HashMap, HashSet, VecDeque};

/// How many processes are known at a time, the dead included.
pub const PROCESSES_MAX: usize = 16_384;

/// How many regions all processes may have together; shared ones count once.
pub const REGIONS_TOTAL_MAX: usize = 1 << 19;

/// Beyond half of [`REGIONS_TOTAL_MAX`], a process with more regions than this
/// gets no others, so that a few cannot take the room of all.
const REGIONS_FAIR: usize = 512;

/// How long the dead are kept for samples that come late.
const DEAD_KEPT_NS: u64 = 3_000_000_000;

/// How long a process without its leader is kept after it was last heard of.
const LEADERLESS_KEPT_NS: u64 = 60_000_000_000;

/// How often the dead are looked for.
const EXPIRE_EVERY_NS: u64 = 1_000_000_000;

/// How many incarnations of one pid are kept.
const LIVES_MAX: usize = 4;

/// How many pids [`Table::take_wanted`] asks for between two expiries.
const WANTED_MAX: usize = 256;

/// How long before the report of a fork the child's start can have been read
/// off the clock (`copy_process` does the one well before the other, and may
/// be preempted between).
const FORK_REPORT_NS: u64 = 1_000_000_000;

/// By how much the clocks of the two may disagree.
const CLOCK_SKEW_NS: u64 = 1_000_000;

/// Whose a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The pid (thread group id).
    pub pid: u32,
    /// The start of the thread group's leader, in ns since boot
    /// (`start_boottime`).
    pub start_ns: u64,
    /// `self_exec_id`.
    pub exec_id: u32,
    /// When it was taken, in ns of `CLOCK_MONOTONIC`.
    pub time_ns: u64,
}

/// What the table counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Processes not taken in because of [`PROCESSES_MAX`].
    pub processes_dropped: u64,
    /// Regions not taken in because of a limit.
    pub regions_dropped: u64,
    /// Events about what a scan had seen already.
    pub events_stale: u64,
    /// Events about a process that is not known.
    pub events_orphaned: u64,
    /// Samples of a process that is not known.
    pub samples_unknown: u64,
    /// Samples from before what is known of their process.
    pub samples_early: u64,
    /// Samples from after an `exec` that was not reported.
    pub samples_unseen: u64,
}

/// All processes of this host.
#[derive(Debug, Default)]
pub struct Table {
    /// By pid; the newest life last.
    lives: HashMap<u32, VecDeque<Life>, foldhash::fast::RandomState>,
    count: usize,
    /// At least as many as there are; exact after each expiry.
    regions: usize,
    files: Interner,
    boot_offset_ns: u64,
    expire_at_ns: u64,
    wanted: Vec<u32>,
    asked: HashSet<u32, foldhash::fast::RandomState>,
    counts: Counts,
}

impl Table {
    /// An empty one, with [`boot_offset_ns`](super::clock::boot_offset_ns).
    #[must_use]
    pub fn new(boot_offset_ns: u64) -> Self {
        Self { boot_offset_ns, ..Self::default() }
    }

    /// Sets the distance of the clocks, after the machine may have slept.
    pub const fn set_boot_offset_ns(&mut self, boot_offset_ns: u64) {
        self.boot_offset_ns = boot_offset_ns;
    }

    /// Takes in what a scan saw, in place of whatever is known about the same
    /// process.
    pub fn seed(&mut self, seen: Seen) {
        let pid = seen.pid;
        let mut life = Life::seen(seen);
        let mut regions = super::Regions::default();
        let mut dropped = life.current.regions.dropped();
        for region in life.current.regions.iter() {
            let mut region = region.clone();
            self.files.share(&mut region);
            if has_room(self.regions, regions.len()) {
                self.regions += usize::from(regions.map(region));
            } else {
                dropped += 1;
            }
        }
        self.counts.regions_dropped += dropped;
        life.current.regions = regions;
        if let Some(known) = self.lives.get_mut(&pid).and_then(VecDeque::back_mut) {
            if known.end_ns.is_none() && known.start.overlaps(life.start) {
                // What samples have told about it may be more exact.
                life.start = known.start.overlap(life.start);
                *known = life;
                return;
            }
            known.end_ns.get_or_insert(life.as_of_ns);
        }
        self.add(pid, life);
    }

    /// Takes in an event.
    pub fn apply(&mut self, event: Event) {
        let Event { time_ns, pid, change } = event;
        match change {
            Change::Fork { parent } if parent != pid => self.fork(pid, parent, time_ns),
            Change::Fork { .. } => {
                self.update(pid, time_ns, |life| life.threads += 1);
            }
            Change::Mmap(region) => self.mmap(pid, time_ns, region),
            Change::Comm { name, exec: true, .. } => {
                self.update(pid, time_ns, |life| life.exec(name, time_ns));
            }
            Change::Comm { tid, name, .. } => self.update(pid, time_ns, |life| {
                if tid == pid {
                    life.current.name = name;
                }
            }),
            Change::Exit { tid } => self.update(pid, time_ns, |life| {
                life.threads -= 1;
                if tid == pid {
                    life.leader_exit_ns = Some(time_ns);
                }
                if life.leader_exit_ns.is_some() && life.threads <= 0 {
                    life.end_ns = Some(time_ns);
                }
            }),
        }
    }

    /// The incarnation that a sample belongs to, if it is known for certain.
    pub fn find(&mut self, who: Who) -> Option<&Incarnation> {
        let lives = self.lives.get_mut(&who.pid);
        let life = lives.and_then(|lives| {
            let index = lives.iter().rposition(|life| life.start.contains(who.start_ns))?;
            lives.get_mut(index)
        });
        let Some(life) = life else {
            self.counts.samples_unknown += 1;
            want(&mut self.wanted, &mut self.asked, who.pid);
            return None;
        };
        life.start = StartRange { min_ns: who.start_ns, max_ns: who.start_ns };
        life.touched_ns = life.touched_ns.max(who.time_ns);
        match life.program(who.exec_id, who.time_ns) {
            Ok(program) => Some(program),
            Err(Miss::Early) => {
                self.counts.samples_early += 1;
                None
            }
            Err(Miss::Unseen) => {
                self.counts.samples_unseen += 1;
                want(&mut self.wanted, &mut self.asked, who.pid);
                None
            }
        }
    }

    /// Corrects where a process belongs: a child may leave its parent's cgroup.
    pub fn set_place(&mut self, pid: u32, place: Place) {
        if let Some(life) = self.lives.get_mut(&pid).and_then(VecDeque::back_mut) {
            life.current.place = place;
        }
    }

    /// The pids that events or samples spoke of and that are not known, for
    /// [`scan::one`](super::scan::one) and [`Table::seed`].
    pub fn take_wanted(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.wanted)
    }

    /// Every living process with its running program.
    pub fn living(&self) -> impl Iterator<Item = (u32, &Incarnation)> {
        let newest = self.lives.iter().filter_map(|(pid, lives)| Some((*pid, lives.back()?)));
        newest.filter(|(_, life)| life.end_ns.is_none()).map(|(pid, life)| (pid, &life.current))
    }

    /// A living process: when it began, and its running program.
    #[must_use]
    pub fn current(&self, pid: u32) -> Option<(StartRange, &Incarnation)> {
        let life = self.lives.get(&pid)?.back()?;
        life.end_ns.is_none().then_some((life.start, &life.current))
    }

    /// How many processes are known, the dead included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether none are known.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Forgets those that have been dead for a few seconds.
    pub fn expire(&mut self, now_ns: u64) {
        if now_ns < self.expire_at_ns {
            return;
        }
        self.expire_at_ns = now_ns.saturating_add(EXPIRE_EVERY_NS);
        self.asked.clear();
        let (mut count, mut regions) = (0, 0);
        self.lives.retain(|_, lives| {
            lives.retain(|life| !is_over(life, now_ns));
            count += lives.len();
            for program in lives.iter().flat_map(Life::programs) {
                regions += program.regions.len() / program.regions.sharers();
            }
            !lives.is_empty()
        });
        self.count = count;
        self.regions = regions;
    }

    fn fork(&mut self, pid: u32, parent: u32, time_ns: u64) {
        let boot_ns = time_ns.saturating_add(self.boot_offset_ns);
        let mut start = StartRange {
            min_ns: boot_ns.saturating_sub(FORK_REPORT_NS),
            max_ns: boot_ns.saturating_add(CLOCK_SKEW_NS),
        };
        if let Some(before) = self.lives.get_mut(&pid).and_then(VecDeque::back_mut) {
            let same = before.from_scan && before.end_ns.is_none() && before.start.overlaps(start);
            if same || time_ns < before.as_of_ns {
                self.counts.events_stale += 1;
                return;
            }
            // A pid is given again only after its owner has gone.
            let end_ns = *before.end_ns.get_or_insert(time_ns);
            let not_before = end_ns.saturating_add(self.boot_offset_ns);
            let not_before = not_before.saturating_sub(CLOCK_SKEW_NS).min(boot_ns);
            start.min_ns = start.min_ns.max(not_before).max(before.start.min_ns + 1);
            before.start.max_ns = before.start.max_ns.min(start.min_ns - 1);
        }
        let parent_life = self.lives.get(&parent).and_then(VecDeque::back);
        let parent_life = parent_life.filter(|life| life.end_ns.is_none());
        if parent_life.is_none() {
            self.counts.events_orphaned += 1;
            want(&mut self.wanted, &mut self.asked, pid);
        }
        let life = Life::forked(parent_life, start, time_ns);
        self.add(pid, life);
    }

    fn mmap(&mut self, pid: u32, time_ns: u64, mut region: Region) {
        self.files.share(&mut region);
        let mut total = self.regions;
        let mut fits = true;
        self.update(pid, time_ns, |life| {
            let is_new = life.has_execed();
            let program = &mut life.current;
            let own = program.regions.len();
            // Changing what is shared copies it first.
            let grows = if program.regions.sharers() > 1 { own + 1 } else { 1 };
            fits = has_room(total + grows, own);
            if fits {
                if let super::RegionFile::File { path, .. } = &*region.file
                    && is_new
                    && program.exe.is_none()
                {
                    // The kernel maps the program first, then its interpreter.
                    program.exe = Some(path.clone());
                }
                fits = program.regions.map(region);
                total += grows;
            }
        });
        self.regions = total;
        self.counts.regions_dropped += u64::from(!fits);
    }

    /// Changes the life that an event is about, unless a scan has seen the
    /// change already.
    fn update(&mut self, pid: u32, time_ns: u64, change: impl FnOnce(&mut Life)) {
        let life = self.lives.get_mut(&pid).and_then(VecDeque::back_mut);
        match life {
            Some(life) if time_ns < life.as_of_ns => self.counts.events_stale += 1,
            Some(life) if life.end_ns.is_none() => {
                life.touched_ns = life.touched_ns.max(time_ns);
                change(life);
            }
            _ => {
                self.counts.events_orphaned += 1;
                want(&mut self.wanted, &mut self.asked, pid);
            }
        }
    }

    fn add(&mut self, pid: u32, life: Life) {
        if self.count >= PROCESSES_MAX {
            self.counts.processes_dropped += 1;
            return;
        }
        let lives = self.lives.entry(pid).or_default();
        lives.push_back(life);
        self.count += 1;
        if lives.len() > LIVES_MAX {
            lives.pop_front();
            self.count -= 1;
        }
    }
}

/// Asks for a scan of `pid`, once until the next expiry.
fn want(wanted: &mut Vec<u32>, asked: &mut HashSet<u32, foldhash::fast::RandomState>, pid: u32) {
    // 0 is the idle task; what is not a pid is from outside of the namespace.
    let is_pid = pid != 0 && i32::try_from(pid).is_ok();
    if is_pid && asked.len() < WANTED_MAX && asked.insert(pid) {
        wanted.push(pid);
    }
}

const fn has_room(total: usize, own: usize) -> bool {
    total <= REGIONS_TOTAL_MAX / 2 || (total <= REGIONS_TOTAL_MAX && own < REGIONS_FAIR)
}

fn is_over(life: &Life, now_ns: u64) -> bool {
    let past = |then_ns: u64, kept_ns: u64| then_ns.saturating_add(kept_ns) <= now_ns;
    life.end_ns.is_some_and(|end_ns| past(end_ns, DEAD_KEPT_NS))
        || life.leader_exit_ns.is_some() && past(life.touched_ns, LEADERLESS_KEPT_NS)
}

#[cfg(test)]
mod tests;
