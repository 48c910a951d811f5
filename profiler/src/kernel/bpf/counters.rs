//! What the kernel counts for the runs of a probe.

use std::{
    fs::File,
    os::{
        fd::{AsFd, AsRawFd as _},
        unix::fs::FileExt as _,
    },
};

use aya::{Ebpf, programs::Program};
use ioprof_ebpf::abi::{names, turn::Turns};

use super::{
    copies::{self, FirstCopies},
    map,
};

/// More than the size of a program's fdinfo.
const FDINFO_BYTES: usize = 1024;

/// Runs of a program while statistics were on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// How many.
    pub count: u64,
    /// Nanoseconds they took.
    pub time_ns: u64,
    /// Runs that the kernel skipped, on or off, because the program was running on that CPU already.
    pub missed: u64,
}

/// The counters of a program, or of both of its copies. They stay open: each is read twice in every period.
#[derive(Debug)]
pub struct Counters {
    /// Of the only copy, or the first.
    first: File,
    /// Of the second, with the number of the program.
    second: Option<(File, u32)>,
}

/// Runs that the kernel skipped, of a program or of its two copies, so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Skipped {
    first: u64,
    second: Option<(u64, Turns)>,
}

impl Counters {
    /// Those of a program.
    pub fn of(ebpf: &mut Ebpf, copies: &FirstCopies, name: &str) -> Option<Self> {
        let first = copies.with(name, open).flatten();
        let last = match ebpf.program_mut(name)? {
            Program::BtfTracePoint(program) => open(program.fd().ok()?),
            Program::PerfEvent(program) => open(program.fd().ok()?),
            _ => None,
        }?;
        Some(match first {
            Some(first) => Self {
                first,
                second: Some((last, copies::number(name)?)),
            },
            None => Self {
                first: last,
                second: None,
            },
        })
    }

    /// The runs: those of the first copy, which are as many as events but for the skipped, with the time of both.
    pub fn runs(&self) -> Option<Runs> {
        let mut runs = read(&self.first)?;
        if let Some((second, _)) = &self.second {
            runs.time_ns += read(second)?.time_ns;
        }
        Some(runs)
    }

    /// The runs that the kernel skipped so far.
    pub fn skipped(&self, ebpf: &Ebpf) -> Option<Skipped> {
        let second = match &self.second {
            Some((second, number)) => {
                let turns = map::Array::of(ebpf, names::TURNS).ok()?;
                Some((read(second)?.missed, turns.get(*number).ok()?))
            }
            None => None,
        };
        Some(Skipped {
            first: read(&self.first)?.missed,
            second,
        })
    }
}

impl Skipped {
    /// The events that were lost since then.
    pub fn lost_since(self, before: Self) -> u64 {
        let first = self.first.saturating_sub(before.first);
        let Some((second, turns)) = self.second else {
            return first;
        };
        let (second_before, turns_before) = before.second.unwrap_or_default();
        let turns = copies::since(turns_before, turns);
        copies::lost(first, second.saturating_sub(second_before), turns)
    }
}

/// The statistics of a program, which the kernel shows in /proc/self/fdinfo.
fn open(program: &impl AsFd) -> Option<File> {
    let descriptor = program.as_fd().as_raw_fd();
    File::open(format!("/proc/self/fdinfo/{descriptor}")).ok()
}

fn read(counters: &File) -> Option<Runs> {
    let mut text = [0; FDINFO_BYTES];
    // From the beginning each time, where the kernel writes it anew.
    let length = counters.read_at(&mut text, 0).ok()?;
    parse(std::str::from_utf8(text.get(..length)?).ok()?)
}

fn parse(fdinfo: &str) -> Option<Runs> {
    let value = |key: &str| {
        fdinfo.lines().find_map(|line| {
            line.strip_prefix(key)?
                .strip_prefix(':')?
                .trim()
                .parse()
                .ok()
        })
    };
    Some(Runs {
        count: value("run_cnt")?,
        time_ns: value("run_time_ns")?,
        // Kernels before 5.12 do not count them.
        missed: value("recursion_misses").unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_found_in_the_kernels_text() {
        let text =
            "pos:\t0\nprog_type:\t26\nrun_time_ns:\t4711\nrun_cnt:\t12\nrecursion_misses:\t3\n";
        assert_eq!(
            parse(text),
            Some(Runs {
                count: 12,
                time_ns: 4711,
                missed: 3
            })
        );
        assert_eq!(parse("pos:\t0\n"), None);
    }
}
