//! What the store knows of the quality of stacks.

use super::super::{Code, Frame, FrameHandle, Handle as _, ProcessHandle, Quality, Verdict};
use super::Store;

impl Store {
    /// Says what the code at a frame's address is. Nothing happens where the frame
    /// has been forgotten meanwhile.
    pub fn set_code(&mut self, frame: &Frame, code: Code) {
        if let Some(handle) = self.frames.get(frame) {
            self.keep_code(*handle, code);
        }
    }

    /// Judges the frame of a caller by the frame that it called.
    #[must_use]
    pub fn judge(&self, caller: FrameHandle, callee: Option<FrameHandle>) -> Verdict {
        let known = |handle| Some((self.tables.frames.get(handle)?, self.code(handle)));
        known(caller)
            .map_or(Verdict::Unchecked, |caller| Verdict::of(caller, callee.and_then(known)))
    }

    /// Adds to what is counted about a process.
    pub fn add_quality(&mut self, process: ProcessHandle, quality: Quality) {
        if let Some(sum) = self.tables.qualities.get_mut(process) {
            *sum += quality;
        }
    }

    /// Most frames are asked for their code, if not all at once.
    pub(super) fn keep_code(&mut self, handle: FrameHandle, code: Code) {
        if self.codes.len() <= handle.index() {
            self.codes.resize(self.tables.frames.len(), Code::default());
        }
        if let Some(row) = self.codes.get_mut(handle.index()) {
            *row = code;
        }
    }

    fn code(&self, handle: FrameHandle) -> Code {
        self.codes.get(handle.index()).copied().unwrap_or_default()
    }
}
