//! A real terminal: tmux, which can tell what is on its screen.

use crate::otop::until;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use test_programs::harness::Stopped;

/// Tells apart the servers of this process's threads.
static SERVERS: AtomicU32 = AtomicU32::new(0);

/// The size of the terminal.
const COLUMNS: &str = "160";
const ROWS: &str = "45";

/// A tmux server of its own, with one pane that runs otop from a shell.
pub(crate) struct Tmux {
    socket: PathBuf,
    pid_file: PathBuf,
}

impl Tmux {
    /// Has a shell say "shell before", start otop, and after its end "code N" and
    /// the settings of the terminal.
    pub(crate) fn start(arguments: &str) -> Result<Self, Stopped> {
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        // Not in the target directory: a socket's path is short (unix(7)).
        let name = |end| format!("otop-test-{}-{number}.{end}", std::process::id());
        let folder = std::env::temp_dir();
        let tmux = Self { socket: folder.join(name("tmux")), pid_file: folder.join(name("pid")) };
        let script = format!(
            "echo shell before; sh -c 'echo $$ > {}; exec {} {arguments}'; \
             echo code $?; stty -a; exec cat",
            tmux.pid_file.display(),
            env!("CARGO_BIN_EXE_otop"),
        );
        let start = ["-f", "/dev/null", "new-session", "-d", "-x", COLUMNS, "-y", ROWS, &script];
        match tmux.command().args(start).status() {
            Ok(status) if status.success() => Ok(tmux),
            Ok(status) => Err(Stopped::failed(format!("tmux: {status}"))),
            Err(_) => Err(Stopped::Ignored("tmux is not installed".to_owned())),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).env_remove("TMUX").stdin(Stdio::null());
        command
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// otop's pid.
    pub(crate) fn pid(&self) -> u32 {
        until("otop's pid", || std::fs::read_to_string(&self.pid_file).ok()?.trim().parse().ok())
    }

    /// The text on the screen.
    pub(crate) fn screen(&self) -> String {
        self.ask(&["capture-pane", "-p"])
    }

    /// Presses a key, by tmux's name.
    pub(crate) fn press(&self, key: &str) {
        self.ask(&["send-keys", key]);
    }

    /// Waits until the screen holds `text`, and gives it.
    #[track_caller]
    pub(crate) fn see(&self, text: &str) -> String {
        let mut last = String::new();
        let wait = || {
            last = self.screen();
            last.contains(text).then(|| last.clone())
        };
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| until(text, wait)));
        found.unwrap_or_else(|_| panic!("never on the screen: {text:?}, but\n{last}"))
    }

    /// Waits for otop's end with `code`, and checks that the terminal is as it was.
    #[track_caller]
    pub(crate) fn ends(&self, code: u8) {
        let screen = self.see("extproc");
        assert!(screen.contains(&format!("code {code}\n")), "{screen}");
        assert!(screen.contains("shell before"), "the main screen is not back:\n{screen}");
        for setting in ["icanon", "echo", "isig", "icrnl"] {
            let on = screen.split_whitespace().any(|word| word.trim_end_matches(';') == setting);
            assert!(on, "{setting} is not on:\n{screen}");
        }
        let flags = "#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{mouse_sgr_flag}";
        assert_eq!(self.ask(&["display-message", "-p", flags]).trim(), "0 1 0 0");
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // Its pane, and what runs in it, ends with the server.
        let _ = self.command().arg("kill-server").output();
        let _ = std::fs::remove_file(&self.pid_file);
        let _ = std::fs::remove_file(&self.socket);
    }
}
