//! One process alone.

use crate::otop::{Otop, count, functions, rows};
use crate::sampling;
use crate::shares::RUN_S;
use libtest_mimic::Trial;
use test_programs::harness::Stopped;
use test_programs::{Program, Running, build};

pub(crate) fn tests() -> Vec<Trial> {
    vec![sampling("target::one_process_alone", one_process_alone)]
}

fn one_process_alone() -> Result<(), Stopped> {
    let path = build(&Program::BusyC)?;
    // One beside it that does the same.
    let watched = Running::start_for(&path, RUN_S)?;
    let _other = Running::start_for(&path, RUN_S)?;
    let mut otop = Otop::start(["--hz", "499", "--pid", &watched.pid().to_string()]);
    let line = otop.find("a hundred samples, named", |line| {
        let enough = count(line, "samples") >= 100 && functions(line).first() == Some(&"hot_a");
        enough.then(|| line.clone())
    });
    let pids: Vec<u64> = rows(&line, "processes").iter().map(|row| count(row, "pid")).collect();
    assert_eq!(pids, [u64::from(watched.pid())]);
    let samples: u64 = rows(&line, "processes").iter().map(|row| count(row, "samples")).sum();
    assert_eq!(count(&line, "samples"), samples);
    Ok(())
}
