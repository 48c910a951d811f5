//! What a workload is named after: the last program that its first process executed.

use std::{
    fs,
    io::Write as _,
    process::{Child, Command, Stdio},
};

use nix::sys::signal::Signal;

use crate::support::{
    Report,
    attached::Attached,
    folder, ioprof, line, plain, profile, reader,
    report::{Executed, known},
    requirements::find_tool,
    succeed, text,
};

/// Fails where the first workload has another name, or its first process has executed something else.
fn assert_named(report: &Report, name: &str, programs: u64, last: Option<&str>) {
    let workload = report.workload(0);
    let last = last.map(Into::into);
    assert_eq!(known(&workload.executed), &Executed { programs, last });
    assert_eq!(workload.name, name);
}

#[test]
fn a_command_is_named_after_the_program_that_came_in_its_place() {
    requires!();
    const DD: &str = "dd if=/dev/zero of=/dev/null count=1 status=none";
    for (script, name, programs) in [
        ("exec DD", "dd", 2),
        ("exec env DD", "dd", 3),
        // A child that executes a program is another process.
        ("DD; true", "sh", 1),
    ] {
        let script = script.replace("DD", DD);
        let report = profile(&[], &["sh", "-c", &script]);
        assert_named(&report, name, programs, Some(name));
        assert_eq!(report.workload(0).argv[2], *script);
    }
}

#[test]
fn the_screen_names_the_workload_as_its_rows_do() {
    requires!();
    let folder = folder();
    let file = folder.path().join("run.json");
    let mut run = ioprof();
    run.args(["run", "-o", plain(&file), "--", "sh", "-c", "exec env true"]);
    let shown = text(&succeed(&mut run).stderr);
    assert!(shown.starts_with("true took "), "{shown}");
    let report = Report::read(&file);
    let processes = &known(&report.workload(0).process_rows).processes;
    assert_eq!(processes[0].name, report.workload(0).name);
}

#[test]
fn a_command_keeps_its_name_where_the_kernel_has_less_of_it_or_runs_a_shell_for_it() {
    requires!();
    const NAME: &str = "a-program-of-a-long-name";
    let folder = folder();
    let program = folder.path().join(NAME);
    let found = find_tool("true").expect("it is there");
    succeed(Command::new("cp").arg(found).arg(&program));
    let report = profile(&[], &[&program]);
    assert_named(&report, NAME, 1, Some("a-program-of-a-"));
    let exec = format!("exec {}", plain(&program));
    let report = profile(&[], &["sh", "-c", &exec]);
    assert_named(&report, "a-program-of-a-", 2, Some("a-program-of-a-"));
    // Without an interpreter, execvp(3) has it run by the shell.
    fs::write(&program, "exit 0\n").expect("it can be written");
    let report = profile(&[], &[&program]);
    assert_named(&report, NAME, 1, Some("sh"));
}

/// A shell that waits for a line before it does this.
fn shell(does: &str) -> Child {
    let script = format!("echo ready; read line; {does}");
    let mut shell = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started");
    assert_eq!(line(&mut reader(&mut shell.stdout)), "ready\n");
    shell
}

/// Lets it, and waits for its end.
fn go_on(mut shell: Child) {
    let mut stdin = shell.stdin.take().expect("a pipe");
    stdin.write_all(b"\n").expect("it waits for that");
    assert!(shell.wait().expect("a child").success());
}

#[test]
fn a_process_that_was_attached_to_is_named_after_what_it_becomes() {
    requires!();
    for (does, name, programs, last) in [
        ("exec env true", "true", 2, Some("true")),
        ("exec true", "true", 1, Some("true")),
        ("exit 0", "sh", 0, None),
    ] {
        let shell = shell(does);
        let attached = Attached::to(&[shell.id()], &[]);
        go_on(shell);
        assert_named(&attached.ended(), name, programs, last);
    }
}

#[test]
fn of_several_processes_of_a_program_the_first_names_the_workload() {
    requires!();
    for (is_first, name, programs, last) in
        [(true, "true", 1, Some("true")), (false, "sh", 0, None)]
    {
        let mut shells = [shell("exec true"), shell("exec true")];
        // The first is that of the lowest number.
        shells.sort_by_key(Child::id);
        if !is_first {
            shells.reverse();
        }
        let [executes, stays] = shells;
        let attached = Attached::to(&[executes.id(), stays.id()], &[]);
        go_on(executes);
        assert_named(&attached.end(Signal::SIGINT), name, programs, last);
        go_on(stays);
    }
}
