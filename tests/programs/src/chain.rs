//! Generated call chains: functions with unique names and frames of every shape,
//! each of which calls the next, down to a leaf that works for ever.

use std::fmt::Write as _;

/// A chain of `depth` functions below `main`, and how it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chain {
    /// How many functions lie between `main` and the leaf.
    pub depth: u32,
    /// What compiles it.
    pub compiler: Compiler,
    /// `-O0` to `-O3`.
    pub optimize: u8,
    /// Whether frames keep a frame pointer.
    pub frame_pointer: bool,
    /// What links it.
    pub linker: Linker,
    /// What kind of file it is.
    pub form: Form,
    /// Whether its symbols are removed: the chain is there, its names are not.
    pub stripped: bool,
}

/// A compiler of C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compiler {
    /// The system's `cc`, gcc as a rule.
    Cc,
    /// clang 19.
    Clang,
    /// gcc with musl; takes [`Form::Static`] alone.
    Musl,
}

/// A linker, each of which lays segments out in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Linker {
    /// The compiler's own choice.
    Default,
    /// GNU ld.
    Bfd,
    /// GNU gold.
    Gold,
    /// LLVM's lld 19, by which text has `p_vaddr != p_offset`.
    Lld,
    /// mold.
    Mold,
}

/// How a program is laid out for loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Position-independent, linked to libc at run time.
    Dynamic,
    /// At a fixed address, linked to libc at run time.
    Fixed,
    /// Position-independent, with libc inside.
    StaticPie,
    /// At a fixed address, with libc inside.
    Static,
}

impl Default for Chain {
    /// Forty frames without frame pointers, as distributions build.
    fn default() -> Self {
        Self {
            depth: 40,
            compiler: Compiler::Cc,
            optimize: 2,
            frame_pointer: false,
            linker: Linker::Default,
            form: Form::Dynamic,
            stripped: false,
        }
    }
}

impl Chain {
    /// The functions on the stack, leaf first, down to `main`.
    pub(crate) fn names(self) -> Vec<String> {
        let calls = (0..self.depth).rev().map(|index| format!("chain_{index:03}"));
        std::iter::once("chain_leaf".to_owned())
            .chain(calls)
            .chain(std::iter::once("main".to_owned()))
            .collect()
    }

    /// A name for the built file.
    pub(crate) fn name(self) -> String {
        format!("chain{}-{:?}-{:?}", self.depth, self.compiler, self.linker).to_lowercase()
    }

    /// The program in C. Each function uses what its callee returned, so that no
    /// call is a tail call, and shows the address of its locals to the compiler,
    /// so that its frame is as large as it says.
    pub(crate) fn source(self) -> String {
        let mut text = String::from(
            "#include \"life.h\"\n#include <alloca.h>\n\
             KEPT uint64_t chain_leaf(uint64_t seed)\n\
             {\n\tready(0);\n\tfor (;;)\n\t\tseed = work(seed, 20000);\n\treturn seed;\n}\n",
        );
        let mut next = "chain_leaf".to_owned();
        for index in (0..self.depth).rev() {
            let name = format!("chain_{index:03}");
            let (before, after) = body(index);
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "KEPT uint64_t {name}(uint64_t seed)\n{{\n{before}\
                 \tuint64_t value = {next}(seed + 1);\n\tOPAQUE(value);\n\
                 \treturn value + {after};\n}}\n",
            );
            next = name;
        }
        let _ = write!(
            text,
            "int main(int argc, char **argv)\n{{\n\tlive(argc, argv);\n\
             \tuint64_t value = {next}(1);\n\tOPAQUE(value);\n\treturn (int)value;\n}}\n",
        );
        text
    }
}

/// What a function does before its call, and what it adds to the result: one of
/// six shapes of frame in turn, its size drawn from its number.
fn body(index: u32) -> (String, &'static str) {
    // Knuth's multiplicative hash: sizes look random and never change.
    let drawn = index.wrapping_mul(2_654_435_761) >> 16;
    let local = |bytes: u32| {
        format!("\tchar local[{bytes}], *shown = local;\n\tlocal[0] = 1;\n\tOPAQUE(shown);\n")
    };
    match index % 6 {
        0 => (String::new(), "seed"),
        1 => (local(8 + drawn % 120), "(uint64_t)shown[0]"),
        2 => (local(128 + drawn % 1920), "(uint64_t)shown[0]"),
        3 => {
            let bytes = 16 + drawn % 240;
            let text = format!(
                "\tchar *shown = alloca({bytes} + (seed & 31));\n\tshown[0] = 1;\n\tOPAQUE(shown);\n"
            );
            (text, "(uint64_t)shown[0]")
        }
        // Lives across the call, one in each register that a callee must save.
        4 => {
            let kept = 1 + drawn % 6;
            let mut text = String::new();
            for (name, at) in ('a'..='f').zip(0..) {
                let _ = writeln!(text, "\tuint64_t {name} = {at};");
                if at < kept {
                    let _ = writeln!(text, "\t{name} += seed;\n\tOPAQUE({name});");
                }
            }
            (text, "a + b + c + d + e + f")
        }
        _ => {
            let bytes = 64 + drawn % 448;
            let text = format!(
                "\t_Alignas(64) char local[{bytes}];\n\tchar *shown = local;\n\tlocal[0] = 1;\n\tOPAQUE(shown);\n"
            );
            (text, "(uint64_t)shown[0]")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_run_from_the_leaf_to_main() {
        let chain = Chain { depth: 3, ..Chain::default() };
        assert_eq!(chain.names(), ["chain_leaf", "chain_002", "chain_001", "chain_000", "main"]);
    }

    #[test]
    fn every_function_calls_the_next() {
        let source = Chain { depth: 120, ..Chain::default() }.source();
        for index in 0..119 {
            let call = format!("value = chain_{:03}(seed", index + 1);
            let from = source.find(&format!("uint64_t chain_{index:03}(uint64_t seed)\n{{"));
            let body = &source[from.unwrap()..];
            let end = body.find("\n}\n").unwrap();
            assert!(body[..end].contains(&call), "{}", &body[..end]);
        }
    }
}
