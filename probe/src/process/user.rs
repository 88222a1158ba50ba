//! The user who called sudo.

use rustix::io::Errno;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// How many groups a user can have (`NGROUPS_MAX` in the kernel's
/// `include/uapi/linux/limits.h`).
const GROUPS_MAX: usize = 65_536;

/// How much of `/etc/passwd`, and of the answer of `id`, is read.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Where `id` is; not looked for in a PATH that the user may have set.
const ID_PATHS: [&str; 2] = ["/usr/bin/id", "/bin/id"];

/// A user that a command is to run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    uid: u32,
    gid: u32,
    name: OsString,
    home: Option<OsString>,
}

impl User {
    /// Who called us by sudo(8), as its environment says; None where we are
    /// not root, or were so without sudo, or root called it.
    #[must_use]
    pub fn who_called_sudo() -> Option<Self> {
        let passwd = read_bounded(std::fs::File::open("/etc/passwd").ok());
        Self::of(geteuid().as_raw(), |name| std::env::var_os(name), &passwd)
    }

    fn of(euid: u32, env: impl Fn(&str) -> Option<OsString>, passwd: &[u8]) -> Option<Self> {
        let number = |name| env(name)?.to_str()?.parse().ok();
        let (uid, gid) = (number("SUDO_UID")?, number("SUDO_GID")?);
        // -1 means "as it is" to the kernel.
        if euid != 0 || uid == 0 || uid == u32::MAX || gid == u32::MAX {
            return None;
        }
        let name = env("SUDO_USER")?;
        let home = home(passwd, uid).map(|home| OsString::from_vec(home.to_vec()));
        Some(Self { uid, gid, name, home })
    }

    /// The user's id.
    #[must_use]
    pub const fn uid(&self) -> u32 {
        self.uid
    }

    /// Makes the calling thread, which has to be the only one, this user for
    /// good, and tells `command` so.
    ///
    /// # Errors
    ///
    /// `PERM` where this thread may not.
    pub fn become_it(&self, command: &mut Command) -> Result<(), Errno> {
        let gid = Gid::from_raw(self.gid);
        let uid = Uid::from_raw(self.uid);
        set_thread_groups(&self.groups())?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        command.env("USER", &self.name).env("LOGNAME", &self.name);
        if let Some(home) = &self.home {
            command.env("HOME", home);
        }
        Ok(())
    }

    /// The user's groups, as `id` finds them wherever the host keeps them
    /// (files, LDAP, …); the first one alone where it doesn't.
    fn groups(&self) -> Vec<Gid> {
        let id = ID_PATHS.into_iter().find(|path| Path::new(path).exists());
        let child = id.and_then(|id| {
            let mut id = Command::new(id);
            let id = id.arg("-G").arg("--").arg(&self.name).env_clear();
            id.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()
        });
        let answer = child.map_or_else(Vec::new, |mut child| {
            let answer = read_bounded(child.stdout.take());
            let known = child.wait().is_ok_and(|status| status.success());
            if known { answer } else { Vec::new() }
        });
        let groups = parse_groups(&answer);
        if groups.is_empty() { vec![Gid::from_raw(self.gid)] } else { groups }
    }
}

fn read_bounded(file: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(file) = file {
        // What could be read is used.
        let _ = file.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
    }
    bytes
}

fn parse_groups(answer: &[u8]) -> Vec<Gid> {
    let words = answer.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let gids = words.map_while(|word| std::str::from_utf8(word).ok()?.parse().ok());
    gids.filter(|gid| *gid != u32::MAX).map(Gid::from_raw).take(GROUPS_MAX).collect()
}

/// The home directory in passwd(5).
fn home(passwd: &[u8], uid: u32) -> Option<&[u8]> {
    let uid = uid.to_string();
    passwd.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        (fields.nth(2)? == uid.as_bytes()).then(|| fields.nth(5 - 3)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\nann:x:1000:100::/home/ann:/bin/sh\n:\n";

    fn user(euid: u32, env: &[(&str, &str)]) -> Option<User> {
        let get = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, v)| v.into());
        User::of(euid, get, PASSWD)
    }

    #[test]
    fn reads_what_sudo_says() {
        let ann = [("SUDO_UID", "1000"), ("SUDO_GID", "100"), ("SUDO_USER", "ann")];
        let expected =
            User { uid: 1000, gid: 100, name: "ann".into(), home: Some("/home/ann".into()) };
        assert_eq!(user(0, &ann), Some(expected));
        assert_eq!(user(1000, &ann), None, "not root");
        assert_eq!(user(0, &[]), None);
        assert_eq!(user(0, &ann[..2]), None);
        for uid in ["0", "-1", "4294967295", "x", ""] {
            assert_eq!(user(0, &[("SUDO_UID", uid), ann[1], ann[2]]), None, "{uid}");
        }
        let stranger = user(0, &[("SUDO_UID", "7"), ann[1], ann[2]]).expect("a user");
        assert_eq!(stranger.home, None);
    }

    #[test]
    fn reads_groups() {
        let check = |answer: &[u8], expected: &[u32]| {
            let found: Vec<_> = parse_groups(answer).iter().map(|gid| gid.as_raw()).collect();
            assert_eq!(found, expected);
        };
        check(b"100 27 4\n", &[100, 27, 4]);
        check(b"", &[]);
        check(b"100 x 4", &[100]);
        check(b"4294967295 5", &[5]);
    }

    /// Not a test of its own: called again by the next one, in a process that
    /// can give up its user.
    #[test]
    fn becomer() {
        if std::env::var_os("BECOME").is_some() {
            let user = User::who_called_sudo().expect("a user");
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "echo \"[$(id -u):$(id -g):$(id -G):$USER:$HOME]\""]);
            user.become_it(&mut command).expect("another user");
            panic!("{}", command.exec());
        }
    }

    #[test]
    fn becomes_nobody_for_good() {
        if !geteuid().is_root() {
            let (name, home) = ("nobody".into(), None);
            let nobody = User { uid: 65534, gid: 65534, name, home };
            assert_eq!(nobody.become_it(&mut Command::new("true")), Err(Errno::PERM));
            return;
        }
        let mut again = Command::new(std::env::current_exe().expect("own path"));
        again
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .arg("process::user::tests::becomer");
        again.env("BECOME", "1").env("SUDO_UID", "65534").env("SUDO_GID", "65534");
        let output = again.env("SUDO_USER", "nobody").output().expect("its output");
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.contains("[65534:65534:65534:nobody:/nonexistent]"), "{output}");
    }
}
