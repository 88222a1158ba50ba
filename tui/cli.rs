//! The command line: flags to [`Options`], and a help text that teaches.

use crate::options::{
    HZ_MAX, INTERVAL_MIN, Options, Sampling, Target, Task, Window, parse_bytes, parse_duration,
};
use clap::{Args, CommandFactory as _, Parser, Subcommand, error::ErrorKind};
use probe::profile::Filter;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The time between two blocks of plain output.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  sudo otop                         watch the whole machine
  sudo otop -p 1234                 watch one process
  sudo otop -- make -j8             start a command and watch it
  sudo otop --filter fn~parse       only stacks with such a function
  sudo otop --plain -n 1            one block of text, then exit
  sudo otop --plain --json | jq .   one JSON object a line
  sudo otop record -o out.folded -d 30s
  sudo otop doctor                  can this host be sampled, and if not, why

Press ? on the screen for its keys.";

/// See which functions use the CPU, live, on the whole machine
///
/// otop samples every CPU and shows where the time goes: a top list of
/// functions, flame views of everything or of one process, and the processes.
/// It needs root, or CAP_BPF and CAP_PERFMON; `otop doctor` says what is missing.
#[derive(Clone, Debug, Parser)]
#[expect(clippy::doc_markdown, reason = "the help text is no Markdown")]
#[command(name = "otop", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    view: ViewArgs,

    #[command(flatten)]
    sampling: SamplingArgs,

    /// Start this command and sample it and its children
    #[arg(last = true, value_name = "COMMAND")]
    run: Vec<OsString>,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Sample for a while and write folded stacks, for flame graph tools
    Record {
        /// The file to write; it is replaced only once the new one is whole
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,

        /// How long to sample; with a command, until it ends if that is sooner
        #[arg(short, long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
        duration: Duration,

        /// Start this command and sample it and its children
        #[arg(last = true, value_name = "COMMAND")]
        run: Vec<OsString>,
    },
    /// Say whether this host can be sampled, and what to do if not
    Doctor,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
struct OutputArgs {
    /// Print a block of text every interval instead of opening the screen
    ///
    /// So it does by itself where the output is no terminal.
    #[arg(long)]
    plain: bool,

    /// Stop after this many blocks of plain output
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rounds: Option<u64>,

    /// Plain output as JSON, one object a line
    #[arg(long)]
    json: bool,

    /// Write what was counted and what was lost to FILE at exit
    #[arg(long, value_name = "FILE", global = true)]
    stats_json: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
#[expect(clippy::doc_markdown, reason = "the help text is no Markdown")]
#[command(next_help_heading = "View")]
struct ViewArgs {
    /// How far back to look: a time such as 1s, 10s or 2m, or `all` [default: 10s]
    #[arg(short, long, value_name = "TIME")]
    window: Option<Window>,

    /// The time between two blocks of plain output [default: 1s]
    #[arg(short, long, value_name = "TIME", value_parser = parse_interval)]
    interval: Option<Duration>,

    /// Only samples for which all of this holds, such as `comm=api fn~parse`
    #[arg(short, long, value_name = "EXPRESSION", value_parser = crate::filter::parse)]
    filter: Option<Filter>,

    /// Colours: dark or light [default: dark; none where NO_COLOR is set]
    #[arg(long, value_name = "NAME", value_parser = parse_theme)]
    theme: Option<String>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Sampling")]
struct SamplingArgs {
    /// Samples a second on each CPU
    #[arg(long, value_name = "HZ", default_value_t = 99, global = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(HZ_MAX)))]
    hz: u32,

    /// Only this process
    #[arg(short, long, value_name = "PID", global = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,

    /// Count otop's own samples as well
    #[arg(long, global = true)]
    with_self: bool,

    /// Memory that unwind tables may take in the kernel; past it, the longest
    /// unused make room
    #[arg(long, value_name = "BYTES", default_value = "64M", global = true)]
    #[arg(value_parser = parse_bytes)]
    table_memory: u64,

    /// Bytes of the kernel's buffer of samples, for tests of what happens when it is full
    #[arg(long, value_name = "BYTES", hide = true, global = true)]
    ring_bytes: Option<u32>,
}

/// What to sample, and how.
fn sampling(args: &SamplingArgs, run: Vec<OsString>) -> Result<Sampling, clap::Error> {
    let SamplingArgs { hz, pid, with_self, table_memory, ring_bytes } = *args;
    let target = match pid {
        Some(_) if !run.is_empty() => {
            return Err(conflict("--pid cannot be used with a command to start"));
        }
        Some(pid) => Target::Pid(pid),
        None if run.is_empty() => Target::Machine,
        None => Target::Command(run),
    };
    Ok(Sampling {
        hz,
        target,
        with_self,
        on_screen: false,
        tables_bytes_max: table_memory,
        ring_bytes,
    })
}

fn conflict(message: &str) -> clap::Error {
    Cli::command().error(ErrorKind::ArgumentConflict, message)
}

/// The first flag here that says how to show what a subcommand does not show.
fn for_screens_only(output: &OutputArgs, view: &ViewArgs) -> Option<&'static str> {
    let OutputArgs { plain, rounds, json, stats_json: _ } = output;
    let ViewArgs { window, interval, filter, theme } = view;
    let given = [
        (*plain, "--plain"),
        (rounds.is_some(), "--rounds"),
        (*json, "--json"),
        (window.is_some(), "--window"),
        (interval.is_some(), "--interval"),
        (filter.is_some(), "--filter"),
        (theme.is_some(), "--theme"),
    ];
    given.into_iter().find_map(|(given, flag)| given.then_some(flag))
}

impl Cli {
    /// What the command line says. `screen` is whether there is a terminal to
    /// open the screen on.
    ///
    /// # Errors
    ///
    /// Where flags contradict each other.
    pub fn options(self, screen: bool) -> Result<Options, clap::Error> {
        let Self { command, output, view, sampling: args, mut run } = self;
        if let (Some(_), Some(flag)) = (&command, for_screens_only(&output, &view)) {
            return Err(conflict(&format!("{flag} cannot be used with a subcommand")));
        }
        let OutputArgs { plain, rounds, json, stats_json } = output;
        let plain = plain || !screen;
        if !plain && (rounds.is_some() || json) {
            return Err(conflict("-n and --json are for plain output; add --plain"));
        }
        let task = match command {
            Some(Command::Record { output, duration, run: of_record }) => {
                run = of_record;
                Task::Record { output, duration }
            }
            Some(Command::Doctor) => Task::Doctor,
            None if plain => Task::Plain { rounds, json },
            None => Task::Screen,
        };
        let ViewArgs { window, interval, filter, theme } = view;
        let window = window.unwrap_or(Window::DEFAULT);
        let interval = interval.unwrap_or(INTERVAL_DEFAULT);
        let filter = filter.unwrap_or_default();
        let on_screen = task == Task::Screen;
        let sampling = Sampling { on_screen, ..sampling(&args, run)? };
        Ok(Options { task, sampling, window, interval, theme, filter, stats_json })
    }
}

/// What is wrong with a command line, in one line: what clap says up to its
/// usage, which `--help` tells.
#[must_use]
pub fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let paragraphs = text.split("\n\n").take_while(|text| !text.starts_with("Usage:"));
    let words = paragraphs.take_while(|text| !text.starts_with("For more information"));
    let words: Vec<&str> = words.flat_map(str::split_whitespace).collect();
    let line = words.join(" ");
    format!("{}; see otop --help", line.strip_prefix("error: ").unwrap_or(&line))
}

fn parse_interval(text: &str) -> anyhow::Result<Duration> {
    let interval = parse_duration(text)?;
    anyhow::ensure!(interval >= INTERVAL_MIN, "the shortest interval is 100ms");
    Ok(interval)
}

fn parse_theme(name: &str) -> anyhow::Result<String> {
    crate::theme::source(name)?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str, screen: bool) -> Result<Options, clap::Error> {
        let words = std::iter::once("otop").chain(line.split_whitespace());
        Cli::try_parse_from(words)?.options(screen)
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn tasks() {
        let check = |line: &str, screen, expected: Task| {
            assert_eq!(parse(line, screen).unwrap().task, expected, "{line:?}");
        };
        check("", true, Task::Screen);
        check("", false, Task::Plain { rounds: None, json: false });
        check("--plain -n 3 --json", true, Task::Plain { rounds: Some(3), json: true });
        check("-n 1", false, Task::Plain { rounds: Some(1), json: false });
        let duration = Duration::from_secs(120);
        check("record -o f -d 2m", true, Task::Record { output: "f".into(), duration });
        check("doctor", true, Task::Doctor);
    }

    #[test]
    fn targets() {
        let check = |line: &str, expected: Target| {
            assert_eq!(parse(line, true).unwrap().sampling.target, expected, "{line:?}");
        };
        check("", Target::Machine);
        check("-p 7", Target::Pid(7));
        check("-- ls -l", Target::Command(vec!["ls".into(), "-l".into()]));
        check("record -o f -- make", Target::Command(vec!["make".into()]));
        check("record -o f --pid 9", Target::Pid(9));
    }

    #[test]
    fn how_to_sample_is_said_before_or_after_a_subcommand() {
        let check = |line: &str, hz, pid: Option<u32>, bytes, stats: Option<&str>| {
            let options = parse(line, true).unwrap();
            let Sampling { hz: found, target, tables_bytes_max, .. } = options.sampling;
            assert_eq!((found, tables_bytes_max), (hz, bytes), "{line:?}");
            assert_eq!(target, pid.map_or(Target::Machine, Target::Pid), "{line:?}");
            assert_eq!(options.stats_json, stats.map(PathBuf::from), "{line:?}");
        };
        check("--hz 7", 7, None, 64 << 20, None);
        check("--hz 7 record -o f", 7, None, 64 << 20, None);
        check("record -o f --hz 7", 7, None, 64 << 20, None);
        check("--hz 7 record -o f --hz 8", 8, None, 64 << 20, None);
        check("-p 3 record -o f", 99, Some(3), 64 << 20, None);
        check("record -p 3 -o f --table-memory 2K", 99, Some(3), 2048, None);
        check("--table-memory 1G doctor", 99, None, 1 << 30, None);
        check("--stats-json s record -o f", 99, None, 64 << 20, Some("s"));
        check("record -o f --stats-json s", 99, None, 64 << 20, Some("s"));
        assert!(parse("--with-self record -o f", true).unwrap().sampling.with_self);
        assert!(parse("record -o f --with-self", true).unwrap().sampling.with_self);
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let check = |line: &str, expected: &str| {
            let said = one_line(&parse(line, true).unwrap_err());
            assert!(said.contains(expected), "{line:?}: {said:?}");
            assert!(said.ends_with("; see otop --help"), "{said:?}");
            assert!(!said.contains('\n') && !said.contains("Usage"), "{said:?}");
        };
        check("record", "required arguments were not provided: --output <FILE>;");
        check("--plian", "a similar argument exists: '--plain'");
        check("--hz 0", "0 is not in 1..=10000");
        check("--hz 10001", "10001 is not in 1..=10000");
        check("--hz x", "invalid digit");
        check("-p 0", "0 is not in 1..");
        check("-p 1 -- ls", "cannot be used with");
        check("record -o f -p 1 -- ls", "cannot be used with");
        check("--table-memory 1x", "write it like 512K");
        check("--filter fn~x record -o f", "--filter cannot be used with a subcommand");
        check("--plain doctor", "--plain cannot be used with a subcommand");
        check("record -o f --window 1s", "unexpected argument");
        check("--window 3x", "write it like 500ms");
        check("--interval 1ms", "the shortest interval is 100ms");
        check("--theme mauve", "there are dark, light");
        check("--json", "add --plain");
        check("--rounds 0 --plain", "0 is not in 1..");
        check("frobnicate", "unexpected argument");
        check("record", "required");
        check("--nonsense", "unexpected argument");
    }
}
