//! Calls that were under way at both ends.

use std::{borrow::Cow, cmp::Reverse};

use ioprof_ebpf::abi::{
    layout::UNKNOWN_OPERATION, syscall::CallKind, under_way::UnderWay as Noted,
};

use super::{file::kind, name};
use crate::{
    kernel::{
        snapshot::{self, Snapshot},
        syscall::{operation_name, waiting},
    },
    model::under_way::{At, CallUnderWay, CallsUnderWay, FileUnderWay},
    text::Text,
};

/// Those of a workload, the ones at the end first, and the oldest of them.
pub fn calls_under_way(snapshot: &Snapshot, workload: u32) -> CallsUnderWay {
    let own = snapshot.under_way.iter();
    let mut calls: Vec<_> = own
        .filter(|noted| noted.call.workload == workload)
        .map(|noted| call(noted, snapshot.ended_ns))
        .collect();
    calls.sort_by_key(|call| {
        let age = call.age_ns.unwrap_or(u64::MAX);
        (Reverse(call.at), Reverse(age), call.pid, call.tid)
    });
    let all = snapshot.workloads[workload as usize - 1].calls_under_way;
    CallsUnderWay {
        more: all.saturating_sub(calls.len() as u64),
        calls,
    }
}

fn call(noted: &snapshot::UnderWay, ended_ns: u64) -> CallUnderWay {
    let call = &noted.call;
    CallUnderWay {
        at: match call.at {
            Noted::BEGINNING => At::Beginning,
            _ => At::End,
        },
        pid: call.process,
        tid: call.thread,
        thread_name: name::of_thread(&call.name),
        call: name_of(call).map(Text::from),
        file: (call.file.workload != 0).then(|| FileUnderWay {
            kind: kind(call.mode.into()),
            path: noted.path.as_ref().map(Text::of),
        }),
        age_ns: (call.entered_ns != 0).then(|| ended_ns.saturating_sub(call.entered_ns)),
    }
}

/// The name of its call. Numbers of the 32-bit interface have another meaning.
fn name_of(call: &Noted) -> Option<Cow<'static, str>> {
    let kind = CallKind(call.kind);
    match kind.operation() {
        0 if kind.has(CallKind::COMPAT) => None,
        0 => waiting::name(call.number).map(Cow::Borrowed),
        UNKNOWN_OPERATION => None,
        operation => Some(operation_name(operation)),
    }
}
