//! How long a person waits: from exec to the first screen, and to the first flame
//! view that names a function.
//!
//! Each program runs on a terminal of its own, and what counts is what its screen
//! says, not what it has written. The time of setsid(1), which becomes the
//! program, is in all figures alike.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::load::{self, HOT};
use super::table::{Spread, heading, row, say};
use super::{SIZE, machine};
use crate::places;
use crate::terminal::Terminal;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The last thing that otop draws on its first screen: a word of the hint line.
const LAST_DRAWN: &str = "quit";
/// What only the top screen has, so that it is not taken for the flame screen.
const TOP_HEADING: &str = "TOTAL%";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often each program is started; at least 7
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(7..))]
    runs: u32,
}

/// What is timed, in ms.
#[derive(Default)]
struct Times {
    screen: Vec<f64>,
    flame: Vec<f64>,
    perf: Vec<f64>,
    perf_eager: Vec<f64>,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let otop = places::otop()?;
    let load = load::start()?;
    say(&machine::line())?;
    let mut times = Times::default();
    for _ in 0..options.runs {
        let (screen, flame) = time_otop(&otop)?;
        times.screen.push(screen);
        times.flame.push(flame);
        times.perf.push(time_perf(&[])?);
        times.perf_eager.push(time_perf(&["--delay", "1"])?);
    }
    drop(load);
    heading(&["from exec to", "median ms", "min", "max", "to reach"])?;
    print("otop: first screen", &times.screen, "150")?;
    print("otop: flame view with a name", &times.flame, "700")?;
    print("perf top -g: a name", &times.perf, "")?;
    print("perf top -g --delay 1: a name", &times.perf_eager, "")
}

fn print(what: &str, values: &[f64], goal: &str) -> Result<()> {
    let Spread { median, min, max } = Spread::of(values).context("nothing was timed")?;
    row(&[
        format!("{what} ({} runs)", values.len()),
        format!("{median:.0}"),
        format!("{min:.0}"),
        format!("{max:.0}"),
        goal.to_owned(),
    ])
}

/// The first screen and the first named flame view. The key is pressed once the
/// screen is there, as a person would.
fn time_otop(otop: &Path) -> Result<(f64, f64)> {
    let mut terminal = Terminal::start(SIZE, otop, [""; 0])?;
    let screen = terminal.wait_for(LIMIT, |text| text.contains(LAST_DRAWN))?;
    terminal.press("2")?;
    let named = |text: &str| text.contains(HOT) && !text.contains(TOP_HEADING);
    let flame = terminal.wait_for(LIMIT, named).context("the flame view names nothing")?;
    Ok((ms(screen), ms(flame)))
}

fn time_perf(arguments: &[&str]) -> Result<f64> {
    let all = ["top", "-g", "--freq", "99"].iter().chain(arguments);
    let mut terminal = Terminal::start(SIZE, "perf", all)?;
    let named = terminal.wait_for(LIMIT, |text| text.contains(HOT));
    Ok(ms(named.context("perf top names nothing: is perf installed?")?))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
