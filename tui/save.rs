//! Files that are whole or not there: written beside their place, then renamed.

use anyhow::{Context as _, Result, bail};
use rustix::fs::{Mode, OFlags};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// How many names are tried for the file beside.
const NAMES_MAX: u32 = 16;

/// Whether a file can be written at `path`, as far as that can be seen before:
/// better now than after an hour of sampling.
///
/// # Errors
///
/// Where it cannot, with its path.
pub fn check(path: &Path) -> Result<()> {
    let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("there is no folder {} for {}", folder.display(), Path::new(name).display());
    }
    match path.symlink_metadata() {
        Ok(found) if !found.is_file() => {
            bail!("{} is no regular file; name another one", path.display())
        }
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).context(format!("cannot write {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Writes a file of mode 0600 at `path`. Until all of it is on the disk, what
/// was there before stays; nothing is followed and nothing but a regular file
/// is replaced.
///
/// # Errors
///
/// Where the file cannot be written, with its path.
pub fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    check(path)?;
    let (beside, file) = create_beside(path)?;
    let written = fill(file, write).and_then(|()| Ok(std::fs::rename(&beside, path)?));
    if written.is_err() {
        // What is half written helps nobody; a second error here adds nothing.
        let _ = std::fs::remove_file(&beside);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn create_beside(path: &Path) -> Result<(PathBuf, File)> {
    let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
    for attempt in 0..NAMES_MAX {
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}-{attempt}", std::process::id()));
        let beside = path.with_file_name(hidden);
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::open(&beside, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => return Ok((beside, File::from(file))),
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => {
                return Err(error)
                    .context(format!("cannot create a file beside {}", path.display()));
            }
        }
    }
    bail!("cannot create a file beside {}: remove its hidden leftovers", path.display())
}

fn fill(file: File, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut buffered = BufWriter::new(file);
    write(&mut buffered)?;
    let file = buffered.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("otop-save-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = folder("whole");
        let path = folder.join("out");
        replace(&path, |file| Ok(file.write_all(b"first")?)).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let failed = replace(&path, |file| {
            file.write_all(b"half")?;
            bail!("no more")
        });
        assert!(failed.unwrap_err().to_string().starts_with("cannot write"));
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        replace(&path, |file| Ok(file.write_all(b"second")?)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn links_and_devices_are_left_alone() {
        let folder = folder("links");
        let (target, link) = (folder.join("target"), folder.join("link"));
        std::fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for path in [&link, Path::new("/dev/null"), &folder] {
            let error = replace(path, |_| Ok(())).unwrap_err().to_string();
            assert!(error.contains("is no regular file"), "{error}");
        }
        assert_eq!(std::fs::read(&target).unwrap(), b"kept");
        assert!(replace(Path::new(".."), |_| Ok(())).is_err());
        let nowhere = check(&folder.join("none/out")).unwrap_err().to_string();
        assert!(nowhere.starts_with("there is no folder"), "{nowhere}");
        check(Path::new("out-in-this-folder")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
