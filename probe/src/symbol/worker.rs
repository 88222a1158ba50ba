//! The worker process: requests in, names out, until the other side closes.
//!
//! It opens nothing: all that it reads comes by descriptor. It may die at any
//! request; the client starts another.

use super::Detail;
use super::channel::{receive, send};
use super::kallsyms::Kallsyms;
use super::limits::{CACHE_BYTES_MAX, OBJECTS_MAX};
use super::object::Object;
use super::wire::{Found, Names, Op, Reply, Request};
use crate::profile::{Code, Unresolved};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

/// The first argument that makes the program a worker. Its standard input is
/// then the socket.
pub const ARGUMENT: &str = "__symbolize";

/// Serves requests on standard input until the client closes it.
#[must_use]
pub fn worker_main() -> ExitCode {
    match serve(io::stdin()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Serves requests on a socket.
///
/// # Errors
///
/// Where the socket fails, or a request is malformed: both mean that the client
/// is not what it should be.
fn serve(socket: impl AsFd) -> io::Result<()> {
    let mut cache = Cache::default();
    while let Some(message) = receive(&socket, None)? {
        let request = Request::decode(&message.bytes).ok_or(io::ErrorKind::InvalidData)?;
        let mut entry = cache.take(&request, message.descriptors);
        answer(&socket, &mut entry, &request)?;
        cache.put(request.key, entry);
    }
    Ok(())
}

fn answer(socket: &impl AsFd, entry: &mut Entry, request: &Request) -> io::Result<()> {
    if request.op == Op::Identify {
        let identity = match entry {
            Entry::File(object) => Ok(object.identity()),
            Entry::Kernel(_) => Err(Unresolved::NoFile),
            Entry::Failed(why) => Err(*why),
        };
        return send(socket, &Reply::Identity(identity).encode(), &[], None);
    }
    let mut names = Names::default();
    for address in &request.addresses {
        names.push(entry.code(*address, request.detail), &entry.find(*address, request.detail));
        if names.is_full() {
            send(socket, &names.take(), &[], None)?;
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    send(socket, &names.take(), &[], None)
}

/// What is known under one key.
#[derive(Debug)]
enum Entry {
    File(Box<Object>),
    Kernel(Kallsyms),
    Failed(Unresolved),
}

impl Entry {
    fn new(op: Op, file: Option<OwnedFd>) -> Self {
        let Some(file) = file else { return Self::Failed(Unresolved::NoFile) };
        let entry = match op {
            Op::File | Op::Identify => Object::new(file).map(|file| Self::File(Box::new(file))),
            Op::Kernel => Kallsyms::new(file).map(Self::Kernel),
        };
        entry.unwrap_or_else(Self::Failed)
    }

    fn find(&mut self, address: u64, detail: Detail) -> Found {
        match self {
            Self::File(object) => object.find(address, detail),
            Self::Kernel(kallsyms) => {
                kallsyms.find(address).map(|line| vec![line]).ok_or(Unresolved::Stripped)
            }
            Self::Failed(why) => Err(*why),
        }
    }

    /// Only with names: lines are asked for later, and the code stays what it is.
    fn code(&mut self, address: u64, detail: Detail) -> Code {
        match self {
            Self::File(object) if detail == Detail::Names => object.code(address),
            Self::File(_) | Self::Kernel(_) | Self::Failed(_) => Code::default(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::File(object) => object.bytes(),
            Self::Kernel(kallsyms) => kallsyms.bytes(),
            Self::Failed(_) => 0,
        }
    }
}

/// The files that were asked about last.
#[derive(Debug, Default)]
struct Cache {
    /// The last one was used last.
    entries: Vec<(u64, Entry)>,
}

impl Cache {
    /// Takes out the entry of a request, made from its descriptors where it is
    /// new.
    fn take(&mut self, request: &Request, descriptors: Vec<OwnedFd>) -> Entry {
        let mut descriptors = descriptors.into_iter();
        let file = descriptors.next();
        let known = self.entries.iter().position(|(key, _)| *key == request.key);
        let mut entry = match known {
            Some(at) => self.entries.remove(at).1,
            None => Entry::new(request.op, file),
        };
        if let Entry::File(object) = &mut entry {
            object.attach(descriptors.collect());
        }
        entry
    }

    /// Puts an entry (back) as the last one used.
    fn put(&mut self, key: u64, entry: Entry) {
        self.entries.push((key, entry));
        self.shrink();
    }

    /// Forgets the longest unused until the rest is inside its limits. The last
    /// one stays, for its own size is limited by what is read.
    fn shrink(&mut self) {
        let mut bytes: usize = self.entries.iter().map(|(_, entry)| entry.bytes()).sum();
        let mut count = self.entries.len();
        self.entries.retain(|(_, entry)| {
            let over = count > 1 && (count > OBJECTS_MAX || bytes > CACHE_BYTES_MAX);
            if over {
                count -= 1;
                bytes -= entry.bytes();
            }
            !over
        });
    }
}
