//! Why a program is not there.

use std::path::Path;

/// Why a program could not be built.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// A tool that the machine lacks; the test that wanted it says "ignored".
    #[error("{tool} is not installed: apt-get install {package}")]
    Tool {
        /// The command.
        tool: &'static str,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// The tools are there, and failed.
    #[error("{command} failed:\n{output}")]
    Build {
        /// The command line.
        command: String,
        /// What it wrote to standard error.
        output: String,
    },
    /// The cache could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl Missing {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { path, source }
    }
}
