//! Names from every source: symbol tables, debug information, unwind
//! information, separate files, the kernel.

use super::support::{
    BINUTILS, Scratch, Test, ask, client, key, look_up, offset, offsets, open, outer_names, place,
    run, text,
};
use probe::profile::{FrameKind, Text};
use probe::symbol::limits::MANGLED_BYTES_MAX;
use probe::symbol::{Ask, Detail, Object, ObjectKind, candidates, vdso_image};
use std::fs;
use std::io::Seek as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

pub(crate) const TESTS: &[Test] = &[
    ("c_functions_have_their_names", BINUTILS, c_functions_have_their_names),
    ("lines_have_the_inlined_functions", BINUTILS, lines_have_the_inlined_functions),
    ("names_of_cpp_are_readable", &["c++", "nm", "readelf"], names_of_cpp_are_readable),
    ("stripped_functions_are_called_by_their_start", BINUTILS, stripped_functions),
    ("a_separate_debug_file_has_the_names", BINUTILS, a_separate_debug_file_has_the_names),
    ("a_debug_file_of_another_build_is_not_used", BINUTILS, a_debug_file_of_another_build),
    ("segments_whose_address_is_not_their_offset", BINUTILS, segments_that_are_moved),
    ("this_program_is_rust", &[], this_program_is_rust),
    ("every_function_of_this_program", &["nm", "readelf"], every_function_of_this_program),
    ("libc_is_named_all_over", &[], libc_is_named_all_over),
    ("the_kernel_is_named", &[], the_kernel_is_named),
    ("the_vdso_is_named", &["nm", "readelf"], the_vdso_is_named),
    ("go_is_told_by_its_line_table", BINUTILS, go_is_told_by_its_line_table),
    ("many_addresses_come_back_in_order", BINUTILS, many_addresses_come_back_in_order),
];

/// `outer` calls `middle` calls `inner`; `middle` is inlined into `outer`.
pub(crate) const C: &str = "__attribute__((noinline)) int inner(int x) { return x * 3 + 1; }
static inline __attribute__((always_inline)) int middle(int x) {
    volatile int sum = x;
    for (int i = 0; i < x; i++) sum += i;
    return sum + inner(x);
}
__attribute__((noinline)) int outer(int x) { return middle(x) * 2; }
static __attribute__((noinline)) int hidden(volatile int *x) { return *x * 5 + 7; }
int caller(int x) { return hidden(&x) + 1; }
";

/// What the function at an offset is called.
#[track_caller]
fn check(path: &Path, address: u64, name: &str, kind: FrameKind) {
    let found = look_up(path, address, Detail::Names).unwrap();
    assert_eq!(found.len(), 1);
    let function = &found[0].function;
    assert_eq!((function.name.as_str(), function.kind), (name, kind));
    assert_eq!(function.module.as_str(), path.file_name().unwrap().to_str().unwrap());
    assert_eq!((found[0].line, &function.file), (0, &None));
}

fn c_functions_have_their_names() {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &[]);
    for symbol in ["inner", "outer", "hidden", "caller"] {
        let (start, size) = place(&library, symbol);
        check(&library, start, symbol, FrameKind::Native);
        check(&library, start + size - 1, symbol, FrameKind::Native);
    }
}

fn lines_have_the_inlined_functions() {
    let scratch = Scratch::new();
    for flags in
        [&["-g"][..], &["-g", "-gz"], &["-g", "-gdwarf-4"], &["-g", "-fdebug-types-section"]]
    {
        let library = scratch.compile("cc", C, "library.so", flags);
        let (start, size) = place(&library, "outer");
        let addresses: Vec<_> = (start..start + size).collect();
        let answer = client().ask(ask(&library, &addresses, Detail::Lines)).names;
        let inlined = answer.iter().flatten().find(|lines| lines.len() == 2).unwrap();
        let names: Vec<_> = inlined.iter().map(|line| line.function.name.as_str()).collect();
        assert_eq!(names, ["middle", "outer"], "{flags:?}");
        assert!((2..=5).contains(&inlined[0].line) && inlined[1].line == 7, "{inlined:?}");
        let file = inlined[1].function.file.as_ref().unwrap();
        assert!(file.as_str().ends_with("library.so.c"), "{file}");
        assert!(outer_names(&answer).iter().all(|name| name == "outer"));
    }
}

fn names_of_cpp_are_readable() {
    let scratch = Scratch::new();
    let source = "namespace space { template <class T> struct Box { \
        __attribute__((noinline)) T twice(T x) { return x + x; } }; \
        template struct Box<int>; }";
    let library = scratch.compile("c++", source, "library.so", &["-g"]);
    let (start, _) = place(&library, "_ZN5space3BoxIiE5twiceEi");
    check(&library, start, "space::Box<int>::twice", FrameKind::Native);
    let found = look_up(&library, start, Detail::Lines).unwrap();
    assert_eq!(found[0].function.name.as_str(), "space::Box<int>::twice");
    assert_eq!(found[0].line, 1);
}

fn stripped_functions() {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &[]);
    let (start, size) = place(&library, "hidden");
    let (exported, _) = place(&library, "caller");
    run("strip", &["-s", text(&library)]);
    let name = format!("library.so!fn_{start:x}");
    check(&library, start, &name, FrameKind::Native);
    check(&library, start + size - 1, &name, FrameKind::Native);
    check(&library, exported, "caller", FrameKind::Native);
    // Outside of every function, and of the file.
    for address in [1, 1 << 40, u64::MAX] {
        let why = look_up(&library, address, Detail::Lines).unwrap_err();
        assert_eq!(why, probe::profile::Unresolved::Stripped);
    }
}

/// A stripped library that is linked to its debug file.
fn split(scratch: &Scratch, flags: &[&str]) -> (PathBuf, PathBuf, u64) {
    let library = scratch.compile("cc", C, "library.so", flags);
    let (start, _) = place(&library, "hidden");
    let debug = scratch.path("library.debug");
    run("objcopy", &["--only-keep-debug", text(&library), text(&debug)]);
    run(
        "objcopy",
        &["--strip-all", &format!("--add-gnu-debuglink={}", text(&debug)), text(&library)],
    );
    (library, debug, start)
}

fn a_separate_debug_file_has_the_names() {
    let scratch = Scratch::new();
    for id in ["-Wl,--build-id=sha1", "-Wl,--build-id=none"] {
        let (library, debug, start) = split(&scratch, &["-g", id]);
        let mut client = client();
        let file = open(&library);
        let mut request = ask(&library, &[start], Detail::Lines);
        let identity = client.identify(request.object.key, file.as_fd()).unwrap();
        let notes = run("readelf", &["-nW", text(&library)]);
        match identity.build_id {
            Some(id) => assert!(notes.contains(&id.to_hex()), "{notes}"),
            None => assert!(id.ends_with("none")),
        }
        assert!(!identity.is_go && !identity.has_debug_info);
        assert!(candidates(&identity, &library).contains(&debug));
        request.object.kind = ObjectKind::File { file, debug: vec![open(&library), open(&debug)] };
        let found = client.ask(request).names.remove(0).unwrap();
        let function = &found[0].function;
        assert_eq!((function.name.as_str(), found[0].line), ("hidden", 8), "{id}");
    }
}

fn a_debug_file_of_another_build() {
    let scratch = Scratch::new();
    for id in ["-Wl,--build-id=sha1", "-Wl,--build-id=none"] {
        let (_, other, _) = split(&scratch, &["-g", "-O2", "-DX=1", id]);
        let other_copy = scratch.path("other.debug");
        fs::rename(&other, &other_copy).unwrap();
        let (library, _, start) = split(&scratch, &["-g", id]);
        let mut request = ask(&library, &[start], Detail::Names);
        request.object.kind =
            ObjectKind::File { file: open(&library), debug: vec![open(&other_copy)] };
        let names = outer_names(&client().ask(request).names);
        assert_eq!(names, [format!("library.so!fn_{start:x}")], "{id}");
    }
}

fn segments_that_are_moved() {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &["-g", "-Wl,-Ttext-segment=0x7000000"]);
    let (start, _) = place(&library, "inner");
    let symbols = run("nm", &[text(&library)]);
    assert!(!symbols.contains(&format!("{start:016x} T inner")), "not moved:\n{symbols}");
    check(&library, start, "inner", FrameKind::Native);
    assert_eq!(look_up(&library, start, Detail::Lines).unwrap()[0].line, 1);
}

#[inline(never)]
fn landmark(x: u64) -> u64 {
    std::hint::black_box(x) + 1
}

/// The file that is mapped at a run-time address, and the offset in it.
fn mapped(address: usize) -> (PathBuf, u64) {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let found = maps.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (start, end) = fields[0].split_once('-').unwrap();
        let hex = |text| u64::from_str_radix(text, 16).unwrap();
        let inside = (hex(start)..hex(end)).contains(&(address as u64));
        inside.then(|| (PathBuf::from(fields[5]), address as u64 - hex(start) + hex(fields[2])))
    });
    found.unwrap()
}

fn this_program_is_rust() {
    assert_eq!(landmark(1), 2);
    let (path, address) = mapped(landmark as fn(u64) -> u64 as usize);
    for detail in [Detail::Names, Detail::Lines] {
        let found = look_up(&path, address, detail).unwrap();
        let function = &found.last().unwrap().function;
        assert_eq!(
            (function.name.as_str(), function.kind),
            ("symbol::names::landmark", FrameKind::Rust)
        );
        assert_eq!(found.last().unwrap().line > 0, detail == Detail::Lines);
    }
}

/// By what `nm` says of it: thousands of functions, most of them Rust.
fn every_function_of_this_program() {
    let path = std::env::current_exe().unwrap();
    let symbols = run("nm", &["-S", text(&path)]);
    let functions = symbols.lines().filter_map(|line| {
        let fields: Vec<_> = line.split(' ').collect();
        let [start, size, "t" | "T", name] = fields[..] else { return None };
        let hex = |text| u64::from_str_radix(text, 16).unwrap();
        // A name that is too long keeps its mangling, and hides its language.
        (name.len() <= MANGLED_BYTES_MAX).then(|| (hex(start) + hex(size) - 1, name))
    });
    let (addresses, mangled): (Vec<_>, Vec<_>) = functions.unzip();
    assert!(addresses.len() > 1000);
    let answer = client().ask(ask(&path, &offsets(&path, &addresses), Detail::Names)).names;
    assert_eq!(answer.len(), addresses.len());
    for (found, mangled) in answer.iter().zip(mangled) {
        let function = &found.as_ref().unwrap()[0].function;
        let rust = mangled.starts_with("_R") || mangled.contains("17h");
        assert_eq!(function.kind == FrameKind::Rust, rust, "{mangled}: {}", function.name);
        assert!(rust || mangled.starts_with("_Z") || !function.name.as_str().contains("!fn_"));
        assert!(!function.name.as_str().starts_with("_R"), "{mangled}");
    }
}

fn libc_is_named_all_over() {
    let (path, malloc) = mapped(libc::malloc as *const () as usize);
    check(&path, malloc, "malloc", FrameKind::Native);
    let addresses: Vec<_> = (0..4000).map(|n| malloc - 200_000 + n * 100).collect();
    let mut client = client();
    let answer = client.ask(ask(&path, &addresses, Detail::Names)).names;
    assert_eq!(answer.len(), addresses.len());
    let mut unnamed = 0;
    for (name, address) in outer_names(&answer).iter().zip(&addresses) {
        if let Some(start) = name.split("!fn_").nth(1) {
            let start = u64::from_str_radix(start, 16).unwrap();
            assert!(start <= *address && *address - start < 100_000, "{name} at {address:x}");
        }
        unnamed += usize::from(name.starts_with('['));
    }
    assert!(unnamed * 20 < addresses.len(), "{unnamed} of {}", addresses.len());
}

fn the_kernel_is_named() {
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap();
    let schedule = symbols.lines().find(|line| line.ends_with(" schedule")).unwrap();
    let address = u64::from_str_radix(schedule.split(' ').next().unwrap(), 16).unwrap();
    let request = || Ask {
        object: Object {
            key: key(),
            kind: ObjectKind::Kernel { kallsyms: open(Path::new("/proc/kallsyms")) },
            module: Text::from("kernel"),
        },
        addresses: vec![address, address + 8, 1],
        detail: Detail::Names,
    };
    let mut client = client();
    if address == 0 {
        assert_eq!(outer_names(&client.ask(request()).names), ["[denied]"; 3]);
        return;
    }
    let answer = client.ask(request()).names;
    assert_eq!(outer_names(&answer), ["schedule", "schedule", "[stripped]"]);
    let function = &answer[0].as_ref().unwrap()[0].function;
    assert_eq!((function.kind, function.module.as_str()), (FrameKind::Kernel, "kernel"));
}

fn the_vdso_is_named() {
    let scratch = Scratch::new();
    let path = scratch.path("vdso");
    let mut image = fs::File::from(vdso_image().unwrap());
    image.rewind().unwrap();
    std::io::copy(&mut image, &mut fs::File::create(&path).unwrap()).unwrap();
    let symbols = run("nm", &["-D", text(&path)]);
    let line = symbols.lines().find(|line| line.contains("__vdso_clock_gettime")).unwrap();
    let address = u64::from_str_radix(line.split(' ').next().unwrap(), 16).unwrap();
    let address = offset(&path, address);
    let object = Object {
        key: key(),
        kind: ObjectKind::File { file: vdso_image().unwrap(), debug: Vec::new() },
        module: Text::from("[vdso]"),
    };
    let answer =
        client().ask(Ask { object, addresses: vec![address], detail: Detail::Lines }).names;
    assert_eq!(outer_names(&answer), ["clock_gettime"]);
}

fn go_is_told_by_its_line_table() {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &[]);
    let table = scratch.write("table", [0; 64]);
    let section = format!(".gopclntab={}", text(&table));
    run("objcopy", &["--add-section", &section, text(&library)]);
    let (start, _) = place(&library, "inner");
    check(&library, start, "inner", FrameKind::Go);
}

fn many_addresses_come_back_in_order() {
    let scratch = Scratch::new();
    let library = scratch.compile("cc", C, "library.so", &["-g"]);
    let symbols = ["inner", "outer", "hidden", "caller"];
    let places: Vec<_> = symbols.iter().map(|symbol| place(&library, symbol).0).collect();
    let count = 5 * probe::symbol::limits::ADDRESSES_MAX + 3;
    let addresses: Vec<_> = (0..count).map(|n| places[n % 4]).collect();
    let expected: Vec<_> = (0..count).map(|n| symbols[n % 4]).collect();
    let mut client = client();
    let mut request = ask(&library, &addresses, Detail::Lines);
    assert_eq!(outer_names(&client.ask(request).names), expected);
    request = ask(&library, &[], Detail::Names);
    assert_eq!(client.ask(request).names, []);
    assert_eq!(client.stats().starts, 1);
}
