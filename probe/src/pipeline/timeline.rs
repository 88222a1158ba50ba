//! Samples and process records, merged into one order of time.

use crate::kernel::attach::Batch;
use crate::kernel::records::{self, ProcessRecord};
use crate::kernel::sample::RawSample;

/// What happened next.
pub(super) enum Moment<'a> {
    /// A process did something.
    Record(ProcessRecord),
    /// Somebody was sampled; the record as well.
    Sample(RawSample<'a>, &'a [u8]),
    /// A record of the ring that is no sample.
    Malformed,
}

/// Holds back what is newer than the last drain's start: the other buffers may
/// still have something that came before it.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    records: Vec<ProcessRecord>,
    samples: Vec<Box<[u8]>>,
    lost_records: u64,
}

impl Timeline {
    /// How many process records the kernel had no room for.
    pub(super) const fn lost_records(&self) -> u64 {
        self.lost_records
    }

    /// Calls `each` with everything of `batch` and of what was held back, up to
    /// the time until which the batch is complete.
    pub(super) fn advance(&mut self, batch: &Batch, mut each: impl FnMut(Moment<'_>)) {
        let until_ns = batch.complete_until_ns;
        let held = std::mem::take(&mut self.samples);
        let held = held.iter().map(|bytes| &**bytes);
        let mut samples: Vec<_> =
            held.chain(batch.samples()).map(|bytes| (RawSample::decode(bytes), bytes)).collect();
        // CPUs write to one ring, almost in order.
        samples.sort_by_key(|(sample, _)| sample.as_ref().map_or(0, |sample| sample.time_ns));
        self.records.extend(records::decode(&batch.records, &mut self.lost_records));
        self.records.sort_by_key(|record| record.time_ns);
        let ready = self.records.partition_point(|record| record.time_ns <= until_ns);
        let mut records = self.records.drain(..ready).peekable();
        for (sample, bytes) in samples {
            let Some(sample) = sample else {
                each(Moment::Malformed);
                continue;
            };
            if sample.time_ns > until_ns {
                self.samples.push(bytes.into());
                continue;
            }
            while let Some(record) = records.next_if(|record| record.time_ns <= sample.time_ns) {
                each(Moment::Record(record));
            }
            each(Moment::Sample(sample, bytes));
        }
        records.for_each(|record| each(Moment::Record(record)));
    }

    /// Samples that are held back.
    pub(super) fn held(&self) -> usize {
        self.samples.len()
    }
}
