//! A made-up machine, and a stage on which the app runs without a terminal.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage has failed")]

use probe::profile::{
    Books, Budget, Command, Frame, FrameHandle, FrameKind, Function, Host, KernelBooks, Latency,
    Mapping, MappingKind, Moment, Place, Process, ProcessKey, Quality, SampleType, Snapshot,
    Source, Store, ThreadHandle, Unresolved, WalkEnd, store::NamedLine,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt::Write as _;
use std::sync::Arc;
use tui::app::App;
use tui::color::Depth;
use tui::effect::{Effect, Exit};
use tui::event::Event;
use tui::options::{Options, Sampling, Target, Task, Window};
use tui::theme::{Glyphs, Theme, UNICODE};
use tui::widget::clip::columns;

/// 2026-01-02 03:04:05 UTC: when the made-up machine was looked at.
const WALL_NS: u64 = 1_767_323_045_000_000_000;

/// ns between two samples at 99 Hz.
const PERIOD_NS: u64 = 10_101_010;

/// The monotonic time of the first snapshot, in seconds.
pub(crate) const NOW_S: u64 = 30;

/// A machine whose samples are made by hand.
pub(crate) struct Machine {
    store: Store,
    host: probe::profile::HostHandle,
    samples: u64,
}

/// A function: name, module, kind, line (0 for none).
type Code = (&'static str, &'static str, FrameKind, u32);

const MAIN: Code = ("api::main", "api", FrameKind::Rust, 31);
const SERVE: Code = ("api::server::Server::serve", "api", FrameKind::Rust, 88);
const SEARCH: Code = ("api::handlers::search", "api", FrameKind::Rust, 212);
const PARSE: Code = ("json::parser::Parser<R>::parse_value", "api", FrameKind::Rust, 141);
const STRING: Code = ("json::parser::Parser<R>::parse_string", "api", FrameKind::Rust, 290);
const MEMCPY: Code = ("__memmove_avx_unaligned_erms", "libc.so.6", FrameKind::Native, 0);
const MALLOC: Code = ("_int_malloc", "libc.so.6", FrameKind::Native, 0);
const SYSCALL: Code = ("entry_SYSCALL_64_after_hwframe", "kernel", FrameKind::Kernel, 0);
const READ: Code = ("vfs_read", "kernel", FrameKind::Kernel, 0);
const COPY: Code = ("copy_page_to_iter", "kernel", FrameKind::Kernel, 0);
const WORKER: Code = ("ngx_worker_process_cycle", "nginx", FrameKind::Native, 0);
const EVENTS: Code = ("ngx_process_events_and_timers", "nginx", FrameKind::Native, 0);
const PYTHON: Code = ("main", "report.py", FrameKind::Python, 12);
const RENDER: Code = ("render_row", "report.py", FrameKind::Python, 88);
const KTHREAD: Code = ("kthread", "kernel", FrameKind::Kernel, 0);
const RECLAIM: Code = ("shrink_folio_list", "kernel", FrameKind::Kernel, 0);

/// Who runs what, and how many of a hundred samples.
const WORK: &[(u32, &str, &str, &[Code], u32)] = &[
    (1234, "api", "api.service", &[MAIN, SERVE, SEARCH, PARSE], 18),
    (1234, "api", "api.service", &[MAIN, SERVE, SEARCH, PARSE, STRING], 9),
    (1235, "api", "api.service", &[MAIN, SERVE, SEARCH, PARSE, MEMCPY], 8),
    (1235, "api", "api.service", &[MAIN, SERVE, SEARCH, MALLOC], 5),
    (1236, "api", "api.service", &[MAIN, SERVE, SYSCALL, READ, COPY], 7),
    (1236, "api", "api.service", &[MAIN, SERVE], 1),
    (808, "nginx", "nginx.service", &[WORKER, EVENTS], 6),
    (808, "nginx", "nginx.service", &[WORKER, EVENTS, SYSCALL, READ, COPY], 14),
    (4711, "report", "user@1000.service", &[PYTHON, RENDER], 17),
    (4711, "report", "user@1000.service", &[PYTHON, RENDER, MALLOC], 6),
    (61, "kswapd0", "", &[KTHREAD, RECLAIM], 8),
    (
        9001,
        "evil\x1b]52;c;aGk=\x07",
        "",
        &[("\u{202e}gnp.exe\nrm", "日本語.so", FrameKind::Native, 0)],
        1,
    ),
];

impl Machine {
    /// A machine with `seconds` of samples before [`NOW_S`].
    pub(crate) fn busy(seconds: u64) -> Self {
        let cpu = SampleType { kind: "samples".into(), unit: "count".into(), period_ns: PERIOD_NS };
        let start = Moment { monotonic_ns: 1_000_000_000, wall_ns: WALL_NS };
        let mut store = Store::new(Budget::default(), vec![cpu]);
        store.start(start);
        let host = store.host(Host { name: "web-3".into(), kernel: "6.18.0".into(), cpus: 2 });
        let mut machine = Self { store, host, samples: 0 };
        for second in NOW_S - seconds..NOW_S {
            machine.run(second);
        }
        machine
    }

    /// Adds a second of samples: both CPUs busy, nearly.
    pub(crate) fn run(&mut self, second: u64) {
        let mut at = 0;
        for (pid, name, unit, code, share) in WORK {
            let (thread, stack) = self.intern(*pid, name, unit, code);
            self.judge(*pid, share * 9 / 5);
            // 180 of the 198 samples that two CPUs could have.
            for _ in 0..share * 9 / 5 {
                let time_ns = second * 1_000_000_000 + at * 5_000_000;
                let Some(stack) = stack else { continue };
                self.store.add(time_ns, 0, (thread, stack, u16::from(at % 9 > 4)), 1);
                at += 1;
                self.samples += 1;
            }
        }
    }

    /// Counts how good a process's stacks are: one kernel thread, two processes
    /// with stacks that end too soon.
    fn judge(&mut self, pid: u32, samples: u32) {
        let key = ProcessKey { host: self.host, pid, start_ns: u64::from(pid), exec_id: 1 };
        let process = self.store.process(key, || unreachable!("it has been interned"));
        for sample in 0..samples {
            let mut quality = Quality::default();
            quality.count_end(match (pid, sample) {
                (61, _) => WalkEnd::NoUser,
                (808, 0) => WalkEnd::NoRow,
                (4711, sample) if sample % 3 > 0 => WalkEnd::FramePointer,
                _ => WalkEnd::Root,
            });
            self.store.add_quality(process, quality);
        }
    }

    fn intern(
        &mut self,
        pid: u32,
        name: &str,
        unit: &str,
        code: &[Code],
    ) -> (ThreadHandle, Option<probe::profile::StackHandle>) {
        let key = ProcessKey { host: self.host, pid, start_ns: u64::from(pid), exec_id: 1 };
        let unit = (!unit.is_empty()).then(|| unit.into());
        let process = self.store.process(key, || Process {
            key,
            name: name.into(),
            exe: None,
            place: Place { unit, ..Place::default() },
        });
        let thread = self.store.thread(process, pid, b"main");
        let frames: Vec<FrameHandle> = code.iter().map(|code| self.frame(code)).collect();
        (thread, self.store.stack(frames))
    }

    fn frame(&mut self, (name, module, kind, line): &Code) -> FrameHandle {
        let number = |text: &str| text.bytes().fold(7, |n: u64, b| n * 31 % 65_521 + u64::from(b));
        let mapping_kind = match kind {
            FrameKind::Kernel => MappingKind::Kernel,
            _ => MappingKind::File { build_id: None, device_inode: (1, number(module)) },
        };
        let path = format!("/usr/bin/{module}").into();
        let mapping = self.store.mapping(&Mapping { kind: mapping_kind, path });
        let frame = Frame { kind: *kind, mapping, address: number(name) };
        let handle = self.store.frame(frame);
        let file = (*line > 0).then(|| format!("src/{module}").into());
        let function =
            Function { name: (*name).into(), file, module: (*module).into(), kind: *kind };
        if *name == MALLOC.0 {
            self.store.unresolved(&frame, Unresolved::Stripped);
        } else {
            self.store.name(&frame, &[NamedLine { function, line: *line }]);
        }
        handle
    }

    /// What is known `seconds` after [`NOW_S`].
    pub(crate) fn snapshot(&self, seconds: u64) -> Arc<Snapshot> {
        let n = self.samples;
        let mut books = Books {
            kernel: KernelBooks {
                asleep: 0,
                due: n + 1234,
                ran: n + 1230,
                filtered_self: 30,
                filtered_idle: 1200,
                filtered_policy: 0,
                submitted: n,
                lost_ringbuf: 0,
                lost_map_full: 0,
            },
            quality: Quality {
                ends: [n - 20, 10, 0, 4, 1, 0, 0, 5],
                checked: 3 * n,
                wrong: 2,
                unexpected: n / 20,
            },
            unwind_bytes: 14_900_000,
            unwind_bytes_max: 64 << 20,
            own_cpu_percent: 0.4,
            bpf_cpu_percent: Some(0.2),
            own_rss_bytes: 43_000_000,
            hz: 99,
            ..Books::default()
        };
        books.user.received = n;
        books.latencies = vec![
            Latency {
                part: "drain",
                count: 99,
                p50_ns: 41_000,
                p99_ns: 230_000,
                max_ns: 1_000_000,
            },
            Latency {
                part: "symbolize",
                count: 12,
                p50_ns: 8_000_000,
                p99_ns: 31_000_000,
                max_ns: 44_000_000,
            },
        ];
        let taken_s = NOW_S + seconds;
        let now = Moment {
            monotonic_ns: taken_s * 1_000_000_000,
            wall_ns: WALL_NS + seconds * 1_000_000_000,
        };
        Arc::new(self.store.snapshot(now, books))
    }
}

/// What the command line says when it says nothing.
pub(crate) fn options() -> Options {
    Options {
        task: Task::Screen,
        sampling: Sampling {
            hz: 99,
            target: Target::Machine,
            with_self: false,
            on_screen: false,
            ring_bytes: None,
            tables_bytes_max: 64 << 20,
        },
        window: Window::Last(10_000_000_000),
        interval: std::time::Duration::from_secs(1),
        theme: None,
        filter: probe::profile::Filter::default(),
        stats_json: None,
    }
}

/// A key by its name.
pub(crate) fn key(name: &str) -> Event {
    let (code, modifiers) = match name {
        "Enter" => (KeyCode::Enter, KeyModifiers::NONE),
        "Esc" => (KeyCode::Esc, KeyModifiers::NONE),
        "Tab" => (KeyCode::Tab, KeyModifiers::NONE),
        "Down" => (KeyCode::Down, KeyModifiers::NONE),
        "Up" => (KeyCode::Up, KeyModifiers::NONE),
        "Right" => (KeyCode::Right, KeyModifiers::NONE),
        "Home" => (KeyCode::Home, KeyModifiers::NONE),
        "End" => (KeyCode::End, KeyModifiers::NONE),
        "Space" => (KeyCode::Char(' '), KeyModifiers::NONE),
        "Backspace" => (KeyCode::Backspace, KeyModifiers::NONE),
        "Ctrl-C" => (KeyCode::Char('c'), KeyModifiers::CONTROL),
        _ => (KeyCode::Char(name.chars().next().unwrap()), KeyModifiers::NONE),
    };
    Event::Key(KeyEvent::new(code, modifiers))
}

/// An app and the terminal that it is drawn on. Views are computed at once.
pub(crate) struct Stage {
    pub(crate) app: App,
    terminal: Terminal<TestBackend>,
    /// How the app was left, once it was.
    pub(crate) exit: Option<Exit>,
    /// What the source was asked.
    pub(crate) commands: Vec<Command>,
}

impl Stage {
    pub(crate) fn new(width: u16, height: u16) -> Self {
        Self::with(width, height, "dark", Depth::True, &UNICODE)
    }

    pub(crate) fn with(
        width: u16,
        height: u16,
        theme: &str,
        depth: Depth,
        glyphs: &'static Glyphs,
    ) -> Self {
        let theme = Theme::load(theme, depth, glyphs).unwrap();
        let terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let size = terminal.size().unwrap();
        let app = App::new(&options(), theme, size);
        Self { app, terminal, exit: None, commands: Vec::new() }
    }

    /// Lets something happen, with all that follows from it.
    pub(crate) fn send(&mut self, event: Event) -> &mut Self {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in self.app.update(event) {
                match effect {
                    Effect::Compute(request) => {
                        let mut view = tui::view::compute(&request);
                        // The only figure here that a clock makes.
                        view.took_ns = 1_500_000;
                        events.push(Event::Computed(Box::new(view)));
                    }
                    Effect::Exit(exit) => self.exit = Some(exit),
                    Effect::Source(command) => self.commands.push(command),
                    Effect::Draw | Effect::Repaint | Effect::Suspend => {}
                }
            }
        }
        self
    }

    /// Presses keys, by their names.
    pub(crate) fn keys(&mut self, names: &[&str]) -> &mut Self {
        for name in names {
            self.send(key(name));
        }
        self
    }

    /// Types text.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.send(Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
        self
    }

    /// Changes the terminal's size.
    pub(crate) fn resize(&mut self, width: u16, height: u16) -> &mut Self {
        self.terminal.backend_mut().resize(width, height);
        self.send(Event::Resize(width, height))
    }

    /// What is on the screen.
    pub(crate) fn draw(&mut self) -> Buffer {
        let app = &self.app;
        self.terminal.draw(|frame| tui::screen::draw(app, frame)).unwrap();
        self.terminal.backend().buffer().clone()
    }

    /// The text on the screen, and below it where each style begins.
    pub(crate) fn picture(&mut self) -> String {
        picture(&self.draw())
    }
}

/// The text of a row. A wide character hides the cell behind it.
pub(crate) fn row(buffer: &Buffer, y: u16) -> String {
    let mut text = String::new();
    let mut x = 0;
    while x < buffer.area.width {
        let symbol = buffer[(x, y)].symbol();
        text.push_str(symbol);
        x += u16::try_from(columns(symbol)).unwrap().max(1);
    }
    text.trim_end().to_owned()
}

/// A buffer as text, and then its styles, a letter each, with a key.
pub(crate) fn picture(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut out: String = (0..area.height).map(|y| row(buffer, y) + "\n").collect();
    let mut styles = Vec::new();
    for y in 0..area.height {
        let mut line = String::new();
        for x in 0..area.width {
            let style = buffer[(x, y)].style();
            let at = styles.iter().position(|known| *known == style).unwrap_or_else(|| {
                styles.push(style);
                styles.len() - 1
            });
            let letters = ('a'..='z').chain('A'..='Z').chain('0'..='9');
            line.push(letters.clone().nth(at).unwrap_or('?'));
        }
        out.push_str(&line);
        out.push('\n');
    }
    for (letter, style) in ('a'..='z').chain('A'..='Z').zip(styles) {
        let color = |color: Option<ratatui::style::Color>| {
            color.map_or_else(|| "-".to_owned(), |color| color.to_string())
        };
        let (fg, bg) = (color(style.fg), color(style.bg));
        let modifiers = style.add_modifier;
        let _ = writeln!(out, "{letter}: {fg} on {bg} {modifiers:?}");
    }
    out
}

/// A source that has one snapshot and has ended.
pub(crate) struct Ended(pub Arc<Snapshot>);

impl Source for Ended {
    fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0)
    }

    fn on_publish(&self, _wake: Box<dyn Fn() + Send + Sync>) {}

    fn command(&self, _command: Command) {}

    fn ended(&self) -> Option<String> {
        Some(String::new())
    }
}
