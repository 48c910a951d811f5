//! Reading what each thread has done.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    os::unix::fs::MetadataExt as _,
};

use ioprof_ebpf::abi::{
    names,
    row::{Row, RowKey},
};

use crate::{
    error::Error,
    kernel::{
        bpf::{Ebpf, map::entries},
        system::process::words,
    },
    text::Text,
};

/// The number of the first namespace of PIDs, `PROC_PID_INIT_INO` of include/linux/proc_ns.h.
const FIRST_NAMESPACE: u64 = 0xEFFF_FFFC;

/// What each thread has done.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Of one thread each, and then of threads of one name.
    pub rows: Vec<(RowKey, Row)>,
    /// The command lines of processes that still run, by their numbers.
    pub command_lines: HashMap<u32, Vec<Text>>,
}

/// Reads them.
pub fn read(ebpf: &Ebpf) -> Result<Rows, Error> {
    let mut rows: Vec<(RowKey, Row)> = entries(ebpf, names::THREAD_ROWS)?;
    let running = rows.iter().filter(|(_, row)| row.running > 0);
    let running: BTreeSet<u32> = running.map(|(key, _)| key.process).collect();
    let command_lines = command_lines(&running);
    rows.extend(entries(ebpf, names::NAMED_ROWS)?);
    Ok(Rows {
        rows,
        command_lines,
    })
}

/// The command lines of processes. The probes have the numbers of the first namespace of PIDs: in another they are those of
/// other processes.
fn command_lines(processes: &BTreeSet<u32>) -> HashMap<u32, Vec<Text>> {
    let namespace = fs::metadata("/proc/self/ns/pid");
    if !namespace.is_ok_and(|found| found.ino() == FIRST_NAMESPACE) {
        return HashMap::new();
    }
    let read = |process: &u32| {
        let line = fs::read(format!("/proc/{process}/cmdline")).ok()?;
        let words = words(&line);
        // A zombie has none.
        (!words.is_empty()).then_some((*process, words))
    };
    processes.iter().filter_map(read).collect()
}
