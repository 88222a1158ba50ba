//! The screen on a real terminal, and the terminal afterwards.

use crate::otop::until;
use crate::sampling;
use crate::shares::{HZ, RUN_S, SAMPLES_MIN, check, self_percent};
use crate::tmux::Tmux;
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use test_programs::harness::Stopped;
use test_programs::{Program, Running, build};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        sampling("screen::shows_what_is_busy", shows_what_is_busy),
        sampling("screen::gives_the_terminal_back", gives_the_terminal_back),
    ]
}

fn shows_what_is_busy() -> Result<(), Stopped> {
    let program = Program::BusyC;
    let running = Running::start_for(&build(&program)?, RUN_S)?;
    let filter = format!("pid={}", running.pid());
    let tmux = Tmux::start(&format!("--hz {HZ} --window all --filter {filter}"))?;
    let screen = until("enough samples", || {
        let screen = tmux.screen();
        (samples(&screen)? >= SAMPLES_MIN).then_some(screen)
    });
    for (place, share) in program.shares().iter().enumerate() {
        let row = screen.lines().skip_while(|line| !line.contains("SELF%")).nth(1 + place);
        let row = row.unwrap_or_default();
        assert!(row.contains(share.function), "{} is not in {row:?}", share.function);
        check(share, self_percent(row));
    }
    tmux.press("2");
    let flame = tmux.see("▏hot_a");
    assert!(flame.contains("▏busy_c") && flame.contains("▏warm_a"), "{flame}");
    tmux.press("3");
    tmux.see("HOTTEST FUNCTION");
    // Its row comes once the list has been computed. The filter's chip, which has
    // the pid too, is no row.
    let pid = running.pid().to_string();
    let row = until("the process in the list", || {
        let screen = tmux.screen();
        let mut rows = screen.lines().skip_while(|line| !line.contains("HOTTEST FUNCTION"));
        rows.find(|line| line.contains(&pid)).map(str::to_owned)
    });
    assert!(row.contains("busy_c") && row.contains("hot_a"), "{row}");
    tmux.press("?");
    tmux.see("top functions");
    tmux.press("Escape");
    tmux.press("1");
    tmux.see("SELF%");
    tmux.press("q");
    tmux.ends(0);
    Ok(())
}

/// Of how many samples the screen tells, in the details of the selected function:
/// `self 70 (70.0%) · total 70 (70.0%) of 100 samples`.
fn samples(screen: &str) -> Option<u64> {
    let (before, _) = screen.split_once(" samples")?;
    before.rsplit(' ').next()?.replace(',', "").parse().ok()
}

fn gives_the_terminal_back() -> Result<(), Stopped> {
    // What a shell says: 128 and the signal's number.
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let tmux = Tmux::start("")?;
        tmux.see("LIVE");
        let pid = Pid::from_raw(tmux.pid().cast_signed()).unwrap();
        kill_process(pid, signal).map_err(std::io::Error::from)?;
        tmux.ends(code);
    }
    Ok(())
}
