//! CPU time and memory of a process and its descendants, from Linux's `/proc`.
//!
//! Elsewhere: starting them (`contender.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Linux reports times in ticks of this many to the second on every architecture that Rust knows.
const TICKS_PER_SECOND: u64 = 100;

/// What a process tree has used since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time, with that of children already waited for.
    pub cpu: Duration,
    /// The most memory that was resident at once, in kB; of several processes the sum.
    pub peak_kb: u64,
}

struct Stat {
    parent: u32,
    ticks: u64,
}

/// Reads the usage of `root` and all below it; processes that end meanwhile count as nothing.
pub fn usage(root: u32) -> Usage {
    let stats: BTreeMap<u32, Stat> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)))
        .collect();
    let is_below = |mut pid: u32| loop {
        if pid == root {
            return true;
        }
        match stats.get(&pid) {
            Some(stat) if stat.parent != pid => pid = stat.parent,
            _ => return false,
        }
    };
    let tree: Vec<_> = stats.iter().filter(|(pid, _)| is_below(**pid)).collect();
    let ticks: u64 = tree.iter().map(|(_, stat)| stat.ticks).sum();
    let peak_kb = tree.iter().filter_map(|(pid, _)| peak_kb(**pid)).sum();
    Usage { cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND), peak_kb }
}

/// Reads a line of `/proc/<pid>/stat` (proc(5)): the name in parentheses may hold anything, so fields count from its end.
fn stat(line: &str) -> Option<Stat> {
    let after_name = line.rsplit_once(')')?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        ticks: number(11)? + number(12)? + number(13)? + number(14)?,
    })
}

fn peak_kb(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_spaces_and_parentheses_shifts_no_field() {
        let line = "7 (a) b) (c) S 3 7 7 0 -1 4194560 1 0 0 0 10 20 30 40 20 0 1 0 5 6 7";
        let stat = stat(line).unwrap();
        assert_eq!((stat.parent, stat.ticks), (3, 100));
    }

    #[test]
    fn this_process_has_used_memory() {
        assert!(usage(std::process::id()).peak_kb > 0);
    }
}
