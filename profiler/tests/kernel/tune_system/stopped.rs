//! It ends before its time: by a signal, by a command that fails.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::{fs::OpenOptionsExt as _, process::ExitStatusExt as _},
    process::{Child, Stdio},
};

use nix::sys::signal::Signal;

use super::{AHEAD, disk, file_of, listed, of_device, tune};
use crate::support::{
    assert_one_line, device::Loop, folder, output, plain, reader, signal, succeed, text,
};

/// A run that waits while a value is set that is not the one that was found.
struct Waiting {
    child: Child,
    found: String,
    /// What the command waits for a line from. Open as long as that may come to it.
    go: File,
    _folder: tempfile::TempDir,
}

impl Waiting {
    fn start(disk: &Loop) -> Self {
        let folder = folder();
        let [reached, go] = ["reached", "go"].map(|name| folder.path().join(name));
        for fifo in [&reached, &go] {
            nix::unistd::mkfifo(fifo, nix::sys::stat::Mode::S_IRWXU).expect("it can be made");
        }
        let found = of_device(disk, AHEAD);
        let script = "[ \"$(cat $1)\" = $2 ] || { echo > $3; read line < $4; }";
        let (mounted, ahead) = (disk.mounted(), file_of(disk, AHEAD));
        let words = [
            "--apply",
            "--repeat=1",
            "--only=read_ahead_kb",
            plain(&mounted),
            "--",
            "sh",
            "-c",
            script,
            "sh",
            plain(&ahead),
            found.trim(),
            plain(&reached),
            plain(&go),
        ];
        let mut child = tune(&words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ioprof can be started");
        // Opened for both, so that this waits for nobody.
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK);
        let open = |name| options.open(name).expect("it is there");
        let (mut reached, go) = (open(&reached), open(&go));
        while reached.read(&mut [0]).is_err() {
            let ended = child.try_wait().expect("it is a child");
            assert_eq!(ended, None, "it has ended before it set a value");
            std::thread::yield_now();
        }
        assert_ne!(of_device(disk, AHEAD), found, "it is set");
        Self {
            child,
            found,
            go,
            _folder: folder,
        }
    }

    /// Lets the command end.
    fn go(&mut self) {
        self.go.write_all(b"\n").expect("there is room for a line");
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // A test that fails leaves no command that waits, and nothing changed.
        if matches!(self.child.try_wait(), Ok(None)) {
            signal(&self.child, Signal::SIGTERM);
            let _ = self.child.wait();
        }
        self.go();
    }
}

/// All that is written by a child, and by those that have its stderr: until the last of them has ended.
fn said(child: &mut Child) -> String {
    let mut said = String::new();
    let mut stderr = reader(&mut child.stderr);
    stderr.read_to_string(&mut said).expect("it can be read");
    said
}

#[test]
fn a_signal_in_the_middle_has_everything_put_back() {
    requires!("losetup mkfs.ext4");
    let disk = disk();
    if listed(&disk, &["read_ahead_kb"]).is_none() {
        return;
    }
    for stop in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut waiting = Waiting::start(&disk);
        // Nobody else does the same meanwhile.
        let mounted = disk.mounted();
        let words = [
            "--apply",
            "--only=read_ahead_kb",
            plain(&mounted),
            "--",
            "true",
        ];
        assert_one_line(&output(&mut tune(&words)), &["lock", disk.name()]);
        signal(&waiting.child, stop);
        let said = said(&mut waiting.child);
        let ended = waiting.child.wait().expect("it is a child");
        assert_eq!(ended.signal(), Some(stop as i32), "{said}");
        assert!(said.contains("all settings are as they were"), "{said}");
        assert!(said.contains(stop.as_str()), "{said}");
        assert_eq!(of_device(&disk, AHEAD), waiting.found, "{stop}");
    }
}

#[test]
fn where_ioprof_is_killed_the_keeper_puts_everything_back() {
    requires!("losetup mkfs.ext4");
    let disk = disk();
    if listed(&disk, &["read_ahead_kb"]).is_none() {
        return;
    }
    let mut waiting = Waiting::start(&disk);
    signal(&waiting.child, Signal::SIGKILL);
    let ended = waiting.child.wait().expect("it is a child");
    assert_eq!(ended.signal(), Some(Signal::SIGKILL as i32));
    waiting.go();
    let said = said(&mut waiting.child);
    assert!(said.contains("ioprof-keeper: ioprof is gone"), "{said}");
    assert_eq!(of_device(&disk, AHEAD), waiting.found);
    // Its locks went with it.
    let words = ["--only=read_ahead_kb", "--repeat=1", "--apply"];
    let mut again = tune(&words);
    succeed(again.arg(disk.mounted()).args(["--", "true"]));
}

#[test]
fn a_command_that_fails_ends_it_with_everything_put_back() {
    requires!("losetup mkfs.ext4");
    let disk = disk();
    if listed(&disk, &["read_ahead_kb"]).is_none() {
        return;
    }
    let found = of_device(&disk, AHEAD);
    let file = file_of(&disk, AHEAD);
    let mounted = disk.mounted();
    let run = |script: &str| {
        let words = ["--apply", "--only=read_ahead_kb", plain(&mounted)];
        let words = [&words[..], &["--", "sh", "-c", script, "sh"]].concat();
        output(tune(&words).arg(&file).arg(found.trim()))
    };
    let first = run("exit 3");
    assert_one_line(&first, &["exit status 3"]);
    let later = run("[ \"$(cat $1)\" = $2 ] || kill -9 $$");
    assert_eq!(later.status.code(), Some(125), "{later:?}");
    assert!(text(&later.stderr).contains("SIGKILL"), "{later:?}");
    assert_eq!(of_device(&disk, AHEAD), found);
}
