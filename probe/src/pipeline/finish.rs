//! Samples that the kernel's walk could not finish: walked again over their copy
//! of the stack, once the tables that it takes are there.

use super::resolve::Resolver;
use super::unwinding::Unwinding;
use super::walk::{Walked, walk};
use crate::kernel::RawSample;
use crate::process::files::Owner;
use crate::process::table::Who;
use crate::process::{Regions, StartRange};
use crate::profile::WalkEnd;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a sample waits for a table.
const PATIENCE: Duration = Duration::from_secs(3);

/// Samples that may wait; 10 KB each. What comes then is taken as it is.
const WAITING_MAX: usize = 1024;

/// A sample that waits.
struct Waiting {
    record: Box<[u8]>,
    /// What its process had mapped; None where that was not known either.
    mapped: Option<(Owner, Regions)>,
    until: Instant,
}

/// Samples that wait.
#[derive(Default)]
pub(super) struct Finisher {
    waiting: VecDeque<Waiting>,
}

/// The user part of a sample, as a record has it.
pub(super) struct Finished {
    user: Vec<u8>,
    end: WalkEnd,
}

impl Finisher {
    /// Takes a sample with a copy of its stack, and gives it back when it need not
    /// wait: finished, or as it is.
    pub(super) fn take(
        &mut self,
        sample: &RawSample<'_>,
        record: &[u8],
        (resolver, unwinding): (&mut Resolver, &mut Unwinding),
    ) -> Option<Option<Finished>> {
        let waiting = Waiting {
            record: record.into(),
            mapped: mapped(sample, resolver),
            until: Instant::now() + PATIENCE,
        };
        match attempt(&waiting, sample, unwinding) {
            Some(walked) => Some(walked),
            None if self.waiting.len() < WAITING_MAX => {
                self.waiting.push_back(waiting);
                None
            }
            None => Some(None),
        }
    }

    /// Tries those that wait once more; calls `each` with those that need not wait
    /// any longer.
    pub(super) fn retry(
        &mut self,
        (resolver, unwinding): (&mut Resolver, &mut Unwinding),
        give_up: bool,
        mut each: impl FnMut(&mut Resolver, &RawSample<'_>),
    ) {
        let now = Instant::now();
        for _ in 0..self.waiting.len() {
            let Some(mut waiting) = self.waiting.pop_front() else { return };
            let record = std::mem::take(&mut waiting.record);
            // It was decoded before.
            let Some(sample) = RawSample::decode(&record) else { continue };
            if waiting.mapped.is_none() {
                waiting.mapped = mapped(&sample, resolver);
            }
            match attempt(&waiting, &sample, unwinding) {
                Some(Some(Finished { user, end })) => each(resolver, &sample.with_user(&user, end)),
                Some(None) => each(resolver, &sample),
                None if give_up || now >= waiting.until => each(resolver, &sample),
                None => self.waiting.push_back(Waiting { record, ..waiting }),
            }
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl Finished {
    /// The sample with its whole stack.
    pub(super) fn apply<'a>(&'a self, sample: &RawSample<'a>) -> RawSample<'a> {
        sample.with_user(&self.user, self.end)
    }
}

/// Whose the sample is, and what was mapped then.
fn mapped(sample: &RawSample<'_>, resolver: &mut Resolver) -> Option<(Owner, Regions)> {
    let program = resolver.processes.find(Who {
        pid: sample.pid,
        start_ns: sample.start_ns,
        exec_id: sample.exec_id,
        time_ns: sample.time_ns,
    })?;
    let start = StartRange { min_ns: sample.start_ns, max_ns: sample.start_ns };
    Some((Owner { pid: sample.pid, start }, program.regions.clone()))
}

/// Walks the stack: None where it has to wait, Some(None) where nothing is gained.
fn attempt(
    waiting: &Waiting,
    sample: &RawSample<'_>,
    unwinding: &mut Unwinding,
) -> Option<Option<Finished>> {
    let Some(copy) = &sample.copy else { return Some(None) };
    let (owner, regions) = waiting.mapped.as_ref()?;
    match walk(copy, |address| unwinding.code(*owner, regions, address)) {
        Walked::Pending => None,
        Walked::Done(addresses, end) => {
            // The kernel may have come further where the copy ends early.
            let better = end == WalkEnd::Root || addresses.len() >= sample.user().len();
            let user = addresses.into_iter().flat_map(u64::to_ne_bytes).collect();
            Some(better.then_some(Finished { user, end }))
        }
    }
}
