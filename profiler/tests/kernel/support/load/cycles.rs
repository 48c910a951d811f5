//! Attaching and detaching again and again: nothing stays behind, in the kernel or in ioprof.

use std::{
    fs,
    process::{Child, Stdio},
    time::Instant,
};

use ioprof::kernel::{Session, Settings, bpf::scope::EntryState, system::process::pidfd_open};
use nix::sys::signal::Signal;

use super::{anonymous, grouped};
use crate::support::{attached::Attached, leftovers::Names, line, program::Program, reader};

/// A process that waits.
fn target(program: &Program) -> Child {
    let mut target = std::process::Command::new(program.path())
        .args(["threads", "/proc/self/exe", "4", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started");
    assert_eq!(line(&mut reader(&mut target.stdout)), "ready\n");
    target
}

fn end(mut target: Child) {
    target.kill().expect("it was not waited for");
    target.wait().expect("a child");
}

/// In this process, which must do nothing else: no descriptor may be left, nor memory.
pub fn in_one_process(times: u32) -> String {
    let program = Program::compile("load");
    let target = target(&program);
    let pid = target.id().cast_signed();
    let descriptor = pidfd_open(pid).expect("the process is there");
    let itself = std::process::id();
    let own = descriptors(target.id());
    let began = Instant::now();
    let mut names = None;
    // The first leaves behind what is made once.
    let mut after_first = None;
    let mut most_memory = 0;
    for _ in 0..times {
        let settings = Settings {
            workloads: 1,
            ..Settings::default()
        };
        let mut session = Session::start(&settings).expect("the probes can be attached");
        session
            .add_process((pid, &descriptor), 1, EntryState::Running)
            .expect("the process is there");
        session.begin().expect("the maps can be written");
        names.get_or_insert_with(|| Names::of(itself));
        let snapshot = session.finish().expect("the maps can be read");
        assert_eq!(snapshot.workloads[0].threads, 5);
        let left = descriptors(itself);
        let (descriptors, _) = *after_first.get_or_insert((left, anonymous(itself)));
        assert_eq!(left, descriptors, "descriptors are left");
        most_memory = most_memory.max(anonymous(itself));
    }
    let took = began.elapsed().as_secs_f64();
    names.expect("at least once").assert_nothing_left();
    assert_eq!(descriptors(target.id()), own, "the process was given some");
    end(target);
    let (descriptors, memory) = after_first.expect("at least once");
    format!(
        "{} times in one process in {took:.1} s; {descriptors} descriptors after the first and the last; \
         anonymous memory {:.1} MB after the first, at most {:.1}; nothing left in the kernel",
        grouped(times.into()),
        memory as f64 / 1e6,
        most_memory as f64 / 1e6,
    )
}

fn descriptors(process: u32) -> usize {
    let open = fs::read_dir(format!("/proc/{process}/fd"));
    open.expect("it runs").count()
}

/// By the command, each time another process.
pub fn by_command(times: u32) -> String {
    let program = Program::compile("load");
    let target = target(&program);
    let began = Instant::now();
    let mut names = None;
    for _ in 0..times {
        let attached = Attached::to(&[target.id()], &[]);
        names.get_or_insert_with(|| Names::of(attached.pid()));
        attached.end(Signal::SIGINT).assert_nothing_lost();
    }
    names.expect("at least once").assert_nothing_left();
    end(target);
    format!(
        "{} times by the command in {:.1} s; nothing left in the kernel",
        grouped(times.into()),
        began.elapsed().as_secs_f64(),
    )
}
