//! Where things lie: the workspace, and otop as users build it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};

/// What cargo writes at the top of a target directory.
const TARGET_MARK: &str = "CACHEDIR.TAG";

/// The workspace's root, by where cargo says that this package lives.
pub(crate) fn workspace() -> Result<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
    let package = PathBuf::from(package);
    Ok(package.parent().context("xtask has no workspace around it")?.to_owned())
}

/// The path of `otop`, released, which is built first if it is out of date.
pub(crate) fn otop() -> Result<PathBuf> {
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--quiet", "--bin", "otop"])
        .current_dir(workspace()?)
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "otop does not build");
    let own = env::current_exe().context("cannot find the target directory")?;
    let target = own.ancestors().find(|folder| folder.join(TARGET_MARK).exists());
    let otop = target.map(|target| target.join("release/otop"));
    otop.filter(|otop| otop.exists()).context("cargo has built otop elsewhere: unset its target")
}

/// Fails, with the remedy, where this process may not sample.
pub(crate) fn ensure_root() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "sampling needs root: build as you, then run `sudo target/debug/xtask` with \
         CARGO_MANIFEST_DIR={}",
        workspace()?.join("xtask").display()
    );
    Ok(())
}

/// The text of a small file of `/proc`; empty where it cannot be read.
pub(crate) fn proc_text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
