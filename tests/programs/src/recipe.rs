//! How each program is built: a compiler and its command line.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::program::RUST_DEPTH;
use crate::tool::{self, Tool};
use crate::{Chain, Compiler, Form, Linker, Missing, Program, cache};

/// One call of a compiler: `compiler before -o OUTPUT generated files after`.
#[derive(Hash)]
pub(crate) struct Recipe {
    pub(crate) name: String,
    pub(crate) compiler: PathBuf,
    pub(crate) before: Vec<String>,
    /// The suffix and the text of a source that is made up.
    pub(crate) generated: Option<(&'static str, String)>,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) after: Vec<String>,
    /// What the files include, so that a change in it makes another program.
    pub(crate) included: Vec<PathBuf>,
    pub(crate) environment: Vec<(&'static str, &'static str)>,
}

/// How to build `program`, if the machine has what that takes.
pub(crate) fn of(program: &Program) -> Result<Recipe, Missing> {
    match program {
        Program::Chain(chain) => of_chain(*chain),
        Program::BusyRust => rust("busy", Linker::Default, RustSource::File("busy.rs")),
        Program::RustChain(linker) => {
            rust("rust_chain", *linker, RustSource::Text(rust_chain_source()))
        }
        Program::GoChain => go(),
        Program::BusyCpp => c(tool::CXX, "busy.cc", &[]),
        Program::Exceptions => c(tool::CXX, "exceptions.cc", &[]),
        Program::BusyC => c(tool::CC, "busy.c", &[]),
        Program::Inlined => {
            let mut recipe = c(tool::CC, "inlined.c", &[])?;
            recipe.before.push("-g".to_owned());
            Ok(recipe)
        }
        Program::Clock => c(tool::CC, "clock.c", &[]),
        Program::Recursion => c(tool::CC, "recursion.c", &[]),
        Program::Alloca => c(tool::CC, "alloca.c", &[]),
        Program::Dlopen => {
            let library = library("plugin.c")?;
            c(tool::CC, "dlopen.c", &[format!("-DLIBRARY=\"{}\"", library.display())])
        }
        Program::Plt => {
            // Linked by its path, and bound at the first call, so that the stubs
            // are the classic ones.
            let library = library("step.c")?.display().to_string();
            c(tool::CC, "plt.c", &["-Wl,-z,lazy".to_owned(), library])
        }
        Program::Fork => c(tool::CC, "fork.c", &[]),
        Program::Vfork => c(tool::CC, "vfork.c", &[]),
        Program::Signal => c(tool::CC, "signal.c", &[]),
        Program::Exec => c(tool::CC, "exec.c", &[]),
        Program::PairA => pair("pair_a", 'b'),
        Program::PairB => pair("pair_b", 'a'),
        Program::Brief => c(tool::CC, "brief.c", &[]),
        Program::Mappings => c(tool::CC, "mappings.c", &[]),
        Program::Realigned => c(tool::CC, "realigned.c", &["-mavx2".to_owned()]),
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sources")
}

/// A C or C++ program as distributions build it: `-O2`, no frame pointers.
fn c(compiler: Tool, file: &str, after: &[String]) -> Result<Recipe, Missing> {
    let sources = sources();
    Ok(Recipe {
        name: file.replace('.', "_"),
        compiler: compiler.find()?,
        before: strings(&["-O2", "-fomit-frame-pointer", "-Wall"]),
        generated: None,
        files: vec![sources.join(file)],
        after: after.to_vec(),
        included: vec![sources.join("life.h")],
        environment: Vec::new(),
    })
}

/// One of the two that become each other.
fn pair(name: &str, other: char) -> Result<Recipe, Missing> {
    let mut recipe =
        c(tool::CC, "pair.c", &[format!("-DLEAF={name}_leaf"), format!("-DOTHER='{other}'")])?;
    name.clone_into(&mut recipe.name);
    Ok(recipe)
}

/// The path of a shared library made of one source.
fn library(file: &str) -> Result<PathBuf, Missing> {
    let mut recipe = c(tool::CC, file, &[])?;
    recipe.before.extend(strings(&["-shared", "-fPIC"]));
    cache::build(&recipe)
}

fn of_chain(chain: Chain) -> Result<Recipe, Missing> {
    let sources = sources();
    let compiler = match chain.compiler {
        Compiler::Cc => tool::CC,
        Compiler::Clang => tool::CLANG,
        Compiler::Musl => tool::MUSL,
    };
    let mut before = vec![
        format!("-O{}", chain.optimize),
        format!("-f{}omit-frame-pointer", if chain.frame_pointer { "no-" } else { "" }),
        format!("-I{}", sources.display()),
    ];
    before.extend(strings(match chain.form {
        Form::Dynamic => &["-fPIE", "-pie"],
        Form::Fixed => &["-fno-pie", "-no-pie"],
        Form::StaticPie => &["-fPIE", "-static-pie"],
        Form::Static => &["-fno-pie", "-static"],
    }));
    before.extend(linker_flags(chain.linker)?);
    if chain.stripped {
        before.push("-s".to_owned());
    }
    Ok(Recipe {
        name: chain.name(),
        compiler: compiler.find()?,
        before,
        generated: Some(("c", chain.source())),
        files: Vec::new(),
        after: Vec::new(),
        included: vec![sources.join("life.h")],
        environment: Vec::new(),
    })
}

/// What makes a compiler's driver use a linker.
fn linker_flags(linker: Linker) -> Result<Vec<String>, Missing> {
    let (tool, name) = match linker {
        Linker::Default => return Ok(Vec::new()),
        Linker::Bfd => (tool::BFD, "bfd"),
        Linker::Gold => (tool::GOLD, "gold"),
        Linker::Lld => (tool::LLD, "lld"),
        Linker::Mold => (tool::MOLD, "mold"),
    };
    let path = tool.find()?;
    let mut flags = vec![format!("-fuse-ld={name}")];
    // Debian's ld.lld-19 is a link to LLVM's folder, where it has the name that
    // drivers look for.
    if let (Linker::Lld, Ok(real)) = (linker, path.canonicalize())
        && let Some(folder) = real.parent()
    {
        flags.push(format!("-B{}", folder.display()));
    }
    Ok(flags)
}

enum RustSource {
    File(&'static str),
    Text(String),
}

fn rust(name: &str, linker: Linker, source: RustSource) -> Result<Recipe, Missing> {
    let sources = sources();
    let mut before = strings(&["--edition=2024", "-Copt-level=3", "-Cdebuginfo=0"]);
    before.push(format!("--crate-name={name}"));
    let flags = linker_flags(linker)?;
    if !flags.is_empty() {
        // Rust's own choice may be its bundled lld, with flags that fit no other.
        before.push("-Clinker-flavor=gcc".to_owned());
    }
    before.extend(flags.into_iter().map(|flag| format!("-Clink-arg={flag}")));
    let (files, generated) = match source {
        RustSource::File(file) => (vec![sources.join(file)], None),
        RustSource::Text(text) => (Vec::new(), Some(("rs", text))),
    };
    Ok(Recipe {
        name: name.to_owned(),
        compiler: tool::RUSTC.find()?,
        before,
        generated,
        files,
        after: Vec::new(),
        included: vec![sources.join("life.rs")],
        environment: Vec::new(),
    })
}

/// Eight functions, `chain_0` to `chain_7`, with locals of growing size.
fn rust_chain_source() -> String {
    let life = sources().join("life.rs");
    let mut text =
        format!("#[path = \"{}\"]\nmod life;\nuse std::hint::black_box;\n", life.display());
    text.push_str(
        "#[inline(never)]\nfn chain_leaf(mut seed: u64) -> u64 {\n    \
         let life = life::Life::start();\n    loop {\n        for _ in 0..100 {\n            \
         seed = life::work(seed, 20_000);\n        }\n        life.check();\n    }\n}\n",
    );
    let mut next = "chain_leaf".to_owned();
    for index in (0..RUST_DEPTH).rev() {
        let bytes = 16 << index;
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "#[inline(never)]\nfn chain_{index}(seed: u64) -> u64 {{\n    \
             let local = black_box([seed as u8; {bytes}]);\n    \
             let value = black_box({next}(seed + 1));\n    \
             value.wrapping_add(u64::from(black_box(&local)[0]))\n}}\n",
        );
        next = format!("chain_{index}");
    }
    text.push_str("fn main() {\n    black_box(chain_0(1));\n}\n");
    text
}

fn go() -> Result<Recipe, Missing> {
    Ok(Recipe {
        name: "go_chain".to_owned(),
        compiler: tool::GO.find()?,
        before: strings(&["build"]),
        generated: None,
        files: vec![sources().join("chain.go")],
        after: Vec::new(),
        included: Vec::new(),
        // Only what is installed, whatever the caller's modules say.
        environment: vec![("GOTOOLCHAIN", "local"), ("GO111MODULE", "off"), ("GOFLAGS", "")],
    })
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
