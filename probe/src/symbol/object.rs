//! One ELF file in the worker: its tables, each read when it is first needed.

use super::bounds::Bounds;
use super::calls::call_before;
use super::demangle::{Name, demangle};
use super::dwarf::{DebugInfo, Frame};
use super::elf::Elf;
use super::functions::{Function, Functions};
use super::limits::NAMES_KEPT_MAX;
use super::wire::{Found, Label, Line};
use super::{Detail, Identity};
use crate::profile::{Call, Code, FrameKind, Unresolved};
use foldhash::HashMap;
use std::os::fd::OwnedFd;

/// A table that is read once, and whether that failed.
type Lazy<T> = Option<Result<T, Unresolved>>;

/// A file, its separate debug file, and what was read of them.
#[derive(Debug)]
pub(super) struct Object {
    elf: Elf,
    is_go: bool,
    debug: Option<Elf>,
    debug_tried: bool,
    functions: Lazy<Option<(Functions, Owner)>>,
    bounds: Lazy<Bounds>,
    debug_info: Lazy<Option<DebugInfo>>,
    /// By address.
    names: HashMap<u64, Name>,
}

/// Whose symbol table it is.
#[derive(Clone, Copy, Debug)]
enum Owner {
    File,
    DebugFile,
}

impl Object {
    /// Reads the file's headers.
    ///
    /// # Errors
    ///
    /// As [`Elf::new`].
    pub(super) fn new(file: OwnedFd) -> Result<Self, Unresolved> {
        let elf = Elf::new(file)?;
        let is_go = elf.is_go();
        Ok(Self {
            elf,
            is_go,
            debug: None,
            debug_tried: false,
            functions: None,
            bounds: None,
            debug_info: None,
            names: HashMap::default(),
        })
    }

    /// Takes the first of `candidates` that is the debug file of this one. Only
    /// the first time: later ones are dropped.
    pub(super) fn attach(&mut self, candidates: Vec<OwnedFd>) {
        if self.debug_tried || candidates.is_empty() {
            return;
        }
        self.debug_tried = true;
        let mut debug = candidates.into_iter().filter_map(|file| Elf::new(file).ok());
        self.debug = debug.find(|debug| belongs(&self.elf, debug));
        if self.debug.is_some() {
            self.functions = None;
            self.debug_info = None;
            self.names.clear();
        }
    }

    /// What the file is.
    #[must_use]
    pub(super) fn identity(&self) -> Identity {
        Identity {
            build_id: self.elf.build_id(),
            debug_link: self.elf.debug_link(),
            is_go: self.is_go,
            has_debug_info: self.elf.section(".debug_info").is_some(),
        }
    }

    /// How much memory it takes, in bytes, by the size of its tables.
    #[must_use]
    pub(super) fn bytes(&self) -> usize {
        const NAME_BYTES: usize = 128;
        let functions = self.functions.as_ref().and_then(|table| table.as_ref().ok()?.as_ref());
        let bounds = self.bounds.as_ref().and_then(|table| table.as_ref().ok());
        let debug = self.debug_info.as_ref().and_then(|table| table.as_ref().ok()?.as_ref());
        functions.map_or(0, |(functions, _)| functions.bytes())
            + bounds.map_or(0, Bounds::bytes)
            + debug.map_or(0, DebugInfo::bytes)
            + self.names.len() * NAME_BYTES
    }

    /// The functions at a file offset, innermost first.
    pub(super) fn find(&mut self, offset: u64, detail: Detail) -> Found {
        let address = self.elf.address(offset).ok_or(Unresolved::Stripped)?;
        if detail == Detail::Lines {
            let lines = self.lines(address);
            if !lines.is_empty() {
                return Ok(lines);
            }
        }
        self.function(address).map(|(_, line)| vec![line])
    }

    /// What the code at a file offset is.
    pub(super) fn code(&mut self, offset: u64) -> Code {
        let Some(address) = self.elf.address(offset) else { return Code::default() };
        let start = self.function(address).ok().map(|(start, _)| start);
        // Go's stacks begin in the middle of `goexit`, after a one-byte
        // instruction that nothing ever ran.
        let made_up = self.is_go && start == Some(address);
        let call = if made_up { Call::Unknown } else { call_before(&self.elf, offset) };
        Code { call, function: start.and_then(|start| self.elf.offset(start)) }
    }

    /// By debug information; none where there is none, or it is unreadable.
    fn lines(&mut self, address: u64) -> Vec<Line> {
        let Self { elf, debug, debug_info, .. } = self;
        let table = debug_info.get_or_insert_with(|| {
            let own = DebugInfo::new(elf);
            match debug {
                Some(debug) if !matches!(own, Ok(Some(_))) => DebugInfo::new(debug),
                _ => own,
            }
        });
        let Ok(Some(info)) = table else { return Vec::new() };
        let frames = info.find(address);
        let mut lines: Vec<Line> =
            frames.into_iter().filter_map(|frame| self.line_of(address, frame)).collect();
        // The outermost function has a symbol, whose name says more than debug
        // information does where that has line tables alone: no path, no class.
        if let (Some(outermost), Ok((_, symbol))) = (lines.last_mut(), self.function(address))
            && let Label::Name(_) = symbol.label
        {
            outermost.label = symbol.label;
        }
        lines
    }

    /// With the symbol's name where debug information has the place alone.
    fn line_of(&mut self, address: u64, frame: Frame) -> Option<Line> {
        let Frame { name, file, line } = frame;
        let found = match name {
            Some(name) => self.line(name.kind, Label::Name(name.bytes)),
            None => self.function(address).ok()?.1,
        };
        Some(Line { line, file, ..found })
    }

    /// Where the function starts, and its name: by symbol table, then by unwind
    /// information.
    fn function(&mut self, address: u64) -> Result<(u64, Line), Unresolved> {
        let Self { elf, debug, functions, names, .. } = self;
        let table = functions.get_or_insert_with(|| functions_of(elf, debug.as_ref()));
        let (failed, found) = match table {
            Err(why) => (Some(*why), None),
            Ok(None) => (None, None),
            Ok(Some((functions, owner))) => {
                let owner = match (owner, &*debug) {
                    (Owner::DebugFile, Some(debug)) => debug,
                    _ => &*elf,
                };
                let found = functions.find(owner, address).and_then(|function| {
                    let name = name_of(names, owner, functions, function);
                    (!name.bytes.is_empty()).then_some((function, name))
                });
                (None, found)
            }
        };
        let sized = found.as_ref().is_some_and(|(function, _)| function.size > 0);
        let start = if sized { None } else { self.start(address)? };
        match (found, start) {
            // A symbol without a size says nothing of where it ends.
            (Some((function, name)), start)
                if start.is_none_or(|start| start <= function.address) =>
            {
                Ok((function.address, self.line(name.kind, Label::Name(name.bytes))))
            }
            (_, Some(start)) => {
                let offset = self.elf.offset(start).unwrap_or(start);
                Ok((start, self.line(FrameKind::Native, Label::Start(offset))))
            }
            (_, None) => Err(failed.unwrap_or(Unresolved::Stripped)),
        }
    }

    fn line(&self, kind: FrameKind, label: Label) -> Line {
        let kind = if self.is_go { FrameKind::Go } else { kind };
        Line { label, kind, line: 0, file: None, module: None }
    }

    /// Where the function at an address starts, by unwind information.
    fn start(&mut self, address: u64) -> Result<Option<u64>, Unresolved> {
        let bounds = self.bounds.get_or_insert_with(|| Bounds::new(&self.elf));
        bounds.as_ref().map(|bounds| bounds.start(address)).map_err(|why| *why)
    }
}

/// A function's name, read and demangled once; empty where it is unreadable.
fn name_of(
    names: &mut HashMap<u64, Name>,
    elf: &Elf,
    functions: &Functions,
    function: Function,
) -> Name {
    if names.len() >= NAMES_KEPT_MAX {
        names.clear();
    }
    let name = || demangle(&functions.name(elf, function).unwrap_or_default());
    names.entry(function.address).or_insert_with(name).clone()
}

/// The fullest symbol table that there is.
fn functions_of(elf: &Elf, debug: Option<&Elf>) -> Result<Option<(Functions, Owner)>, Unresolved> {
    if let Ok(Some(functions)) = Functions::new(elf, ".symtab") {
        return Ok(Some((functions, Owner::File)));
    }
    if let Some(debug) = debug
        && let Ok(Some(functions)) = Functions::new(debug, ".symtab")
    {
        return Ok(Some((functions, Owner::DebugFile)));
    }
    let functions = Functions::new(elf, ".dynsym")?;
    Ok(functions.map(|functions| (functions, Owner::File)))
}

/// Whether `debug` was split off `elf`: by build id, or, where one has none, by
/// the checksum in the debug link.
fn belongs(elf: &Elf, debug: &Elf) -> bool {
    // The stripped file itself has the right build id, and no use.
    if [".symtab", ".debug_info"].iter().all(|name| debug.section(name).is_none()) {
        return false;
    }
    match (elf.build_id(), debug.build_id()) {
        (Some(own), Some(other)) => own == other,
        _ => elf.debug_link().is_some_and(|(_, crc)| debug.image().crc32() == Ok(crc)),
    }
}
