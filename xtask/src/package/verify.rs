//! Installs the package below a folder, uses what is in it from there, and removes it again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::privileges::is_root;
use crate::process;
use crate::workspace::Workspace;

/// What has to be there.
const FILES: &[&str] = &[
    "usr/bin/ioprof",
    "usr/share/bash-completion/completions/ioprof",
    "usr/share/fish/vendor_completions.d/ioprof.fish",
    "usr/share/zsh/vendor-completions/_ioprof",
    "usr/share/doc/ioprof/copyright",
    "usr/share/doc/ioprof/changelog.gz",
    "usr/share/doc/ioprof/changelog.Debian.gz",
    "usr/share/man/man1/ioprof.1.gz",
    "usr/share/man/man1/ioprof-run.1.gz",
    "usr/share/man/man1/ioprof-attach.1.gz",
    "usr/share/man/man1/ioprof-report.1.gz",
];

/// What the package may need: the C library, and the compiler's part of it.
const LIBRARIES: [&str; 2] = ["libc6", "libgcc-s1"];

/// Fails where the package is not as it should be.
pub fn run(workspace: &Workspace, package: &Path) -> Result<()> {
    dependencies(package)?;
    let mut lintian = Command::new("lintian");
    // It does not like to be root, and says so.
    lintian.args(["--fail-on=error,warning", "--allow-root"]);
    process::run(lintian.arg(package))?;
    let root = package.with_extension("root");
    let installed = Installed::new(package, &root)?;
    for file in FILES {
        let path = root.join(file);
        path.metadata().map_err(Error::file("find", &path))?;
    }
    use_it(workspace, &root)?;
    installed.remove()
}

/// Fails where another package is needed than the C library's.
fn dependencies(package: &Path) -> Result<()> {
    let mut ask = Command::new("dpkg-deb");
    ask.arg("--field").arg(package).arg("Depends");
    let needed = process::output(&mut ask)?;
    let other = needed
        .split(',')
        .filter_map(|one| one.split_whitespace().next())
        .find(|name| !LIBRARIES.contains(name));
    other.map_or(Ok(()), |name| {
        Err(Error::malformed("the package", format!("it needs {name}")))
    })
}

/// A package below a folder.
struct Installed<'a> {
    root: &'a Path,
    /// Whether dpkg has installed it; only root may.
    by_dpkg: bool,
}

impl<'a> Installed<'a> {
    fn new(package: &Path, root: &'a Path) -> Result<Self> {
        let by_dpkg = is_root();
        if by_dpkg {
            let database = root.join("var/lib/dpkg");
            for folder in ["updates", "info"].map(|name| database.join(name)) {
                fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
            }
            let status = database.join("status");
            fs::write(&status, "").map_err(Error::file("write", &status))?;
            // What it needs is not below that folder.
            let mut install = dpkg(root);
            process::output(install.args(["--force-depends", "--install"]).arg(package))?;
        } else {
            process::run(
                Command::new("dpkg-deb")
                    .arg("--extract")
                    .arg(package)
                    .arg(root),
            )?;
        }
        Ok(Self { root, by_dpkg })
    }

    /// Removes it, and fails where a file of it is left.
    fn remove(self) -> Result<()> {
        if self.by_dpkg {
            process::output(dpkg(self.root).args(["--purge", "ioprof"]))?;
            let left = self.root.join("usr");
            if left.exists() {
                return Err(Error::malformed(
                    "the purged package",
                    "it leaves files in /usr",
                ));
            }
        }
        fs::remove_dir_all(self.root).map_err(Error::file("remove", self.root))
    }
}

fn dpkg(root: &Path) -> Command {
    let mut dpkg = Command::new("dpkg");
    dpkg.arg("--root").arg(root);
    dpkg
}

fn use_it(workspace: &Workspace, root: &Path) -> Result<()> {
    let program = root.join("usr/bin/ioprof");
    let version = process::output(Command::new(&program).args(["--version", "--verbose"]))?;
    print!("{version}");
    let mut git = Command::new("git");
    git.current_dir(workspace.root())
        .args(["rev-parse", "HEAD"]);
    let head = process::output(&mut git)?;
    let record = crate::ebpf::check_sources(workspace)?;
    for known in [head.trim(), &record.object_sha256] {
        if !version.contains(known) {
            return Err(Error::malformed(
                "`ioprof --version --verbose`",
                format!("it does not name {known}"),
            ));
        }
    }
    for page in pages(&root.join("usr/share/man/man1"))? {
        let mut man = Command::new("man");
        man.args(["--warnings", "--encoding=UTF-8", "--local-file"])
            .env("LC_ALL", "C.UTF-8")
            .arg(&page);
        process::output(&mut man)?;
    }
    // From the folder where bash looks for it.
    let completions = root.join("usr/share/bash-completion/completions/ioprof");
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-euc"]).arg(
        "source \"$0\"; COMP_WORDS=(ioprof ru); COMP_CWORD=1; _ioprof ioprof ru ioprof; \
         echo \"${COMPREPLY[*]}\"",
    );
    let completed = process::output(bash.arg(&completions))?;
    if completed.trim() != "run" {
        let why = format!("`ioprof ru` became {completed:?}");
        return Err(Error::malformed("bash's completion", why));
    }
    Ok(())
}

fn pages(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(Error::file("read", folder))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}
