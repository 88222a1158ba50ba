//! What clicks and the wheel do.

use super::{App, Mode, top_key};
use crate::action::{Action, Motion, Tab};
use crate::effect::Effect;
use crate::icicle::Content;
use crate::layout::{areas, row_at, tab_at};
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

/// Rows that one notch of the wheel moves.
const WHEEL_ROWS: usize = 3;

impl App {
    pub(super) fn mouse(&mut self, mouse: MouseEvent) -> Vec<Effect> {
        let motion = match mouse.kind {
            MouseEventKind::ScrollUp => Motion::Up,
            MouseEventKind::ScrollDown => Motion::Down,
            MouseEventKind::Down(MouseButton::Left) => {
                return self.click(Position { x: mouse.column, y: mouse.row });
            }
            _ => return Vec::new(),
        };
        if let Mode::Help(_) = self.mode {
            return self.help(Some(Action::Move(motion)));
        }
        let steps = if self.tab == Tab::Flame { 1 } else { WHEEL_ROWS };
        (0..steps).fold(Vec::new(), |_, _| self.step(motion))
    }

    /// Selects; what is selected already, opens.
    fn click(&mut self, position: Position) -> Vec<Effect> {
        let Some(areas) = areas(Rect::from(self.size)) else { return Vec::new() };
        if self.mode != Mode::Normal {
            self.mode = Mode::Normal;
            return vec![Effect::Draw];
        }
        if areas.tabs.contains(position) {
            let tab = tab_at(position.x, areas.tabs.width, self.tab);
            return tab.map(|tab| self.show(tab)).unwrap_or_default();
        }
        let Some(row) = row_at(areas.body, position) else { return Vec::new() };
        match self.tab {
            Tab::Top => {
                let index = self.top.rows.offset() + row;
                let rows = self.top.table.iter().flat_map(|table| &table.rows);
                let keys: Vec<_> = rows.map(top_key).collect();
                if index >= keys.len() {
                    return Vec::new();
                }
                if index == self.top.rows.index() {
                    return self.enter();
                }
                self.top.rows.select(index, &keys, usize::from(areas.body.height));
            }
            Tab::Processes => {
                let index = self.processes.rows.offset() + row;
                let rows = self.processes.table.iter().flat_map(|table| &table.rows);
                let keys: Vec<_> = rows.map(|row| row.key).collect();
                if index >= keys.len() {
                    return Vec::new();
                }
                if index == self.processes.rows.index() {
                    return self.enter();
                }
                self.processes.rows.select(index, &keys, usize::from(areas.body.height));
            }
            Tab::Flame => return self.click_flame(areas.body, position),
            Tab::Diagnostics => return Vec::new(),
        }
        vec![Effect::Draw]
    }

    fn click_flame(&mut self, body: Rect, position: Position) -> Vec<Effect> {
        let (column, row) = (position.x - body.x, position.y - body.y);
        let hit = self.flame.boxes(body).into_iter().find(|found| {
            found.row == row && (found.column..found.column + found.width).contains(&column)
        });
        let node = match hit.map(|hit| hit.content) {
            Some(Content::Node(node)) => node,
            // What is in it can be seen below its caller.
            Some(Content::Others { parent, .. }) => parent,
            None => return Vec::new(),
        };
        if node == self.flame.selected() {
            self.flame.zoom_in(body);
        } else {
            self.flame.select(node, body);
        }
        vec![Effect::Draw]
    }
}
