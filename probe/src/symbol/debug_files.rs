//! Where a file's separate debug file may be (GDB manual, "Debugging
//! Information in Separate Files").

use super::Identity;
use super::limits::DEBUG_FILES_MAX;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// Where distributions put debug files.
const DEBUG_ROOT: &str = "/usr/lib/debug";

/// The paths to try in order, below the root of the process that maps the file.
///
/// `path` is the file's own, and absolute. The debug link is a claim of the file:
/// anything but a plain file name in it is left out.
#[must_use]
pub fn candidates(identity: &Identity, path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let hex = identity.build_id.map(|id| id.to_hex());
    if let Some((first, rest)) = hex.as_deref().and_then(|hex| hex.split_at_checked(2))
        && !rest.is_empty()
    {
        found.push(PathBuf::from(format!("{DEBUG_ROOT}/.build-id/{first}/{rest}.debug")));
    }
    let link = identity.debug_link.as_ref().map(|(name, _)| Path::new(OsStr::from_bytes(name)));
    let directory = path.parent().filter(|_| path.is_absolute());
    if let (Some(name), Some(directory)) = (link.and_then(plain_name), directory) {
        found.push(directory.join(name));
        found.push(directory.join(".debug").join(name));
        found.push(
            Path::new(DEBUG_ROOT).join(directory.strip_prefix("/").unwrap_or(directory)).join(name),
        );
    }
    found.retain(|candidate| candidate != path);
    found.truncate(DEBUG_FILES_MAX);
    found
}

/// The name, if it is one and not a way.
fn plain_name(link: &Path) -> Option<&Path> {
    let mut parts = link.components();
    let (Some(Component::Normal(name)), None) = (parts.next(), parts.next()) else { return None };
    // `components` hides a slash at the end.
    (name == link.as_os_str()).then_some(link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::BuildId;

    #[track_caller]
    fn check(build_id: &[u8], link: &[u8], path: &str, expected: &[&str]) {
        let identity = Identity {
            build_id: BuildId::new(build_id),
            debug_link: (!link.is_empty()).then(|| (link.to_vec(), 0)),
            ..Identity::default()
        };
        let expected: Vec<_> = expected.iter().map(PathBuf::from).collect();
        assert_eq!(candidates(&identity, Path::new(path)), expected);
    }

    #[test]
    fn build_id_first_then_beside_the_file() {
        let by_id = "/usr/lib/debug/.build-id/ab/cdef.debug";
        let beside =
            ["/opt/bin/x.debug", "/opt/bin/.debug/x.debug", "/usr/lib/debug/opt/bin/x.debug"];
        check(b"\xab\xcd\xef", b"", "/opt/bin/x", &[by_id]);
        check(b"", b"x.debug", "/opt/bin/x", &beside);
        check(b"\xab\xcd\xef", b"x.debug", "/opt/bin/x", &[&[by_id][..], &beside].concat());
        check(b"", b"x", "/opt/bin/x", &["/opt/bin/.debug/x", "/usr/lib/debug/opt/bin/x"]);
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_left_out() {
        for link in ["../../etc/shadow", "/etc/shadow", "..", ".", "a/b", "a/"] {
            check(b"", link.as_bytes(), "/opt/bin/x", &[]);
        }
        check(b"", b"x.debug", "relative/x", &[]);
        check(b"\xab", b"", "/opt/bin/x", &[]);
    }
}
