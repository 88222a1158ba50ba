//! Each busy program's hot function is first, with the share that it has by
//! construction.

use crate::otop::{Otop, PATIENCE, command, count, functions, rows, scratch, until};
use crate::sampling;
use crate::support::{self, Stage};
use libtest_mimic::Trial;
use probe::profile::{Filter, Scope, Snapshot, processes};
use serde_json::Value;
use std::collections::BTreeMap;
use test_programs::harness::Stopped;
use test_programs::{Program, Running, Share, build};
use tui::event::Event;
use tui::options::{Sampling, Target, Window};

/// Samples a second on each CPU: a prime, so that no program keeps step with it.
pub(crate) const HZ: u32 = 1999;

/// Samples of each program that a share is taken from. The standard error of a
/// share of 60 % is then sqrt(0.6 x 0.4 / 5000) = 0.7 points, so that what is
/// allowed is more than four of it.
pub(crate) const SAMPLES_MIN: u64 = 5000;

/// How far a share may be off, in points.
const POINTS_OFF_MAX: f64 = 3.0;

/// Longer than [`PATIENCE`].
pub(crate) const RUN_S: u32 = 180;

const BUSY: [Program; 3] = [Program::BusyC, Program::BusyCpp, Program::BusyRust];

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        sampling("shares::in_json", in_json),
        sampling("shares::in_folded_stacks", in_folded_stacks),
        sampling("shares::on_the_screen", on_the_screen),
    ]
}

/// A busy program.
struct Busy {
    program: Program,
    /// What its process is called.
    name: String,
    running: Running,
}

fn start() -> Result<Vec<Busy>, Stopped> {
    let start = |program| {
        let path = build(&program)?;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        Ok(Busy { program, name, running: Running::start_for(&path, RUN_S)? })
    };
    BUSY.into_iter().map(start).collect()
}

/// A function's name as otop shows it: without what its signature says.
fn shown(share: &Share) -> &'static str {
    match share.function {
        "shop::Cart::hot_b(unsigned long) const" => "shop::Cart::hot_b",
        "unsigned long shop::warm_b<8u>(unsigned long)" => "shop::warm_b<(unsigned int)8>",
        plain => plain,
    }
}

/// Whether `percent` is the share of this function, as far as samples can tell.
#[track_caller]
pub(crate) fn check(share: &Share, percent: f64) {
    let off = percent - f64::from(share.percent);
    assert!(
        off.abs() <= POINTS_OFF_MAX,
        "{}: {percent:.1} %, not {} %",
        share.function,
        share.percent
    );
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

/// Samples of processes of this name in user space.
fn user_samples(line: &Value, name: &str) -> u64 {
    let processes = rows(line, "processes").iter().filter(|row| row["name"] == name);
    processes.map(|row| count(row, "samples") - count(row, "kernel")).sum()
}

fn in_json() -> Result<(), Stopped> {
    let programs = start()?;
    let mut otop = Otop::start(["--hz", &HZ.to_string()]);
    let enough = |line: &Value| {
        let has = |busy: &Busy| {
            let named = |share| functions(line).contains(&shown(share));
            busy.program.shares().iter().all(named) && user_samples(line, &busy.name) >= SAMPLES_MIN
        };
        programs.iter().all(has).then(|| line.clone())
    };
    let line = otop.find("enough samples of each", enough);
    for Busy { program, name, .. } in &programs {
        let rows: Vec<&Value> =
            rows(&line, "top").iter().filter(|row| row["process"] == **name).collect();
        for (place, share) in program.shares().iter().enumerate() {
            let row = rows.get(place).unwrap_or_else(|| panic!("{} is not there", share.function));
            assert_eq!(row["function"], shown(share));
            check(share, percent(count(row, "self"), user_samples(&line, name)));
        }
    }
    Ok(())
}

fn in_folded_stacks() -> Result<(), Stopped> {
    let programs = start()?;
    let path = scratch("shares.folded");
    let hz = HZ.to_string();
    let mut seconds = 4;
    // A machine that has more to do needs longer.
    let values = loop {
        let duration = format!("{seconds}s");
        let arguments = ["record", "--hz", &hz, "--duration", &duration, "--output"];
        let output = command(arguments).arg(&path).output()?;
        assert!(output.status.success(), "{output:?}");
        let values = shares_of(&std::fs::read_to_string(&path)?);
        let has = |busy: &Busy| sum(&values, &busy.name) >= SAMPLES_MIN;
        if programs.iter().all(has) {
            break values;
        }
        seconds *= 2;
        assert!(seconds < PATIENCE.as_secs(), "too few samples: {values:?}");
    };
    for Busy { program, name, .. } in &programs {
        for share in program.shares() {
            let value = values.get(&(name.clone(), shown(share).to_owned()));
            check(share, percent(value.copied().unwrap_or(0), sum(&values, name)));
        }
    }
    Ok(())
}

/// The values of stacks by process and by the function with a known share that is
/// in them. Interrupts may lie above it.
fn shares_of(folded: &str) -> BTreeMap<(String, String), u64> {
    let mut values = BTreeMap::new();
    let functions: Vec<&str> = BUSY.iter().flat_map(Program::shares).map(shown).collect();
    for line in folded.lines() {
        let (stack, value) = line.rsplit_once(' ').unwrap();
        let mut names = stack.split(';');
        let process = names.next().unwrap();
        if let Some(function) = names.find(|name| functions.contains(name)) {
            let value: u64 = value.parse().unwrap();
            *values.entry((process.to_owned(), function.to_owned())).or_insert(0) += value;
        }
    }
    values
}

fn sum(values: &BTreeMap<(String, String), u64>, process: &str) -> u64 {
    values.iter().filter(|((name, _), _)| name == process).map(|(_, value)| value).sum()
}

fn on_the_screen() -> Result<(), Stopped> {
    let programs = start()?;
    let sampling = Sampling {
        hz: HZ,
        target: Target::Machine,
        with_self: false,
        on_screen: false,
        tables_bytes_max: 64 << 20,
        ring_bytes: None,
    };
    let live = tui::live::start(&sampling).unwrap();
    let samples = |snapshot: &Snapshot, pid: u32| {
        let query = Window::All.query(snapshot, Scope::Machine, Filter::default());
        let rows = processes::processes(snapshot, &query).rows;
        rows.iter().filter(|row| row.key.pid == pid).map(|row| row.samples).sum::<u64>()
    };
    let snapshot = until("enough samples of each", || {
        let snapshot = live.source.latest();
        let has = |busy: &Busy| samples(&snapshot, busy.running.pid()) >= SAMPLES_MIN;
        programs.iter().all(has).then_some(snapshot)
    });
    for Busy { program, running, .. } in &programs {
        let mut stage = Stage::new(160, 40);
        // The window of everything, and one process.
        stage.send(Event::Published(snapshot.clone())).keys(&["w", "w", "/"]);
        stage.text(&format!("pid={}", running.pid())).keys(&["Enter"]);
        let screen = stage.draw();
        for (place, share) in program.shares().iter().enumerate() {
            // Below the header, the tabs and the titles of columns.
            let row = support::row(&screen, 3 + u16::try_from(place).unwrap());
            assert!(row.contains(shown(share)), "{} is not in {row:?}", shown(share));
            check(share, self_percent(&row));
        }
    }
    (live.stop)();
    Ok(())
}

/// The first number in a row of the top list, which may be selected.
pub(crate) fn self_percent(row: &str) -> f64 {
    let first = row.trim_start_matches('▌').split_whitespace().next();
    first.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number: {row:?}"))
}
