//! CPU time of each thread of a process.

use std::collections::BTreeMap;

/// Seconds by thread name.
pub type Times = BTreeMap<String, f64>;

/// So far, from the scheduler's own accounts, to the nanosecond (`/proc/PID/task/*/schedstat`). Threads that have one
/// name add up.
pub fn times(process: u32) -> Times {
    let mut times = Times::new();
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    for folder in tasks.flatten().map(|task| task.path()) {
        // A thread may have ended meanwhile.
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let nanoseconds = || read("schedstat")?.split(' ').next()?.parse::<f64>().ok();
        if let (Some(name), Some(nanoseconds)) = (read("comm"), nanoseconds()) {
            *times.entry(name.trim().to_owned()).or_default() += nanoseconds / 1e9;
        }
    }
    times
}

/// CPU time between two readings, without threads that took next to none.
pub fn difference(after: &Times, before: &Times) -> Times {
    let spent = after.iter().map(|(name, now)| (name.clone(), now - before.get(name).unwrap_or(&0.0)));
    spent.filter(|(_, seconds)| *seconds > 0.000_5).collect()
}
