//! A process with as many mappings as the kernel allows.

use crate::recording::{PATIENCE, Recording};
use crate::verdict::{Tally, judge};
use crate::{not_met, sampling};
use libtest_mimic::Trial;
use probe::kernel::Target;
use std::time::Instant;
use test_programs::harness::Stopped;
use test_programs::{Program, Running, build};

const HZ: u32 = 499;
const SAMPLES: u64 = 500;
/// What the engine may hold with such a process, with its workers and this test
/// itself, in bytes.
const RESIDENT_MAX: u64 = 512 << 20;
const COMPLETE_MIN: f64 = 99.0;

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        sampling("mappings::are_bounded", || as_many_as_there_can_be(0.0)),
        not_met(
            "the walk knows 63 x 63 executable mappings of a process",
            sampling("mappings::are_all_known", || as_many_as_there_can_be(COMPLETE_MIN)),
        ),
    ]
}

/// With a process that has them, of whose stacks `complete_min` % are complete.
fn as_many_as_there_can_be(complete_min: f64) -> Result<(), Stopped> {
    let busy = Running::start_for(&build(&Program::BusyC)?, 120)?;
    let recording = Recording::start(HZ, Target::Machine)?;
    recording.until_sampled(&[busy.pid()], SAMPLES);
    let before = recording.end();
    drop(busy);

    let path = build(&Program::Mappings)?;
    let running = Running::start_for(&path, PATIENCE.as_secs().try_into().unwrap())?;
    let start = Instant::now();
    let recording = Recording::start(HZ, Target::Machine)?;
    let begun = start.elapsed();
    recording.until_sampled(&[running.pid()], SAMPLES);
    let recorded = recording.end();
    let mut tally = Tally::default();
    let name = path.file_name().unwrap().to_string_lossy();
    for stack in recorded.stacks(|pid, _| pid == running.pid()) {
        tally.add(judge(&stack, &Program::Mappings.chain(), &[&name]), stack.count);
    }
    let (before, books) = (before.books(), recorded.books());
    eprintln!(
        "{} mappings: {tally}; {} MB resident, {} MB without them; {begun:.1?} until a second had \
         been sampled; {:.1} % of a CPU at the end",
        running.note(),
        books.own_rss_bytes >> 20,
        before.own_rss_bytes >> 20,
        books.own_cpu_percent
    );
    if books.own_rss_bytes > RESIDENT_MAX || tally.complete() < complete_min {
        return Err(Stopped::failed(format!("{} B resident, {tally}", books.own_rss_bytes)));
    }
    Ok(())
}
