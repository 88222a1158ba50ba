//! What is on the screen: text and styles, at two sizes, on every screen and in
//! every mode.

#[allow(dead_code, reason = "each test uses a part")]
mod support;

use ratatui::crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use support::{Machine, Stage, options};
use tui::action::Tab;
use tui::color::Depth;
use tui::effect::Exit;
use tui::event::{Event, Signal};
use tui::theme::{ASCII, THEMES, UNICODE};

/// The sizes that every screen is looked at.
const SIZES: [(u16, u16); 2] = [(80, 24), (200, 60)];

/// Compares the screen after these keys with the committed picture.
#[track_caller]
fn check(name: &str, keys: &[&str]) {
    for (width, height) in SIZES {
        let mut stage = Stage::new(width, height);
        stage.send(Event::Published(Machine::busy(10).snapshot(0))).keys(keys);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), stage.picture());
    }
}

#[test]
fn before_the_first_snapshot() {
    let mut stage = Stage::new(80, 24);
    insta::assert_snapshot!("starting_80x24", stage.picture());
}

#[test]
fn top() {
    check("top", &[]);
    check("top_selected", &["j", "j", "j"]);
    check("top_by_module", &["<", "<"]);
}

#[test]
fn flame() {
    check("flame", &["2"]);
    check("flame_zoomed", &["2", "j", "j", "Enter", "j"]);
    check("flame_from_top", &["j", "Enter"]);
}

#[test]
fn processes() {
    check("processes", &["3"]);
    check("process_scope", &["3", "j", "Enter"]);
}

#[test]
fn diagnostics() {
    check("diagnostics", &["4"]);
}

#[test]
fn help() {
    check("help", &["?"]);
}

#[test]
fn filter_prompt() {
    for (width, height) in SIZES {
        let mut stage = Stage::new(width, height);
        stage.send(Event::Published(Machine::busy(10).snapshot(0)));
        stage.keys(&["/"]).text("colour=red").keys(&["Enter"]);
        insta::assert_snapshot!(format!("filter_wrong_{width}x{height}"), stage.picture());
        for _ in 0..10 {
            stage.keys(&["Backspace"]);
        }
        stage.text("fn~parse").keys(&["Enter"]);
        insta::assert_snapshot!(format!("filter_{width}x{height}"), stage.picture());
        stage.keys(&["/"]).text("xyzzy").keys(&["Enter"]);
        insta::assert_snapshot!(format!("filter_nothing_{width}x{height}"), stage.picture());
    }
}

#[test]
fn frozen() {
    let mut machine = Machine::busy(10);
    for (width, height) in SIZES {
        let mut stage = Stage::new(width, height);
        stage.send(Event::Published(machine.snapshot(0))).keys(&["Space"]);
        let before = stage.draw();
        machine.run(support::NOW_S);
        stage.send(Event::Published(machine.snapshot(12)));
        insta::assert_snapshot!(format!("frozen_{width}x{height}"), stage.picture());
        let after = stage.draw();
        for y in 3..height {
            assert_eq!(support::row(&before, y), support::row(&after, y));
        }
        stage.keys(&["z"]);
        assert!(stage.picture().contains("LIVE"));
    }
}

#[test]
fn the_source_has_ended() {
    let mut stage = Stage::new(80, 24);
    stage.send(Event::Published(Machine::busy(10).snapshot(0)));
    stage.send(Event::Ended("make has ended".into()));
    insta::assert_snapshot!("ended_80x24", stage.picture());
}

#[test]
fn other_looks() {
    let looks = [
        ("light", Depth::True, &UNICODE),
        ("dark", Depth::Ansi, &UNICODE),
        ("dark", Depth::None, &ASCII),
    ];
    for (theme, depth, glyphs) in looks {
        for (screen, tab) in [("top", "1"), ("flame", "2")] {
            let mut stage = Stage::with(80, 24, theme, depth, glyphs);
            stage.send(Event::Published(Machine::busy(10).snapshot(0))).keys(&[tab]);
            insta::assert_snapshot!(format!("{screen}_{theme}_{depth:?}"), stage.picture());
        }
    }
}

#[test]
fn without_utf8_everything_of_ours_is_ascii() {
    for tab in ["1", "2", "3", "4", "?"] {
        let mut stage = Stage::with(120, 30, "dark", Depth::None, &ASCII);
        stage.send(Event::Published(Machine::busy(10).snapshot(0))).keys(&[tab]);
        let picture = stage.picture().replace("日本語", "");
        let strange: String = picture.chars().filter(|c| !c.is_ascii()).collect();
        assert_eq!(strange, "", "{tab}: {picture}");
    }
}

#[test]
fn nothing_hostile_reaches_a_cell() {
    for tab in ["1", "2", "3"] {
        let mut stage = Stage::new(200, 60);
        stage.send(Event::Published(Machine::busy(10).snapshot(0))).keys(&[tab]);
        for cell in &stage.draw().content {
            let bad = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(!cell.symbol().contains(bad), "{:?}", cell.symbol());
        }
    }
}

#[test]
fn any_size_can_be_drawn() {
    let sizes = [
        (0, 0),
        (1, 1),
        (80, 0),
        (0, 24),
        (80, 9),
        (24, 200),
        (1, 50),
        (500, 1),
        (24, 5),
        (23, 5),
        (30, 8),
        (500, 200),
    ];
    for keys in [&["1"][..], &["2"], &["3"], &["4"], &["?"], &["/"]] {
        let mut stage = Stage::new(80, 24);
        stage.send(Event::Published(Machine::busy(5).snapshot(0))).keys(keys);
        for (width, height) in sizes {
            stage.resize(width, height).draw();
            if keys != ["?"] && keys != ["/"] {
                stage.keys(&["Down", "End", "Enter", "Right", "Esc"]).draw();
            }
        }
    }
}

#[test]
fn a_selected_row_is_held_while_rows_move() {
    let mut machine = Machine::busy(10);
    let mut stage = Stage::new(80, 24);
    stage.send(Event::Published(machine.snapshot(0))).keys(&["j", "j"]);
    let chosen = stage.app.top_row().unwrap().name.clone();
    for second in 0..3 {
        machine.run(support::NOW_S + second);
        stage.send(Event::Published(machine.snapshot(second + 1))).keys(&["s"]);
        assert_eq!(stage.app.top_row().unwrap().name, chosen);
    }
}

#[test]
fn keys_and_signals_end_it() {
    let check = |event: Event, expected: Option<Exit>| {
        let mut stage = Stage::new(80, 24);
        stage.send(event);
        assert_eq!(stage.exit, expected);
    };
    check(support::key("q"), Some(Exit::Quit));
    check(support::key("Ctrl-C"), Some(Exit::Quit));
    check(support::key("x"), None);
    check(Event::Signal(Signal::End(15)), Some(Exit::Signal(15)));
    check(Event::HungUp, Some(Exit::HungUp));
    // q closes the help page first.
    let mut stage = Stage::new(80, 24);
    assert_eq!(stage.keys(&["?", "q"]).exit, None);
    assert_eq!(stage.keys(&["q"]).exit, Some(Exit::Quit));
}

#[test]
fn every_theme_draws_every_screen() {
    for (theme, _) in THEMES {
        for tab in ["1", "2", "3", "4", "?"] {
            let mut stage = Stage::with(100, 30, theme, Depth::Indexed, &UNICODE);
            stage.send(Event::Published(Machine::busy(5).snapshot(0))).keys(&[tab]).draw();
        }
    }
    assert_eq!(options().theme, None);
}

#[test]
fn the_mouse_selects_opens_and_scrolls() {
    let mouse = |kind, column, row| {
        let modifiers = KeyModifiers::NONE;
        Event::Mouse(MouseEvent { kind, column, row, modifiers })
    };
    let click = |column, row| mouse(MouseEventKind::Down(MouseButton::Left), column, row);
    let mut stage = Stage::new(80, 24);
    stage.send(Event::Published(Machine::busy(10).snapshot(0)));
    stage.send(click(20, 5));
    assert_eq!(stage.app.top_row().unwrap().name.as_str(), "render_row");
    stage.send(mouse(MouseEventKind::ScrollDown, 20, 5));
    assert_eq!(stage.app.top.rows.index(), 5);
    // A row that is selected already opens: the flame view, at that function.
    stage.send(click(20, 8));
    assert_eq!(stage.app.tab, Tab::Flame);
    // A box, and once more: zoomed.
    stage.send(click(2, 4)).send(click(2, 4));
    assert!(stage.app.flame.breadcrumb().eq(["api"]));
    stage.send(click(20, 1));
    assert_eq!(stage.app.tab, Tab::Processes);
    // Beside everything.
    for (column, row) in [(79, 23), (500, 500), (0, 0), (10, 20)] {
        stage.send(click(column, row));
    }
    assert_eq!(stage.app.tab, Tab::Processes);
}

#[test]
fn a_filter_that_is_on_stays_in_sight() {
    let mut stage = Stage::new(80, 24);
    stage.send(Event::Published(Machine::busy(10).snapshot(0))).keys(&["3", "j", "Enter", "/"]);
    stage.text("fn~a_very_long_name_that_nothing_has comm=report").keys(&["Enter"]);
    let tabs = support::row(&stage.draw(), 1);
    assert!(tabs.contains("report") && tabs.contains("fn~a_"), "{tabs}");
    stage.keys(&["c"]);
    let tabs = support::row(&stage.draw(), 1);
    assert!(!tabs.contains("report") && !tabs.contains("fn~"), "{tabs}");
}
