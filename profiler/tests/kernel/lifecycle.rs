//! From start to end: what is passed on, what is left untouched, and what remains when ioprof is killed.

use std::{
    ffi::OsStr,
    fs,
    io::{Read as _, Write as _},
    os::unix::{
        fs::PermissionsExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::support::{
    self, Report,
    device::kernel_is_before,
    ioprof,
    leftovers::Names,
    line, plain, reader,
    report::Exit,
    requirements::{self, skip, tool},
    signal, text,
};
use nix::sys::signal::Signal;

fn run<W: AsRef<OsStr>>(options: &[&str], command: &[W]) -> Output {
    support::output(ioprof().arg("run").args(options).arg("--").args(command))
}

#[test]
fn the_exit_status_is_that_of_the_command() {
    requires!();
    for status in [0, 7, 125, 255] {
        let exit = format!("exit {status}");
        let ended = run(&[], &["sh", "-c", &exit]);
        assert_eq!(ended.status.code(), Some(status), "{ended:?}");
        assert!(text(&ended.stderr).contains("Ledger"), "{ended:?}");
    }
    for signal in [Signal::SIGTERM, Signal::SIGKILL, Signal::SIGSEGV] {
        let kill = format!("kill -{} $$", signal as i32);
        let ended = run(&[], &["sh", "-c", &kill]);
        assert_eq!(ended.status.signal(), Some(signal as i32), "{ended:?}");
        assert!(text(&ended.stderr).contains("Ledger"), "{ended:?}");
    }
}

#[test]
fn a_file_that_is_no_program_is_126_in_one_line() {
    requires!();
    let folder = support::folder();
    let file = folder.path().join("program");
    fs::write(&file, "#!/nonexistent/interpreter\n").expect("a file can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("permissions can be set");
    let refused = run(&[], &[&file]);
    assert_eq!(refused.status.code(), Some(126), "{refused:?}");
    assert_eq!(text(&refused.stderr).lines().count(), 1, "{refused:?}");
}

#[test]
fn the_output_of_the_command_is_its_own() {
    requires!();
    let ended = run(&[], &["sh", "-c", "echo to stdout; echo to stderr >&2"]);
    assert_eq!(text(&ended.stdout), "to stdout\n");
    let said = text(&ended.stderr);
    let report = said.strip_prefix("to stderr\n").expect("first the command");
    assert!(report.contains("Ledger"), "{said}");
}

#[test]
fn the_report_on_stdout_is_json_and_nothing_else() {
    requires!();
    for stdout in ["-", "/dev/stdout"] {
        let ended = run(&["-o", stdout], &["echo", "what it has to say"]);
        let report = Report::parse(&ended.stdout);
        report.assert_nothing_lost();
        assert_eq!(report.workload(0).argv[0], "echo");
        let said = text(&ended.stderr);
        assert!(said.starts_with("what it has to say\n"), "{said}");
        assert!(said.contains("Ledger"), "{said}");
    }
}

#[test]
fn the_report_in_a_file_is_whole_and_its_owners_and_renders_as_it_did() {
    requires!();
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let name = plain(&file);
    fs::write(&file, "what was there before").expect("a file can be written");
    let ended = run(
        &["-o", name],
        &["sh", "-c", "cat /etc/hostname >/dev/null; true"],
    );
    assert!(ended.status.success(), "{ended:?}");
    Report::read(&file).assert_nothing_lost();
    let mode = fs::metadata(&file)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let beside = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(beside, 1, "nothing temporary is left");

    let again = support::output(ioprof().args(["report", name]));
    assert!(again.status.success(), "{again:?}");
    assert_eq!(text(&again.stdout), text(&ended.stderr));
}

/// `ioprof run -- COMMAND` with pipes for all three streams, in a process group of its own: signals that a
/// test sends are not taken for those of the terminal the tests may have been started from.
fn started(options: &[&str], command: &[&str]) -> Child {
    ioprof()
        .arg("run")
        .args(options)
        .arg("--")
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("ioprof can be started")
}

const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

#[test]
fn a_signal_ends_the_command_and_the_report_is_printed() {
    requires!();
    for sent in SIGNALS {
        let mut child = started(&[], &["sh", "-c", "echo ready; read line"]);
        assert_eq!(line(&mut reader(&mut child.stdout)), "ready\n");
        signal(&child, sent);
        let mut said = String::new();
        let mut stderr = reader(&mut child.stderr);
        stderr.read_to_string(&mut said).expect("it can be read");
        let status = child.wait().expect("a child");
        assert_eq!(status.signal(), Some(sent as i32), "{said}");
        assert!(said.contains("Ledger"), "{sent}: {said}");
    }
}

#[test]
fn a_command_that_ignores_the_signal_is_waited_for() {
    requires!();
    let command = [
        "sh",
        "-c",
        r#"trap "" INT TERM HUP; echo ready; read line; exit 3"#,
    ];
    for sent in SIGNALS {
        let mut child = started(&[], &command);
        assert_eq!(line(&mut reader(&mut child.stdout)), "ready\n");
        signal(&child, sent);
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin
            .write_all(b"go on\n")
            .expect("the command still reads");
        let ended = child.wait_with_output().expect("a child");
        assert_eq!(ended.status.code(), Some(3), "{ended:?}");
        assert!(text(&ended.stderr).contains("Ledger"), "{sent}: {ended:?}");
    }
}

#[test]
fn a_second_signal_kills_a_command_that_ignores_the_first() {
    requires!();
    let command = ["sh", "-c", r#"trap "" INT TERM HUP; echo ready; read line"#];
    let mut child = started(&[], &command);
    assert_eq!(line(&mut reader(&mut child.stdout)), "ready\n");
    // Two that differ, as two of the same may become one.
    signal(&child, Signal::SIGINT);
    signal(&child, Signal::SIGTERM);
    let stdin = child.stdin.take();
    let ended = child.wait_with_output().expect("a child");
    drop(stdin);
    assert_eq!(ended.status.signal(), Some(Signal::SIGKILL as i32));
    assert!(text(&ended.stderr).contains("Ledger"), "{ended:?}");
}

/// Kills ioprof and fails where anything is left of it: in the kernel, or a child that neither runs its
/// program nor ends. The child holds the other end of the pipe, which is why its end can be waited for.
fn kill_and_look(mut child: Child, names: &Names) {
    child.kill().expect("it was not waited for yet");
    child.wait().expect("a child");
    names.assert_nothing_left();
    drop(child.stdin.take());
    let mut stdout = child.stdout.take().expect("a pipe");
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        let _ = sender.send(stdout.read_to_end(&mut Vec::new()));
    });
    let ended = ended.recv_timeout(Duration::from_secs(20));
    ended
        .expect("a stopped or waiting child is left")
        .expect("read");
    let mut said = String::new();
    let mut stderr = child.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut said).expect("it can be read");
    assert_eq!(said, "", "nobody has anything to say");
}

/// A command that runs until its input ends.
const UNTIL_THE_INPUT_ENDS: [&str; 3] = ["sh", "-c", "echo ready; exec cat"];

/// One that profiles, and the names of what it has in the kernel.
fn profiling() -> (Child, Names) {
    let mut child = started(&[], &UNTIL_THE_INPUT_ENDS);
    let mut stdout = reader(&mut child.stdout);
    assert_eq!(line(&mut stdout), "ready\n");
    // Nothing more comes before the input ends.
    child.stdout = Some(stdout.into_inner());
    let names = Names::of(child.id());
    (child, names)
}

#[test]
fn killed_while_it_profiles_it_leaves_nothing_behind() {
    requires!("bpftool");
    let (child, names) = profiling();
    kill_and_look(child, &names);
}

#[test]
fn killed_while_the_child_waits_to_be_let_go_it_leaves_nothing_behind() {
    requires!("bpftool");
    let (first, names) = profiling();
    for _ in 0..3 {
        let child = started(&[], &UNTIL_THE_INPUT_ENDS);
        // Until it executes the command, the child is a copy of ioprof.
        let waiting = wait_for_child(child.id());
        let program = fs::read_link(format!("/proc/{waiting}/exe")).expect("it waits");
        assert_eq!(program, Path::new(env!("CARGO_BIN_EXE_ioprof")));
        kill_and_look(child, &names);
    }
    kill_and_look(first, &names);
}

/// The first child of any thread of a process; waits until there is one.
fn wait_for_child(process: u32) -> u32 {
    loop {
        let threads = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
        let children = threads.flatten().find_map(|thread| {
            let children = fs::read_to_string(thread.path().join("children")).ok()?;
            children.split_whitespace().next()?.parse().ok()
        });
        if let Some(child) = children {
            return child;
        }
        thread::yield_now();
    }
}

#[test]
fn killed_at_any_moment_it_leaves_nothing_behind() {
    requires!("bpftool");
    let begin = std::time::Instant::now();
    let (first, names) = profiling();
    let to_the_command = begin.elapsed();
    // From right at the start to a little after the command has begun, in an order that is always the same.
    let mut seed: u32 = 1;
    for _ in 0..requirements::turns(20) {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let moment = to_the_command.mul_f64(f64::from(seed >> 16) / 50_000.0);
        let child = started(&[], &UNTIL_THE_INPUT_ENDS);
        // The moment itself is what is tested, so that this is no wait for an event.
        thread::sleep(moment);
        kill_and_look(child, &names);
    }
    kill_and_look(first, &names);
}

#[test]
fn the_doctor_finds_every_probe_and_succeeds() {
    requires!();
    let examined = support::output(ioprof().arg("doctor"));
    assert!(examined.status.success(), "{examined:?}");
    let said = text(&examined.stdout);
    for tracepoint in [
        "sys_enter",
        "sys_exit",
        "block_rq_issue",
        "block_rq_complete",
    ] {
        let line = said.lines().find(|line| line.contains(tracepoint));
        assert!(line.is_some_and(|line| line.contains("attached")), "{said}");
    }
    assert!(
        said.contains("verdict        `ioprof run` works here"),
        "{said}"
    );
}

#[test]
fn the_doctor_tells_what_the_verifier_took_for_each_program() {
    requires!();
    let examined = support::succeed(ioprof().args(["doctor", "--verbose"]));
    let said = text(&examined.stdout);
    let attached = said
        .lines()
        .filter(|line| line.starts_with("probe ") && line.ends_with(" attached"))
        .count();
    let mut programs: Vec<(&str, f64, Option<u64>)> = said
        .lines()
        .filter_map(|line| line.strip_prefix("verifier "))
        .map(|line| match *line.split_whitespace().collect::<Vec<_>>() {
            [name, time, "ms", number, "instructions"] => {
                let time = time.parse().expect("a time is a number");
                (name, time, number.parse().ok())
            }
            _ => panic!("{line}"),
        })
        .collect();
    let (total, _, of_all) = programs.pop().expect("there is a line for all");
    assert_eq!(total, "total", "{said}");
    // The three that walk over the tasks belong to no tracepoint.
    assert!(programs.len() >= attached + 3, "{said}");
    for name in ["syscall_exit", "seed_threads"] {
        assert!(programs.iter().any(|(one, ..)| *one == name), "{said}");
    }
    assert!(programs.is_sorted_by(|one, next| one.1 >= next.1), "{said}");
    let sum = programs.iter().map(|(.., number)| *number).sum();
    assert_eq!(of_all, sum, "{said}");
    // Kernels before 5.16 do not tell.
    assert_eq!(of_all.is_none(), kernel_is_before((5, 16)), "{said}");
    assert_ne!(of_all, Some(0), "{said}");
}

#[test]
fn an_ordinary_user_with_the_two_capabilities_can_run() {
    requires!("setcap");
    let folder = support::folder();
    let for_all = fs::Permissions::from_mode(0o777);
    fs::set_permissions(folder.path(), for_all).expect("permissions can be set");
    let copy = support::copy_of_ioprof(folder.path());
    let mut setcap = tool("setcap");
    let given = support::output(setcap.arg("cap_bpf,cap_perfmon+ep").arg(&copy));
    if !given.status.success() {
        return skip("the file system does not keep capabilities");
    }
    let file = folder.path().join("run.json");
    let nobody = 65534;
    let mut command = Command::new(&copy);
    command
        .args(["run", "-o"])
        .arg(&file)
        .args(["--", "cat", "/etc/hostname"]);
    let done = support::succeed(command.uid(nobody).gid(nobody).current_dir("/"));
    let report = Report::read(&file);
    report.assert_nothing_lost();
    assert_eq!(report.workload(0).exit, Some(Exit::Code(0)));
    assert!(report.call("openat").calls > 0);
    assert!(report.call("read").bytes > Some(0));
    // To measure what the probes cost takes more than the two.
    assert!(report.ledger.probe_cpu_ns.is_none());
    assert!(report.ledger.probe_cpu_measured_share.is_none());
    assert!(text(&done.stderr).contains("overhead unknown"), "{done:?}");
    assert_eq!(report.workload(0).processes, 1);
}
