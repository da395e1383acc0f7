//! The container of a process. Takes the text of `/proc/PID/cgroup` (cgroups(7)); gives the runtime and the short number
//! of the container. Must not know processes.

use super::super::text::clean;

/// The digits of a container's number, and those that are shown, as the commands of Docker and Podman show them.
const ID_DIGITS: usize = 64;
const SHOWN_DIGITS: usize = 12;
const LONGEST_CONTAINER: usize = 80;

/// Words in a path that name the runtime, as systemd's scopes and the cgroupfs driver write them.
const RUNTIMES: [(&str, &str); 9] = [
    ("cri-containerd", "containerd"),
    ("containerd", "containerd"),
    ("docker", "docker"),
    ("libpod", "podman"),
    ("podman", "podman"),
    ("crio", "cri-o"),
    ("kubepods", "kubernetes"),
    ("kubelet", "kubernetes"),
    ("garden", "garden"),
];
/// Paths whose next part is the name of a container, not a number.
const NAMED: [(&str, &str); 3] = [("lxc.payload.", "lxc"), ("lxc/", "lxc"), ("machine-", "machine")];

/// The container, such as `docker/0123456789ab`; none outside of containers.
pub(super) fn container(cgroup: &str) -> Option<Box<str>> {
    cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find_map(|path| numbered(path).or_else(|| named(path)))
}

/// A container with a number of 64 hexadecimal digits. The innermost one counts.
fn numbered(path: &str) -> Option<Box<str>> {
    let (at, part) = path.rsplit('/').enumerate().find(|(_, part)| id(part).is_some())?;
    let id = id(part)?;
    // `docker-0123….scope` names the runtime beside the number; else it is a folder above.
    let folders = path.rsplit('/').skip(at);
    let runtime = folders
        .into_iter()
        .find_map(|part| RUNTIMES.iter().find(|(word, _)| part.starts_with(word)).map(|(_, runtime)| *runtime));
    Some(format!("{}/{}", runtime.unwrap_or("container"), &id[..SHOWN_DIGITS]).into())
}

fn id(part: &str) -> Option<&str> {
    let part = part.strip_suffix(".scope").unwrap_or(part);
    let id = part.get(part.len().checked_sub(ID_DIGITS)?..)?;
    let is_apart = part.len() == ID_DIGITS || matches!(part.as_bytes()[part.len() - ID_DIGITS - 1], b'-' | b':');
    (is_apart && id.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(id)
}

fn named(path: &str) -> Option<Box<str>> {
    NAMED.iter().find_map(|(before, runtime)| {
        let (_, rest) = path.split_once(&format!("/{before}"))?;
        let name = rest.split('/').next()?;
        let name = name.strip_suffix(".scope").unwrap_or(name).replace("\\x2d", "-");
        clean(&format!("{runtime}/{name}"), LONGEST_CONTAINER).filter(|_| !name.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn each_form_of_a_runtime_is_known() {
        for (path, expected) in [
            ("/docker/ID", Some("docker/0123456789ab")),
            ("/system.slice/docker-ID.scope", Some("docker/0123456789ab")),
            (
                "/system.slice/containerd.service/kubepods-burstable-podab_cd.slice:cri-containerd:ID",
                Some("kubernetes/0123456789ab"),
            ),
            ("/kubepods.slice/kubepods-pod1.slice/cri-containerd-ID.scope", Some("containerd/0123456789ab")),
            ("/kubepods.slice/kubepods-pod1.slice/crio-ID.scope", Some("cri-o/0123456789ab")),
            ("/kubepods/burstable/pod1/ID", Some("kubernetes/0123456789ab")),
            ("/machine.slice/libpod-ID.scope", Some("podman/0123456789ab")),
            ("/machine.slice/libpod-ID.scope/container", Some("podman/0123456789ab")),
            ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope", Some("podman/0123456789ab")),
            ("/default/ID", Some("container/0123456789ab")),
            ("/lxc.payload.web/system.slice/x.service", Some("lxc/web")),
            ("/lxc/web", Some("lxc/web")),
            ("/machine.slice/machine-my\\x2dbox.scope", Some("machine/my-box")),
            ("/user.slice/user-1000.slice/session-2.scope", None),
            ("/", None),
            ("", None),
        ] {
            let text = format!("0::{}\n", path.replace("ID", ID));
            assert_eq!(container(&text).as_deref(), expected, "{path}");
        }
        let v1 = format!("12:pids:/docker/{ID}\n1:name=systemd:/docker/{ID}\n");
        assert_eq!(container(&v1).as_deref(), Some("docker/0123456789ab"));
    }

    #[test]
    fn hostile_paths_are_bounded_and_printable() {
        let name = container(&format!("0::/lxc/a\u{1b}\u{202e}{}\n", "x".repeat(10_000))).unwrap();
        assert!(name.len() <= LONGEST_CONTAINER && name.starts_with("lxc/a\u{fffd}\u{fffd}x"));
        for text in ["::", "0::/é", "0:::::", "\0", "0::/docker/", &format!("0::/docker/é{}", &ID[2..])] {
            assert_eq!(container(text), None, "{text}");
        }
    }
}
