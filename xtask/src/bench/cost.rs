//! What otop itself costs while it watches: CPU time, memory, and time in the
//! kernel for each sample.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::bpf_stats::{Measuring, Runs};
use super::table::{heading, row, say};
use super::usage::Usage;
use super::{SIZE, load, machine};
use crate::places;
use crate::terminal::{Terminal, end};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds that each program is watched; at least 20
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(20..))]
    seconds: u64,
    /// Seconds that each program runs before, to read files and name symbols
    #[arg(long, default_value_t = 10)]
    settle: u64,
    /// Samples a second on each CPU
    #[arg(long, value_delimiter = ',', default_values_t = [99, 999])]
    hz: Vec<u32>,
    /// Leave out the idle machine
    #[arg(long)]
    busy_only: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    /// With a screen open; the key chooses which.
    Screen(&'static str),
    Plain,
    PerfTop,
    PerfRecord,
}

const TOOLS: [(&str, Tool); 5] = [
    ("otop, top screen", Tool::Screen("1")),
    ("otop, flame screen", Tool::Screen("2")),
    ("otop --plain", Tool::Plain),
    ("perf top -g", Tool::PerfTop),
    ("perf record -g", Tool::PerfRecord),
];

pub(super) fn run(options: &Options) -> Result<()> {
    let otop = places::otop()?;
    let measuring = Measuring::start()?;
    for hz in &options.hz {
        let load = load::start()?;
        table(options, &otop, *hz, "busy")?;
        drop(load);
        if !options.busy_only {
            table(options, &otop, *hz, "idle")?;
        }
    }
    measuring.stop()?;
    say("\nCPU is user and system time of the tool and its children, in % of one CPU. BPF is")?;
    say("the kernel's time in the sampling program, whose like is not visible for perf.")
}

/// Measures every tool at one rate.
fn table(options: &Options, otop: &Path, hz: u32, state: &str) -> Result<()> {
    say(&format!("\n{} Hz, {state}, {} s each. {}", hz, options.seconds, machine::line()))?;
    heading(&["tool", "CPU %", "BPF %", "BPF µs a run", "runs/s", "RSS MB", "machine busy %"])?;
    for (name, tool) in TOOLS {
        let mut subject = Subject::start(tool, otop, hz)?;
        subject.watch(Duration::from_secs(options.settle)).with_context(|| name)?;
        let (usage, runs) = (Usage::of(subject.pid()), Runs::of(subject.pid()));
        subject.watch(Duration::from_secs(options.seconds)).with_context(|| name)?;
        let (usage_then, runs_then) = (usage, runs);
        let (usage, runs) = (Usage::of(subject.pid()), Runs::of(subject.pid()));
        let seconds = usage.seconds_since(&usage_then);
        let runs = runs_then.zip(runs).map(|(then, now)| now.since(then));
        let of_runs = |figure: &dyn Fn(Runs) -> String| runs.map(figure).unwrap_or_default();
        row(&[
            name.to_owned(),
            format!("{:.2}", usage.cpu_percent(&usage_then)),
            of_runs(&|runs| format!("{:.2}", float(runs.time_ns) / 1e7 / seconds)),
            of_runs(&|runs| format!("{:.1}", float(runs.time_ns) / 1e3 / float(runs.count.max(1)))),
            of_runs(&|runs| format!("{:.0}", float(runs.count) / seconds)),
            format!("{:.0}", usage.resident_mb),
            format!("{:.0}", usage.machine_percent(&usage_then)),
        ])?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
fn float(number: u64) -> f64 {
    number as f64
}

/// A tool that runs.
enum Subject {
    OnTerminal(Box<Terminal>),
    Without(Recorder),
}

impl Subject {
    fn start(tool: Tool, otop: &Path, hz: u32) -> Result<Self> {
        let hz = hz.to_string();
        Ok(match tool {
            Tool::Screen(key) => {
                let mut terminal = Terminal::start(SIZE, otop, ["--hz", &hz])?;
                terminal.press(key)?;
                Self::OnTerminal(Box::new(terminal))
            }
            Tool::PerfTop => {
                let terminal = Terminal::start(SIZE, "perf", ["top", "-g", "--freq", &hz])?;
                Self::OnTerminal(Box::new(terminal))
            }
            Tool::Plain => {
                let mut command = Command::new(otop);
                command.args(["--plain", "--hz", &hz]);
                Self::Without(Recorder::start(&mut command, None)?)
            }
            Tool::PerfRecord => Self::Without(Recorder::perf(&hz)?),
        })
    }

    fn pid(&self) -> u32 {
        match self {
            Self::OnTerminal(terminal) => terminal.pid(),
            Self::Without(recorder) => recorder.child.id(),
        }
    }

    /// Lets it run for `time`.
    fn watch(&mut self, time: Duration) -> Result<()> {
        match self {
            Self::OnTerminal(terminal) => terminal.watch(time),
            Self::Without(recorder) => {
                std::thread::sleep(time);
                match recorder.child.try_wait()? {
                    Some(status) => bail!("ended by itself: {status}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// A tool without a terminal, and the file that it writes, if any.
struct Recorder {
    child: Child,
    file: Option<PathBuf>,
}

impl Recorder {
    fn start(command: &mut Command, file: Option<PathBuf>) -> Result<Self> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let program = command.get_program().to_owned();
        let child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        Ok(Self { child, file })
    }

    fn perf(hz: &str) -> Result<Self> {
        let file = env::temp_dir().join(format!("otop-bench.{}.data", std::process::id()));
        let mut command = Command::new("perf");
        command.args(["record", "--all-cpus", "-g", "--freq", hz, "--output"]).arg(&file);
        Self::start(&mut command, Some(file))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        end(&mut self.child);
        if let Some(file) = &self.file {
            // It is not there if perf has not come so far.
            let _ = fs::remove_file(file);
        }
    }
}
