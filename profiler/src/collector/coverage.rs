//! What ioprof tells by name, folds into a class or does not see, of what kernels have: by the tables that the probes and
//! the report are made of.

use std::{collections::BTreeSet, fs};

use ioprof_ebpf::abi::{
    opcodes::{AIO, Moves, Opcode, URING},
    syscall::CallKind,
};

use crate::{
    kernel::{
        bpf::{btf, enumerators},
        syscall::{
            self, compat, kind_of,
            others::{COMPAT_FUNCTIONS, FUNCTIONS, OTHERS, UNSEEN, calls_in},
        },
        system::{
            device::{Devices, Way, block_drivers},
            file_systems::{self, KINDS},
        },
    },
    model::coverage::{Group, Subject},
    transfer::{Direction, of_call},
};

/// All that the tables have.
pub fn of_the_tables() -> Vec<Subject> {
    vec![
        calls(),
        compat_calls(),
        uring(),
        aio(),
        block(),
        file_systems(),
    ]
}

/// What of it the running kernel has, and what it has besides.
pub fn of_this_kernel() -> Vec<Subject> {
    let symbols = fs::read_to_string("/proc/kallsyms").ok();
    // A kernel without calls by the 32-bit interface has no functions of them.
    let functions = |beginnings| Some(calls_in(symbols.as_deref()?, beginnings));
    let of = |all: Subject, found: Option<BTreeSet<String>>| match found {
        Some(found) => all.of(&found),
        None => all,
    };
    vec![
        of(
            calls(),
            functions(FUNCTIONS).filter(|found| !found.is_empty()),
        ),
        of(compat_calls(), functions(COMPAT_FUNCTIONS)),
        of(uring(), opcodes_of_this_kernel()),
        aio(),
        block_devices(),
        of(file_systems(), file_systems::registered()),
    ]
}

fn opcodes_of_this_kernel() -> Option<BTreeSet<String>> {
    let found = enumerators(btf::PATH.as_ref(), "io_uring_op")?;
    let names = found.iter().filter_map(|(name, number)| {
        let name = name.strip_prefix("IORING_OP_")?;
        let is_the_same = URING
            .get(*number as usize)
            .is_none_or(|(own, _)| *own == name);
        // One whose number is another's here is known by no name.
        (name != "LAST").then(|| match is_the_same {
            true => name.to_owned(),
            false => format!("{name} ({number})"),
        })
    });
    Some(names.collect())
}

fn calls() -> Subject {
    Subject {
        name: "System calls",
        note: "Functions of the 32-bit interface and of older forms are those of the call that does the same. A number that \
               is in no table is a row of its own, `syscall N`. Calls of x32 programs are `unknown`.",
        named: grouped(syscall::names().map(|name| (counted(name), name))),
        folded: vec![group(
            "calls, errors and time of all together, as `other`",
            OTHERS,
        )],
        unseen: vec![group("never return", UNSEEN)],
        unknown: None,
    }
}

fn compat_calls() -> Subject {
    Subject {
        name: "System calls by the 32-bit interface",
        note: "Each counts in the row of the 64-bit call that does the same; `compat_calls` of the ledger is how many they \
               are. What socketcall(2) calls counts as that call.",
        named: grouped(
            compat::names()
                .into_iter()
                .map(|name| ("as the 64-bit call".into(), name)),
        ),
        ..calls()
    }
}

/// What is counted of a call with a name.
fn counted(name: &str) -> String {
    let kind = CallKind(kind_of(name));
    let mut what = vec!["calls, errors, time"];
    what.extend(match of_call(name) {
        Some(Direction::Read) => Some("bytes read"),
        Some(Direction::Written) => Some("bytes written"),
        Some(Direction::Copied) => Some("bytes copied"),
        None => None,
    });
    if kind.has(CallKind::FILE) || kind.has(CallKind::OPENS) || kind.has(CallKind::TRANSFERS) {
        what.push("by file");
    }
    if kind.has(CallKind::SYNCS) {
        what.push("waits for durability");
    }
    what.join("; ")
}

fn uring() -> Subject {
    Subject {
        name: "Opcodes of io_uring",
        note: "A number that is in no table is a row of its own, `io_uring N`, without bytes.",
        named: grouped(opcodes(URING)),
        ..Subject::default()
    }
}

fn aio() -> Subject {
    Subject {
        name: "Opcodes of io_submit",
        note: "The kernel's BTF has no list of them. A number that is in no table is a row of its own, `io_submit N`.",
        named: grouped(opcodes(AIO)),
        ..Subject::default()
    }
}

/// The opcodes that no test makes a request of for want of what they take.
const UNTESTED: &[(&str, &str)] = &[(
    "RECV_ZC",
    "it takes a network card with a queue for the program's memory",
)];

fn opcodes(table: &[Opcode]) -> impl Iterator<Item = (String, &'static str)> {
    let named = table.iter().filter(|(name, _)| !name.is_empty());
    named.map(|(name, moves)| {
        let bytes = match moves {
            Moves::Nothing => "",
            Moves::Read => "; bytes read",
            Moves::Written => "; bytes written",
            Moves::Copied => "; bytes copied",
            Moves::Unseen => "; bytes are unknown",
        };
        let untested = UNTESTED.iter().find(|(untested, _)| untested == name);
        let why = untested.map_or_else(String::new, |(_, why)| format!("; not tested: {why}"));
        (format!("requests, errors, time{bytes}{why}"), *name)
    })
}

fn block() -> Subject {
    Subject {
        name: "Block devices",
        note: "By what the kernel has of the disk of each request or bio, not by drivers. /sys does not tell that a driver without requests hands on \
               commands for persistent reservations (device mapper, NVMe multipath): such a device is left out like one with \
               devices below it.",
        named: vec![group(Way::Requests.told(), ""), group(Way::Bios.told(), "")],
        folded: vec![group(Way::HandedDown.told(), "")],
        unseen: vec![group(
            "commands that are not the file system's (SG_IO, NVMe passthrough)",
            "",
        )],
        ..Subject::default()
    }
}

/// The devices of this machine by their kinds, and the drivers without one.
fn block_devices() -> Subject {
    let mut devices = Devices::now();
    devices.read_topology();
    let of = |way: Way| {
        let mut found: Vec<_> = devices.iter().filter(|one| one.way() == way).collect();
        found.sort_by_key(|device| device.number);
        let names = found.iter().map(|device| device.name.to_string());
        Group {
            what: way.told().to_owned(),
            names: names.collect(),
        }
    };
    let has_device = |major: u32| devices.iter().any(|device| device.number.0 == major);
    let idle: BTreeSet<_> = block_drivers()
        .into_iter()
        .filter(|(major, _)| !has_device(*major))
        .map(|(_, driver)| driver)
        .collect();
    let idle = Group {
        what: "drivers without a device here: the kind is seen with the first".into(),
        names: idle.into_iter().collect(),
    };
    let there = |groups: Vec<Group>| {
        let groups = groups.into_iter();
        groups.filter(|group| !group.names.is_empty()).collect()
    };
    Subject {
        named: there(vec![of(Way::Requests), of(Way::Bios)]),
        folded: there(vec![of(Way::HandedDown), idle]),
        ..block()
    }
}

fn file_systems() -> Subject {
    let of = |has_mechanism: bool| {
        let kinds = KINDS.iter();
        let kinds = kinds.filter(move |kind| kind.has_mechanism == has_mechanism);
        kinds.map(|kind| group(kind.what, kind.names)).collect()
    };
    Subject {
        name: "File systems",
        note: "All files have calls, bytes, time and faults by file. `Tested` is what tests of ioprof do there.",
        named: of(true),
        folded: of(false),
        ..Subject::default()
    }
}

fn group(what: &str, names: &str) -> Group {
    Group {
        what: what.to_owned(),
        names: names.split_whitespace().map(str::to_owned).collect(),
    }
}

/// Groups of what is counted alike, in the order in which they are met.
fn grouped<'a>(all: impl Iterator<Item = (String, &'a str)>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (what, name) in all {
        match groups.iter_mut().find(|group| group.what == what) {
            Some(group) => group.names.push(name.to_owned()),
            None => groups.push(group(&what, name)),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::coverage::count;

    #[test]
    fn everything_of_this_kernel_is_in_a_table() {
        let subjects = of_this_kernel();
        for subject in &subjects {
            let unknown = subject.unknown.as_deref().unwrap_or_default();
            assert!(unknown.is_empty(), "{}: {unknown:?}", subject.name);
        }
        let found = |name: &str, least: usize| {
            let subject = subjects.iter().find(|subject| subject.name == name);
            let subject = subject.expect("there is such a subject");
            assert!(subject.unknown.is_some(), "{name}: the kernel has a list");
            let all: usize = subject.parts().iter().map(|(_, part)| count(part)).sum();
            assert!(all > least, "{subject:?}");
        };
        found("System calls", 300);
        found("Opcodes of io_uring", 40);
        found("File systems", 10);
    }

    #[test]
    fn every_named_call_has_a_32_bit_form() {
        let all: BTreeSet<_> = syscall::names().collect();
        assert_eq!(compat::names(), all);
    }
}
