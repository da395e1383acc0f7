//! The memory that the control groups of this process allow (cgroups(7)). Takes the root of the file system; gives the
//! smallest limit. Must not know what the memory is for.
//!
//! A process is limited by its own group and by all groups above it, as far as they are visible. Both versions of control
//! groups are read: `memory.max` and `memory.limit_in_bytes`.

use std::fs;
use std::path::{Path, PathBuf};

/// A larger limit is none: version 1 shows its lack as the largest multiple of a page.
const NO_LIMIT: u64 = 1 << 60;

/// A limit on memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryLimit {
    /// Bytes.
    pub bytes: u64,
    /// The file that says so.
    pub file: PathBuf,
}

/// The smallest limit on the memory of this process; none if nothing limits it.
pub fn memory_limit() -> Option<MemoryLimit> {
    memory_limit_below(Path::new("/"))
}

/// As [`memory_limit`], where `root` has the files of `/proc` and `/sys`.
pub fn memory_limit_below(root: &Path) -> Option<MemoryLimit> {
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
    let (groups, mounts) = (read("proc/self/cgroup"), read("proc/self/mountinfo"));
    let hierarchies = groups.lines().filter_map(Hierarchy::parse);
    let limits = hierarchies.flat_map(|hierarchy| hierarchy.limits(root, &mounts));
    limits.min_by_key(|limit| limit.bytes)
}

/// A line of `/proc/self/cgroup` that is about memory.
struct Hierarchy<'a> {
    /// The type of its file system.
    kind: &'static str,
    /// The file with the limit of a group.
    file: &'static str,
    /// The path of the group of this process.
    group: &'a str,
}

impl<'a> Hierarchy<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
        if controllers.split(',').any(|controller| controller == "memory") {
            return Some(Self { kind: "cgroup", file: "memory.limit_in_bytes", group });
        }
        (number == "0" && controllers.is_empty()).then_some(Self { kind: "cgroup2", file: "memory.max", group })
    }

    /// The limits of the group and of all above it.
    fn limits(&self, root: &Path, mounts: &str) -> Vec<MemoryLimit> {
        let Some((place, top)) = mounts.lines().find_map(|line| self.mount(line)) else { return Vec::new() };
        // In a container the mount shows the groups from the container's own on.
        let group = Path::new(self.group).strip_prefix(top).unwrap_or(Path::new(""));
        let group = group.strip_prefix("/").unwrap_or(group);
        let place = root.join(place.trim_start_matches('/'));
        group.ancestors().filter_map(|group| self.limit(&place.join(group))).collect()
    }

    /// The place and the topmost group of the mount, if the line of mountinfo (proc(5)) is that of the hierarchy.
    fn mount<'m>(&self, line: &'m str) -> Option<(&'m str, &'m str)> {
        let (mount, system) = line.split_once(" - ")?;
        let mut system = system.split(' ');
        let (kind, options) = (system.next()?, system.nth(1)?);
        let is_of_memory = self.kind == "cgroup2" || options.split(',').any(|option| option == "memory");
        let mut fields = mount.split(' ').skip(3);
        let (top, place) = (fields.next()?, fields.next()?);
        (kind == self.kind && is_of_memory).then_some((place, top))
    }

    fn limit(&self, folder: &Path) -> Option<MemoryLimit> {
        let file = folder.join(self.file);
        let bytes = fs::read_to_string(&file).ok()?.trim().parse().ok()?;
        (bytes < NO_LIMIT).then_some(MemoryLimit { bytes, file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
25 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
30 25 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
31 25 0:28 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n\
40 25 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    /// The limit where `/proc/self` and the groups have these files.
    fn limit(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Option<(u64, String)> {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("proc/self/cgroup", groups);
        write("proc/self/mountinfo", mounts);
        files.iter().for_each(|(file, text)| write(file, text));
        let limit = memory_limit_below(root.path())?;
        Some((limit.bytes, limit.file.strip_prefix(root.path()).unwrap().display().to_string()))
    }

    #[test]
    fn smallest_limit_of_the_group_and_those_above_it_counts() {
        let files = [
            ("sys/fs/cgroup/unified/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/unified/a/memory.max", "104857600\n"),
            ("sys/fs/cgroup/unified/other/memory.max", "4096\n"),
        ];
        let expected = Some((100 << 20, "sys/fs/cgroup/unified/a/memory.max".to_owned()));
        assert_eq!(limit("0::/a/b\n", MOUNTS, &files), expected);
        let files = [files[0], files[1], ("sys/fs/cgroup/unified/a/b/memory.max", "1048576")];
        assert_eq!(limit("0::/a/b\n", MOUNTS, &files).unwrap().0, 1 << 20);
    }

    #[test]
    fn version_1_is_read_and_its_largest_number_is_no_limit() {
        let file = "sys/fs/cgroup/memory/pod/memory.limit_in_bytes";
        let groups = "5:cpu:/\n4:memory:/pod\n0::/\n";
        assert_eq!(limit(groups, MOUNTS, &[(file, "67108864")]), Some((64 << 20, file.to_owned())));
        assert_eq!(limit(groups, MOUNTS, &[(file, "9223372036854771712")]), None);
    }

    #[test]
    fn container_sees_its_own_group_at_the_top_of_the_mount() {
        let mounts = "40 25 0:30 /kubepods/pod1 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        let files = [("sys/fs/cgroup/memory.max", "52428800")];
        assert_eq!(limit("0::/kubepods/pod1\n", mounts, &files).unwrap().0, 50 << 20);
        assert_eq!(limit("0::/\n", mounts, &files).unwrap().0, 50 << 20);
    }

    #[test]
    fn without_control_groups_nothing_limits() {
        assert_eq!(limit("", "", &[]), None);
        assert_eq!(limit("0::/\n", "broken\n", &[]), None);
        assert_eq!(limit("nonsense\n0::/a\n", MOUNTS, &[("sys/fs/cgroup/unified/a/memory.max", "many")]), None);
    }
}
