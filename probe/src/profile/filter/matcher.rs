//! A filter made ready for millions of samples.

use super::{Filter, Term};
use crate::profile::label::{Label, Labels};
use crate::profile::{Frame, FrameHandle, FrameKind, Handle, Point, Process, Tables, Text, Thread};

/// Terms judged together: one bit each.
const BLOCK_TERMS: usize = 8;

/// One bit a term of a block.
type Bits = u8;

/// What every thread, stack and CPU of a snapshot says about each term, so that
/// judging a sample takes two look-ups.
#[derive(Debug)]
pub(in crate::profile) struct Matcher {
    blocks: Vec<Block>,
}

impl Matcher {
    /// Judges every thread and stack once.
    pub(in crate::profile) fn new(
        filter: &Filter,
        tables: &Tables,
        labels: &mut Labels<'_>,
    ) -> Self {
        let block = |terms| Block::new(terms, tables, labels);
        Self { blocks: filter.terms.chunks(BLOCK_TERMS).map(block).collect() }
    }

    /// Whether all terms hold for the sample.
    #[inline]
    pub(in crate::profile) fn holds(&self, point: &Point) -> bool {
        self.blocks.iter().all(|block| block.holds(point))
    }
}

#[derive(Debug)]
struct Block {
    all: Bits,
    /// By thread handle.
    threads: Vec<Bits>,
    /// By stack handle; empty where no term asks about code.
    stacks: Vec<Bits>,
    /// CPUs that terms name.
    cpus: Vec<(u16, Bits)>,
}

impl Block {
    fn new(terms: &[Term], tables: &Tables, labels: &mut Labels<'_>) -> Self {
        let tests: Vec<_> = terms.iter().enumerate().map(|(i, term)| Test::new(term, i)).collect();
        let cpu = |test: &Test| match test.term {
            Term::Cpu(cpu) => Some((*cpu, test.bit)),
            _ => None,
        };
        Self {
            all: passed(&tests, |_| true),
            threads: thread_bits(&tests, tables),
            stacks: stack_bits(&tests, tables, labels),
            cpus: tests.iter().filter_map(cpu).collect(),
        }
    }

    #[inline]
    fn holds(&self, point: &Point) -> bool {
        let thread = self.threads.get(point.thread.index()).copied().unwrap_or(0);
        let stack = self.stacks.get(point.stack.index()).copied().unwrap_or(0);
        let cpu = |bits, (cpu, bit): &(u16, Bits)| bits | if *cpu == point.cpu { *bit } else { 0 };
        self.cpus.iter().fold(thread | stack, cpu) == self.all
    }
}

/// A term and its bit.
struct Test<'a> {
    bit: Bits,
    term: &'a Term,
    /// The text that the term looks for, in lower case.
    needle: String,
}

impl<'a> Test<'a> {
    fn new(term: &'a Term, index: usize) -> Self {
        let needle = match term {
            Term::ProcessName(text)
            | Term::ThreadName(text)
            | Term::Place(text)
            | Term::Function(text)
            | Term::Word(text) => text.as_str().to_lowercase(),
            _ => String::new(),
        };
        Self { bit: 1 << index, term, needle }
    }

    fn holds_for_thread(&self, thread: &Thread, process: &Process) -> bool {
        match self.term {
            Term::ProcessName(_) | Term::Word(_) => self.is_in(&process.name),
            Term::Pid(pid) => process.key.pid == *pid,
            Term::Tid(tid) => thread.tid == *tid,
            Term::ThreadName(_) => self.is_in(&thread.name),
            Term::Place(_) => {
                let place = &process.place;
                let texts = [&place.container, &place.pod, &place.unit];
                texts.into_iter().flatten().any(|text| self.is_in(text))
            }
            Term::Cpu(_) | Term::Kind(_) | Term::Function(_) | Term::User | Term::Kernel => false,
        }
    }

    fn holds_for_code(&self, label: &Label) -> bool {
        match self.term {
            Term::Function(_) | Term::Word(_) => self.is_in(&label.name),
            Term::Kind(kind) => label.kind == *kind,
            _ => false,
        }
    }

    fn holds_for_leaf(&self, frame: &Frame) -> bool {
        match self.term {
            Term::User => frame.kind != FrameKind::Kernel,
            Term::Kernel => frame.kind == FrameKind::Kernel,
            _ => false,
        }
    }

    fn is_in(&self, text: &Text) -> bool {
        text.as_str().to_lowercase().contains(&self.needle)
    }
}

/// The bits of the tests that `holds`.
fn passed(tests: &[Test<'_>], holds: impl Fn(&Test<'_>) -> bool) -> Bits {
    tests.iter().filter(|test| holds(test)).fold(0, |bits, test| bits | test.bit)
}

fn thread_bits(tests: &[Test<'_>], tables: &Tables) -> Vec<Bits> {
    let bits = |thread: &Thread| {
        let process = tables.processes.get(thread.process);
        process.map_or(0, |process| passed(tests, |test| test.holds_for_thread(thread, process)))
    };
    tables.threads.iter().map(|(_, thread)| bits(thread)).collect()
}

/// The tests that each stack passes: those about its leaf, and those about any
/// frame, which a stack has from its parent on. Empty where no test asks.
fn stack_bits(tests: &[Test<'_>], tables: &Tables, labels: &mut Labels<'_>) -> Vec<Bits> {
    let leaf_only = passed(tests, |test| matches!(test.term, Term::User | Term::Kernel));
    let asks =
        |test: &Test<'_>| matches!(test.term, Term::Function(_) | Term::Word(_) | Term::Kind(_));
    if leaf_only | passed(tests, asks) == 0 {
        return Vec::new();
    }
    labels.make_all();
    let label = |label: &Label| passed(tests, |test| test.holds_for_code(label));
    let of_label: Vec<Bits> = labels.labels().iter().map(label).collect();
    let of_frame = |(handle, frame): (FrameHandle, &Frame)| {
        let leaf = passed(tests, |test| test.holds_for_leaf(frame));
        let code = labels.made(handle).map(|spot| of_label[labels.spot(spot).label as usize]);
        code.fold(leaf, |all, bits| all | bits)
    };
    let frames: Vec<Bits> = tables.frames.iter().map(of_frame).collect();
    let mut stacks: Vec<Bits> = Vec::with_capacity(tables.stacks.len());
    for (_, node) in tables.stacks.iter() {
        // A parent is always older than its child.
        let parent = node.parent.and_then(|parent| stacks.get(parent.index()).copied());
        let frame = frames.get(node.frame.index()).copied().unwrap_or(0);
        stacks.push((parent.unwrap_or(0) & !leaf_only) | frame);
    }
    stacks
}

#[cfg(test)]
mod tests {
    use crate::profile::fixture::{filtered, snapshot};
    use crate::profile::{Grouping, top};

    /// Which of these samples, on CPUs 0, 1, 2, 3, the filter keeps.
    #[track_caller]
    fn check(filter: &str, expected: &[u64]) {
        let samples = [
            ("api:1;Main;parse@1+inner@2;k_read", 1),
            ("api:2;main;?libx", 2),
            ("cron:3;run;parse@1", 4),
            ("zsh:4;k_idle;!libx", 8),
        ];
        let snapshot = snapshot(&samples);
        let table = top::top(&snapshot, &filtered(&snapshot, filter), Grouping::Process);
        assert_eq!(table.sum, expected.iter().sum::<u64>(), "{filter}");
        assert_eq!(table.sum + table.hidden, 15);
    }

    #[test]
    fn all_terms_must_hold() {
        check("", &[1, 2, 4, 8]);
        check("comm=API", &[1, 2]);
        check("pid=3", &[4]);
        check("tid=2", &[2]);
        check("thread=ork", &[1, 2, 4, 8]);
        check("thread=main", &[]);
        check("place=ccc", &[4]);
        check("cpu=1", &[2]);
        check("cpu=1 cpu=2", &[]);
        check("kernel", &[1]);
        check("user", &[2, 4, 8]);
        check("user kernel", &[]);
        check("kind=kernel", &[1, 8]);
        check("kind=kernel user", &[8]);
        check("fn~main", &[1, 2]);
        check("fn~INNER", &[1]);
        check("fn~parse comm=cron", &[4]);
        check("fn~libx", &[2, 8]);
        check("a", &[1, 2, 4]);
        check("api", &[1, 2]);
        check("parse", &[1, 4]);
        check("r", &[1, 4]);
        check("parse cron cpu=2 user pid=3 tid=3 place=c thread=w run comm=on", &[4]);
        check("parse cron cpu=2 user pid=3 tid=3 place=c thread=w run comm=ox", &[]);
        check("parse cron cpu=2 user pid=3 tid=3 place=c thread=w kernel comm=on", &[]);
    }
}
