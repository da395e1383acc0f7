//! A control group below that of this process, where the machine lets tests make one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::monitor::PROGRAM;

pub struct ControlGroup(PathBuf);

impl ControlGroup {
    /// A group with a limit of one controller: a file and its content, in version 1 and in version 2. None where no
    /// such group can be made.
    pub fn new(controller: &str, first: (&str, &str), second: (&str, &str)) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let of_first = own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|name| name == controller).then_some(path)
        });
        let of_second = own.lines().find_map(|line| line.strip_prefix("0::"));
        let (top, own, (file, limit)) = match of_first {
            Some(own) => (Path::new("/sys/fs/cgroup").join(controller), own, first),
            None => (PathBuf::from("/sys/fs/cgroup"), of_second?, second),
        };
        let name = format!("tm-test-{controller}-{}", std::process::id());
        let folder = top.join(own.trim_start_matches('/')).join(name);
        fs::create_dir(&folder).ok()?;
        let group = Self(folder);
        fs::write(group.0.join(file), limit).ok().map(|()| group)
    }

    /// The program, started inside.
    pub fn command(&self) -> Command {
        let mut command = Command::new("sh");
        let enter = format!("echo $$ > {}/cgroup.procs && exec {PROGRAM} \"$@\"", self.0.display());
        command.args(["-c", &enter, "sh"]);
        command
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // The kernel removes a process from its group a moment after its end.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }
}
