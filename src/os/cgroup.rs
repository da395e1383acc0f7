//! The memory and processor time that the control groups of this process allow (cgroups(7)). Takes the root of the file
//! system; gives the smallest limits. Must not know what they are for.
//!
//! A process is limited by its own group and by all groups above it, as far as they are visible. Both versions of control
//! groups are read: for memory `memory.max` and `memory.high`, above which the kernel slows the process down, and
//! `memory.limit_in_bytes`.

use std::fs;
use std::path::{Path, PathBuf};

/// A larger limit is none: version 1 shows its lack as the largest multiple of a page.
const NO_LIMIT: u64 = 1 << 60;

/// A limit on memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryLimit {
    /// Bytes.
    pub bytes: u64,
    /// The file of the control group that has this limit.
    pub file: PathBuf,
}

/// The smallest limit on the memory of this process; none if nothing limits it.
pub fn memory_limit() -> Option<MemoryLimit> {
    memory_limit_below(Path::new("/"))
}

/// As [`memory_limit`], where `root` has the files of `/proc` and `/sys`.
pub fn memory_limit_below(root: &Path) -> Option<MemoryLimit> {
    let of_group = |folder: PathBuf, file: &str| {
        let file = folder.join(file);
        let bytes = fs::read_to_string(&file).ok()?.trim().parse().ok()?;
        (bytes < NO_LIMIT).then_some(MemoryLimit { bytes, file })
    };
    let limits = limits(root, "memory", [&["memory.limit_in_bytes"], &["memory.max", "memory.high"]], of_group);
    limits.into_iter().min_by_key(|limit| limit.bytes)
}

/// The processors whose time this process may use, such as 0.5; none if no control group limits it.
pub fn processor_quota() -> Option<f64> {
    processor_quota_below(Path::new("/"))
}

fn processor_quota_below(root: &Path) -> Option<f64> {
    let of_group = |folder: PathBuf, file: &str| {
        let text = fs::read_to_string(folder.join(file)).ok()?;
        // Version 2 has both numbers in one file.
        let period = fs::read_to_string(folder.join("cpu.cfs_period_us")).unwrap_or_default();
        let mut numbers = text.split_whitespace().chain(period.split_whitespace());
        let (quota, period) = (numbers.next()?.parse::<f64>().ok()?, numbers.next()?.parse::<f64>().ok()?);
        (quota > 0.0 && period > 0.0).then_some(quota / period)
    };
    limits(root, "cpu", [&["cpu.cfs_quota_us"], &["cpu.max"]], of_group).into_iter().min_by(f64::total_cmp)
}

/// The names of the files with the limits of a group.
type Files = &'static [&'static str];

/// The values that `of_group` reads in the folders of the groups of this process, and in those above them. `files` are the
/// files of versions 1 and 2.
fn limits<T>(
    root: &Path,
    controller: &'static str,
    files: [Files; 2],
    of_group: impl Fn(PathBuf, &str) -> Option<T>,
) -> Vec<T> {
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
    let (groups, mounts) = (read("proc/self/cgroup"), read("proc/self/mountinfo"));
    let hierarchies = groups.lines().filter_map(|line| Hierarchy::parse(line, controller, files));
    hierarchies
        .flat_map(|hierarchy| {
            let folders = hierarchy.folders(root, &mounts).into_iter();
            let all = folders.flat_map(|folder| hierarchy.files.iter().map(move |file| (folder.clone(), *file)));
            all.filter_map(|(folder, file)| of_group(folder, file)).collect::<Vec<T>>()
        })
        .collect()
}

/// A line of `/proc/self/cgroup` that is about a controller.
struct Hierarchy<'a> {
    /// The type of its file system.
    kind: &'static str,
    controller: &'static str,
    files: Files,
    /// The path of the group of this process.
    group: &'a str,
}

impl<'a> Hierarchy<'a> {
    fn parse(line: &'a str, controller: &'static str, [first, second]: [Files; 2]) -> Option<Self> {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
        if controllers.split(',').any(|known| known == controller) {
            return Some(Self { kind: "cgroup", controller, files: first, group });
        }
        (number == "0" && controllers.is_empty()).then_some(Self { kind: "cgroup2", controller, files: second, group })
    }

    /// The folders of the group and of all above it.
    fn folders(&self, root: &Path, mounts: &str) -> Vec<PathBuf> {
        let Some((place, top)) = mounts.lines().find_map(|line| self.mount(line)) else { return Vec::new() };
        // In a container the mount shows the groups from the container's own on.
        let group = Path::new(self.group).strip_prefix(top).unwrap_or(Path::new(""));
        let group = group.strip_prefix("/").unwrap_or(group);
        let place = root.join(place.trim_start_matches('/'));
        group.ancestors().map(|group| place.join(group)).collect()
    }

    /// The place and the topmost group of the mount, if the line of mountinfo (proc(5)) is that of the hierarchy.
    fn mount<'m>(&self, line: &'m str) -> Option<(&'m str, &'m str)> {
        let (mount, system) = line.split_once(" - ")?;
        let mut system = system.split(' ');
        let (kind, options) = (system.next()?, system.nth(1)?);
        let is_it = self.kind == "cgroup2" || options.split(',').any(|option| option == self.controller);
        let mut fields = mount.split(' ').skip(3);
        let (top, place) = (fields.next()?, fields.next()?);
        (kind == self.kind && is_it).then_some((place, top))
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

    /// A root where `/proc/self` and the groups have these files.
    fn root(groups: &str, mounts: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("proc/self/cgroup", groups);
        write("proc/self/mountinfo", mounts);
        files.iter().for_each(|(file, text)| write(file, text));
        root
    }

    fn limit(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Option<(u64, String)> {
        let root = root(groups, mounts, files);
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
    fn memory_above_which_the_kernel_slows_the_process_down_is_a_limit() {
        let high = ("sys/fs/cgroup/unified/a/memory.high", "52428800\n");
        let files = [("sys/fs/cgroup/unified/a/memory.max", "104857600\n"), high];
        assert_eq!(limit("0::/a\n", MOUNTS, &files), Some((50 << 20, high.0.to_owned())));
        let files = [files[0], (high.0, "max\n")];
        assert_eq!(limit("0::/a\n", MOUNTS, &files).unwrap().0, 100 << 20);
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
    fn processor_time_is_read_in_both_versions() {
        let quota = |groups, files: &[(&str, &str)]| processor_quota_below(root(groups, MOUNTS, files).path());
        assert_eq!(quota("0::/a\n", &[("sys/fs/cgroup/unified/a/cpu.max", "50000 100000\n")]), Some(0.5));
        assert_eq!(quota("0::/a\n", &[("sys/fs/cgroup/unified/a/cpu.max", "max 100000\n")]), None);
        let period = ("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
        let file = "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us";
        assert_eq!(quota("3:cpu,cpuacct:/a\n", &[period, (file, "200000\n")]), Some(2.0));
        assert_eq!(quota("3:cpu,cpuacct:/a\n", &[period, (file, "-1\n")]), None);
    }

    #[test]
    fn without_control_groups_nothing_limits() {
        assert_eq!(limit("", "", &[]), None);
        assert_eq!(limit("0::/\n", "broken\n", &[]), None);
        assert_eq!(limit("nonsense\n0::/a\n", MOUNTS, &[("sys/fs/cgroup/unified/a/memory.max", "many")]), None);
    }
}
