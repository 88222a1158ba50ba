//! Which container, pod and unit a cgroup's path names.

use super::maps::DELETED;
use crate::profile::{Place, Text};

/// What container engines put before a container's id.
const ENGINES: [&[u8]; 4] = [b"cri-containerd-", b"crio-", b"docker-", b"libpod-"];

/// A container's id: 64 hexadecimal digits (OCI engines make it from 32 random
/// bytes).
const CONTAINER_DIGITS: usize = 64;

/// A Kubernetes pod's uid: a UUID.
const POD_BYTES: usize = 36;

/// How many elements of a path are looked at, from its end.
const ELEMENTS_MAX: usize = 64;

/// Reads a cgroup's path, as `/proc/PID/cgroup` has it. The id stays 0.
///
/// The innermost container counts, also where it has cgroups of its own (as
/// systemd and podman make them).
#[must_use]
pub fn place(path: &[u8]) -> Place {
    let path = path.strip_suffix(DELETED).unwrap_or(path);
    let mut place = Place::default();
    for element in path.rsplit(|byte| *byte == b'/').take(ELEMENTS_MAX) {
        place.container = place.container.or_else(|| container(element).map(Text::from_bytes));
        place.pod = place.pod.or_else(|| pod(element));
        place.unit = place.unit.or_else(|| unit(element).map(Text::from_bytes));
    }
    place
}

/// `<id>`, `docker-<id>.scope`, `…slice:cri-containerd:<id>`.
fn container(element: &[u8]) -> Option<&[u8]> {
    let element = element.strip_suffix(b".scope").unwrap_or(element);
    // The systemd driver's syntax, taken literally by a cgroupfs driver:
    // slice:prefix:name.
    let element = element.rsplit(|byte| *byte == b':').next()?;
    let id = ENGINES.iter().find_map(|engine| element.strip_prefix(*engine)).unwrap_or(element);
    let is_id = id.len() == CONTAINER_DIGITS && id.iter().all(u8::is_ascii_hexdigit);
    is_id.then_some(id)
}

/// `pod<uid>` (cgroupfs driver), `kubepods-burstable-pod<uid>.slice` with the
/// uid's `-` as `_` (systemd driver: `-` separates slices).
fn pod(element: &[u8]) -> Option<Text> {
    let element = element.split(|byte| *byte == b':').next()?;
    let element = element.strip_suffix(b".slice").unwrap_or(element);
    let uid = element.get(element.len().checked_sub(POD_BYTES)?..)?;
    let before = element.strip_suffix(uid)?.strip_suffix(b"pod")?;
    if !(before.is_empty() || before.starts_with(b"kubepods") && before.ends_with(b"-")) {
        return None;
    }
    let uid: Vec<u8> = uid.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect();
    let is_uid = uid.iter().enumerate().all(|(i, byte)| match i {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    is_uid.then(|| Text::from_bytes(&uid))
}

fn unit(element: &[u8]) -> Option<&[u8]> {
    let suffixes: [&[u8]; 3] = [b".service", b".scope", b".slice"];
    suffixes.iter().any(|suffix| element.ends_with(suffix)).then_some(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f9c7c2be1f5f0f6e0c0a8d4b1f2a3c4d5e6f708192a3b4c5d6e7f8091a2b3c4";
    const POD: &str = "6f1c2d3e-4a5b-4c6d-8e7f-90a1b2c3d4e5";

    /// `ID`, `POD` and `P_D` (the uid with underscores) stand for themselves.
    #[track_caller]
    fn check(path: &str, container: Option<&str>, pod: Option<&str>, unit: Option<&str>) {
        let fill = |text: &str| {
            text.replace("ID", ID).replace("POD", POD).replace("P_D", &POD.replace('-', "_"))
        };
        let expected = Place {
            cgroup_id: 0,
            container: container.map(|text| fill(text).into()),
            pod: pod.map(|text| fill(text).into()),
            unit: unit.map(|text| fill(text).into()),
        };
        assert_eq!(place(fill(path).as_bytes()), expected, "{path}");
    }

    #[test]
    fn containers() {
        let id = Some("ID");
        check("/docker/ID", id, None, None);
        check("/system.slice/docker-ID.scope", id, None, Some("docker-ID.scope"));
        check("/system.slice/docker-ID.scope (deleted)", id, None, Some("docker-ID.scope"));
        check("/machine.slice/libpod-ID.scope/container", id, None, Some("libpod-ID.scope"));
        check("/docker/ID/system.slice/nginx.service", id, None, Some("nginx.service"));
        check("/system.slice/crio-ID.scope", id, None, Some("crio-ID.scope"));
        check("/default/ID", id, None, None);
        check("/machine.slice/libpod-conmon-ID.scope", None, None, Some("libpod-conmon-ID.scope"));
    }

    #[test]
    fn pods() {
        let (id, pod) = (Some("ID"), Some("POD"));
        check("/kubepods/burstable/podPOD/ID", id, pod, None);
        check("/kubepods/besteffort/podPOD/crio-ID", id, pod, None);
        check("/kubepods/podPOD", None, pod, None);
        let slice = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podP_D.slice";
        check(
            &format!("{slice}/cri-containerd-ID.scope"),
            id,
            pod,
            Some("cri-containerd-ID.scope"),
        );
        check(&format!("{slice}/docker-ID.scope"), id, pod, Some("docker-ID.scope"));
        check(
            "/kubepods.slice/kubepods-podP_D.slice/crio-ID.scope",
            id,
            pod,
            Some("crio-ID.scope"),
        );
        check(
            "/system.slice/containerd.service/kubepods-besteffort-podP_D.slice:cri-containerd:ID",
            id,
            pod,
            Some("containerd.service"),
        );
    }

    #[test]
    fn units() {
        check("/system.slice/ssh.service", None, None, Some("ssh.service"));
        check(
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-foot-7.scope",
            None,
            None,
            Some("app-foot-7.scope"),
        );
        check(
            "/user.slice/user-1000.slice/user@1000.service/init.scope",
            None,
            None,
            Some("init.scope"),
        );
        check("/user.slice/user-1000.slice/session-3.scope", None, None, Some("session-3.scope"));
        check("/system.slice/ssh.service/inner", None, None, Some("ssh.service"));
        check("/", None, None, None);
        check("", None, None, None);
        check("/plain/group", None, None, None);
    }

    #[test]
    fn near_misses() {
        check(&format!("/docker/{}", &ID[1..]), None, None, None);
        check("/docker/IDa", None, None, None);
        check("/podPOD-x", None, None, None);
        check("/xpodPOD", None, None, None);
        check(&format!("/kubepods/pod{}", POD.replace('6', "z")), None, None, None);
        let hostile = place(b"/\x1b[31m.service");
        assert_eq!(hostile.unit.as_ref().map(Text::as_str), Some("\\x1b[31m.service"));
    }
}
