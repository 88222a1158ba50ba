//! What a key can ask for.

/// A screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// Functions by self and total.
    #[default]
    Top,
    /// Stacks merged into boxes.
    Flame,
    /// Processes.
    Processes,
    /// The books, latencies and tables.
    Diagnostics,
}

impl Tab {
    /// Every screen, in the order of its digit.
    pub const ALL: [Self; 4] = [Self::Top, Self::Flame, Self::Processes, Self::Diagnostics];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Top => "Top",
            Self::Flame => "Flame",
            Self::Processes => "Processes",
            Self::Diagnostics => "Diagnostics",
        }
    }

    /// The screen `steps` further, round and round.
    #[must_use]
    pub fn step(self, steps: usize) -> Self {
        Self::ALL.into_iter().cycle().nth(self as usize + steps).unwrap_or(self)
    }
}

/// Where the selection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// A row up; in the flame view, to the caller.
    Up,
    /// A row down; in the flame view, to the hottest callee.
    Down,
    /// To the box on the left.
    Left,
    /// To the box on the right.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first.
    First,
    /// To the last.
    Last,
}

/// How the sort order changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resort {
    /// By the column to the right, and round.
    Next,
    /// By the column to the left, and round.
    Previous,
    /// The other way round.
    Invert,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leave; first whatever is open on top.
    Quit,
    /// Show the keys.
    Help,
    /// Show a screen.
    Show(Tab),
    /// Show the next screen.
    NextTab,
    /// Show the previous one.
    PreviousTab,
    /// Move the selection.
    Move(Motion),
    /// Into what is selected.
    Enter,
    /// Out, one level.
    Back,
    /// Flame view of the selected process.
    FlameHere,
    /// Only the container or unit of the selected process.
    PlaceHere,
    /// Keep what is shown, or follow again.
    Freeze,
    /// The next window.
    NextWindow,
    /// A longer one.
    LongerWindow,
    /// A shorter one.
    ShorterWindow,
    /// Change the order of rows.
    Sort(Resort),
    /// Type a filter.
    Filter,
    /// Drop filter and scope.
    Clear,
    /// Count from zero again.
    Reset,
    /// Draw everything again.
    Repaint,
    /// Stop until continued, as Ctrl-Z does elsewhere.
    Suspend,
}
