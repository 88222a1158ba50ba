//! Which key does what, as data: the help page and the hint line are made from
//! the same table that keys are looked up in.

use crate::action::{Action, Motion, Resort, Tab};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt;

/// A key, with or without Ctrl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The key alone (Shift is part of the character).
    Plain(KeyCode),
    /// With Ctrl, a lower-case letter.
    Ctrl(char),
}

impl Key {
    const fn of(c: char) -> Self {
        Self::Plain(KeyCode::Char(c))
    }

    /// The key that was pressed; None with modifiers that nothing is bound to.
    #[must_use]
    pub fn pressed(event: &KeyEvent) -> Option<Self> {
        match (event.code, event.modifiers - KeyModifiers::SHIFT) {
            (KeyCode::Char(c), KeyModifiers::CONTROL) => Some(Self::Ctrl(c.to_ascii_lowercase())),
            (code, modifiers) if modifiers.is_empty() => Some(Self::Plain(code)),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ctrl(c) => write!(f, "Ctrl-{}", c.to_ascii_uppercase()),
            Self::Plain(KeyCode::Char(' ')) => f.write_str("Space"),
            Self::Plain(KeyCode::Char(c)) => write!(f, "{c}"),
            Self::Plain(KeyCode::F(n)) => write!(f, "F{n}"),
            Self::Plain(code) => f.write_str(match code {
                KeyCode::BackTab => "Shift-Tab",
                KeyCode::PageUp => "PgUp",
                KeyCode::PageDown => "PgDn",
                KeyCode::Up => "Up",
                KeyCode::Down => "Down",
                KeyCode::Left => "Left",
                KeyCode::Right => "Right",
                KeyCode::Home => "Home",
                KeyCode::End => "End",
                KeyCode::Enter => "Enter",
                KeyCode::Esc => "Esc",
                KeyCode::Backspace => "Backspace",
                KeyCode::Tab => "Tab",
                _ => "?",
            }),
        }
    }
}

/// A part of the help page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Getting around.
    Move,
    /// What is shown.
    View,
    /// Everything else.
    General,
}

impl Group {
    /// Every part, in its order on the page.
    pub const ALL: [Self; 3] = [Self::Move, Self::View, Self::General];

    /// Its heading.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Move => "Get around",
            Self::View => "What is shown",
            Self::General => "Everything else",
        }
    }
}

/// Keys and what they do.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Any of these keys.
    pub keys: &'static [Key],
    /// What they do.
    pub action: Action,
    /// In words, for the help page.
    pub help: &'static str,
    /// Where on the help page.
    pub group: Group,
    /// One word for the hint line of these screens.
    pub hint: Option<(&'static str, &'static [Tab])>,
}

const fn bind(group: Group, keys: &'static [Key], action: Action, help: &'static str) -> Binding {
    Binding { keys, action, help, group, hint: None }
}

impl Binding {
    const fn hint(self, word: &'static str, tabs: &'static [Tab]) -> Self {
        Self { hint: Some((word, tabs)), ..self }
    }
}

const ALL: &[Tab] = &Tab::ALL;
const LISTS: &[Tab] = &[Tab::Top, Tab::Processes];
const SAMPLES: &[Tab] = &[Tab::Top, Tab::Flame, Tab::Processes];

/// Every binding, in the order of the help page and of the hint line.
pub const BINDINGS: &[Binding] = &[
    bind(Group::Move, &[Key::Plain(KeyCode::Tab)], Action::NextTab, "next screen"),
    bind(Group::Move, &[Key::Plain(KeyCode::BackTab)], Action::PreviousTab, "previous screen"),
    bind(Group::Move, &[Key::of('1')], Action::Show(Tab::Top), "top functions"),
    bind(Group::Move, &[Key::of('2')], Action::Show(Tab::Flame), "flame view"),
    bind(Group::Move, &[Key::of('3')], Action::Show(Tab::Processes), "processes"),
    bind(Group::Move, &[Key::of('4')], Action::Show(Tab::Diagnostics), "diagnostics"),
    bind(
        Group::Move,
        &[Key::Plain(KeyCode::Up), Key::of('k')],
        Action::Move(Motion::Up),
        "up; in the flame view, to the caller",
    ),
    bind(
        Group::Move,
        &[Key::Plain(KeyCode::Down), Key::of('j')],
        Action::Move(Motion::Down),
        "down; in the flame view, to the hottest callee",
    ),
    bind(
        Group::Move,
        &[Key::Plain(KeyCode::Left), Key::of('h')],
        Action::Move(Motion::Left),
        "to the box on the left",
    ),
    bind(
        Group::Move,
        &[Key::Plain(KeyCode::Right), Key::of('l')],
        Action::Move(Motion::Right),
        "to the box on the right",
    ),
    bind(
        Group::Move,
        &[Key::Plain(KeyCode::PageUp), Key::Ctrl('u')],
        Action::Move(Motion::PageUp),
        "a page up",
    ),
    bind(
        Group::Move,
        &[Key::Plain(KeyCode::PageDown), Key::Ctrl('d')],
        Action::Move(Motion::PageDown),
        "a page down",
    ),
    bind(
        Group::Move,
        &[Key::Plain(KeyCode::Home), Key::of('g')],
        Action::Move(Motion::First),
        "to the first, and stay there",
    ),
    bind(
        Group::Move,
        &[Key::Plain(KeyCode::End), Key::of('G')],
        Action::Move(Motion::Last),
        "to the last",
    ),
    bind(
        Group::View,
        &[Key::Plain(KeyCode::Enter)],
        Action::Enter,
        "into it: a function's boxes, a box, a process",
    )
    .hint("open", SAMPLES),
    bind(
        Group::View,
        &[Key::Plain(KeyCode::Esc), Key::Plain(KeyCode::Backspace)],
        Action::Back,
        "out again, one level",
    )
    .hint("back", SAMPLES),
    bind(Group::View, &[Key::of('f')], Action::FlameHere, "flame view of the selected process")
        .hint("flame", &[Tab::Processes]),
    bind(Group::View, &[Key::of('u')], Action::PlaceHere, "only its container or unit")
        .hint("unit", &[Tab::Processes]),
    bind(
        Group::View,
        &[Key::of(' '), Key::of('z')],
        Action::Freeze,
        "freeze and follow again; sampling goes on",
    )
    .hint("freeze", ALL),
    bind(Group::View, &[Key::of('/'), Key::Plain(KeyCode::F(4))], Action::Filter, "filter")
        .hint("filter", SAMPLES),
    bind(Group::View, &[Key::of('c')], Action::Clear, "clear filter and scope"),
    bind(Group::View, &[Key::of('w')], Action::NextWindow, "look back 1s, 10s, 60s, or at all")
        .hint("window", SAMPLES),
    bind(Group::View, &[Key::of('+'), Key::of('=')], Action::LongerWindow, "look back further"),
    bind(Group::View, &[Key::of('-')], Action::ShorterWindow, "look back less far"),
    bind(
        Group::View,
        &[Key::of('s'), Key::of('>')],
        Action::Sort(Resort::Next),
        "sort by the next column",
    )
    .hint("sort", LISTS),
    bind(
        Group::View,
        &[Key::of('<')],
        Action::Sort(Resort::Previous),
        "sort by the previous column",
    ),
    bind(Group::View, &[Key::of('I')], Action::Sort(Resort::Invert), "the other way round"),
    bind(Group::General, &[Key::of('r')], Action::Reset, "count from zero again"),
    bind(Group::General, &[Key::Ctrl('l')], Action::Repaint, "draw everything again"),
    bind(Group::General, &[Key::Ctrl('z')], Action::Suspend, "stop; fg goes on"),
    bind(Group::General, &[Key::of('?'), Key::Plain(KeyCode::F(1))], Action::Help, "these keys")
        .hint("help", ALL),
    bind(
        Group::General,
        &[Key::of('q'), Key::Ctrl('c'), Key::Plain(KeyCode::F(10))],
        Action::Quit,
        "quit",
    )
    .hint("quit", ALL),
];

/// What the key does, if anything.
#[must_use]
pub fn action(event: &KeyEvent) -> Option<Action> {
    let key = Key::pressed(event)?;
    BINDINGS.iter().find(|binding| binding.keys.contains(&key)).map(|binding| binding.action)
}

/// Key and word for each binding that is hinted at on a screen.
pub fn hints(tab: Tab) -> impl Iterator<Item = (String, &'static str)> {
    BINDINGS.iter().filter_map(move |binding| {
        let (word, tabs) = binding.hint?;
        let key = binding.keys.first()?;
        tabs.contains(&tab).then(|| (key.to_string(), word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_bound_twice_and_every_key_has_a_name() {
        let keys: Vec<_> = BINDINGS.iter().flat_map(|binding| binding.keys).collect();
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[at + 1..].contains(key), "{key} is bound twice");
            assert!(key.to_string() != "?" || **key == Key::of('?'), "{key:?} has no name");
        }
    }

    #[test]
    fn keys_as_terminals_send_them() {
        let check = |code, modifiers, expected| {
            assert_eq!(action(&KeyEvent::new(code, modifiers)), expected);
        };
        let none = KeyModifiers::NONE;
        check(KeyCode::Char('q'), none, Some(Action::Quit));
        check(KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Action::Quit));
        check(KeyCode::Char('C'), KeyModifiers::CONTROL, Some(Action::Quit));
        check(KeyCode::Char('c'), none, Some(Action::Clear));
        check(KeyCode::Char('G'), KeyModifiers::SHIFT, Some(Action::Move(Motion::Last)));
        check(KeyCode::BackTab, KeyModifiers::SHIFT, Some(Action::PreviousTab));
        check(KeyCode::Char('q'), KeyModifiers::ALT, None);
        check(KeyCode::Char('9'), none, None);
    }

    #[test]
    fn tabs_go_round_and_have_their_digit() {
        assert_eq!(Tab::Diagnostics.step(1), Tab::Top);
        assert_eq!(Tab::Top.step(Tab::ALL.len() - 1), Tab::Diagnostics);
        for (at, tab) in Tab::ALL.into_iter().enumerate() {
            let digit = char::from_digit(u32::try_from(at).unwrap() + 1, 10).unwrap();
            let pressed = KeyEvent::new(KeyCode::Char(digit), KeyModifiers::NONE);
            assert_eq!(action(&pressed), Some(Action::Show(tab)));
        }
    }
}
