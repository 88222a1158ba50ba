//! The line on which a filter is typed.

use super::{App, Mode};
use crate::action::Action;
use crate::effect::Effect;
use crate::filter;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use probe::profile::Filter;

/// A filter being typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// So far.
    pub text: String,
    /// Why it is no filter yet, after Enter.
    pub error: Option<String>,
}

/// What a key did to the prompt.
pub(super) enum Outcome {
    /// Still open.
    Open,
    /// Closed without effect.
    Cancelled,
    /// Closed with this filter.
    Chosen(Filter),
}

impl Prompt {
    /// A prompt that starts with the filter that is on.
    #[must_use]
    pub fn new(filter: &Filter) -> Self {
        Self { text: filter::text(filter), error: None }
    }

    pub(super) fn key(&mut self, key: &KeyEvent, action: Option<Action>) -> Outcome {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Outcome::Cancelled,
            KeyCode::Enter => match filter::parse(&self.text) {
                Ok(filter) => return Outcome::Chosen(filter),
                Err(error) => self.error = Some(error.to_string()),
            },
            KeyCode::Backspace => {
                self.text.pop();
                self.error = None;
            }
            KeyCode::Char('u') if control => {
                self.text.clear();
                self.error = None;
            }
            KeyCode::Char('w') if control => {
                let kept = self.text.trim_end();
                let end = kept.rfind(' ').map_or(0, |at| at + 1);
                self.text.truncate(end);
                self.error = None;
            }
            KeyCode::Char(_) if control && action == Some(Action::Quit) => {
                return Outcome::Cancelled;
            }
            KeyCode::Char(c) if !control && !c.is_control() => {
                if self.text.len() + c.len_utf8() <= filter::LEN_MAX {
                    self.text.push(c);
                }
                self.error = None;
            }
            _ => {}
        }
        Outcome::Open
    }
}

impl App {
    pub(super) fn prompted(&mut self, outcome: Outcome) -> Vec<Effect> {
        match outcome {
            Outcome::Open => vec![Effect::Draw],
            Outcome::Cancelled => {
                self.mode = Mode::Normal;
                vec![Effect::Draw]
            }
            Outcome::Chosen(filter) => {
                self.mode = Mode::Normal;
                self.filter = filter;
                self.recompute()
            }
        }
    }
}
