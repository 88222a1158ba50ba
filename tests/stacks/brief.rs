//! Processes that are gone before anybody can look at them.

use crate::recording::{Recorded, Recording, Stack};
use crate::verdict::percent;
use crate::{sampling, scratch};
use libtest_mimic::Trial;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use test_programs::harness::Stopped;
use test_programs::{Program, Running, build};

const HZ: u32 = 99;
/// Higher where samples are few: each process still gets less than one.
const HZ_STORM: u32 = 499;
/// % of due samples that have to be taken, and of those taken that have to have
/// a name at their leaf.
const TAKEN_MIN: f64 = 90.0;
const NAMED_MIN: f64 = 90.0;
const PROCESSES: u64 = 300;
const STORM: Duration = Duration::from_secs(5);

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        sampling("brief::three_hundred_of_30_ms", three_hundred),
        sampling("brief::a_storm_of_commands", storm),
        sampling("brief::names_follow_exec", names_follow_exec),
    ]
}

fn three_hundred() -> Result<(), Stopped> {
    let path = build(&Program::Brief)?;
    let recording = Recording::start_at_once(HZ)?;
    let left = AtomicU64::new(PROCESSES);
    in_parallel(|| {
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
        {
            quietly(Command::new(&path));
        }
    });
    hold("300 processes of 30 ms", &recording.end(), &["brief_c"])
}

fn storm() -> Result<(), Stopped> {
    let recording = Recording::start_at_once(HZ_STORM)?;
    let ended = AtomicU64::new(0);
    let start = Instant::now();
    in_parallel(|| {
        let commands: [&[&str]; 4] = [
            &["ls", "/"],
            &["sort", "/etc/passwd"],
            &["gzip", "-c", "/etc/passwd"],
            &["bash", "-c", ":"],
        ];
        for line in commands.iter().cycle().take_while(|_| start.elapsed() < STORM) {
            let mut command = Command::new(line[0]);
            command.args(&line[1..]);
            quietly(command);
            ended.fetch_add(1, Ordering::Relaxed);
        }
    });
    let exits = ended.into_inner() / STORM.as_secs();
    let what = format!("{exits} exits a second");
    hold(&what, &recording.end(), &["ls", "sort", "gzip", "bash"])
}

/// Runs `body` in as many threads as keep two CPUs busy with starting processes.
fn in_parallel(body: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(&body);
        }
    });
}

fn quietly(mut command: Command) {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// Whether samples were taken, and those of processes with these names named.
fn hold(what: &str, recorded: &Recorded, names: &[&str]) -> Result<(), Stopped> {
    let taken = 100.0 - recorded.books().lost_share() * 100.0;
    let stacks = recorded.stacks(|_, process| names.contains(&process));
    let count = |some: fn(&&Stack) -> bool| -> u64 {
        stacks.iter().filter(some).map(|stack| stack.count).sum()
    };
    let all = count(|_| true);
    let (user, kernel) =
        (count(|stack| stack.kernel.is_none()), count(|stack| stack.kernel.is_some()));
    let user_named = count(|stack| stack.kernel.is_none() && stack.has_named_leaf());
    let named = percent(count(|stack| stack.has_named_leaf()), all);
    eprintln!(
        "{what}: {taken:.1} % of due samples taken; {all} samples, {named:.1} % named \
         ({:.1} % of {user} in user space; {kernel} in the kernel)",
        percent(user_named, user)
    );
    if taken < TAKEN_MIN || named < NAMED_MIN || all == 0 {
        return Err(Stopped::failed(format!("{taken:.1} % taken, {named:.1} % named")));
    }
    Ok(())
}

/// The function of one of two programs is never seen under the other's name.
fn names_follow_exec() -> Result<(), Stopped> {
    let mut first = None;
    for (name, program) in [("pair_a", Program::PairA), ("pair_b", Program::PairB)] {
        let copy = scratch(name);
        std::fs::copy(build(&program)?, &copy)?;
        first.get_or_insert(copy);
    }
    let first = first.unwrap();
    let recording = Recording::start_at_once(HZ_STORM)?;
    let running = (0..3).map(|_| Running::start_for(&first, 30)).collect::<Result<Vec<_>, _>>()?;
    for name in ["pair_a", "pair_b"] {
        recording.until_sampled_by_name(name, 1000);
    }
    drop(running);
    let recorded = recording.end();
    let (mut right, mut wrong, mut other) = (0, 0, 0);
    let mut example = None;
    for stack in recorded.stacks(|_, process| process.starts_with("pair_")) {
        let own = format!("{}_leaf", stack.process);
        let is_leaf = |function: &str| function.starts_with("pair_") && function.ends_with("_leaf");
        let leaf = stack.user.iter().find(|frame| is_leaf(&frame.function));
        let foreign = stack
            .user
            .iter()
            .find(|frame| frame.module.starts_with("pair_") && frame.module != stack.process);
        match (leaf, foreign) {
            (Some(leaf), None) if leaf.function == own => right += stack.count,
            (None, None) => other += stack.count,
            _ => {
                wrong += stack.count;
                example = Some(stack);
            }
        }
    }
    eprintln!("exec: {right} samples right, {wrong} wrong, {other} outside of the two functions");
    if wrong > 0 || right < 200 {
        return Err(Stopped::failed(format!("{wrong} wrong, {right} right, such as {example:#?}")));
    }
    Ok(())
}
