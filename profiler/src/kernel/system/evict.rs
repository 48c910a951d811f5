//! Takes the files below a path out of the page cache, and no others.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::AsFd as _,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::Path,
};

use ioprof_workloads::cached_pages;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

/// Evicts a file, or all regular files below a folder that are on its file system. No link below it is followed. Returns the
/// pages that are left, as somebody has them mapped or dirty; none where the kernel does not tell.
///
/// # Errors
///
/// Where the path cannot be opened. What is gone meanwhile, or cannot be opened, is passed over.
pub fn evict(path: &Path) -> io::Result<Option<u64>> {
    let path = &path.canonicalize()?;
    let status = path.metadata()?;
    // Dirty pages are not evicted.
    nix::unistd::syncfs(File::open(path)?)?;
    let mut left = Some(0);
    if status.is_dir() {
        folder(path, status.dev(), &mut left);
    } else {
        file(path, &mut left)?;
    }
    Ok(left)
}

fn folder(path: &Path, device: u64, left: &mut Option<u64>) {
    // Not one call for each level: the stack has an end.
    let mut folders = vec![path.to_owned()];
    while let Some(path) = folders.pop() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            let Ok(status) = entry.metadata() else {
                continue;
            };
            if status.dev() != device {
                continue;
            }
            if status.is_dir() {
                folders.push(entry.path());
            } else if status.is_file() {
                // It may be gone, or not be ours to read.
                let _ = file(&entry.path(), left);
            }
        }
    }
}

fn file(path: &Path, left: &mut Option<u64>) -> io::Result<()> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(flags).open(path)?;
    let _ = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    *left = left.and_then(|left| Some(left.saturating_add(cached_pages(file.as_fd())?)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_below_are_passed_to_the_kernel_and_what_is_none_is_passed_over() {
        // What the kernel makes of it depends on the file system: tests/kernel has that on a device of its own.
        let folder = tempfile::tempdir().expect("a temporary folder");
        let below = folder.path().join("a/b");
        fs::create_dir_all(&below).expect("made");
        fs::write(below.join("file"), "1").expect("written");
        nix::unistd::mkfifo(&below.join("fifo"), nix::sys::stat::Mode::S_IRWXU).expect("made");
        std::os::unix::fs::symlink("nowhere", below.join("link")).expect("linked");
        std::os::unix::fs::symlink(folder.path(), below.join("circle")).expect("linked");
        evict(folder.path()).expect("the folder is there");
        evict(&below.join("file")).expect("the file is there");
        assert!(evict(&below.join("none")).is_err());
        assert!(evict(&below.join("link")).is_err());
        // The link that is named is followed.
        let (file, named) = (below.join("file"), folder.path().join("named"));
        std::os::unix::fs::symlink(&file, &named).expect("linked");
        let left = |path: &Path| evict(path).expect("it is there");
        assert_eq!(left(&named), left(&file));
    }
}
