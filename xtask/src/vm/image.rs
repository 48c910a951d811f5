//! The root file system of the guest: the programs of this machine that the tests call, and the tests.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::initramfs::{copy_executable, make_executable};
use super::kernels::Kernel;
use super::quote;
use crate::error::{Error, Result};
use crate::process;
use crate::workspace::Workspace;

/// What the tests and the guest's own scripts call, and what has to be there for that.
const PROGRAMS: &[&str] = &[
    "awk",
    "basename",
    "bash",
    "blkdiscard",
    "blockdev",
    "bpftool",
    "btrfs",
    "capsh",
    "cat",
    "chmod",
    "chown",
    "cp",
    "cut",
    "dd",
    "df",
    "dmsetup",
    "echo",
    "env",
    "false",
    "fio",
    "fsfreeze",
    "grep",
    "head",
    "id",
    "kill",
    "kmod",
    "ln",
    "losetup",
    "ls",
    "mdadm",
    "mkdir",
    "mkfifo",
    "mkfs.btrfs",
    "mkfs.ext4",
    "mkfs.xfs",
    "mkswap",
    "mktemp",
    "modprobe",
    "mount",
    "mv",
    "nproc",
    "nsenter",
    "printf",
    "prlimit",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "setarch",
    "setcap",
    "setpriv",
    "setsid",
    "sh",
    "sleep",
    "sort",
    "sqlite3",
    "stat",
    "strace",
    "stty",
    "sync",
    "tail",
    "tar",
    "taskset",
    "tee",
    "timeout",
    "touch",
    "tr",
    "true",
    "truncate",
    "umount",
    "uname",
    "swapoff",
    "swapon",
    "unshare",
    "wc",
    "xargs",
];

/// Users and groups, for tests that become another.
const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";

/// How large the disk is; a sparse file holds it.
const DISK: &str = "3G";

/// What the guest is to run.
pub struct Payload<'a> {
    /// The tests' executables.
    pub tests: &'a [PathBuf],
    /// The binary under test, which goes where it is here: the tests have its path compiled in.
    pub ioprof: &'a Path,
    /// What each test is given, as a shell reads it.
    pub arguments: &'a str,
    /// Commands for a shell, before the tests.
    pub before: &'a str,
    /// How long all of them may take.
    pub seconds: u64,
}

/// Makes the disk.
pub fn write(
    workspace: &Workspace,
    kernel: &Kernel,
    payload: &Payload<'_>,
    folder: &Path,
    disk: &Path,
) -> Result<()> {
    let tree = Tree::new(folder.join("root"))?;
    for program in PROGRAMS {
        let found = find(program)?;
        tree.program(&found, &format!("usr/bin/{program}"))?;
    }
    symlink("kmod", tree.0.join("usr/bin/insmod")).map_err(Error::file("link", &tree.0))?;
    tree.text("etc/passwd", PASSWD)?;
    tree.text("etc/group", GROUP)?;
    tree.text("etc/hostname", "guest\n")?;
    tree.script("vm/init", include_str!("guest/init.sh"))?;
    tree.script("vm/run", include_str!("guest/run.sh"))?;
    tree.script("vm/before", payload.before)?;
    tree.text(
        "vm/environment",
        &format!(
            "export GUEST_SECONDS={} TEST_FOLDER={} TEST_ARGUMENTS={}\n",
            payload.seconds,
            quote(&workspace.join("profiler").to_string_lossy()),
            quote(payload.arguments),
        ),
    )?;
    tree.modules(kernel)?;
    tree.program(payload.ioprof, &below_root(payload.ioprof))?;
    if let Some(target) = payload.ioprof.ancestors().nth(2) {
        // `CARGO_TARGET_TMPDIR` of the tests, which cargo makes here.
        tree.folder(&below_root(&target.join("tmp")))?;
    }
    for test in payload.tests {
        let name = test.file_name().unwrap_or_default().to_string_lossy();
        // cargo's hash behind the name tells nobody anything.
        let name = name.rsplit_once('-').map_or(&*name, |(name, _)| name);
        tree.program(test, &format!("vm/tests/{name}"))?;
    }
    let sources = workspace.join("profiler/tests");
    for kind in ["programs", "libraries"] {
        compile_programs(&sources.join(kind), &tree.0.join("vm/programs"))?;
    }
    for kept in [sources, workspace.join("docs")] {
        tree.copy(&kept, &below_root(&kept))?;
    }
    process::run(Command::new("truncate").args(["-s", DISK]).arg(disk))?;
    process::run(
        Command::new("mkfs.ext4")
            .args([
                "-q",
                "-F",
                "-E",
                "lazy_itable_init=0,lazy_journal_init=0",
                "-d",
            ])
            .arg(&tree.0)
            .arg(disk),
    )
}

/// Where a program is here.
fn find(program: &str) -> Result<PathBuf> {
    process::find_on_path(program).ok_or_else(|| Error::Missing {
        programs: program.to_owned(),
    })
}

/// A path as the guest has it, relative to its root.
fn below_root(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches('/').to_owned()
}

/// Compiles the tests' programs here: there is no compiler in the guest.
fn compile_programs(sources: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(Error::file("create", to))?;
    let entries = fs::read_dir(sources).map_err(Error::file("read", sources))?;
    for source in entries.flatten().map(|entry| entry.path()) {
        if source.extension().is_some_and(|kind| kind == "c") {
            let program = to.join(source.file_stem().unwrap_or_default());
            let own = source.with_extension("options");
            let options = if own.exists() {
                own
            } else {
                sources.join("options")
            };
            let options = fs::read_to_string(&options).map_err(Error::file("read", &options))?;
            let mut compiler = Command::new("cc");
            compiler.args(options.split_whitespace()).arg("-o");
            process::run(compiler.arg(program).arg(source))?;
        }
    }
    Ok(())
}

/// The folder that becomes the root.
struct Tree(PathBuf);

impl Tree {
    fn new(root: PathBuf) -> Result<Self> {
        for folder in [
            "usr/bin",
            "usr/lib",
            "usr/lib64",
            "etc",
            "vm/tests",
            "root",
            "var",
        ] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
        }
        for folder in ["proc", "sys", "dev", "run", "tmp", "mnt"] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
        }
        for (link, to) in [
            ("bin", "usr/bin"),
            ("sbin", "usr/bin"),
            ("usr/sbin", "bin"),
            ("lib", "usr/lib"),
            ("lib64", "usr/lib64"),
            ("var/tmp", "../tmp"),
        ] {
            symlink(to, root.join(link)).map_err(Error::file("link", &root.join(link)))?;
        }
        process::run(Command::new("chmod").arg("1777").arg(root.join("tmp")))?;
        Ok(Self(root))
    }

    /// The place of a file, with the folders above it made.
    fn place(&self, path: &str) -> Result<PathBuf> {
        // Debian's /lib and /bin are those below /usr.
        let top = path.split('/').next().unwrap_or_default();
        let path = match top {
            "bin" | "sbin" | "lib" | "lib64" => format!("usr/{path}"),
            _ => path.to_owned(),
        };
        let place = self.0.join(path);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        }
        Ok(place)
    }

    fn folder(&self, path: &str) -> Result<()> {
        let place = self.place(path)?;
        fs::create_dir_all(&place).map_err(Error::file("create", &place))
    }

    fn text(&self, path: &str, text: &str) -> Result<()> {
        let place = self.place(path)?;
        fs::write(&place, text).map_err(Error::file("write", &place))
    }

    fn script(&self, path: &str, text: &str) -> Result<()> {
        self.text(path, text)?;
        make_executable(&self.0.join(path))
    }

    /// Copies a program without what debuggers want, and the libraries it is linked with.
    fn program(&self, from: &Path, to: &str) -> Result<()> {
        let place = self.place(to)?;
        copy_executable(from, &place)?;
        // Scripts have nothing to strip and no libraries.
        let _ = process::succeeds(Command::new("strip").arg("--strip-debug").arg(&place));
        let Some(linked) = process::try_output(Command::new("ldd").arg(from)) else {
            return Ok(());
        };
        for library in libraries(&linked) {
            let place = self.place(&below_root(Path::new(library)))?;
            if !place.exists() {
                copy_executable(Path::new(library), &place)?;
            }
        }
        Ok(())
    }

    fn modules(&self, kernel: &Kernel) -> Result<()> {
        self.copy(&kernel.root().join("lib/modules"), "usr/lib/modules")
    }

    fn copy(&self, from: &Path, to: &str) -> Result<()> {
        let place = self.place(to)?;
        process::run(Command::new("cp").arg("-a").arg(from).arg(place))
    }
}

/// The files that ldd(1) names.
fn libraries(ldd: &str) -> BTreeSet<&str> {
    ldd.split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(|word| word.trim_end_matches(':'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::libraries;

    #[test]
    fn libraries_are_those_with_a_path() {
        let ldd = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x1)\n\t/lib64/ld.so.2 (0x2)\n";
        let found: Vec<_> = libraries(ldd).into_iter().collect();
        assert_eq!(found, ["/lib/x/libc.so.6", "/lib64/ld.so.2"]);
    }
}
