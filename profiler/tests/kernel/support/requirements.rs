//! What a test needs of the machine. Where that is not there, the test says so and counts as skipped, and
//! fails where skipping is forbidden.

#[path = "../../../../workloads/tests/common/skip.rs"]
mod skipping;

use std::{
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

pub use skipping::skip;

/// What a test that profiles needs, in its first line: `requires!("cc", "losetup mkfs.ext4")` names the programs that it
/// calls, `requires!(alone, ...)` has no other test run meanwhile. The test is skipped where something is missing.
macro_rules! requires {
    (alone $(, $tools:expr)*) => {
        requires!(@ alone $(, $tools)*)
    };
    (@ $share:ident $(, $tools:expr)*) => {
        let Some(_running) = $crate::support::requirements::$share(&[$($tools),*]) else {
            return;
        };
    };
    ($($tools:expr),*) => {
        requires!(@ beside_others $(, $tools)*)
    };
}

/// Held by every test that runs: to write by one that no other may run beside, as it measures the whole machine or this
/// process. Whoever waits to write goes before new readers, so that it waits for no more than those that run.
static RUNNING: RwLock<()> = RwLock::new(());

/// Lets a test that calls these programs run beside others; where it cannot run here, says that it is skipped.
pub fn beside_others(tools: &[&str]) -> Option<RwLockReadGuard<'static, ()>> {
    can_profile(tools).then(|| RUNNING.read().unwrap_or_else(PoisonError::into_inner))
}

/// The same for a test that no other may run beside.
pub fn alone(tools: &[&str]) -> Option<RwLockWriteGuard<'static, ()>> {
    can_profile(tools).then(|| RUNNING.write().unwrap_or_else(PoisonError::into_inner))
}

fn can_profile(tools: &[&str]) -> bool {
    match missing_for_profiling(tools) {
        Some(reason) => {
            skip(&reason);
            false
        }
        None => true,
    }
}

fn missing_for_profiling(tools: &[&str]) -> Option<String> {
    if !is_root() {
        return Some("it takes root".into());
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Some("the kernel has no BTF".into());
    }
    tools
        .iter()
        .flat_map(|tools| tools.split_whitespace())
        .filter(|tool| *tool != "cc" || super::program::compiled().is_none())
        .find(|tool| find_tool(tool).is_none())
        .map(|tool| format!("{tool} is not installed"))
}

/// How often to do what is done so many times for good measure: less where a machine is emulated and a start of
/// ioprof takes ten seconds.
pub fn turns(wanted: u32) -> u32 {
    if is_emulated() {
        wanted.div_ceil(8)
    } else {
        wanted
    }
}

/// How often a run may be made until the kernel has skipped no program in it.
pub fn attempts() -> u32 {
    if is_emulated() { 5 } else { 1 }
}

/// Whether this is a machine of `cargo xtask vm`.
pub fn is_emulated() -> bool {
    std::env::var_os("IOPROF_IN_VM").is_some()
}

/// Whether this is the superuser.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Where a program is, that of administrators included: they are not in everybody's PATH.
pub fn find_tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// A program that a test requires.
pub fn tool(name: &str) -> std::process::Command {
    let file = find_tool(name).unwrap_or_else(|| panic!("{name} is not installed"));
    std::process::Command::new(file)
}
