//! What the two processes say to each other: one message, one request or reply.
//!
//! Both sides distrust the other, since a hostile file may have taken over the
//! worker: every length is checked before it is used, and what is left over at
//! the end of a message makes it malformed. Numbers are little-endian.
//!
//! ```text
//! request  op:u8 detail:u8 key:u64 count:u16 address:u64 × count   + descriptors
//! names    1:u8 count:u16 (code found) × count
//!   code   (0:u8 unknown | 1:u8 none | 2:u8 indirect | 3:u8 target:u64) (0:u8 | 1:u8 start:u64)
//!   found  reason:u8 | 0:u8 lines:u8 line × lines
//!   line   kind:u8 line:u32 label file:opt module:opt
//!   label  1:u8 text | 2:u8 offset:u64
//!   text   len:u16 bytes      opt  len:u16 bytes, where 0 is none
//! identity 2:u8 (reason:u8 | 0:u8 flags:u8 build_id:opt link:opt crc:u32)
//! ```

use super::input::Input;
use super::limits::{
    ADDRESSES_MAX, ANSWER_BYTES_MAX, LINES_MAX, MESSAGE_BYTES_MAX, MODULE_BYTES_MAX,
    NAME_BYTES_MAX, PATH_BYTES_MAX,
};
use super::{Detail, Identity};
use crate::profile::{BuildId, Call, Code, FrameKind, Unresolved};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Names in an ELF file; the descriptors are the file and its debug files.
    File,
    /// Names in the kernel; the descriptor is `/proc/kallsyms`.
    Kernel,
    /// What the file is; the descriptor is the file.
    Identify,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// What is asked.
    pub(super) op: Op,
    /// How much of it.
    pub(super) detail: Detail,
    /// The worker's name for the file.
    pub(super) key: u64,
    /// At most [`ADDRESSES_MAX`].
    pub(super) addresses: Vec<u64>,
}

/// What stands for a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// Its name.
    Name(Vec<u8>),
    /// It has no name, but starts at this file offset.
    Start(u64),
}

/// A function at an address, as the worker sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "`line` is the field's own word in DWARF and OTLP")]
pub(super) struct Line {
    /// Its name.
    pub(super) label: Label,
    /// What kind of code it is.
    pub(super) kind: FrameKind,
    /// The source line; 0 where unknown.
    pub(super) line: u32,
    /// The source file.
    pub(super) file: Option<Vec<u8>>,
    /// The module, where it is not the file that was asked about.
    pub(super) module: Option<Vec<u8>>,
}

/// What was found at one address, innermost first; never empty.
pub(super) type Found = Result<Vec<Line>, Unresolved>;

/// A reply. Several [`Reply::Names`] together answer one request, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// What the next addresses' code is, and their names; never empty.
    Names(Vec<(Code, Found)>),
    /// What the file is.
    Identity(Result<Identity, Unresolved>),
}

impl Request {
    /// As bytes.
    #[must_use]
    pub(super) fn encode(&self) -> Vec<u8> {
        let op = match self.op {
            Op::File => 0,
            Op::Kernel => 1,
            Op::Identify => 2,
        };
        let detail = match self.detail {
            Detail::Names => 0,
            Detail::Lines => 1,
        };
        let mut out = vec![op, detail];
        out.extend(self.key.to_le_bytes());
        let addresses = self.addresses.get(..ADDRESSES_MAX).unwrap_or(&self.addresses);
        out.extend(length(addresses.len()));
        out.extend(addresses.iter().flat_map(|address| address.to_le_bytes()));
        out
    }

    /// From bytes; None where they are malformed.
    #[must_use]
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Input(bytes);
        let op = match input.u8()? {
            0 => Op::File,
            1 => Op::Kernel,
            2 => Op::Identify,
            _ => return None,
        };
        let detail = match input.u8()? {
            0 => Detail::Names,
            1 => Detail::Lines,
            _ => return None,
        };
        let key = input.u64()?;
        let count = usize::from(input.u16()?);
        if count > ADDRESSES_MAX {
            return None;
        }
        let addresses = (0..count).map(|_| input.u64()).collect::<Option<_>>()?;
        input.end(Self { op, detail, key, addresses })
    }
}

impl Reply {
    /// As bytes; longer names and lists than the limits allow are cut.
    #[must_use]
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Names(answers) => {
                let mut names = Names::default();
                for (code, found) in answers {
                    names.push(*code, found);
                }
                names.take()
            }
            Self::Identity(Err(why)) => vec![2, reason_code(*why)],
            Self::Identity(Ok(identity)) => {
                let Identity { build_id, debug_link, is_go, has_debug_info } = identity;
                let mut out = vec![2, 0, u8::from(*is_go) | u8::from(*has_debug_info) << 1];
                push_text(
                    &mut out,
                    build_id.as_ref().map_or(&[], BuildId::as_bytes),
                    BuildId::BYTES_MAX,
                );
                let (name, crc) =
                    debug_link.as_ref().map_or((&[][..], 0), |(name, crc)| (name, *crc));
                push_text(&mut out, name, PATH_BYTES_MAX);
                out.extend(crc.to_le_bytes());
                out
            }
        }
    }

    /// From bytes; None where they are malformed.
    #[must_use]
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Input(bytes);
        match input.u8()? {
            1 => {
                let count = usize::from(input.u16()?);
                if count == 0 || count > ADDRESSES_MAX {
                    return None;
                }
                let places = (0..count)
                    .map(|_| Some((decode_code(&mut input)?, decode_found(&mut input)?)))
                    .collect::<Option<_>>()?;
                input.end(Self::Names(places))
            }
            2 => {
                let identity = decode_result(&mut input, decode_identity)?;
                input.end(Self::Identity(identity))
            }
            _ => None,
        }
    }
}

/// A [`Reply::Names`] in the making.
#[derive(Debug, Default)]
pub(super) struct Names {
    count: usize,
    bytes: Vec<u8>,
}

impl Names {
    /// Adds the next address's code and names.
    pub(super) fn push(&mut self, code: Code, found: &Found) {
        self.count += 1;
        encode_code(&mut self.bytes, code);
        encode_found(&mut self.bytes, found);
    }

    /// Whether nothing was added.
    #[must_use]
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether there may be no room for another address in the message.
    #[must_use]
    pub(super) const fn is_full(&self) -> bool {
        3 + self.bytes.len() + ANSWER_BYTES_MAX > MESSAGE_BYTES_MAX
    }

    /// The message, after which nothing is in the making any more.
    #[must_use]
    pub(super) fn take(&mut self) -> Vec<u8> {
        let Self { count, bytes } = std::mem::take(self);
        let mut out = vec![1];
        out.extend(length(count));
        out.extend(bytes);
        out
    }
}

fn encode_code(out: &mut Vec<u8>, code: Code) {
    let Code { call, function } = code;
    match call {
        Call::Unknown => out.push(0),
        Call::Missing => out.push(1),
        Call::Indirect => out.push(2),
        Call::Direct(target) => {
            out.push(3);
            out.extend(target.to_le_bytes());
        }
    }
    out.push(u8::from(function.is_some()));
    out.extend(function.into_iter().flat_map(u64::to_le_bytes));
}

fn encode_found(out: &mut Vec<u8>, found: &Found) {
    let lines = match found {
        Ok(lines) if !lines.is_empty() => lines.get(..LINES_MAX).unwrap_or(lines),
        Ok(_) => return out.push(reason_code(Unresolved::Stripped)),
        Err(why) => return out.push(reason_code(*why)),
    };
    out.push(0);
    out.push(u8::try_from(lines.len()).unwrap_or(u8::MAX));
    for Line { label, kind, line, file, module } in lines {
        out.push(match kind {
            FrameKind::Kernel => 1,
            FrameKind::Rust => 2,
            FrameKind::Go => 3,
            _ => 0,
        });
        out.extend(line.to_le_bytes());
        match label {
            Label::Name(name) => {
                out.push(1);
                push_text(out, name, NAME_BYTES_MAX);
            }
            Label::Start(offset) => {
                out.push(2);
                out.extend(offset.to_le_bytes());
            }
        }
        push_text(out, file.as_deref().unwrap_or_default(), PATH_BYTES_MAX);
        push_text(out, module.as_deref().unwrap_or_default(), MODULE_BYTES_MAX);
    }
}

fn push_text(out: &mut Vec<u8>, text: &[u8], len_max: usize) {
    let text = text.get(..len_max).unwrap_or(text);
    out.extend(length(text.len()));
    out.extend(text);
}

/// A count that the limits keep below 2^16.
fn length(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes()
}

const fn reason_code(why: Unresolved) -> u8 {
    match why {
        Unresolved::NoFile => 1,
        Unresolved::Stripped => 2,
        Unresolved::Limit => 3,
        Unresolved::Timeout => 4,
        Unresolved::Denied => 5,
    }
}

/// An answer, or the reason why there is none.
fn decode_result<'a, T>(
    input: &mut Input<'a>,
    read: impl FnOnce(&mut Input<'a>) -> Option<T>,
) -> Option<Result<T, Unresolved>> {
    let code = input.u8()?;
    if code == 0 {
        return read(input).map(Ok);
    }
    Unresolved::ALL.into_iter().find(|why| reason_code(*why) == code).map(Err)
}

fn decode_code(input: &mut Input<'_>) -> Option<Code> {
    let call = match input.u8()? {
        0 => Call::Unknown,
        1 => Call::Missing,
        2 => Call::Indirect,
        3 => Call::Direct(input.u64()?),
        _ => return None,
    };
    let function = match input.u8()? {
        0 => None,
        1 => Some(input.u64()?),
        _ => return None,
    };
    Some(Code { call, function })
}

fn decode_found(input: &mut Input<'_>) -> Option<Found> {
    decode_result(input, |input| {
        let count = usize::from(input.u8()?);
        if count == 0 || count > LINES_MAX {
            return None;
        }
        (0..count).map(|_| decode_line(input)).collect()
    })
}

fn decode_line(input: &mut Input<'_>) -> Option<Line> {
    let kind = match input.u8()? {
        0 => FrameKind::Native,
        1 => FrameKind::Kernel,
        2 => FrameKind::Rust,
        3 => FrameKind::Go,
        _ => return None,
    };
    let line = input.u32()?;
    let label = match input.u8()? {
        1 => Label::Name(input.text(NAME_BYTES_MAX)?.to_vec()),
        2 => Label::Start(input.u64()?),
        _ => return None,
    };
    let file = some(input.text(PATH_BYTES_MAX)?);
    let module = some(input.text(MODULE_BYTES_MAX)?);
    Some(Line { label, kind, line, file, module })
}

fn decode_identity(input: &mut Input<'_>) -> Option<Identity> {
    let flags = input.u8()?;
    let build_id = BuildId::new(input.text(BuildId::BYTES_MAX)?);
    let link = some(input.text(PATH_BYTES_MAX)?);
    let crc = input.u32()?;
    Some(Identity {
        build_id,
        debug_link: link.map(|name| (name, crc)),
        is_go: flags & 1 != 0,
        has_debug_info: flags & 2 != 0,
    })
}

/// A text that is there.
fn some(text: &[u8]) -> Option<Vec<u8>> {
    (!text.is_empty()).then(|| text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reply() -> Reply {
        let line = Line {
            label: Label::Name(b"main".to_vec()),
            kind: FrameKind::Rust,
            line: 7,
            file: Some(b"/src/main.rs".to_vec()),
            module: None,
        };
        let start = Line { label: Label::Start(0x1000), file: None, ..line.clone() };
        let found = Ok(vec![line, start]);
        let direct = Code { call: Call::Direct(u64::MAX), function: Some(0x1000) };
        let indirect = Code { call: Call::Indirect, function: None };
        let none = Code { call: Call::Missing, function: Some(0) };
        Reply::Names(vec![
            (direct, found),
            (Code::default(), Err(Unresolved::Stripped)),
            (indirect, Err(Unresolved::Limit)),
            (none, Err(Unresolved::Limit)),
        ])
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let request = Request {
            op: Op::File,
            detail: Detail::Lines,
            key: u64::MAX,
            addresses: vec![1, 2, u64::MAX],
        };
        assert_eq!(Request::decode(&request.encode()), Some(request));
        assert_eq!(Reply::decode(&reply().encode()), Some(reply()));
        for why in Unresolved::ALL {
            let reply = Reply::Identity(Err(why));
            assert_eq!(Reply::decode(&reply.encode()), Some(reply));
        }
        let identity = Identity {
            build_id: BuildId::new(&[1; 20]),
            debug_link: Some((b"x.debug".to_vec(), 77)),
            is_go: true,
            has_debug_info: false,
        };
        for identity in [identity, Identity::default()] {
            let reply = Reply::Identity(Ok(identity));
            assert_eq!(Reply::decode(&reply.encode()), Some(reply));
        }
    }

    #[test]
    fn a_cut_or_lengthened_message_is_malformed() {
        let bytes = reply().encode();
        for len in 0..bytes.len() {
            assert_eq!(Reply::decode(&bytes[..len]), None, "{len}");
        }
        assert_eq!(Reply::decode(&[&bytes[..], &[0]].concat()), None);
    }

    #[test]
    fn a_kind_of_call_that_does_not_exist_is_malformed() {
        let code = Code { call: Call::Missing, function: None };
        let bytes = Reply::Names(vec![(code, Err(Unresolved::Stripped))]).encode();
        assert_eq!(bytes, [1, 1, 0, 1, 0, 2]);
        assert_eq!(Reply::decode(&[1, 1, 0, 4, 0, 2]), None);
        assert_eq!(Reply::decode(&[1, 1, 0, 1, 2, 2]), None);
        assert_eq!(Reply::decode(&[1, 1, 0, 3, 0, 2]), None);
    }

    #[test]
    fn the_largest_answer_fits_a_message() {
        let line = Line {
            label: Label::Name(vec![b'n'; 10 * NAME_BYTES_MAX]),
            kind: FrameKind::Native,
            line: u32::MAX,
            file: Some(vec![b'f'; 10 * PATH_BYTES_MAX]),
            module: Some(vec![b'm'; 10 * MODULE_BYTES_MAX]),
        };
        let code = Code { call: Call::Direct(u64::MAX), function: Some(u64::MAX) };
        let reply = Reply::Names(vec![(code, Ok(vec![line; 10 * LINES_MAX]))]);
        let bytes = reply.encode();
        assert!(bytes.len() <= super::super::limits::ANSWER_BYTES_MAX + 3);
        assert!(Reply::decode(&bytes).is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Reply::decode(&bytes);
            let _ = Request::decode(&bytes);
        }
    }
}
