//! Tests of the process table.

use super::super::regions::{RegionFile, Regions};
use super::*;
use crate::profile::Text;
use std::sync::Arc;

const MS: u64 = 1_000_000;
/// The machine has slept for this long in these tests.
const OFFSET: u64 = 77_000 * MS;

/// A table, and short words to drive it. Times are in ms of
/// `CLOCK_MONOTONIC`.
struct Play(Table);

impl Play {
    fn new() -> Self {
        Self(Table::new(OFFSET))
    }

    fn event(&mut self, ms: u64, pid: u32, change: Change) -> &mut Self {
        self.0.apply(Event { time_ns: ms * MS, pid, change });
        self
    }

    fn fork(&mut self, ms: u64, parent: u32, pid: u32) -> &mut Self {
        self.event(ms, pid, Change::Fork { parent })
    }

    fn exec(&mut self, ms: u64, pid: u32, name: &str) -> &mut Self {
        self.event(ms, pid, Change::Comm { tid: pid, name: name.into(), exec: true });
        self.map(ms, pid, name)
    }

    /// Maps a file at 0x1000.
    fn map(&mut self, ms: u64, pid: u32, path: &str) -> &mut Self {
        self.event(ms, pid, Change::Mmap(region(path)))
    }

    fn exit(&mut self, ms: u64, pid: u32, tid: u32) -> &mut Self {
        self.event(ms, pid, Change::Exit { tid })
    }

    /// As a scan at `ms` sees a process that began at `start_ms`.
    fn seed(&mut self, ms: u64, pid: u32, start_ms: u64, threads: u32, path: &str) -> &mut Self {
        let mut regions = Regions::default();
        regions.map(region(path));
        self.0.seed(Seen {
            pid,
            start: StartRange::of_ticks((start_ms * MS + OFFSET) / (10 * MS), 100),
            as_of_ns: ms * MS,
            name: path.into(),
            is_kernel_thread: false,
            threads,
            exe: Some(path.into()),
            place: Place::default(),
            regions,
        });
        self
    }

    /// The file at 0x1000 in the process of a sample, or why there is none.
    #[track_caller]
    fn check(&mut self, ms: u64, (pid, start_ms, exec_id): (u32, u64, u32), expected: &str) {
        let start_ns = start_ms * MS + OFFSET;
        let who = Who { pid, start_ns, exec_id, time_ns: ms * MS };
        let before = self.0.counts();
        let found = self.0.find(who).map(|program| match program.regions.lookup(0x1000) {
            Some(region) => match &*region.file {
                RegionFile::File { path, .. } => path.to_string(),
                other => format!("{other:?}"),
            },
            None => "nothing".to_owned(),
        });
        let after = self.0.counts();
        let found = found.unwrap_or_else(|| {
            if after.samples_early > before.samples_early {
                "early".to_owned()
            } else if after.samples_unseen > before.samples_unseen {
                "unseen".to_owned()
            } else {
                assert!(after.samples_unknown > before.samples_unknown, "a miss is counted");
                "unknown".to_owned()
            }
        });
        assert_eq!(found, expected);
    }
}

fn region(path: &str) -> Region {
    let file = RegionFile::File { build_id: None, device_inode: (1, 1), path: path.into() };
    Region { start: 0x1000, end: 0x2000, offset: 0, file: Arc::new(file) }
}

#[test]
fn fork_then_exec() {
    let mut play = Play::new();
    play.seed(1000, 10, 500, 1, "/sh").fork(1100, 10, 11);
    play.check(1101, (11, 1100, 3), "/sh");
    play.exec(1200, 11, "/ls");
    play.check(1300, (11, 1100, 4), "/ls");
    play.check(1150, (11, 1100, 3), "/sh");
    play.check(1300, (10, 500, 3), "/sh");
    let found =
        play.0.find(Who { pid: 11, start_ns: 1100 * MS + OFFSET, exec_id: 4, time_ns: 1300 * MS });
    let found = found.expect("the child");
    assert_eq!((found.name.as_str(), found.exe.as_ref().map(Text::as_str)), ("/ls", Some("/ls")));
}

#[test]
fn a_fork_without_exec_shares_its_parents_regions() {
    let mut play = Play::new();
    play.seed(1000, 10, 500, 1, "/zygote");
    for pid in 11..200 {
        play.fork(1000 + u64::from(pid), 10, pid);
    }
    play.check(2000, (150, 1150, 3), "/zygote");
    let (_, parent) = play.0.living().find(|(pid, _)| *pid == 10).expect("the parent");
    assert_eq!(parent.regions.sharers(), 190);
    play.0.expire(3000 * MS);
    assert!(play.0.regions <= 1, "{} regions are counted", play.0.regions);
}

#[test]
fn a_library_is_not_taken_for_the_executable() {
    let mut play = Play::new();
    play.fork(1000, 10, 11).map(1001, 11, "/lib.so");
    let exe = |play: &Play| play.0.living().find_map(|(_, program)| program.exe.clone());
    assert_eq!(exe(&play), None);
    play.exec(1002, 11, "/ls").map(1003, 11, "/ld.so");
    assert_eq!(exe(&play), Some("/ls".into()));
}

#[test]
fn vfork_leaves_the_parents_regions_alone() {
    let mut play = Play::new();
    play.seed(1000, 10, 500, 1, "/make").fork(1100, 10, 11).exec(1101, 11, "/cc");
    play.check(1200, (10, 500, 1), "/make");
    play.check(1200, (11, 1100, 2), "/cc");
}

#[test]
fn exec_storm() {
    let mut play = Play::new();
    play.seed(1000, 10, 500, 1, "/0");
    play.check(1001, (10, 500, 7), "/0");
    for i in 1..=100_u32 {
        play.exec(1000 + u64::from(i) * 10, 10, &format!("/{i}"));
    }
    play.check(2005, (10, 500, 107), "/100");
    play.check(1980, (10, 500, 104), "/97");
    play.check(1970, (10, 500, 103), "early");
    play.check(2006, (10, 500, 108), "unseen");
    assert_eq!(play.0.take_wanted(), [10]);
    play.seed(2010, 10, 500, 1, "/101").check(2020, (10, 500, 108), "/101");
}

#[test]
fn exec_count_is_learnt_in_the_middle() {
    let mut play = Play::new();
    play.seed(1000, 10, 500, 1, "/0").exec(1100, 10, "/1").exec(1200, 10, "/2");
    play.check(1150, (10, 500, 41), "/1");
    play.check(1300, (10, 500, 42), "/2");
    play.check(1301, (10, 500, 43), "unseen");
    // Learnt, so that the time no longer matters.
    play.check(1, (10, 500, 40), "/0");
}

#[test]
fn a_sample_at_the_moment_of_exec_teaches_nothing() {
    let mut play = Play::new();
    play.seed(1000, 10, 500, 1, "/0").exec(1100, 10, "/1");
    play.check(1100, (10, 500, 5), "/1");
    play.check(1200, (10, 500, 6), "/1");
    play.check(1201, (10, 500, 6), "/1");
}

#[test]
fn a_pid_used_again() {
    let mut play = Play::new();
    play.seed(1000, 1, 0, 1, "/init").fork(1100, 1, 11).exec(1101, 11, "/a").exit(1200, 11, 11);
    play.fork(1201, 1, 11);
    play.check(1202, (11, 1201, 1), "/init");
    play.check(1150, (11, 1100, 2), "/a");
    play.exec(1203, 11, "/b");
    play.check(1204, (11, 1201, 2), "/b");
    play.check(1199, (11, 1100, 2), "/a");
    // Late, after the new owner has begun: still the old one's.
    play.check(1300, (11, 1100, 2), "/a");
}

#[test]
fn a_pid_used_again_without_a_report() {
    let mut play = Play::new();
    play.seed(1000, 1, 0, 1, "/init").fork(1100, 1, 11).exec(1101, 11, "/a");
    play.check(1150, (11, 1100, 2), "/a");
    play.check(9000, (11, 8000, 2), "unknown");
    assert_eq!(play.0.take_wanted(), [11]);
    play.seed(9001, 11, 8000, 1, "/b");
    play.check(9002, (11, 8000, 2), "/b");
    play.check(9002, (11, 1100, 2), "/a");
    play.check(9002, (11, 8010, 2), "unknown");
}

#[test]
fn a_scan_after_the_fork_narrows_its_start() {
    let mut play = Play::new();
    play.seed(1000, 1, 0, 1, "/init").fork(2000, 1, 11).seed(2500, 11, 1995, 1, "/a");
    play.check(2600, (11, 1700, 1), "unknown");
    play.check(2600, (11, 1996, 1), "/a");
    // Dead, and there again: that is somebody else.
    play.exit(2700, 11, 11).seed(2710, 11, 2702, 1, "/b");
    play.check(2800, (11, 2703, 1), "/b");
    play.check(2800, (11, 1996, 1), "/a");
}

#[test]
fn starts_in_the_same_tick_are_told_apart() {
    let mut play = Play::new();
    play.seed(1000, 11, 500, 1, "/a");
    play.check(1001, (11, 503, 1), "/a");
    play.check(1001, (11, 504, 1), "unknown");
}

#[test]
fn a_lost_exit_cannot_mix_two_lives() {
    let mut play = Play::new();
    play.seed(1000, 1, 0, 1, "/init").fork(1100, 1, 11).exec(1101, 11, "/a").fork(1300, 1, 11);
    play.exec(1301, 11, "/b");
    play.check(1302, (11, 1300, 2), "/b");
    play.check(1302, (11, 1100, 2), "/a");
}

#[test]
fn threads_end_before_their_process() {
    let mut play = Play::new();
    play.seed(1000, 10, 500, 1, "/a").fork(1010, 10, 10).fork(1020, 10, 10);
    play.exit(1100, 10, 22);
    play.0.expire(20_000 * MS);
    play.check(20_001, (10, 500, 1), "/a");
    // The leader goes, one thread goes on.
    play.exit(20_100, 10, 10);
    play.0.expire(40_000 * MS);
    play.check(40_001, (10, 500, 1), "/a");
    play.map(40_002, 10, "/b").check(40_003, (10, 500, 1), "/b");
    play.exit(40_100, 10, 23);
    play.0.expire(42_000 * MS);
    play.check(40_099, (10, 500, 1), "/b");
    play.0.expire(44_000 * MS);
    play.check(44_001, (10, 500, 1), "unknown");
    assert!(play.0.is_empty());
}

#[test]
fn a_thread_that_execs_becomes_the_leader() {
    let mut play = Play::new();
    play.seed(1000, 10, 500, 3, "/a").exit(1100, 10, 10).exit(1100, 10, 11).exec(1101, 10, "/b");
    play.0.expire(90_000 * MS);
    play.check(90_001, (10, 500, 2), "/b");
    play.exit(90_100, 10, 10);
    play.0.expire(95_000 * MS);
    assert!(play.0.is_empty());
}

#[test]
fn a_process_that_lost_its_leader_is_forgotten_in_the_end() {
    let mut play = Play::new();
    play.seed(1000, 10, 500, 9, "/a").exit(1100, 10, 10);
    play.0.expire(61_000 * MS);
    assert_eq!(play.0.len(), 1);
    play.0.expire(62_000 * MS);
    assert!(play.0.is_empty());
}

#[test]
fn events_that_the_scan_saw_already_change_nothing() {
    let mut play = Play::new();
    play.seed(1000, 10, 500, 1, "/new").exec(900, 10, "/old").exit(950, 10, 10);
    play.check(1100, (10, 500, 4), "/new");
    // The fork's report may come just after the scan saw the child.
    play.seed(1200, 11, 1199, 1, "/new").fork(1201, 10, 11);
    play.check(1300, (11, 1199, 4), "/new");
    assert_eq!(play.0.len(), 2);
    assert_eq!(play.0.counts().events_stale, 4);
}

#[test]
fn a_sample_from_before_the_scan_is_not_guessed() {
    let mut play = Play::new();
    play.seed(1000, 10, 500, 1, "/a");
    play.check(999, (10, 500, 4), "early");
    play.check(1002, (10, 500, 4), "/a");
    play.check(999, (10, 500, 4), "/a");
    play.check(999, (10, 500, 3), "early");
}

#[test]
fn what_is_not_known_is_asked_for_once() {
    let mut play = Play::new();
    play.map(1000, 10, "/a").map(1001, 10, "/b").exit(1002, 12, 12);
    for pid in [0, u32::MAX] {
        play.map(1003, pid, "/x");
    }
    assert_eq!(play.0.take_wanted(), [10, 12]);
    play.map(1004, 10, "/a");
    assert!(play.0.take_wanted().is_empty());
    play.0.expire(2000 * MS);
    play.map(2001, 10, "/a");
    assert_eq!(play.0.take_wanted(), [10]);
    for pid in 1000..100_000 {
        play.map(2002, pid, "/a");
    }
    assert!(play.0.take_wanted().len() < WANTED_MAX);
    assert!(play.0.is_empty());
}

#[test]
fn processes_are_bounded() {
    let mut play = Play::new();
    play.seed(1000, 1, 0, 1, "/init");
    for pid in 2..100_000 {
        play.fork(1001, 1, pid);
    }
    assert_eq!(play.0.len(), PROCESSES_MAX);
    assert_eq!(play.0.counts().processes_dropped, 99_999 - PROCESSES_MAX as u64);
    for pid in 2..100_000 {
        play.exit(1002, pid, pid);
    }
    play.0.expire(10_000 * MS);
    assert_eq!(play.0.len(), 1);
    for i in 0..1000 {
        play.fork(20_000 + i, 1, 7).exit(20_000 + i, 7, 7);
    }
    assert_eq!(play.0.len(), 1 + LIVES_MAX);
}

#[test]
fn regions_of_many_processes_are_bounded() {
    let mut play = Play::new();
    play.seed(1000, 1, 0, 1, "/init");
    let jit = region("/jit");
    for pid in 2..102_u32 {
        play.fork(1001, 1, pid);
        for i in 0..3000_u64 {
            let start = 0x10_0000 + i * 0x2000;
            let region = Region { start, end: start + 0x1000, ..jit.clone() };
            play.event(1002, pid, Change::Mmap(region));
        }
    }
    play.0.expire(2000 * MS);
    assert!(play.0.regions <= REGIONS_TOTAL_MAX, "{}", play.0.regions);
    assert!(play.0.regions > REGIONS_TOTAL_MAX / 2, "{}", play.0.regions);
    assert!(play.0.counts().regions_dropped > 0);
    // Those with few are still served.
    play.fork(2001, 1, 9000).exec(2002, 9000, "/late");
    play.check(2003, (9000, 2001, 2), "/late");
}
