//! Draws `screenshots/*.svg`: each screen of a real otop, released, that watches
//! programs which are really busy.
//!
//! ```text
//!  busy programs ─▶ otop on a terminal ─▶ cells ─▶ svg::draw ─▶ screenshots/NAME.svg
//! ```

mod color;
mod svg;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::bench::load;
use crate::places;
use crate::terminal::{Size, Terminal};

const SIZE: Size = Size { columns: 120, rows: 36 };

/// How long otop watches before the first picture, so that its window is full.
const SETTLE: Duration = Duration::from_secs(12);
/// How long it has to draw after a key.
const DRAW: Duration = Duration::from_secs(2);

/// The pictures, in this order: the keys that lead there, and the name.
const PICTURES: [(&str, &str); 4] =
    [("", "top"), ("2", "flame"), ("3", "processes"), ("4", "diagnostics")];

/// What is watched: the busy programs, whose paths are the arguments, and beside
/// them an interpreter and a stripped library, where they are installed. All end
/// within a minute and write nothing, since the screen is otop's.
const COMMAND: &str = r#"
exec >/dev/null 2>&1 </dev/null
for program; do "$program" 60 & done
timeout 60 openssl speed -seconds 60 sha256 &
timeout 60 python3 -c 'import json
while True: json.loads(json.dumps(list(range(999))))' &
wait
"#;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the pictures go [default: screenshots]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Takes every picture.
///
/// # Errors
/// Without root or a compiler, and where otop does not come so far.
pub(crate) fn run(options: &Options) -> Result<()> {
    places::ensure_root()?;
    let dir = match &options.dir {
        Some(dir) => dir.clone(),
        None => places::workspace()?.join("screenshots"),
    };
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let otop = places::otop()?;
    // The command and no more: a picture is no place for whoever else is at work.
    let command = ["--", "sh", "-c", COMMAND, "sh"].map(OsString::from);
    let programs = load::programs()?.into_iter().map(OsString::from);
    let mut terminal = Terminal::start(SIZE, otop, command.into_iter().chain(programs))?;
    terminal.watch(SETTLE)?;
    for (keys, name) in PICTURES {
        terminal.press(keys)?;
        terminal.watch(DRAW)?;
        write(&dir.join(name).with_extension("svg"), &svg::draw(terminal.screen()))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(writeln!(io::stdout(), "{} {} bytes", path.display(), text.len())?)
}
