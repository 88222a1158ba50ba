//! Programs to look things up in, made by the system's compilers, and where
//! things are in them, by binutils.

use probe::profile::store::NamedLine;
use probe::profile::{Text, Unresolved};
use probe::symbol::{Ask, Client, Detail, Names, Object, ObjectKind};
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// A test: its name, the programs that it cannot do without, and what it does.
pub(crate) type Test = (&'static str, &'static [&'static str], fn());

/// What compiling and inspecting needs.
pub(crate) const BINUTILS: &[&str] = &["cc", "nm", "readelf", "objcopy", "strip"];

/// Whether a program can be run.
pub(crate) fn has(tool: &str) -> bool {
    let mut command = Command::new(tool);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a program that has to succeed; what it printed.
#[track_caller]
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A directory that goes away with the value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("otop-symbol-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Compiles `source` into a shared library called `name`.
    #[track_caller]
    pub(crate) fn compile(
        &self,
        compiler: &str,
        source: &str,
        name: &str,
        flags: &[&str],
    ) -> PathBuf {
        let extension = if compiler == "c++" { "cc" } else { "c" };
        let source = self.write(&format!("{name}.{extension}"), source);
        let out = self.path(name);
        let mut arguments = vec!["-shared", "-fPIC", "-O1", "-o", text(&out), text(&source)];
        arguments.extend(flags);
        run(compiler, &arguments);
        out
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The file offset of a symbol, and its size, by `nm` and `readelf`.
#[track_caller]
pub(crate) fn place(path: &Path, symbol: &str) -> (u64, u64) {
    let symbols = run("nm", &["-S", text(path)]);
    let line = symbols.lines().find(|line| line.ends_with(&format!(" {symbol}")));
    let mut fields = line.unwrap_or_else(|| panic!("no {symbol} in {symbols}")).split(' ');
    let mut hex = || u64::from_str_radix(fields.next().unwrap(), 16).unwrap();
    let (address, size) = (hex(), hex());
    (offset(path, address), size)
}

/// The file offset of an ELF virtual address.
#[track_caller]
pub(crate) fn offset(path: &Path, address: u64) -> u64 {
    offsets(path, &[address])[0]
}

/// The file offsets of ELF virtual addresses.
#[track_caller]
pub(crate) fn offsets(path: &Path, addresses: &[u64]) -> Vec<u64> {
    let headers = run("readelf", &["-lW", text(path)]);
    let loads = headers.lines().map(str::trim).filter(|line| line.starts_with("LOAD"));
    let loads: Vec<_> = loads
        .map(|line| {
            let hex = |field: &str| u64::from_str_radix(&field[2..], 16).unwrap();
            let fields: Vec<_> = line.split_whitespace().skip(1).take(4).map(hex).collect();
            (fields[0], fields[1], fields[3])
        })
        .collect();
    let offset = |address: &u64| {
        let inside = |(_, start, size): &&(u64, u64, u64)| (*start..start + size).contains(address);
        let (offset, start, _) = loads.iter().find(inside).unwrap();
        address - start + offset
    };
    addresses.iter().map(offset).collect()
}

/// Where a section is in the file.
#[track_caller]
pub(crate) fn section(path: &Path, name: &str) -> usize {
    let headers = run("readelf", &["-SW", text(path)]);
    let line = headers.lines().find(|line| line.contains(&format!(" {name} "))).unwrap();
    let after = line.split_once(name).unwrap().1;
    usize::from_str_radix(after.split_whitespace().nth(2).unwrap(), 16).unwrap()
}

/// A client whose worker is this program.
pub(crate) fn client() -> Client {
    Client::spawn(std::env::current_exe().unwrap()).unwrap()
}

pub(crate) fn open(path: &Path) -> OwnedFd {
    File::open(path).unwrap().into()
}

/// A key that nothing else has.
pub(crate) fn key() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A request about a file under a key of its own.
pub(crate) fn ask(path: &Path, addresses: &[u64], detail: Detail) -> Ask {
    let kind = ObjectKind::File { file: open(path), debug: Vec::new() };
    let module = Text::from(path.file_name().unwrap().to_str().unwrap());
    Ask { object: Object { key: key(), kind, module }, addresses: addresses.to_vec(), detail }
}

/// The functions at an address.
pub(crate) fn look_up(
    path: &Path,
    address: u64,
    detail: Detail,
) -> Result<Vec<NamedLine>, Unresolved> {
    client().ask(ask(path, &[address], detail)).names.remove(0)
}

/// The outermost functions' names, or the reason in brackets.
pub(crate) fn outer_names(answer: &[Names]) -> Vec<String> {
    answer
        .iter()
        .map(|found| match found {
            Ok(lines) => lines.last().unwrap().function.name.to_string(),
            Err(why) => format!("[{}]", why.word()),
        })
        .collect()
}
