//! Hostile files and failing workers: each costs its own names at most.

use super::names::C;
use super::support::{
    BINUTILS, Scratch, Test, ask, client, look_up, outer_names, place, run, section, text,
};
use probe::profile::Unresolved;
use probe::symbol::limits::{OBJECTS_MAX, RESIDENT_BYTES_MAX, RESTARTS_MAX};
use probe::symbol::{Client, Detail, Object};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

pub(crate) const TESTS: &[Test] = &[
    ("old_files_are_forgotten", BINUTILS, old_files_are_forgotten),
    ("truncated_files_cost_their_names_only", BINUTILS, truncated_files),
    ("flipped_bytes_cost_their_names_only", BINUTILS, flipped_bytes),
    ("a_section_that_claims_too_much_is_not_read", BINUTILS, a_section_that_claims_too_much),
    ("a_name_of_megabytes_is_cut", BINUTILS, a_name_of_megabytes_is_cut),
    ("what_is_no_elf_file_has_no_names", &[], what_is_no_elf_file),
    ("a_worker_that_dies_is_replaced", BINUTILS, a_worker_that_dies_is_replaced),
    ("a_worker_that_hangs_is_replaced", BINUTILS, a_worker_that_hangs_is_replaced),
    ("a_worker_that_talks_nonsense_is_replaced", BINUTILS, a_worker_that_talks_nonsense),
    ("a_worker_killed_while_idle_blames_no_file", BINUTILS, a_worker_killed_while_idle),
    ("names_come_where_lines_kill_the_worker", BINUTILS, names_come_where_lines_kill),
    ("restarts_have_an_end", BINUTILS, restarts_have_an_end),
    ("a_program_that_cannot_start_is_an_error", &[], a_program_that_cannot_start),
];

/// Makes this program a worker that misbehaves: `ARGUMENT how`.
pub(crate) const ARGUMENT: &str = "__misbehave";

/// Takes one request, and then dies, hangs, or answers nonsense.
pub(crate) fn misbehave(how: &str) -> ! {
    let mut socket = std::io::stdin();
    let mut request = vec![0; 65536];
    let count = rustix::io::read(socket.as_fd(), &mut request).unwrap();
    match how {
        // The second byte is the detail.
        "die-of-lines" if request[1] == 0 => {
            let mut answer = vec![1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 5, 0];
            answer.extend(b"named");
            answer.extend([0; 4]);
            rustix::io::write(socket.as_fd(), &answer).unwrap();
            let _ = socket.read(&mut request);
        }
        "hang" => loop {
            std::thread::park();
        },
        "nonsense" => {
            rustix::io::write(socket.as_fd(), &request[..count]).unwrap();
            let _ = socket.read(&mut request);
        }
        // An answer for one address, with a kind of call that does not exist.
        "wrong-call" => {
            rustix::io::write(socket.as_fd(), &[1, 1, 0, 9, 0, 1]).unwrap();
            let _ = socket.read(&mut request);
        }
        _ => {}
    }
    std::process::exit(1)
}

/// A client whose first `times` workers misbehave.
fn client_of(scratch: &Scratch, how: &str, times: usize) -> Client {
    let exe = std::env::current_exe().unwrap();
    let (exe, directory) = (text(&exe).to_owned(), scratch.path("started"));
    fs::create_dir(&directory).unwrap();
    let script = scratch.path("worker.sh");
    let mut file = fs::File::create(&script).unwrap();
    writeln!(
        file,
        "#!/bin/sh\nfor n in $(/usr/bin/seq {times}); do\n\
         if /bin/mkdir {}/$n 2>/dev/null; then exec {exe} {ARGUMENT} {how} \"$@\"; fi\n\
         done\nexec {exe} \"$@\"",
        text(&directory)
    )
    .unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o755)).unwrap();
    drop(file);
    Client::spawn(script).unwrap()
}

fn old_files_are_forgotten() {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &["-g"]);
    let (start, _) = place(&library, "hidden");
    let mut client = client();
    let directory = format!("/proc/{}/fd", client.worker_pid().unwrap());
    let descriptors = || fs::read_dir(&directory).unwrap().count();
    // After the first answer, so that the worker has begun.
    client.ask(ask(Path::new("/proc"), &[0], Detail::Names));
    let before = descriptors();
    let mut last_key = 0;
    for _ in 0..3 * OBJECTS_MAX {
        let request = ask(&library, &[start], Detail::Lines);
        last_key = request.object.key;
        assert_eq!(outer_names(&client.ask(request).names), ["hidden"]);
    }
    // The worker forgets after it has answered; another answer shows that it has.
    let mut last = ask(&library, &[start], Detail::Names);
    last.object.key = last_key;
    client.ask(last);
    assert_eq!((descriptors() - before, client.stats().starts), (OBJECTS_MAX, 1));
}

fn truncated_files() {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &["-g"]);
    let (start, _) = place(&library, "hidden");
    let whole = fs::read(&library).unwrap();
    let mut client = client();
    for n in 0..200 {
        let cut = scratch.write("cut.so", &whole[..whole.len() * n / 200]);
        let answer = client.ask(ask(&cut, &[start, 1, u64::MAX], Detail::Lines)).names;
        assert_eq!(answer.len(), 3);
    }
    let answer = client.ask(ask(&library, &[start], Detail::Names)).names;
    assert_eq!(outer_names(&answer), ["hidden"]);
    assert_eq!(client.stats().starts, 1);
}

fn flipped_bytes() {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &["-g"]);
    let (start, _) = place(&library, "hidden");
    let whole = fs::read(&library).unwrap();
    let mut client = client();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..600 {
        let mut bytes = whole.clone();
        // Headers are at the start and at the end.
        let part = match round % 3 {
            0 => 0..whole.len(),
            1 => 0..1024,
            _ => whole.len() - 2048..whole.len(),
        };
        for _ in 0..=round % 20 {
            // Xorshift (Marsaglia 2003).
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = part.start + usize::try_from(random >> 8).unwrap() % part.len();
            bytes[at] = random.to_le_bytes()[0];
        }
        let flipped = scratch.write("flipped.so", bytes);
        let answer = client.ask(ask(&flipped, &[start, start + 100], Detail::Lines)).names;
        assert_eq!(answer.len(), 2);
    }
    assert_eq!(client.stats().starts, 1, "{:?}", client.stats());
    assert!(client.stats().resident_bytes < RESIDENT_BYTES_MAX);
}

/// The compression header's size, of 8 bytes at 8 (`Elf64_Chdr`), is a lie.
fn a_section_that_claims_too_much() {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &["-g"]);
    run("objcopy", &["--compress-debug-sections=zlib", text(&library)]);
    let (start, _) = place(&library, "hidden");
    let at = section(&library, ".debug_info");
    assert!(look_up(&library, start, Detail::Lines).unwrap()[0].line > 0);
    let mut bytes = fs::read(&library).unwrap();
    for claim in [1 << 40, u64::MAX, 1 << 30, 100 << 20, 16, 0] {
        bytes[at + 8..at + 16].copy_from_slice(&u64::to_le_bytes(claim));
        let bomb = scratch.write("bomb.so", &bytes);
        let mut client = client();
        let answer = client.ask(ask(&bomb, &[start], Detail::Lines)).names;
        assert_eq!(outer_names(&answer), ["hidden"], "{claim}");
        assert_eq!(answer[0].as_ref().unwrap()[0].line, 0);
        assert_eq!(client.stats().starts, 1);
    }
}

fn a_name_of_megabytes_is_cut() {
    let scratch = Scratch::new();
    let name = format!("_ZN{}Ev", "1a".repeat(4_000_000));
    let source =
        format!(".globl {name}\n.type {name},@function\n{name}: nop\n ret\n.size {name}, 2\n");
    let source = scratch.write("long.s", source);
    let library = scratch.path("library.so");
    run("cc", &["-shared", "-nostdlib", "-o", text(&library), text(&source)]);
    let (start, _) = place(&library, &name);
    let mut client = client();
    let found = client.ask(ask(&library, &[start], Detail::Lines)).names.remove(0).unwrap();
    let function = found[0].function.name.as_str();
    assert!(function.starts_with("_ZN1a1a") && function.ends_with('…'));
    assert!(client.stats().resident_bytes < 20 << 20, "{:?}", client.stats());
}

fn what_is_no_elf_file() {
    let scratch = Scratch::new();
    let mut client = client();
    for content in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", &[0; 4096], &[0xff; 4096]] {
        let file = scratch.write("file", content);
        let answer = client.ask(ask(&file, &[0, 64], Detail::Lines)).names;
        assert_eq!(answer, [Err(Unresolved::Limit), Err(Unresolved::Limit)]);
    }
    let sparse = scratch.write("sparse", b"\x7fELF\x02\x01\x01");
    fs::File::options().write(true).open(&sparse).unwrap().set_len(1 << 36).unwrap();
    for file in [Path::new("/dev/zero"), Path::new("/proc"), &sparse] {
        let answer = client.ask(ask(file, &[0], Detail::Lines)).names;
        assert!(matches!(answer[..], [Err(_)]), "{answer:?}");
    }
    assert_eq!(client.stats().starts, 1);
}

/// One bad worker, a file that gets the blame, and then all is well.
#[track_caller]
fn check_replaced(how: &str, why: Unresolved) -> Client {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &[]);
    let (start, _) = place(&library, "inner");
    let mut client = client_of(&scratch, how, 1);
    let culprit = ask(&library, &[start, start], Detail::Names);
    let key = culprit.object.key;
    assert_eq!(client.ask(culprit).names, [Err(why), Err(why)]);
    let other = client.ask(ask(&library, &[start], Detail::Names)).names;
    assert_eq!(outer_names(&other), ["inner"]);
    // The culprit is not tried again.
    let mut again = ask(&library, &[start], Detail::Lines);
    again.object = Object { key, ..again.object };
    let requests = client.stats().requests;
    assert_eq!(client.ask(again).names, [Err(why)]);
    let stats = client.stats();
    assert_eq!((stats.requests, stats.starts, stats.blamed), (requests, 2, 1));
    client
}

fn a_worker_that_dies_is_replaced() {
    assert_eq!(check_replaced("die", Unresolved::Limit).stats().deaths, 1);
}

fn a_worker_that_hangs_is_replaced() {
    assert_eq!(check_replaced("hang", Unresolved::Timeout).stats().timeouts, 1);
}

fn a_worker_that_talks_nonsense() {
    assert_eq!(check_replaced("nonsense", Unresolved::Limit).stats().nonsense, 1);
    assert_eq!(check_replaced("wrong-call", Unresolved::Limit).stats().nonsense, 1);
}

fn a_worker_killed_while_idle() {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &[]);
    let (start, _) = place(&library, "inner");
    let mut client = client();
    let pid = client.worker_pid().unwrap().try_into().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    let handle = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let mut dead = [rustix::event::PollFd::new(&handle, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut dead, None).unwrap();
    let answer = client.ask(ask(&library, &[start], Detail::Names)).names;
    assert_eq!(outer_names(&answer), ["inner"]);
    assert_eq!((client.stats().starts, client.stats().blamed), (2, 0));
}

fn names_come_where_lines_kill() {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &[]);
    let mut client = client_of(&scratch, "die-of-lines", 2);
    let request = ask(&library, &[1], Detail::Lines);
    assert_eq!(outer_names(&client.ask(request).names), ["named"]);
    let stats = client.stats();
    assert_eq!((stats.deaths, stats.starts, stats.blamed), (1, 2, 1));
}

fn restarts_have_an_end() {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &[]);
    let mut client = client_of(&scratch, "die", 1000);
    for _ in 0..RESTARTS_MAX + 5 {
        assert_eq!(client.ask(ask(&library, &[1], Detail::Names)).names, [Err(Unresolved::Limit)]);
    }
    let stats = client.stats();
    assert_eq!((stats.starts, stats.deaths), (RESTARTS_MAX as u64, RESTARTS_MAX as u64));
}

fn a_program_that_cannot_start() {
    let error = Client::spawn("/does/not/exist").unwrap_err().to_string();
    assert!(error.contains("/does/not/exist"), "{error}");
}
