//! The processes below others, by /proc/PID/stat.

use std::{collections::BTreeMap, fs, os::fd::OwnedFd};

use super::process::{has_ended, numbers, pidfd_open};
use crate::error::Error;

/// A process below one that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Below {
    /// The workload of that one.
    pub workload: u32,
    pid: i32,
    began: u64,
}

impl Below {
    /// What stands for it and no other; none where it has ended.
    pub fn open(&self) -> Option<OwnedFd> {
        let process = pidfd_open(self.pid).ok()?;
        // As long as the descriptor is open and the process is there, no other has its number.
        let is_it = Stat::of(self.pid)?.began == self.began && !has_ended(&process);
        is_it.then_some(process)
    }
}

/// Processes, with all that were found below them so far.
#[derive(Debug)]
pub struct Tree {
    /// When each began, by the number: that may be another's later. And its workload.
    known: BTreeMap<i32, (u64, u32)>,
}

impl Tree {
    /// Processes with their workloads; one that is below another keeps its own.
    pub fn of(roots: impl IntoIterator<Item = (i32, u32)>) -> Self {
        let known = roots.into_iter();
        let known =
            known.filter_map(|(pid, workload)| Some((pid, (Stat::of(pid)?.began, workload))));
        Self {
            known: known.collect(),
        }
    }

    /// The processes below that were not found before. ioprof is none of them, and what it has started is not.
    ///
    /// # Errors
    ///
    /// Where /proc cannot be read.
    pub fn grow(&mut self) -> Result<Vec<Below>, Error> {
        let own = std::process::id().cast_signed();
        let mut all = processes()?;
        all.remove(&own);
        let mut found = Vec::new();
        loop {
            let before = found.len();
            all.retain(|pid, stat| {
                if self
                    .known
                    .get(pid)
                    .is_some_and(|(began, _)| *began == stat.began)
                {
                    return false;
                }
                let parent = self.known.get(&stat.parent);
                // A parent is no younger than its child.
                let Some((_, workload)) = parent.filter(|(began, _)| *began <= stat.began) else {
                    return true;
                };
                found.push(Below {
                    workload: *workload,
                    pid: *pid,
                    began: stat.began,
                });
                self.known.insert(*pid, (stat.began, *workload));
                false
            });
            if found.len() == before {
                return Ok(found);
            }
        }
    }
}

/// All processes that /proc shows, by their numbers.
fn processes() -> Result<BTreeMap<i32, Stat>, Error> {
    let numbers = numbers().map_err(Error::system("reading /proc"))?;
    // One may have ended in this moment.
    Ok(numbers
        .filter_map(|pid| Some((pid, Stat::of(pid)?)))
        .collect())
}

/// The part of /proc/PID/stat that says which process it is, and below which; see proc_pid_stat(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: i32,
    /// In clock ticks since boot.
    began: u64,
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Parses the file. The name in it, in brackets, may have any bytes.
    fn parse(stat: &[u8]) -> Option<Self> {
        let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
        let rest = str::from_utf8(stat.get(name_ends + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        // The third field is the first behind the name.
        let parent = fields.nth(4 - 3)?.parse().ok()?;
        let began = fields.nth(22 - 4 - 1)?.parse().ok()?;
        Some(Self { parent, began })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_read_whatever_the_name_is() {
        let text = b"77 (a) R 1 (\xff) S 12 77 77 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        let expected = Stat {
            parent: 12,
            began: 4711,
        };
        assert_eq!(Stat::parse(text), Some(expected));
        for short in [&b""[..], b"77 (a", b"77 (a) S", b"77 (a) S 12 77 77"] {
            assert_eq!(Stat::parse(short), None);
        }
    }

    #[test]
    fn a_child_is_found_once() {
        let own = std::process::id().cast_signed();
        let parent = Stat::of(own).expect("this process").parent;
        let mut tree = Tree::of([(own, 1)]);
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .expect("it can be started");
        let pid = child.id().cast_signed();
        let is_child = |below: &Below| below.pid == pid && below.workload == 1;
        let found = tree.grow().expect("/proc is there");
        assert_eq!(found.iter().filter(|below| is_child(below)).count(), 1);
        assert!(found.iter().all(|below| below.pid != parent));
        let again = tree.grow().expect("/proc is there");
        assert!(!again.iter().any(is_child));
        child.kill().and_then(|()| child.wait()).expect("a child");
        assert!(
            found
                .iter()
                .find(|below| is_child(below))
                .is_some_and(|below| below.open().is_none())
        );
    }
}
