//! What a frame is called on a screen and in exports of text.

use super::{
    Frame, FrameHandle, FrameKind, FunctionHandle, Handle, MappingHandle, MappingKind, Naming,
    Symbol, Tables, Text, Unresolved,
};
use foldhash::HashMap;
use std::cmp::Ordering;
use std::ops::Range;

/// What code whose module nobody knows is filed under.
const MODULE_UNKNOWN: &str = "[unknown]";

/// The name that code goes by: a function, or what stands for it while it has
/// no name or where it can have none. Clones share their text.
///
/// Name, module and source are what tells two labels apart, in one snapshot and
/// across snapshots: a selection that has to survive new samples keeps them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// The function. Otherwise `libc.so.6 …` while names are awaited,
    /// `[libc.so.6]` where the file has none, `[unsymbolized: limit]` where
    /// naming failed.
    pub name: Text,
    /// The module; empty where this is not code (a process).
    pub module: Text,
    /// The source file, where known.
    pub source: Option<Text>,
    /// What kind of code it is; [`FrameKind::Marker`] where it is none.
    pub kind: FrameKind,
}

impl Label {
    /// A label for what is not code: a process, the root of a tree.
    #[must_use]
    pub fn not_code(name: Text) -> Self {
        Self { name, module: Text::default(), source: None, kind: FrameKind::Marker }
    }

    /// By name, then module, then source.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        self.identity().cmp(&other.identity())
    }

    /// Whether both stand for the same code, in these or in other snapshots.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }

    const fn identity(&self) -> (&Text, &Text, &Option<Text>) {
        (&self.name, &self.module, &self.source)
    }
}

/// A position in [`Labels`].
pub(super) type LabelIndex = u32;

/// A position in [`Labels::spots`].
pub(super) type SpotIndex = u32;

/// One function at one frame: the finest that code is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    /// The function.
    pub(super) label: LabelIndex,
    /// The line in its file; 0 where unknown.
    pub(super) line: u32,
}

/// The labels of one snapshot, each made when it is first asked for.
#[derive(Debug)]
pub(super) struct Labels<'a> {
    tables: &'a Tables,
    all: Vec<Label>,
    /// Those of all frames that were asked for, one frame after the other.
    spots: Vec<Spot>,
    /// Where in `spots` those of a frame are; empty before it is asked for.
    ranges: Vec<(SpotIndex, SpotIndex)>,
    by_identity: HashMap<(Text, Text, Option<Text>), LabelIndex>,
    /// By function: its label, where it was asked for.
    by_function: Vec<Option<LabelIndex>>,
    modules: HashMap<MappingHandle, Text>,
}

impl<'a> Labels<'a> {
    /// None yet.
    pub(super) fn new(tables: &'a Tables) -> Self {
        Self {
            tables,
            all: Vec::new(),
            spots: Vec::new(),
            ranges: vec![(0, 0); tables.frames.len()],
            by_identity: HashMap::default(),
            by_function: vec![None; tables.functions.len()],
            modules: HashMap::default(),
        }
    }

    /// Every label so far.
    pub(super) fn labels(&self) -> &[Label] {
        &self.all
    }

    /// A label.
    pub(super) fn label(&self, label: LabelIndex) -> &Label {
        &self.all[label as usize]
    }

    /// Gives up everything but the labels.
    pub(super) fn into_labels(self) -> Vec<Label> {
        self.all
    }

    /// Every spot so far.
    pub(super) fn spots(&self) -> &[Spot] {
        &self.spots
    }

    /// The label at a spot.
    pub(super) fn at(&self, spot: SpotIndex) -> &Label {
        self.label(self.spot(spot).label)
    }

    /// A spot.
    pub(super) fn spot(&self, spot: SpotIndex) -> &Spot {
        &self.spots[spot as usize]
    }

    /// What was [made](Labels::make) for `frame`, outermost first: a function,
    /// then what is inlined there. Never empty, except for a handle of another
    /// table.
    pub(super) fn made(&self, frame: FrameHandle) -> Range<SpotIndex> {
        let (start, end) = self.ranges.get(frame.index()).copied().unwrap_or((0, 0));
        start..end
    }

    /// Makes the labels of every frame.
    pub(super) fn make_all(&mut self) {
        for index in 0..self.tables.frames.len() {
            self.make(FrameHandle::from_index(index));
        }
    }

    /// Makes the labels of a frame, unless that was done.
    pub(super) fn make(&mut self, frame: FrameHandle) {
        if self.ranges.get(frame.index()) != Some(&(0, 0)) {
            return;
        }
        let tables = self.tables;
        let start = self.spots_end();
        let naming = tables.namings.get(frame).copied().unwrap_or(Naming::Pending);
        let symbol = match naming {
            Naming::Named(symbol) => tables.symbols.get(symbol),
            Naming::Pending | Naming::Unresolved(_) => None,
        };
        if let Some(Symbol { lines }) = symbol {
            for line in lines.iter().rev() {
                if let Some(label) = self.function(line.function) {
                    self.spots.push(Spot { label, line: line.line });
                }
            }
        }
        if self.spots_end() == start {
            let label = self.nameless(frame, naming);
            self.spots.push(Spot { label, line: 0 });
        }
        self.ranges[frame.index()] = (start, self.spots_end());
    }

    fn spots_end(&self) -> SpotIndex {
        SpotIndex::try_from(self.spots.len()).unwrap_or(SpotIndex::MAX)
    }

    fn function(&mut self, handle: FunctionHandle) -> Option<LabelIndex> {
        if let Some(Some(known)) = self.by_function.get(handle.index()) {
            return Some(*known);
        }
        let function = self.tables.functions.get(handle)?;
        let label = self.intern(Label {
            name: function.name.clone(),
            module: function.module.clone(),
            source: function.file.clone(),
            kind: function.kind,
        });
        self.by_function[handle.index()] = Some(label);
        Some(label)
    }

    /// The label of a frame without a function.
    fn nameless(&mut self, handle: FrameHandle, naming: Naming) -> LabelIndex {
        let frame = self.tables.frames.get(handle);
        let kind = frame.map_or(FrameKind::Marker, |frame| frame.kind);
        let module = frame.map_or_else(|| MODULE_UNKNOWN.into(), |frame| self.module(frame));
        let name = nameless(kind, module.as_str(), naming);
        self.intern(Label { name, module, source: None, kind })
    }

    fn module(&mut self, frame: &Frame) -> Text {
        let mapping = || self.tables.mappings.get(frame.mapping);
        let text = || {
            let Some(mapping) = mapping() else { return MODULE_UNKNOWN.into() };
            match (&mapping.kind, mapping.module()) {
                (MappingKind::Kernel, _) => "kernel".into(),
                (MappingKind::Unknown(_), _) | (_, "") => MODULE_UNKNOWN.into(),
                (_, module) => module.into(),
            }
        };
        self.modules.entry(frame.mapping).or_insert_with(text).clone()
    }

    fn intern(&mut self, label: Label) -> LabelIndex {
        let identity = (label.name.clone(), label.module.clone(), label.source.clone());
        let next = LabelIndex::try_from(self.all.len()).unwrap_or(LabelIndex::MAX);
        *self.by_identity.entry(identity).or_insert_with(|| {
            self.all.push(label);
            next
        })
    }

    /// A new spot for something that is not code, which no frame will share.
    pub(super) fn add_not_code(&mut self, name: Text) -> SpotIndex {
        let label = LabelIndex::try_from(self.all.len()).unwrap_or(LabelIndex::MAX);
        self.all.push(Label::not_code(name));
        let spot = self.spots_end();
        self.spots.push(Spot { label, line: 0 });
        spot
    }
}

/// What stands for the name of a function that has none, or none yet.
fn nameless(kind: FrameKind, module: &str, naming: Naming) -> Text {
    let brackets = |module: &str| {
        if module.starts_with('[') { module.into() } else { format!("[{module}]").into() }
    };
    match naming {
        _ if kind == FrameKind::Marker => "[incomplete stack]".into(),
        Naming::Pending | Naming::Named(_) => format!("{module} …").into(),
        Naming::Unresolved(Unresolved::NoFile | Unresolved::Stripped)
            if module != MODULE_UNKNOWN =>
        {
            brackets(module)
        }
        Naming::Unresolved(why) => format!("[unsymbolized: {}]", why.word()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: FrameKind, module: &str, naming: Naming, expected: &str) {
        assert_eq!(nameless(kind, module, naming).as_str(), expected);
    }

    #[test]
    fn every_frame_without_a_name_says_why() {
        use FrameKind::{Kernel, Marker, Native};
        use Naming::{Pending, Unresolved as No};
        check(Native, "libc.so.6", Pending, "libc.so.6 …");
        check(Native, "libc.so.6", No(Unresolved::Stripped), "[libc.so.6]");
        check(Native, "gone", No(Unresolved::NoFile), "[gone]");
        check(Kernel, "kernel", No(Unresolved::Denied), "[unsymbolized: denied]");
        check(Native, "[vdso]", No(Unresolved::Stripped), "[vdso]");
        check(Native, "bomb", No(Unresolved::Limit), "[unsymbolized: limit]");
        check(Native, MODULE_UNKNOWN, No(Unresolved::NoFile), "[unsymbolized: no file]");
        check(Marker, MODULE_UNKNOWN, Pending, "[incomplete stack]");
    }

    #[test]
    fn inlines_come_outermost_first_and_labels_once() {
        let store = super::super::fixture::snapshot(&[("p;outer@30+inlined@3;outer@30", 1)]);
        let mut labels = Labels::new(&store.tables);
        let frames: Vec<_> = store.tables.frames.iter().map(|(handle, _)| handle).collect();
        labels.make_all();
        let names = |frame| -> Vec<(String, u32)> {
            let line = |spot| (labels.at(spot).name.to_string(), labels.spot(spot).line);
            labels.made(frame).map(line).collect()
        };
        assert_eq!(names(frames[0]), [("outer".into(), 30), ("inlined".into(), 3)]);
        assert_eq!(names(frames[1]), [("outer".into(), 30)]);
        assert_eq!(names(frames[0]).len(), 2);
        assert_eq!((labels.labels().len(), labels.spots().len()), (2, 3));
    }

    #[test]
    fn labels_are_the_same_whatever_their_kind() {
        let label = Label::not_code("x".into());
        assert!(label.same(&Label { kind: FrameKind::Native, ..label.clone() }));
        assert!(!label.same(&Label { module: "m".into(), ..label.clone() }));
    }
}
