//! Moving about: the selection, and in and out of what is selected.

use super::{App, top_key};
use crate::action::{Motion, Tab};
use crate::counters;
use crate::effect::Effect;
use probe::profile::{Label, Scope, TopRow};

impl App {
    pub(super) fn step(&mut self, motion: Motion) -> Vec<Effect> {
        let height = self.body_height();
        match self.tab {
            Tab::Top => {
                let keys: Vec<_> =
                    self.top.table.iter().flat_map(|table| &table.rows).map(top_key).collect();
                self.top.rows.step(motion, &keys, height);
            }
            Tab::Processes => {
                let rows = self.processes.table.iter().flat_map(|table| &table.rows);
                let keys: Vec<_> = rows.map(|row| row.key).collect();
                self.processes.rows.step(motion, &keys, height);
            }
            Tab::Flame => self.flame.step(motion, self.body()),
            Tab::Diagnostics => {
                let page = u16::try_from(height).unwrap_or(u16::MAX);
                let offset = self.diagnostics_offset;
                self.diagnostics_offset = match motion {
                    Motion::Up => offset.saturating_sub(1),
                    Motion::Down => offset.saturating_add(1),
                    Motion::PageUp => offset.saturating_sub(page),
                    Motion::PageDown => offset.saturating_add(page),
                    Motion::First => 0,
                    Motion::Last => u16::MAX,
                    Motion::Left | Motion::Right => offset,
                };
                let last = counters::rows(&self.sections(), self.size.width).saturating_sub(height);
                let last = u16::try_from(last).unwrap_or(u16::MAX);
                self.diagnostics_offset = self.diagnostics_offset.min(last);
            }
        }
        vec![Effect::Draw]
    }

    pub(super) fn enter(&mut self) -> Vec<Effect> {
        match self.tab {
            Tab::Top => {
                let Some(label) = self.top_row().map(label_of) else { return Vec::new() };
                self.flame.seek(label);
                self.show(Tab::Flame)
            }
            Tab::Processes => match self.process_scope() {
                Some((scope, label)) => {
                    self.tab = Tab::Top;
                    self.narrow(scope, label)
                }
                None => Vec::new(),
            },
            Tab::Flame => {
                self.flame.zoom_in(self.body());
                vec![Effect::Draw]
            }
            Tab::Diagnostics => Vec::new(),
        }
    }

    pub(super) fn back(&mut self) -> Vec<Effect> {
        if self.tab == Tab::Flame && self.flame.zoom_out(self.body()) {
            return vec![Effect::Draw];
        }
        if self.scope == Scope::Machine {
            Vec::new()
        } else {
            self.narrow(Scope::Machine, String::new())
        }
    }

    pub(super) fn flame_here(&mut self) -> Vec<Effect> {
        if self.tab == Tab::Processes
            && let Some((scope, label)) = self.process_scope()
        {
            self.tab = Tab::Flame;
            return self.narrow(scope, label);
        }
        self.show(Tab::Flame)
    }

    pub(super) fn place_here(&mut self) -> Vec<Effect> {
        let place = self.process_row().map(|row| row.place.clone());
        match place.filter(|place| self.tab == Tab::Processes && !place.is_empty()) {
            Some(place) => {
                let label = place.to_string();
                self.narrow(Scope::Place(place), label)
            }
            None => Vec::new(),
        }
    }

    fn process_scope(&self) -> Option<(Scope, String)> {
        let row = self.process_row()?;
        Some((Scope::Process(row.key), format!("{} {}", row.name, row.key.pid)))
    }
}

fn label_of(row: &TopRow) -> Label {
    let TopRow { name, module, source, kind, .. } = row.clone();
    Label { name, module, source, kind }
}
