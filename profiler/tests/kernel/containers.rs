//! Inside a container, and about one: PID and mount namespaces, and what is not mounted there.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::support::{
    self, Report, attached::Attached, ioprof, program::Program, requirements::tool, succeed,
};

/// Calls of each thread of the program, which makes eight and as many processes.
const READS: u64 = 10_000;

/// In namespaces of its own, as a container's first process: with its own /proc, and without the file systems that the
/// kernel's tracing is steered by.
fn in_container(script: &str) -> Command {
    let mut unshare = tool("unshare");
    unshare.args(["--pid", "--fork", "--mount", "--mount-proc", "sh", "-c"]);
    unshare.arg(format!(
        "for place in tracing debug; do umount -l /sys/kernel/$place 2>/dev/null; done; {script}"
    ));
    unshare
}

#[test]
fn in_a_container_a_command_is_counted_exactly() {
    requires!("cc", "unshare");
    let program = Program::compile("known_calls");
    let folder = support::folder();
    let (data, report) = (folder.path().join("data"), folder.path().join("run.json"));
    fs::write(&data, [7; 64 * 1024]).expect("a file can be written");
    let script =
        "test ! -e /sys/kernel/tracing/events && \"$0\" run --no-save -o \"$1\" -- \"$2\" \"$3\"";
    let mut run = in_container(script);
    run.arg(env!("CARGO_BIN_EXE_ioprof"))
        .args([&report, &program.path(), &data]);
    succeed(&mut run);
    let report = Report::read(&report);
    report.assert_nothing_lost();
    let call = report.call("pread64");
    assert_eq!((call.calls, call.bytes), (READS, Some(READS * 4096)));
    assert_eq!(report.workload(0).processes, 5);
    // Its number in the container, where it is among the first.
    assert!(
        report.workload(0).root_pid < 100,
        "{:?}",
        report.workload(0)
    );
}

#[test]
fn in_a_container_a_process_is_attached_to_by_its_number_there() {
    requires!("unshare");
    let folder = support::folder();
    let report = folder.path().join("run.json");
    // The sleep ends with the container.
    let script = "sleep 1000 & exec \"$0\" attach --no-save -p $! -d 0.3 -o \"$1\"";
    let mut attach = in_container(script);
    succeed(attach.arg(env!("CARGO_BIN_EXE_ioprof")).arg(&report));
    let report = Report::read(&report);
    report.assert_nothing_lost();
    assert!(report.workload(0).root_pid < 100);
    assert_eq!(report.workload(0).threads, 1);
}

/// A shell in a container that reads files when it is told to.
struct Contained {
    unshare: Child,
    shell: u32,
}

impl Contained {
    fn start() -> Self {
        let mut unshare = in_container("echo up; read go; exec cat /etc/hostname /etc/hostname");
        let mut unshare = unshare
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a container can be made");
        let mut said = support::reader(&mut unshare.stdout);
        assert_eq!(support::line(&mut said), "up\n");
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let children = fs::read_to_string(children).expect("unshare has a child");
        let shell = children.trim().parse().expect("one child");
        // Nobody reads what is said from here on.
        drop(said);
        Self { unshare, shell }
    }

    fn go(&mut self) {
        drop(self.unshare.stdin.take());
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

#[test]
fn a_process_of_a_container_is_attached_to_from_outside() {
    requires!("unshare");
    let mut contained = Contained::start();
    let attached = Attached::to(&[contained.shell], &[]);
    contained.go();
    let report = attached.ended();
    report.assert_nothing_lost();
    assert_eq!(report.workload(0).root_pid, contained.shell.cast_signed());
    assert!(report.call("openat").calls >= 1, "{:?}", report.workload(0));
}

#[test]
fn without_sysfs_one_line_says_what_is_missing() {
    requires!("unshare");
    let mut run = in_container("umount -l /sys && exec \"$0\" run -- true");
    let refused = support::output(run.arg(env!("CARGO_BIN_EXE_ioprof")));
    assert_eq!(refused.status.code(), Some(125), "{refused:?}");
    let said = support::text(&refused.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("/sys/kernel/btf/vmlinux"), "{said}");
}

#[test]
fn a_process_in_a_cgroup_of_either_version_is_counted() {
    requires!();
    let places = [
        "/sys/fs/cgroup",
        "/sys/fs/cgroup/unified",
        "/sys/fs/cgroup/pids",
    ];
    let groups: Vec<_> = places
        .into_iter()
        .map(Path::new)
        .filter(|place| place.join("cgroup.procs").exists())
        .collect();
    assert!(!groups.is_empty(), "there is a hierarchy of cgroups");
    for place in groups {
        let group = Group::new(place);
        let mut run = ioprof();
        let folder = support::folder();
        let report = folder.path().join("run.json");
        run.arg("run")
            .arg("-o")
            .arg(&report)
            .args(["--", "sh", "-c"]);
        run.arg("echo 0 > \"$0/cgroup.procs\" && exec cat /etc/hostname");
        succeed(run.arg(&group.0));
        let report = Report::read(&report);
        report.assert_nothing_lost();
        assert!(report.call("read").calls >= 1, "{}", place.display());
    }
}

/// A cgroup, gone with this value.
struct Group(std::path::PathBuf);

impl Group {
    fn new(above: &Path) -> Self {
        let place = above.join(format!("ioprof-test-{}", std::process::id()));
        fs::create_dir(&place).expect("a cgroup can be made");
        Self(place)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
