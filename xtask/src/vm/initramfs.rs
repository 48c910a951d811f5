//! What the kernel starts with: the modules for the root file system, and a shell that loads them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::kernels::Kernel;
use crate::error::{Error, Result};
use crate::process;

/// What the root file system is behind; what a kernel has built in is left out.
const MODULES: &[&str] = &["virtio_pci", "virtio_blk", "nvme", "ext4"];

/// Writes the archive.
pub fn write(kernel: &Kernel, busybox: &Path, folder: &Path, archive: &Path) -> Result<()> {
    let tree = folder.join("early");
    let modules = tree.join("modules");
    fs::create_dir_all(&modules).map_err(Error::file("create", &modules))?;
    copy_executable(busybox, &tree.join("busybox"))?;
    let init = tree.join("init");
    fs::write(&init, include_str!("guest/initramfs.sh")).map_err(Error::file("write", &init))?;
    make_executable(&init)?;
    for (number, module) in files_of(kernel)?.iter().enumerate() {
        let name = Path::new(module).file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        let to = modules.join(format!("{number:02}-{}", name.trim_end_matches(".xz")));
        if name.ends_with(".xz") {
            let file = fs::File::create(&to).map_err(Error::file("write", &to))?;
            process::run(Command::new("xz").arg("-dc").arg(module).stdout(file))?;
        } else {
            fs::copy(module, &to).map_err(Error::file("copy", Path::new(module)))?;
        }
    }
    let file = fs::File::create(archive).map_err(Error::file("write", archive))?;
    process::run(
        Command::new("sh")
            .args([
                "-c",
                "find . | LC_ALL=C sort | cpio --create --format=newc --owner=0:0 --quiet",
            ])
            .current_dir(&tree)
            .stdout(Stdio::from(file)),
    )
}

/// The modules' files, each behind those it depends on.
fn files_of(kernel: &Kernel) -> Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    for module in MODULES {
        let shown = process::output(Command::new("modprobe").arg("-d").arg(kernel.root()).args([
            "-S",
            &kernel.release,
            "--show-depends",
            module,
        ]))?;
        for line in shown.lines() {
            let mut words = line.split_whitespace();
            if let (Some("insmod"), Some(file)) = (words.next(), words.next())
                && seen.insert(file.to_owned())
            {
                files.push(file.to_owned());
            }
        }
    }
    Ok(files)
}

/// Copies a program.
pub fn copy_executable(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map_err(Error::file("copy", from))?;
    make_executable(to)
}

/// Lets everybody execute a file.
pub fn make_executable(file: &Path) -> Result<()> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
        .map_err(Error::file("change", file))
}
