//! Programs that people run: how many of their stacks reach the root.

use crate::recording::{Recorded, Recording, Stack};
use crate::verdict::percent;
use crate::{not_met, sampling, scratch};
use libtest_mimic::Trial;
use probe::kernel::Target;
use probe::profile::{FrameKind, WalkEnd};
use std::process::{Child, Command, Stdio};
use test_programs::harness::Stopped;
use test_programs::{Program, build};

const HZ: u32 = 499;
const SAMPLES: u64 = 1000;
/// % of stacks that have to reach the root.
const ROOT_MIN: f64 = 98.0;

const PYTHON: &str = "
import json, re, hashlib
while True:
    rows = [{'n': n, 's': str(n) * 3} for n in range(2000)]
    text = json.dumps(sorted(rows, key=lambda row: row['s']))
    re.findall(r'[0-9]+7', text); hashlib.sha256(text.encode()).hexdigest()
";

const NODE: &str = "
const zlib = require('zlib');
const data = Buffer.from('otop '.repeat(100000));
for (;;) { zlib.gzipSync(data); JSON.parse(JSON.stringify([...Array(10000).keys()])); }
";

const JAVA: &str = "
public class Busy {
    public static void main(String[] arguments) throws Exception {
        byte[] data = new byte[1 << 20];
        long sum = 0;
        for (int round = 0;; round++) {
            java.util.zip.CRC32 crc = new java.util.zip.CRC32();
            crc.update(data);
            java.util.HashMap<String, Integer> map = new java.util.HashMap<>();
            for (int key = 0; key < 10000; key++) map.put(\"key\" + key, key);
            sum += map.size() + crc.getValue();
            if (sum == -round) System.out.println(sum);
        }
    }
}
";

/// A recursive query that never ends.
const SQL: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
    SELECT count(*) FROM n WHERE printf('%d', i) LIKE '%123%' AND hex(randomblob(8)) > '';";

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = vec![
        load("openssl", || Ok(command("openssl", &["speed", "-seconds", "60", "rsa4096"]))),
        load("xz", || {
            let data = std::env::current_exe()?.display().to_string();
            Ok(command("sh", &["-c", &format!("exec xz -9 -T1 -c {data} {data} {data}")]))
        }),
        load("python3", || Ok(command("python3", &["-c", PYTHON]))),
        load("node", || Ok(command("node", &["-e", NODE]))),
        load("java", || {
            let source = scratch("Busy.java");
            std::fs::write(&source, JAVA)?;
            Ok(command("java", &[&source.display().to_string()]))
        }),
        load("sqlite3", || Ok(command("sqlite3", &[":memory:", SQL]))),
    ];
    tests.push(load("go", || {
        Ok(command(&build(&Program::GoChain)?.display().to_string(), &["60"]))
    }));
    tests.push(not_met(
        "each git is over within a second, and its first samples are incomplete",
        load("git", || {
            let mut git = command("sh", &["-c", "while :; do git log -p --stat; done"]);
            git.current_dir(env!("CARGO_MANIFEST_DIR"));
            Ok(git)
        }),
    ));
    tests
}

fn command(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments);
    command
}

/// A program that runs until it is dropped.
struct Load(Child);

impl Drop for Load {
    fn drop(&mut self) {
        // It has ended by itself: nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn load(
    name: &'static str,
    line: impl FnOnce() -> Result<Command, Stopped> + Send + 'static,
) -> Trial {
    sampling(format!("real::{name}"), move || {
        let mut command = line()?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Stopped::Ignored(format!("{name} is not installed")),
            _ => error.into(),
        })?;
        let load = Load(child);
        let pid = load.0.id();
        let recording = Recording::start(HZ, Target::Tree(pid))?;
        let start = recording.sampled();
        recording.until("samples", |snapshot| snapshot.books.user.decoded >= start + SAMPLES);
        let recorded = recording.end();
        drop(load);
        reaches_the_root(name, &recorded)
    })
}

/// Holds what has a JIT's code nowhere in it against the target: a walk that
/// comes by such code goes on by frame pointers, and cannot tell the root.
fn reaches_the_root(name: &str, recorded: &Recorded) -> Result<(), Stopped> {
    let ends = recorded.ends();
    let of = |end| ends.get(&end).copied().unwrap_or(0);
    let stacks = recorded.stacks(|_, _| true);
    let (with_jit, native): (Vec<_>, Vec<_>) = stacks.into_iter().partition(|stack| {
        stack.user.iter().any(|frame| {
            // The part of V8's code that is compiled with it.
            frame.kind == FrameKind::Jit || frame.function.starts_with("Builtins_")
        })
    });
    let count = |stacks: &[Stack]| stacks.iter().map(|stack| stack.count).sum::<u64>();
    let with_jit = count(&with_jit);
    // Ends are counted for all together: by way of a JIT's code no root is reached.
    let all = ends.values().sum::<u64>().saturating_sub(with_jit);
    let reached = percent(of(WalkEnd::Root) + of(WalkEnd::NoUser), all);
    eprintln!("{name}: {reached:.2} % of {all} reach the root; {with_jit} with JIT; {ends:?}");
    if reached < ROOT_MIN {
        return Err(Stopped::failed(format!("{reached:.2} %: {ends:?} {:#?}", outermost(&native))));
    }
    Ok(())
}

/// Where stacks end, most first.
fn outermost(stacks: &[Stack]) -> Vec<(u64, String)> {
    let mut counts = std::collections::BTreeMap::new();
    for stack in stacks {
        let last = stack.user.last().map_or_else(String::new, |frame| {
            format!("{}+{:#x} {} {:?}", frame.module, frame.address, frame.function, frame.kind)
        });
        *counts.entry(last).or_insert(0) += stack.count;
    }
    let mut counts: Vec<_> = counts.into_iter().map(|(name, count)| (count, name)).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts.truncate(12);
    counts
}
