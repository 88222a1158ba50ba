//! How far stacks can be trusted: how their walks ended, and whether their frames
//! are where a call could have come from.

use super::{Frame, WalkEnd};
use std::ops::AddAssign;

/// Whether a call instruction ends right after an address: what is before every
/// true return address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Call {
    /// Nobody has looked, or could.
    #[default]
    Unknown,
    /// None does.
    Missing,
    /// One whose target the instruction alone does not tell: it is in a register,
    /// in memory, or behind an entry of the procedure linkage table.
    Indirect,
    /// One to this offset in the same file.
    Direct(u64),
}

/// What the code at a frame's address says about calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// The call that ends right after the address.
    pub call: Call,
    /// Where the function that the address is in starts, as an offset in the file.
    pub function: Option<u64>,
}

/// What a frame of a caller is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is known: code without a file, or nobody has looked yet.
    Unchecked,
    /// It follows a call, which nothing speaks against.
    Right,
    /// It follows a direct call, but not to the function of the frame above. Either
    /// that function was reached by a jump (a tail call, or a part of a function
    /// that its compiler moved away), or the frames between are missing: a walk by
    /// frame pointers skips whoever keeps none. The code alone does not tell which.
    Unexpected,
    /// It follows no call: nobody can return there. The frame is wrong, or a
    /// program made its own stack (coroutines begin like that).
    Wrong,
}

impl Verdict {
    /// Judges the frame of a caller by the frame that it called.
    #[must_use]
    pub fn of(caller: (&Frame, Code), callee: Option<(&Frame, Code)>) -> Self {
        let target = match caller.1.call {
            Call::Unknown => return Self::Unchecked,
            Call::Missing => return Self::Wrong,
            Call::Indirect => return Self::Right,
            Call::Direct(target) => target,
        };
        match callee {
            Some((frame, Code { function: Some(function), .. })) => {
                let expected = frame.mapping == caller.0.mapping && function == target;
                if expected { Self::Right } else { Self::Unexpected }
            }
            _ => Self::Right,
        }
    }
}

/// What was counted about user stacks since sampling began; what has aged out is
/// still in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// Samples by the end of their walk, in the order of [`WalkEnd::ALL`].
    pub ends: [u64; WalkEnd::COUNT],
    /// Frames of callers that could be checked, each as often as it was sampled.
    pub checked: u64,
    /// Of those, how many are [`Verdict::Wrong`].
    pub wrong: u64,
    /// Of those, how many are [`Verdict::Unexpected`].
    pub unexpected: u64,
}

impl Quality {
    /// Counts a sample.
    pub fn count_end(&mut self, end: WalkEnd) {
        self.ends[end as usize] += 1;
    }

    /// Counts a caller's frame.
    pub fn count_frame(&mut self, verdict: Verdict) {
        self.checked += u64::from(verdict != Verdict::Unchecked);
        self.wrong += u64::from(verdict == Verdict::Wrong);
        self.unexpected += u64::from(verdict == Verdict::Unexpected);
    }

    /// Samples with this end.
    #[must_use]
    pub const fn ended(&self, end: WalkEnd) -> u64 {
        self.ends[end as usize]
    }

    /// Samples with a user stack.
    #[must_use]
    pub fn user_stacks(&self) -> u64 {
        self.ends.iter().sum::<u64>() - self.ended(WalkEnd::NoUser)
    }

    /// Samples with a user stack that does not reach its root, as far as is known.
    #[must_use]
    pub fn incomplete(&self) -> u64 {
        self.user_stacks() - self.ended(WalkEnd::Root)
    }

    /// The share of user stacks that reach their root, from 0 to 1; None where
    /// there are no user stacks.
    #[must_use]
    pub fn complete_share(&self) -> Option<f64> {
        share(self.ended(WalkEnd::Root), self.user_stacks())
    }

    /// The share of checked frames that are wrong, from 0 to 1; None where none
    /// was checked.
    #[must_use]
    pub fn wrong_share(&self) -> Option<f64> {
        share(self.wrong, self.checked)
    }
}

impl AddAssign for Quality {
    fn add_assign(&mut self, other: Self) {
        let Self { ends, checked, wrong, unexpected } = other;
        self.ends.iter_mut().zip(ends).for_each(|(sum, part)| *sum += part);
        self.checked += checked;
        self.wrong += wrong;
        self.unexpected += unexpected;
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no 53rd bit")]
    let share = part as f64 / whole as f64;
    (whole > 0).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::super::{FrameKind, Handle as _, MappingHandle};
    use super::*;

    #[test]
    fn verdicts() {
        let frame = |mapping| Frame {
            kind: FrameKind::Native,
            mapping: MappingHandle::from_index(mapping),
            address: 7,
        };
        let check = |call, callee: Option<(usize, Option<u64>)>, expected| {
            let callee_frame = callee.map(|(mapping, function)| {
                (frame(mapping), Code { call: Call::Unknown, function })
            });
            let callee = callee_frame.as_ref().map(|(frame, code)| (frame, *code));
            let caller = (&frame(1), Code { call, function: None });
            assert_eq!(Verdict::of(caller, callee), expected, "{call:?} {callee:?}");
        };
        check(Call::Unknown, Some((1, Some(64))), Verdict::Unchecked);
        check(Call::Missing, Some((1, Some(64))), Verdict::Wrong);
        check(Call::Indirect, Some((2, Some(64))), Verdict::Right);
        check(Call::Direct(64), Some((1, Some(64))), Verdict::Right);
        check(Call::Direct(64), Some((1, Some(65))), Verdict::Unexpected);
        check(Call::Direct(64), Some((2, Some(64))), Verdict::Unexpected);
        check(Call::Direct(64), Some((2, None)), Verdict::Right);
        check(Call::Direct(64), None, Verdict::Right);
    }

    #[test]
    fn shares_are_of_user_stacks_and_of_checked_frames() {
        let mut quality = Quality::default();
        assert_eq!((quality.complete_share(), quality.wrong_share()), (None, None));
        for end in [WalkEnd::NoUser, WalkEnd::Root, WalkEnd::Root, WalkEnd::Root, WalkEnd::NoRow] {
            quality.count_end(end);
        }
        let verdicts = [
            Verdict::Unchecked,
            Verdict::Right,
            Verdict::Unexpected,
            Verdict::Right,
            Verdict::Wrong,
        ];
        for verdict in verdicts {
            quality.count_frame(verdict);
        }
        assert_eq!((quality.user_stacks(), quality.incomplete()), (4, 1));
        assert_eq!((quality.complete_share(), quality.wrong_share()), (Some(0.75), Some(0.25)));
        let mut sum = quality;
        sum += quality;
        assert_eq!((sum.user_stacks(), sum.checked, sum.wrong, sum.unexpected), (8, 8, 2, 2));
    }
}
