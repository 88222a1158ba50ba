//! What was counted adds up, whatever happens.

use crate::otop::{Otop, scratch};
use crate::sampling;
use crate::shares::RUN_S;
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;
use test_programs::harness::Stopped;
use test_programs::{Program, Running, build};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        sampling("books::balance", balance),
        sampling("books::count_what_a_full_ring_loses", count_what_a_full_ring_loses),
    ]
}

/// The books of a run, which add up.
fn read(path: &Path) -> Result<Value, Stopped> {
    let books: Value = serde_json::from_str(&std::fs::read_to_string(path)?).unwrap();
    let of = |section: &str, name: &str| {
        books[section][name].as_u64().unwrap_or_else(|| panic!("no {section}.{name}: {books:#}"))
    };
    let (kernel, user) = (|name| of("kernel", name), |name| of("user", name));
    let told = ["filtered_self", "filtered_idle", "filtered_policy", "submitted"];
    let lost = ["lost_ringbuf", "lost_map_full"];
    // Identities 2 to 5, as in `probe::profile::books`.
    let ran: u64 = told.into_iter().chain(lost).map(kernel).sum();
    assert_eq!(kernel("ran"), ran, "identity 2: {books:#}");
    assert_eq!(kernel("submitted"), user("received"), "identity 3: {books:#}");
    assert_eq!(user("received"), user("decoded") + user("lost_decode"), "identity 4: {books:#}");
    assert_eq!(user("decoded"), user("kept") + user("aged_out"), "identity 5: {books:#}");
    Ok(books)
}

fn balance() -> Result<(), Stopped> {
    let _running = Running::start_for(&build(&Program::BusyC)?, RUN_S)?;
    let path = scratch("balance.json");
    let mut otop = Otop::start(["--hz", "499", "--stats-json", &path.display().to_string()]);
    let samples = otop.find("samples", |line| line["samples"].as_u64().filter(|n| *n >= 500));
    otop.end();
    let books = read(&path)?;
    assert!(books["user"]["kept"].as_u64() >= Some(samples), "{books:#}");
    for (section, name) in [
        ("kernel", "lost_ringbuf"),
        ("kernel", "lost_map_full"),
        ("user", "lost_decode"),
        ("user", "lost_process_records"),
    ] {
        assert_eq!(books[section][name], 0, "{section}.{name}: {books:#}");
    }
    Ok(())
}

fn count_what_a_full_ring_loses() -> Result<(), Stopped> {
    let _running = Running::start_for(&build(&Program::BusyC)?, RUN_S)?;
    let path = scratch("full.json");
    let stats = path.display().to_string();
    let arguments = ["--hz", "1999", "--ring-bytes", "4096", "--stats-json", &stats];
    let mut otop = Otop::start(arguments);
    otop.find("samples", |line| (line["samples"].as_u64()? > 0).then_some(()));
    // A page of samples comes in less than a quarter of a second at this rate.
    otop.signal(Signal::STOP);
    std::thread::sleep(std::time::Duration::from_secs(2));
    otop.signal(Signal::CONT);
    let ended = otop.end();
    assert_eq!(ended.status.code(), Some(143), "{}", ended.stderr);
    let books = read(&path)?;
    assert!(books["kernel"]["lost_ringbuf"].as_u64() > Some(1000), "{books:#}");
    assert!(books["otop"]["lost_share"].as_f64() > Some(0.1), "{books:#}");
    Ok(())
}
