//! One record of the ring buffer, from bytes (`probe-ebpf/src/abi.h`).

use crate::profile::WalkEnd;
use probe_ebpf::{
    EXACT_ADDRESS, KERNEL_FRAMES_MAX, REGISTERS, STACK_COPY_BYTES, SampleHeader, USER_FRAMES_MAX,
};

/// A sample before anything in it has been looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawSample<'a> {
    /// `CLOCK_MONOTONIC`.
    pub time_ns: u64,
    /// When the process was forked, in ns since boot.
    pub start_ns: u64,
    /// The cgroup's id in the v2 tree.
    pub cgroup_id: u64,
    /// Thread group.
    pub pid: u32,
    /// Thread.
    pub tid: u32,
    /// How often the process and its ancestors had called exec.
    pub exec_id: u32,
    /// The CPU.
    pub cpu: u16,
    /// Why the user walk ended.
    pub walk_end: WalkEnd,
    /// The name of the process, unescaped.
    pub process_name: &'a [u8],
    /// The name of the thread, unescaped.
    pub thread_name: &'a [u8],
    /// What is needed to unwind the user's part again, where the walk did not reach
    /// the root.
    pub copy: Option<StackCopy<'a>>,
    kernel: &'a [u8],
    user: &'a [u8],
}

/// The registers of a thread in user code, and its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackCopy<'a> {
    registers: &'a [u8],
    /// The stack's bytes from the stack pointer on.
    pub stack: &'a [u8],
}

impl StackCopy<'_> {
    /// A register by its DWARF number; 0 for those that do not exist.
    #[must_use]
    pub fn register(&self, number: usize) -> u64 {
        self.registers.chunks_exact(8).nth(number).map_or(0, word)
    }

    /// The stack pointer.
    #[must_use]
    pub fn stack_pointer(&self) -> u64 {
        self.register(REGISTERS)
    }

    /// The program counter.
    #[must_use]
    pub fn program_counter(&self) -> u64 {
        self.register(REGISTERS + 1)
    }
}

/// An address of a stack, as the unwinder found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeAddress {
    /// The address of the instruction itself.
    Instruction(u64),
    /// The address after a call.
    Return(u64),
}

impl CodeAddress {
    /// The address to look up: a return address may already belong to the next
    /// line, or to the next function where the call does not return.
    #[must_use]
    pub const fn lookup(self) -> u64 {
        match self {
            Self::Instruction(address) => address,
            Self::Return(address) => address.saturating_sub(1),
        }
    }
}

impl<'a> RawSample<'a> {
    /// None where the bytes are not a record.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader { rest: bytes };
        let (time_ns, start_ns, cgroup_id) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let (pid, tid, exec_id) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let cpu = reader.u16()?;
        let [walk_end, _user_mode] = *reader.take(2)? else { return None };
        let kernel_frames = usize::from(reader.u16()?);
        let user_frames = usize::from(reader.u16()?);
        let stack_bytes = reader.u32()? as usize;
        let process_name = until_nul(reader.take(probe_ebpf::COMM_BYTES)?);
        let thread_name = until_nul(reader.take(probe_ebpf::COMM_BYTES)?);
        debug_assert_eq!(bytes.len() - reader.rest.len(), size_of::<SampleHeader>());
        if kernel_frames > KERNEL_FRAMES_MAX || user_frames > USER_FRAMES_MAX {
            return None;
        }
        let walk_end = *WalkEnd::ALL.get(usize::from(walk_end))?;
        let kernel = reader.take(kernel_frames * 8)?;
        let user = reader.take(user_frames * 8)?;
        let copy = match stack_bytes {
            0 => None,
            1..=STACK_COPY_BYTES => Some(StackCopy {
                registers: reader.take((REGISTERS + 2) * 8)?,
                stack: reader.take(stack_bytes)?,
            }),
            _ => return None,
        };
        Some(Self {
            time_ns,
            start_ns,
            cgroup_id,
            pid,
            tid,
            exec_id,
            cpu,
            walk_end,
            process_name,
            thread_name,
            copy,
            kernel,
            user,
        })
    }

    /// This sample with another user part: `user` in the bytes of a record.
    #[must_use]
    pub fn with_user<'b>(&self, user: &'b [u8], walk_end: WalkEnd) -> RawSample<'b>
    where
        'a: 'b,
    {
        RawSample { user, walk_end, copy: None, ..self.clone() }
    }

    /// The kernel's part of the stack, leaf first.
    pub fn kernel(&self) -> impl DoubleEndedIterator<Item = CodeAddress> + ExactSizeIterator + 'a {
        addresses(self.kernel)
    }

    /// The user's part of the stack, leaf first.
    pub fn user(&self) -> impl DoubleEndedIterator<Item = CodeAddress> + ExactSizeIterator + 'a {
        // A bit that no user address has marks those that a signal interrupted.
        addresses(self.user).map(|address| match address {
            CodeAddress::Return(marked) if marked & EXACT_ADDRESS != 0 => {
                CodeAddress::Instruction(marked & !EXACT_ADDRESS)
            }
            address => address,
        })
    }
}

/// In either part the first address is where the program counter was: for the
/// user's part of a sample in the kernel, after the instruction that entered it,
/// which lies in the same function.
fn addresses(part: &[u8]) -> impl DoubleEndedIterator<Item = CodeAddress> + ExactSizeIterator + '_ {
    part.chunks_exact(8).enumerate().map(|(depth, word)| {
        let address = self::word(word);
        if depth == 0 { CodeAddress::Instruction(address) } else { CodeAddress::Return(address) }
    })
}

fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_ne_bytes)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_ne_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_ne_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_ne_bytes)
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kernel: &[u64], user: &[u64]) -> Vec<u8> {
        let mut bytes = [11_u64, 22, 33].map(u64::to_ne_bytes).concat();
        bytes.extend([44_u32, 55, 66].map(u32::to_ne_bytes).concat());
        bytes.extend(3_u16.to_ne_bytes());
        bytes.extend([0, 1]);
        bytes.extend(u16::try_from(kernel.len()).unwrap().to_ne_bytes());
        bytes.extend(u16::try_from(user.len()).unwrap().to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(b"process\0........");
        bytes.extend(b"0123456789abcdef");
        bytes.extend(kernel.iter().chain(user).flat_map(|a| a.to_ne_bytes()));
        bytes
    }

    #[test]
    fn a_record_reads_back() {
        let bytes = record(&[100, 200], &[300, 400, 500]);
        let sample = RawSample::decode(&bytes).unwrap();
        assert_eq!((sample.time_ns, sample.start_ns, sample.cgroup_id), (11, 22, 33));
        assert_eq!((sample.pid, sample.tid, sample.exec_id, sample.cpu), (44, 55, 66, 3));
        assert_eq!(sample.walk_end, WalkEnd::Root);
        assert_eq!(sample.process_name, b"process");
        assert_eq!(sample.thread_name, b"0123456789abcdef");
        assert!(sample.kernel().map(CodeAddress::lookup).eq([100, 199]));
        assert!(sample.user().map(CodeAddress::lookup).eq([300, 399, 499]));
    }

    #[test]
    fn what_a_signal_interrupted_is_no_return_address() {
        let bytes = record(&[], &[300, 400, 500 | EXACT_ADDRESS, 600]);
        let sample = RawSample::decode(&bytes).unwrap();
        assert!(sample.user().map(CodeAddress::lookup).eq([300, 399, 500, 599]));
    }

    #[test]
    fn a_copy_of_the_stack_reads_back() {
        let mut bytes = record(&[], &[300]);
        let registers = (0..34_u64).flat_map(|n| (n * 11).to_ne_bytes());
        bytes[44..48].copy_from_slice(&5_u32.to_ne_bytes());
        bytes.extend(registers);
        bytes.extend(b"stack");
        let copy = RawSample::decode(&bytes).unwrap().copy.unwrap();
        assert_eq!((copy.register(6), copy.register(99)), (66, 0));
        assert_eq!((copy.stack_pointer(), copy.program_counter()), (32 * 11, 33 * 11));
        assert_eq!(copy.stack, b"stack");
        assert_eq!(RawSample::decode(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn a_cut_record_is_refused() {
        let bytes = record(&[1], &[2]);
        for len in 0..bytes.len() {
            assert_eq!(RawSample::decode(&bytes[..len]), None);
        }
        assert!(RawSample::decode(&bytes).is_some());
    }

    #[test]
    fn impossible_counts_are_refused() {
        assert_eq!(RawSample::decode(&record(&[0; 128], &[])), None);
        assert_eq!(RawSample::decode(&record(&[], &[0; 513])), None);
        let mut bad_end = record(&[], &[]);
        bad_end[38] = 200;
        assert_eq!(RawSample::decode(&bad_end), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Some(sample) = RawSample::decode(&bytes) {
                prop_assert!(sample.kernel().len() + sample.user().len() <= bytes.len() / 8);
            }
        }
    }
}
