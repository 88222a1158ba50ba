//! otop: see which functions use the CPU, live, on the whole machine.

use clap::Parser as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use tui::cli::{self, Cli};

/// What a command line that makes no sense ends with, by the custom of tools.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    if let Some(ended) = tui::live::started_by_itself(std::env::args_os()) {
        return ended;
    }
    let screen = std::io::stdout().is_terminal() && tui::terminal::can_draw();
    let options = match Cli::try_parse().and_then(|cli| cli.options(screen)) {
        Ok(options) => options,
        Err(error) if error.use_stderr() => {
            let _ = writeln!(std::io::stderr(), "otop: {}", cli::one_line(&error));
            return ExitCode::from(EXIT_USAGE);
        }
        // --help and --version.
        Err(error) => error.exit(),
    };
    tui::start(&options, tui::live::start).unwrap_or_else(|error| {
        // Nobody is left to tell where stderr is closed.
        let _ = writeln!(std::io::stderr(), "otop: {error:#}");
        ExitCode::FAILURE
    })
}
