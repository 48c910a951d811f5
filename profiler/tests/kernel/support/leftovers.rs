//! What of BPF is in the kernel, and who holds it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{output, requirements::tool};

/// Programs, maps and links, each by its number, in the order of [`KINDS`].
type Numbers = [BTreeSet<u64>; 3];

/// What bpftool(8) calls them, and the key that /proc/PID/fdinfo has for them.
const KINDS: [(&str, &str); 3] = [("prog", "prog_id"), ("map", "map_id"), ("link", "link_id")];

/// How long the kernel may take to free what nobody holds: it does so when all CPUs have passed by.
const DEADLINE: Duration = Duration::from_secs(20);

/// The names by which programs and maps of ioprof are known, as the kernel has them.
#[derive(Debug)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// Those of what an ioprof that profiles now holds.
    pub fn of(ioprof: u32) -> Self {
        let held = held_by(ioprof);
        let mut names = BTreeSet::new();
        for (index, kind) in [(0, "prog"), (1, "map")] {
            for (number, name) in named(kind) {
                if held[index].contains(&number) {
                    names.insert(name);
                }
            }
        }
        for expected in ["syscall_enter", "syscall_exit", "TASKS", "CALLS"] {
            assert!(names.contains(expected), "{names:?}");
        }
        assert!(held[2].len() >= 8, "each probe has a link: {held:?}");
        Self(names)
    }

    /// Waits until nothing of ioprof's is in the kernel that no process holds.
    pub fn assert_nothing_left(&self) {
        let begin = Instant::now();
        loop {
            let left = self.left();
            if left.is_empty() {
                return;
            }
            assert!(begin.elapsed() < DEADLINE, "left in the kernel: {left:?}");
            std::thread::yield_now();
        }
    }

    fn left(&self) -> Vec<String> {
        // First what is there, then who holds what: another ioprof may begin in between.
        let programs = named("prog");
        let maps = named("map");
        let links = show("link");
        let held = held_by_anybody();
        let mut left = Vec::new();
        for (index, found) in [&programs, &maps].into_iter().enumerate() {
            for (number, name) in found {
                if self.0.contains(name) && !held[index].contains(number) {
                    left.push(format!("{} {number} {name}", KINDS[index].0));
                }
            }
        }
        for link in &links {
            let program = link["prog_id"].as_u64().unwrap_or(0);
            let is_ours = programs
                .get(&program)
                .is_some_and(|name| self.0.contains(name));
            let number = link["id"].as_u64().expect("a link has a number");
            if is_ours && !held[2].contains(&number) {
                left.push(format!("link {number} of program {program}"));
            }
        }
        left
    }
}

/// What bpftool lists. It gives up at one that is just being made, which has a number and cannot be opened yet.
fn show(kind: &str) -> Vec<Value> {
    loop {
        let shown = output(tool("bpftool").args(["-j", kind, "show"]));
        let value: Value = serde_json::from_slice(&shown.stdout).expect("bpftool writes JSON");
        let errors: Vec<_> = value
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| &one["error"])
            .collect();
        if errors.iter().all(|error| error.is_null()) {
            assert!(shown.status.success(), "bpftool {kind} show: {shown:?}");
            return value.as_array().into_iter().flatten().cloned().collect();
        }
        let being_made = |error: &&Value| error.to_string().contains("temporarily unavailable");
        assert!(errors.iter().any(being_made), "{errors:?}");
    }
}

fn named(kind: &str) -> BTreeMap<u64, String> {
    show(kind)
        .iter()
        .filter_map(|one| Some((one["id"].as_u64()?, one["name"].as_str()?.to_owned())))
        .collect()
}

fn held_by_anybody() -> Numbers {
    let processes = fs::read_dir("/proc").expect("/proc is mounted");
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(held_by)
        .fold(Numbers::default(), |mut all, one| {
            for (all, one) in all.iter_mut().zip(one) {
                all.extend(one);
            }
            all
        })
}

fn held_by(process: u32) -> Numbers {
    let mut held = Numbers::default();
    // A process may end while it is looked at.
    let Ok(descriptors) = fs::read_dir(format!("/proc/{process}/fdinfo")) else {
        return held;
    };
    for descriptor in descriptors.flatten() {
        let text = fs::read_to_string(descriptor.path()).unwrap_or_default();
        for ((_, key), numbers) in KINDS.iter().zip(&mut held) {
            numbers.extend(value(&text, key));
        }
    }
    held
}

/// The number behind a key. The information about a link names its program too, which it holds.
fn value(fdinfo: &str, key: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| {
        line.strip_prefix(key)?
            .strip_prefix(':')?
            .trim()
            .parse()
            .ok()
    })
}
