//! The two lines on top of every screen.
//!
//! ```text
//!  otop  web-3 · 6.18.0 · 2 cpus ▇▆ 87% · 197/s · complete 99.4% · self 0.6% 41M        ● LIVE
//!  1 Top  2 Flame  3 Processes  4 Diagnostics                  ⟨api 1234⟩ ⟨fn~parse⟩  last 10s
//! ```

use crate::app::{App, Follow};
use crate::format::{self, duration_ns, percent_of, short};
use crate::layout::tab_labels;
use crate::quality::{COMPLETE_WARNS, complete_text};
use crate::theme::Role;
use crate::widget::bar::level;
use crate::widget::clip::{Clip, clip, columns};
use crate::widget::segments::{Segment, Segments};
use probe::profile::Snapshot;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

/// CPUs with a level of their own in the header.
const CPU_LEVELS_MAX: usize = 8;

/// The loss that is shown whatever the room, and the one that is a warning.
const LOSS_SHOWN: f64 = 0.001;
const LOSS_WARNS: f64 = 0.01;

/// Blanks in and before a chip.
const CHIP_MARGINS: usize = 3;

pub(super) fn draw(app: &App, header: Rect, tabs: Rect, buffer: &mut Buffer) {
    let mut left = vec![Segment::new(0, " otop", app.theme.style(Role::Brand))];
    if let Some(snapshot) = &app.newest {
        facts(app, snapshot, &mut left);
    }
    let separator = Span::styled(app.theme.glyphs.dot, app.theme.style(Role::Faint));
    Segments { left, right: vec![state(app)], separator }.render(header, buffer);
    draw_tabs(app, tabs, buffer);
}

fn facts(app: &App, snapshot: &Snapshot, left: &mut Vec<Segment>) {
    let soft = app.theme.style(Role::Soft);
    let books = &snapshot.books;
    let mut hosts = snapshot.tables.hosts.iter().map(|(_, host)| host);
    if let Some(host) = hosts.next() {
        left.push(Segment::new(1, host.name.as_str(), app.theme.style(Role::Strong)));
        left.push(Segment::new(9, host.kernel.as_str(), soft));
    }
    left.push(cpus(app));
    let rate = format!("{}/s", short(round(app.pulse.samples_per_s)));
    left.push(Segment::new(6, rate, soft));
    let lost = books.lost_share();
    let (rank, role) = match lost {
        lost if lost >= LOSS_WARNS => (0, Role::Bad),
        lost if lost >= LOSS_SHOWN => (2, Role::Warn),
        _ => (8, Role::Soft),
    };
    left.push(Segment::new(rank, format!("lost {}%", percent_of(lost)), app.theme.style(role)));
    if let Some(complete) = books.quality.complete_share() {
        let role = if complete < COMPLETE_WARNS { Role::Warn } else { Role::Soft };
        let text = format!("complete {}", complete_text(&books.quality));
        left.push(Segment::new(5, text, app.theme.style(role)));
    }
    let own = books.own_cpu_percent + books.bpf_cpu_percent.unwrap_or(0.0);
    let own = format!("self {own:.1}% {}", format::bytes(books.own_rss_bytes));
    left.push(Segment::new(3, own, soft));
}

fn cpus(app: &App) -> Segment {
    let busy = &app.pulse.busy;
    let glyphs = app.theme.glyphs;
    let mut text = format::plural(busy.len() as u64, "cpu", "cpus");
    if busy.len() <= CPU_LEVELS_MAX {
        text.push(' ');
        text.extend(busy.iter().map(|share| level(*share, glyphs)));
    }
    let load = format!(" {}%", round(app.pulse.load() * 100.0));
    Segment {
        rank: 2,
        spans: vec![
            Span::styled(text, app.theme.style(Role::Bar)),
            Span::styled(load, app.theme.style(Role::Strong)),
        ],
    }
}

fn round(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` goes to the nearest bound, and NaN to 0"
    )]
    let rounded = number.round() as u64;
    rounded
}

/// LIVE, FROZEN with its age, or ENDED.
fn state(app: &App) -> Segment {
    let glyphs = app.theme.glyphs;
    let (text, role) = match (&app.follow, &app.ended) {
        (Follow::Frozen(snapshot), _) => {
            let now_ns = app.newest.as_ref().map_or(0, |newest| newest.taken_at.monotonic_ns);
            let age_ns = now_ns.saturating_sub(snapshot.taken_at.monotonic_ns);
            let age_ns = age_ns - age_ns % 1_000_000_000;
            let age = if age_ns == 0 { "0s".to_owned() } else { duration_ns(age_ns) };
            (format!(" {} FROZEN {age} ", glyphs.frozen), Role::Frozen)
        }
        (Follow::Live, Some(_)) => (" ENDED ".to_owned(), Role::Ended),
        (Follow::Live, None) if app.newest.is_none() => ("starting ".to_owned(), Role::Warn),
        (Follow::Live, None) => (format!("{} LIVE ", glyphs.live), Role::Live),
    };
    Segment::new(0, text, app.theme.style(role))
}

fn draw_tabs(app: &App, area: Rect, buffer: &mut Buffer) {
    let mut end = area.x;
    for (tab, start, label) in tab_labels(area.width, app.tab) {
        let role = if tab == app.tab { Role::TabCurrent } else { Role::Tab };
        let room = usize::from(area.width.saturating_sub(start));
        end = buffer.set_stringn(area.x + start, area.y, label, room, app.theme.style(role)).0;
    }
    let rest = Rect { x: end, width: area.right().saturating_sub(end), ..area };
    let range = range(app);
    let chips = [app.scope_label.clone(), crate::filter::text(&app.filter)];
    let chips: Vec<_> = chips.into_iter().filter(|text| !text.is_empty()).collect();
    // A filter that is on must never be out of sight: each chip gives way a bit.
    let room = usize::from(rest.width).saturating_sub(columns(&range) + 2);
    let each = (room / chips.len().max(1)).saturating_sub(CHIP_MARGINS);
    let mut right = Vec::new();
    if let Some(reason) = app.ended.as_ref().filter(|reason| !reason.is_empty()) {
        right.push(Segment::new(2, reason.clone(), app.theme.style(Role::Warn)));
    }
    right.extend(chips.iter().map(|text| {
        let text = clip(text, each, Clip::End, app.theme.glyphs.ellipsis);
        Segment::new(1, format!(" {text} "), app.theme.style(Role::Chip))
    }));
    right.push(Segment::new(0, range, app.theme.style(Role::Soft)));
    Segments { left: Vec::new(), right, separator: Span::raw("") }.render(rest, buffer);
}

/// Which time is shown.
fn range(app: &App) -> String {
    match &app.follow {
        Follow::Live => format!("{} ", app.window.label()),
        Follow::Frozen(snapshot) => {
            let until = format::time_of_day(snapshot.taken_at.wall_ns);
            format!("{} to {until} ", app.window.label())
        }
    }
}
