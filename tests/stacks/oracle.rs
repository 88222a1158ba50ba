//! The same load at the same time by `perf record --call-graph dwarf`, which
//! copies stacks and unwinds them afterwards.

use crate::recording::Recording;
use crate::verdict::percent;
use crate::{sampling, scratch};
use libtest_mimic::Trial;
use probe::kernel::Target;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use test_programs::harness::Stopped;
use test_programs::{Chain, Program, Running, build};

const HZ: u32 = 997;
/// Of each program. The standard error of a share of 60 % is then
/// sqrt(0.6 x 0.4 / 4000) = 0.8 points, for each of the two.
const SAMPLES: u64 = 4000;
/// Total variation distance, in %.
const DISTANCE_MAX: f64 = 3.0;
/// How long the programs run at most, in seconds.
const SECONDS: u32 = 120;

type Distribution = BTreeMap<Vec<String>, u64>;

pub(crate) fn tests() -> Vec<Trial> {
    vec![sampling("oracle::agrees_with_perf", agrees_with_perf)]
}

fn agrees_with_perf() -> Result<(), Stopped> {
    let programs = [
        Program::BusyC,
        Program::BusyRust,
        Program::Realigned,
        Program::Chain(Chain { depth: 120, ..Chain::default() }),
    ];
    let mut running = Vec::new();
    for program in programs {
        let path = build(&program)?;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        running.push((name, Running::start_for(&path, SECONDS)?));
    }
    let pids: Vec<u32> = running.iter().map(|(_, running)| running.pid()).collect();
    let recording = Recording::start(HZ, Target::Processes(pids.clone()))?;
    let data = scratch("perf.data");
    let list: Vec<String> = pids.iter().map(u32::to_string).collect();
    let mut perf = Command::new("perf")
        .args(["record", "-q", "-e", "cpu-clock", "-F", &HZ.to_string()])
        .args(["--call-graph", "dwarf,65528", "-p", &list.join(","), "-o"])
        .arg(&data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|_| Stopped::Ignored("perf is not installed".to_owned()))?;
    recording.until_sampled(&pids, SAMPLES);
    let pid = rustix::process::Pid::from_child(&perf);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let recorded = recording.end();
    perf.wait()?;
    let theirs = by_perf(&data)?;
    std::fs::remove_file(&data)?;
    let mut failed = Vec::new();
    for (name, running) in &running {
        let mut ours = Distribution::new();
        for stack in recorded.stacks(|pid, _| pid == running.pid()) {
            let own = stack.user.iter().filter(|frame| frame.module == *name);
            let names = own.map(|frame| frame.function.clone()).collect();
            *ours.entry(names).or_default() += stack.count;
        }
        let none = Distribution::new();
        let theirs = theirs.get(&running.pid()).unwrap_or(&none);
        let distance = distance(&ours, theirs);
        let sum = |of: &Distribution| of.values().sum::<u64>();
        let line = format!(
            "{name}: distance {distance:.2} %, {} samples of ours in {} stacks, {} of perf's in {}",
            sum(&ours),
            ours.len(),
            sum(theirs),
            theirs.len()
        );
        eprintln!("{line}");
        if distance > DISTANCE_MAX {
            let most =
                |of: &Distribution| of.iter().max_by_key(|(_, n)| **n).map(|(s, _)| s.clone());
            failed.push(format!("{line}\n{:?}\n{:?}", most(&ours), most(theirs)));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Stopped::failed(failed.join("\n"))) }
}

/// Half of the sum of the differences of shares.
fn distance(one: &Distribution, other: &Distribution) -> f64 {
    let sum = |of: &Distribution| of.values().sum::<u64>();
    let share = |of: &Distribution, stack: &Vec<String>| {
        percent(of.get(stack).copied().unwrap_or(0), sum(of))
    };
    let stacks: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    stacks.iter().map(|stack| (share(one, stack) - share(other, stack)).abs()).sum::<f64>() / 2.0
}

/// The functions of each process's own file in its stacks, as perf finds them.
fn by_perf(data: &Path) -> Result<BTreeMap<u32, Distribution>, Stopped> {
    let output = Command::new("perf")
        .args(["script", "--no-inline", "-F", "pid,comm,ip,sym,dso", "-i"])
        .arg(data)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut all: BTreeMap<u32, Distribution> = BTreeMap::new();
    // A sample is a line with the process, and a line for each frame; then an
    // empty one.
    for sample in text.split("\n\n") {
        let mut lines = sample.trim_start_matches('\n').lines();
        let Some((name, pid)) = lines.next().and_then(|line| line.trim().rsplit_once(' ')) else {
            continue;
        };
        let Ok(pid) = pid.parse() else { continue };
        let own = lines.filter_map(|line| own_function(line.trim(), name.trim())).collect();
        *all.entry(pid).or_default().entry(own).or_default() += 1;
    }
    Ok(all)
}

/// The function in a line such as `55d0c0a01139 hot_a (/tmp/busy_c)`, where the
/// file is called `process`, whose name the kernel may have cut.
fn own_function(line: &str, process: &str) -> Option<String> {
    let (rest, file) = line.rsplit_once(" (")?;
    let file = file.strip_suffix(')')?.rsplit('/').next()?;
    let (_, function) = rest.split_once(' ')?;
    file.starts_with(process).then(|| function.to_owned())
}
