//! The one place that a report's text goes through on its way to a terminal.

use std::{collections::BTreeMap, mem};

use crate::{
    model::{
        aio::{Aio, AioOperation},
        block::Block,
        device::{Device, Share},
        file::{File, Files},
        io_uring::{IoUring, UringOperation},
        ledger::{Check, Ledger, Probe, Verdict},
        report::{Host, Report, Workload},
        self_report::SelfCheck,
        syscall::Syscall,
    },
    output::text::visible,
};

/// The same report, with every text of it made visible.
///
/// Each part is taken apart by all its fields, so that a new one has to be thought of here.
pub fn shown(report: &Report) -> Report {
    let mut shown = report.clone();
    let Report {
        schema,
        ioprof_version,
        host,
        started_at,
        duration_ns: _,
        workloads,
        devices,
        ledger,
    } = &mut shown;
    let Host {
        name,
        kernel,
        architecture,
        cpus: _,
    } = host;
    for one in [
        schema,
        ioprof_version,
        started_at,
        name,
        kernel,
        architecture,
    ] {
        text(one);
    }
    workloads.iter_mut().for_each(workload);
    devices.iter_mut().flatten().for_each(device);
    books(ledger);
    shown
}

fn text(text: &mut String) {
    if let std::borrow::Cow::Owned(shown) = visible(text) {
        *text = shown;
    }
}

/// Numbers by name; those of names that look the same are added up.
fn counts(counts: &mut BTreeMap<String, u64>) {
    for (name, count) in mem::take(counts) {
        let sum = counts.entry(visible(&name).into_owned()).or_default();
        *sum = sum.saturating_add(count);
    }
}

fn workload(workload: &mut Workload) {
    let Workload {
        name,
        kind: _,
        argv,
        root_pid: _,
        exit: _,
        wall_ns: _,
        cpu_user_ns: _,
        cpu_system_ns: _,
        max_rss_bytes: _,
        processes: _,
        threads: _,
        threads_running: _,
        time: _,
        syscalls,
        cache: _,
        files,
        io_uring,
        aio,
        block,
        faults: _,
        writeback: _,
        self_reported,
        self_checks,
    } = workload;
    text(name);
    argv.iter_mut().for_each(text);
    for call in syscalls {
        let Syscall {
            name,
            calls: _,
            errors,
            bytes: _,
            time_ns: _,
            time: _,
            latency: _,
            p99_time: _,
            size: _,
        } = call;
        text(name);
        counts(errors);
    }
    files.iter_mut().for_each(paths);
    asynchronous(io_uring.as_mut(), aio);
    for requests in block.iter_mut().flatten() {
        let Block {
            device,
            operation: _,
            origin: _,
            requests: _,
            unseen_completions: _,
            errors: _,
            bytes: _,
            queue: _,
            service: _,
            size: _,
            passed_on: _,
        } = requests;
        text(device);
    }
    if let Some(own) = self_reported {
        // Of the summary these alone are told of.
        text(&mut own.engine);
        own.operations
            .iter_mut()
            .for_each(|one| text(&mut one.name));
    }
    for check in self_checks {
        let SelfCheck {
            operation,
            reported_calls: _,
            counted_calls: _,
            reported_bytes: _,
            counted_bytes: _,
        } = check;
        text(operation);
    }
}

fn paths(files: &mut Files) {
    let Files {
        top,
        others: _,
        other_counts: _,
    } = files;
    for file in top {
        let File {
            path,
            path_is_current: _,
            kind: _,
            counts: _,
            typical_size_bytes: _,
        } = file;
        path.iter_mut().for_each(text);
    }
}

fn asynchronous(io_uring: Option<&mut IoUring>, aio: &mut Aio) {
    for one in io_uring.into_iter().flat_map(|uring| &mut uring.operations) {
        let UringOperation { name, errors, .. } = one;
        text(name);
        counts(errors);
    }
    for one in &mut aio.operations {
        let AioOperation { name, errors, .. } = one;
        text(name);
        counts(errors);
    }
}

fn device(device: &mut Device) {
    let Device {
        name,
        major: _,
        minor: _,
        reads: _,
        read_bytes: _,
        writes: _,
        written_bytes: _,
        flushes: _,
        discards: _,
        read_ns: _,
        write_ns: _,
        busy_ns: _,
        utilization: _,
        queue_depth: _,
        shares,
        holders,
        slaves,
        backing_file,
    } = device;
    text(name);
    for name in holders.iter_mut().chain(slaves).chain(backing_file) {
        text(name);
    }
    for share in shares {
        let Share {
            workload,
            origin: _,
            requests: _,
            bytes: _,
            bytes_share: _,
            busy_ns: _,
            queue_depth_max: _,
            busy_share: _,
        } = share;
        workload.iter_mut().for_each(text);
    }
}

fn books(ledger: &mut Ledger) {
    let Ledger {
        lost,
        requests_in_flight_at_attach: _,
        calls_in_flight_at_attach: _,
        compat_calls: _,
        vectors_unread: _,
        probes,
        probe_cpu_ns: _,
        probe_cpu_measured_share: _,
        checks,
        messages,
    } = ledger;
    counts(lost);
    for probe in probes {
        let Probe {
            name,
            tracepoint,
            verdict,
            missed: _,
            measured_runs: _,
            measured_ns: _,
        } = probe;
        text(name);
        text(tracepoint);
        match verdict {
            Verdict::Attached => {}
            Verdict::NotNeeded { reason }
            | Verdict::Absent { reason }
            | Verdict::Refused { reason } => text(reason),
        }
    }
    for check in checks {
        let Check {
            workload,
            device,
            what: _,
            counted: _,
            kernel: _,
        } = check;
        workload.iter_mut().for_each(text);
        device.iter_mut().for_each(text);
    }
    messages.iter_mut().for_each(text);
}
