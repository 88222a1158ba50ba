//! Numbers and texts off the front of a message; None where it is too short.

/// What is left of a message.
#[derive(Debug)]
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length of 16 bits, no more than `len_max`, and as many bytes.
    pub(super) fn text(&mut self, len_max: usize) -> Option<&'a [u8]> {
        let len = usize::from(self.u16()?);
        if len > len_max {
            return None;
        }
        self.take(len)
    }

    /// The message's meaning, if nothing is left of it.
    pub(super) fn end<T>(&self, meaning: T) -> Option<T> {
        self.0.is_empty().then_some(meaning)
    }
}
