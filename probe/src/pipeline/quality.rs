//! Counts what the user part of a sample is worth.

use crate::kernel::{CodeAddress, RawSample};
use crate::profile::{FrameHandle, Quality, Store};

/// What `sample` adds, whose frames are `frames`, root first and the user's before
/// the kernel's. Only return addresses are checked: where the program counter was,
/// and what a signal interrupted, need follow no call.
pub(super) fn of(sample: &RawSample<'_>, frames: &[FrameHandle], store: &Store) -> Quality {
    let mut quality = Quality::default();
    quality.count_end(sample.walk_end);
    let user = frames.get(..sample.user().len()).unwrap_or_default();
    let mut callee = None;
    for (address, frame) in sample.user().zip(user.iter().rev()) {
        if matches!(address, CodeAddress::Return(_)) {
            quality.count_frame(store.judge(*frame, callee));
        }
        callee = Some(*frame);
    }
    quality
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Budget, Call, Code, Frame, FrameKind, Mapping, MappingKind, WalkEnd};
    use probe_ebpf::EXACT_ADDRESS;

    /// A record of a sample that ended at the root, with these user addresses.
    fn record(user: &[u64]) -> Vec<u8> {
        const FRAME_COUNT_AT: usize = 42;
        let mut bytes = vec![0; size_of::<probe_ebpf::SampleHeader>()];
        bytes[FRAME_COUNT_AT] = u8::try_from(user.len()).unwrap();
        bytes.extend(user.iter().flat_map(|address| address.to_ne_bytes()));
        bytes
    }

    #[test]
    fn return_addresses_are_checked_by_the_frame_above() {
        let mut store = Store::new(Budget::default(), Vec::new());
        let kind = MappingKind::File { build_id: None, device_inode: (1, 2) };
        let mapping = store.mapping(&Mapping { kind, path: "/bin/x".into() });
        // Functions start at hundreds. 101 calls 200, 201 calls a register, 301
        // follows no call, and nobody has looked at 401.
        let calls = [Call::Direct(200), Call::Indirect, Call::Missing, Call::Unknown];
        for (address, call) in [101, 201, 301, 401].into_iter().zip(calls) {
            let frame = Frame { kind: FrameKind::Native, mapping, address };
            store.frame(frame);
            store.set_code(&frame, Code { call, function: Some(address - 1) });
        }
        // Leaf first; (checked, unexpected, wrong) of what is returned to.
        let mut check = |user: &[u64], expected: (u64, u64, u64)| {
            let bytes = record(user);
            let sample = RawSample::decode(&bytes).unwrap();
            let frame = |address: CodeAddress| Frame {
                kind: FrameKind::Native,
                mapping,
                address: address.lookup(),
            };
            let frames: Vec<_> =
                sample.user().rev().map(|address| store.frame(frame(address))).collect();
            let quality = of(&sample, &frames, &store);
            let Quality { checked, unexpected, wrong, .. } = quality;
            assert_eq!((checked, unexpected, wrong), expected, "{user:?}");
            assert_eq!(quality.ended(WalkEnd::Root), 1);
        };
        check(&[], (0, 0, 0));
        check(&[301], (0, 0, 0));
        check(&[201, 102], (1, 0, 0));
        check(&[301, 102], (1, 1, 0));
        check(&[201, 102, 202, 302, 402], (3, 0, 1));
        check(&[301, EXACT_ADDRESS + 101, 302], (1, 0, 1));
        check(&[101, 301, EXACT_ADDRESS + 201, 102], (1, 0, 0));
    }
}
