//! Draws `screenshots/*.svg`: each screen of a real otop, released, that watches a
//! machine which is really busy.
//!
//! ```text
//!  busy programs ─▶ otop on a terminal ─▶ cells ─▶ svg::draw ─▶ screenshots/NAME.svg
//! ```

mod color;
mod svg;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::bench::load;
use crate::places;
use crate::terminal::{Size, Terminal, end};

const SIZE: Size = Size { columns: 120, rows: 36 };

/// How long otop watches before the first picture, so that its window is full.
const SETTLE: Duration = Duration::from_secs(12);
/// How long it has to draw after a key.
const DRAW: Duration = Duration::from_secs(2);

/// The pictures, in this order: the keys that lead there, and the name.
const PICTURES: [(&str, &str); 5] =
    [("", "top"), ("2", "flame"), ("3", "processes"), ("4", "diagnostics"), ("1?", "help")];

/// Programs from elsewhere that make the picture less artificial, where they are
/// installed: an interpreter, and a stripped library.
const OTHERS: [(&str, &[&str]); 2] = [
    ("python3", &["-c", "import json\nwhile True: json.loads(json.dumps(list(range(999))))"]),
    ("openssl", &["speed", "-seconds", "60", "sha256"]),
];

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
    let load = load::start()?;
    let others: Vec<Other> =
        OTHERS.iter().filter_map(|(name, args)| Other::start(name, args)).collect();
    let mut terminal = Terminal::start(SIZE, otop, [""; 0])?;
    terminal.watch(SETTLE)?;
    for (keys, name) in PICTURES {
        terminal.press(keys)?;
        terminal.watch(DRAW)?;
        write(&dir.join(name).with_extension("svg"), &svg::draw(terminal.screen()))?;
    }
    drop((others, load));
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(writeln!(io::stdout(), "{} {} bytes", path.display(), text.len())?)
}

/// One of [`OTHERS`], ended when this is dropped.
struct Other(Child);

impl Other {
    /// None where it is not installed.
    fn start(program: &str, arguments: &[&str]) -> Option<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().ok().map(Self)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}
