//! The tools that programs are built with, and where this machine has them.

use std::env;
use std::path::PathBuf;

use crate::Missing;

/// A command, and the Debian package that brings it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    pub(crate) command: &'static str,
    pub(crate) package: &'static str,
}

pub(crate) const CC: Tool = Tool { command: "cc", package: "gcc" };
pub(crate) const CXX: Tool = Tool { command: "c++", package: "g++" };
pub(crate) const CLANG: Tool = Tool { command: "clang-19", package: "clang-19" };
pub(crate) const MUSL: Tool = Tool { command: "musl-gcc", package: "musl-tools" };
pub(crate) const RUSTC: Tool = Tool { command: "rustc", package: "rustc" };
pub(crate) const GO: Tool = Tool { command: "go", package: "golang-go" };
pub(crate) const BFD: Tool = Tool { command: "ld.bfd", package: "binutils" };
pub(crate) const GOLD: Tool = Tool { command: "ld.gold", package: "binutils" };
pub(crate) const LLD: Tool = Tool { command: "ld.lld-19", package: "lld-19" };
pub(crate) const MOLD: Tool = Tool { command: "mold", package: "mold" };

impl Tool {
    /// Where the search path has the tool.
    pub(crate) fn find(self) -> Result<PathBuf, Missing> {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path)
            .map(|folder| folder.join(self.command))
            .find(|file| file.is_file())
            .ok_or(Missing::Tool { tool: self.command, package: self.package })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_tool_is_named_with_its_package() {
        let absent = Tool { command: "no-such-compiler", package: "no-such-package" };
        let said = absent.find().unwrap_err().to_string();
        assert_eq!(said, "no-such-compiler is not installed: apt-get install no-such-package");
        assert!(Tool { command: "sh", package: "dash" }.find().is_ok());
    }
}
