//! The screen's state, and the only writer of it: an event in, effects out.
//!
//! Drawing reads [`App`] and changes nothing; what has to be computed is asked
//! for with [`Effect::Compute`] and comes back as [`Event::Computed`].

mod flame;
mod mouse;
mod navigate;
mod prompt;

pub use flame::FlamePane;
pub use prompt::Prompt;

use crate::action::{Action, Motion, Tab};
use crate::costs::Costs;
use crate::counters::{self, Section};
use crate::effect::{Effect, Exit};
use crate::event::{Event, Signal};
use crate::keymap;
use crate::layout::areas;
use crate::options::{Options, Window};
use crate::pulse::Pulse;
use crate::quality;
use crate::rows::Rows;
use crate::sort::{ProcessColumn, Sort, TopColumn};
use crate::theme::Theme;
use crate::view::{Ask, Data, Request, View};
use crossterm::event::{KeyEvent, KeyEventKind};
use probe::profile::{
    Command, Filter, ProcessKey, ProcessRow, ProcessTable, Scope, Snapshot, Text, TopRow, TopTable,
};
use ratatui::layout::{Rect, Size};
use std::sync::Arc;

/// What tells one row of the top list from the others, in any snapshot.
pub type TopKey = (Text, Text, Option<Text>);

/// The key of a row.
#[must_use]
pub fn top_key(row: &TopRow) -> TopKey {
    (row.name.clone(), row.module.clone(), row.source.clone())
}

/// What keys mean at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// What the keymap says.
    #[default]
    Normal,
    /// The help page is open, scrolled by so many rows.
    Help(u16),
    /// A filter is being typed.
    Prompt(Prompt),
}

/// What is shown: what comes in, or what was there when it was frozen.
#[derive(Clone, Debug, Default)]
pub enum Follow {
    /// The newest snapshot.
    #[default]
    Live,
    /// This one.
    Frozen(Arc<Snapshot>),
}

/// Whether the view worker is at work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Work {
    #[default]
    Idle,
    Busy,
    /// At work, and what it will say is already out of date.
    Stale,
}

/// A screen of rows.
#[derive(Clone, Debug)]
pub struct Pane<T, K, C> {
    /// What was computed last; None before the first time.
    pub table: Option<T>,
    /// The order of its rows.
    pub sort: Sort<C>,
    /// The selected one.
    pub rows: Rows<K>,
}

impl<T, K, C: Default> Default for Pane<T, K, C> {
    fn default() -> Self {
        Self { table: None, sort: Sort::default(), rows: Rows::default() }
    }
}

/// The top screen.
pub type TopPane = Pane<TopTable, TopKey, TopColumn>;
/// The process screen.
pub type ProcessPane = Pane<ProcessTable, ProcessKey, ProcessColumn>;

/// Everything that the screen shows.
#[derive(Debug)]
pub struct App {
    /// How it looks.
    pub theme: Theme,
    /// How large it is.
    pub size: Size,
    /// The newest snapshot; None before the first.
    pub newest: Option<Arc<Snapshot>>,
    /// Whether that is what is shown.
    pub follow: Follow,
    /// Why no more snapshots come, once it is so.
    pub ended: Option<String>,
    /// Which screen.
    pub tab: Tab,
    /// What keys mean.
    pub mode: Mode,
    /// Whose samples.
    pub scope: Scope,
    /// The scope in words; empty for the whole machine.
    pub scope_label: String,
    /// Which samples.
    pub filter: Filter,
    /// How far back.
    pub window: Window,
    /// The header's figures.
    pub pulse: Pulse,
    /// The top screen.
    pub top: TopPane,
    /// The flame screen.
    pub flame: FlamePane,
    /// The process screen.
    pub processes: ProcessPane,
    /// How far the diagnostics are scrolled.
    pub diagnostics_offset: u16,
    /// What the screen itself costs.
    pub costs: Costs,
    work: Work,
    generation: u64,
}

impl App {
    /// The screen before anything is known.
    #[must_use]
    pub fn new(options: &Options, theme: Theme, size: Size) -> Self {
        Self {
            theme,
            size,
            newest: None,
            follow: Follow::Live,
            ended: None,
            tab: Tab::Top,
            mode: Mode::Normal,
            scope: Scope::Machine,
            scope_label: String::new(),
            filter: options.filter.clone(),
            window: options.window,
            pulse: Pulse::default(),
            top: Pane::default(),
            flame: FlamePane::default(),
            processes: Pane::default(),
            diagnostics_offset: 0,
            costs: Costs::default(),
            work: Work::Idle,
            generation: 0,
        }
    }

    /// The snapshot that is shown.
    #[must_use]
    pub fn shown(&self) -> Option<&Arc<Snapshot>> {
        match &self.follow {
            Follow::Live => self.newest.as_ref(),
            Follow::Frozen(snapshot) => Some(snapshot),
        }
    }

    /// What the diagnostics screen says.
    #[must_use]
    pub fn sections(&self) -> Vec<Section> {
        let mut sections =
            self.newest.iter().flat_map(|newest| counters::sections(newest)).collect::<Vec<_>>();
        sections.push(counters::screen(&self.costs));
        sections.extend(self.newest.as_deref().and_then(quality::least_complete));
        sections
    }

    /// The selected row of the top screen.
    #[must_use]
    pub fn top_row(&self) -> Option<&TopRow> {
        self.top.table.as_ref()?.rows.get(self.top.rows.index())
    }

    /// The selected row of the process screen.
    #[must_use]
    pub fn process_row(&self) -> Option<&ProcessRow> {
        self.processes.table.as_ref()?.rows.get(self.processes.rows.index())
    }

    /// Takes in what happened and says what is to be done.
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
            Event::Key(key) => self.key(&key),
            Event::Mouse(mouse) => self.mouse(mouse),
            Event::Resize(width, height) => self.resize(Size { width, height }),
            Event::Tick => Vec::new(),
            Event::Published(snapshot) => self.published(snapshot),
            Event::Ended(reason) => {
                let news = self.ended.replace(reason).is_none();
                if !news {
                    return Vec::new();
                }
                vec![Effect::Draw]
            }
            Event::Computed(view) => self.computed(*view),
            Event::Drawn(took_ns) => {
                self.costs.draw.record(took_ns);
                Vec::new()
            }
            Event::Signal(Signal::End(number)) => vec![Effect::Exit(Exit::Signal(number))],
            Event::Signal(Signal::Suspend) => vec![Effect::Suspend],
            Event::Signal(Signal::Continue) => vec![Effect::Repaint],
            Event::HungUp => vec![Effect::Exit(Exit::HungUp)],
        }
    }

    fn key(&mut self, key: &KeyEvent) -> Vec<Effect> {
        let action = keymap::action(key);
        match &mut self.mode {
            Mode::Prompt(prompt) => {
                let outcome = prompt.key(key, action);
                self.prompted(outcome)
            }
            Mode::Help(_) => self.help(action),
            Mode::Normal => action.map(|action| self.act(action)).unwrap_or_default(),
        }
    }

    fn help(&mut self, action: Option<Action>) -> Vec<Effect> {
        let Mode::Help(offset) = &mut self.mode else { return Vec::new() };
        match action {
            Some(Action::Move(Motion::Up | Motion::PageUp | Motion::First)) => {
                *offset = offset.saturating_sub(1);
            }
            Some(Action::Move(_)) => *offset = offset.saturating_add(1).min(200),
            Some(Action::Suspend) => return vec![Effect::Suspend],
            _ => self.mode = Mode::Normal,
        }
        vec![Effect::Draw]
    }

    fn act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Quit => vec![Effect::Exit(Exit::Quit)],
            Action::Help => {
                self.mode = Mode::Help(0);
                vec![Effect::Draw]
            }
            Action::Show(tab) => self.show(tab),
            Action::NextTab => self.show(self.tab.step(1)),
            Action::PreviousTab => self.show(self.tab.step(Tab::ALL.len() - 1)),
            Action::Move(motion) => self.step(motion),
            Action::Enter => self.enter(),
            Action::Back => self.back(),
            Action::FlameHere => self.flame_here(),
            Action::PlaceHere => self.place_here(),
            Action::Freeze => self.freeze(),
            Action::NextWindow => self.look_back(self.window.next()),
            Action::LongerWindow => self.look_back(self.window.longer()),
            Action::ShorterWindow => self.look_back(self.window.shorter()),
            Action::Sort(resort) => {
                match self.tab {
                    Tab::Top => self.top.sort = self.top.sort.change(resort),
                    Tab::Processes => self.processes.sort = self.processes.sort.change(resort),
                    Tab::Flame | Tab::Diagnostics => return Vec::new(),
                }
                self.recompute()
            }
            Action::Filter => {
                self.mode = Mode::Prompt(Prompt::new(&self.filter));
                vec![Effect::Draw]
            }
            Action::Clear => {
                self.filter = Filter::default();
                self.narrow(Scope::Machine, String::new())
            }
            Action::Reset => vec![Effect::Source(Command::Reset), Effect::Draw],
            Action::Repaint => vec![Effect::Repaint],
            Action::Suspend => vec![Effect::Suspend],
        }
    }

    fn show(&mut self, tab: Tab) -> Vec<Effect> {
        self.tab = tab;
        self.recompute()
    }

    fn look_back(&mut self, window: Window) -> Vec<Effect> {
        self.window = window;
        self.recompute()
    }

    fn narrow(&mut self, scope: Scope, label: String) -> Vec<Effect> {
        (self.scope, self.scope_label) = (scope, label);
        self.flame.reset();
        self.recompute()
    }

    fn freeze(&mut self) -> Vec<Effect> {
        self.follow = match (&self.follow, &self.newest) {
            (Follow::Live, Some(newest)) => Follow::Frozen(Arc::clone(newest)),
            _ => Follow::Live,
        };
        self.recompute()
    }

    fn resize(&mut self, size: Size) -> Vec<Effect> {
        self.size = size;
        self.keep_selections();
        vec![Effect::Draw]
    }

    fn published(&mut self, snapshot: Arc<Snapshot>) -> Vec<Effect> {
        self.newest = Some(snapshot);
        match self.follow {
            Follow::Live => self.compute(),
            // Only the header changes, and the age on the banner.
            Follow::Frozen(_) => {
                let mut effects = self.compute_as(Ask::Pulse);
                effects.push(Effect::Draw);
                effects
            }
        }
    }

    /// Drops what is under way and asks for what is wanted now.
    fn recompute(&mut self) -> Vec<Effect> {
        self.generation += 1;
        let mut effects = self.compute();
        effects.push(Effect::Draw);
        effects
    }

    fn compute(&mut self) -> Vec<Effect> {
        self.compute_as(match self.tab {
            Tab::Top => Ask::Top(self.top.sort),
            Tab::Flame => Ask::Flame,
            Tab::Processes => Ask::Processes(self.processes.sort),
            Tab::Diagnostics => Ask::Pulse,
        })
    }

    fn compute_as(&mut self, ask: Ask) -> Vec<Effect> {
        let (Some(newest), Some(shown)) = (self.newest.clone(), self.shown().cloned()) else {
            return Vec::new();
        };
        if self.work != Work::Idle {
            self.work = Work::Stale;
            return Vec::new();
        }
        self.work = Work::Busy;
        let query = self.window.query(&shown, self.scope.clone(), self.filter.clone());
        let generation = self.generation;
        vec![Effect::Compute(Box::new(Request { snapshot: shown, newest, query, ask, generation }))]
    }

    fn computed(&mut self, view: View) -> Vec<Effect> {
        let stale = std::mem::take(&mut self.work) == Work::Stale;
        let View { generation, data, pulse, took_ns } = view;
        let mut effects = Vec::new();
        if generation == self.generation {
            self.pulse = pulse;
            self.costs.view.record(took_ns);
            match data {
                Data::Top(table) => self.top.table = Some(table),
                Data::Flame(tree) => self.flame.set_tree(tree),
                Data::Processes(table) => self.processes.table = Some(table),
                Data::Nothing => {}
            }
            self.keep_selections();
            effects.push(Effect::Draw);
        }
        if stale {
            effects.extend(self.compute());
        }
        effects
    }

    /// Finds what is selected again after rows or the size have changed.
    fn keep_selections(&mut self) {
        let (height, body) = (self.body_height(), self.body());
        if let Some(table) = &self.top.table {
            self.top.rows.follow(table.rows.iter().map(top_key), height);
        }
        if let Some(table) = &self.processes.table {
            self.processes.rows.follow(table.rows.iter().map(|row| row.key), height);
        }
        self.flame.scroll(body);
    }

    fn body(&self) -> Rect {
        areas(Rect::from(self.size)).map(|areas| areas.body).unwrap_or_default()
    }

    fn body_height(&self) -> usize {
        usize::from(self.body().height)
    }
}
