//! What an administrator may change: files of /sys and /proc/sys, and how a file system notes accesses.

mod atime;
mod configured;
mod dirty;
mod glob;
mod queue;
mod saved;
mod udev;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

pub use atime::{Atime, Place};
pub use configured::{FstabLine, fstab, sysctl, tuned};
pub use dirty::DirtyLimits;
pub use queue::{Identity, Queue, below, in_queue, queue_set_by};
pub use saved::{Change, Saved, Unrestored};

use super::disk::chosen;

/// The files of a machine, by their paths from its root; a test has a folder of its own as that.
#[derive(Clone, Debug)]
pub struct Files(PathBuf);

impl Files {
    /// Those of this machine.
    pub fn of_this_machine() -> Self {
        Self::below("/")
    }

    /// Those below a folder.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// Where a file is.
    pub fn place(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// The content of a file.
    ///
    /// # Errors
    ///
    /// The kernel's reason.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(self.place(path))
    }

    /// The value that a file has: of several that it offers the one in brackets. None of an empty one, and of one that
    /// cannot be read.
    pub fn value(&self, path: &str) -> Option<String> {
        let value = value_of(&self.read(path).ok()?);
        (!value.is_empty()).then_some(value)
    }

    /// The number that a file has.
    pub fn number(&self, path: &str) -> Option<u64> {
        self.value(path)?.parse().ok()
    }

    /// Writes a file that exists.
    ///
    /// # Errors
    ///
    /// The kernel's reason.
    pub fn write(&self, path: &str, value: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).truncate(true).open(self.place(path))?;
        // In one call: each is a value of its own.
        file.write_all(value)
    }

    /// The sorted names in a folder; none where there is none.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.place(folder)).into_iter().flatten();
        let names = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names
    }

    /// A file that exists, as those who look at the machine know it.
    fn known_as(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix(&self.0).unwrap_or(path);
        Path::new("/").join(below)
    }
}

/// The value in the content of a file; see [`Files::value`].
fn value_of(bytes: &[u8]) -> String {
    chosen(String::from_utf8_lossy(bytes).trim())
        .as_str()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files.
    pub fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().expect("it has one")).expect("made");
            fs::write(file, text).expect("written");
        }
        let files = Files::below(folder.path());
        (folder, files)
    }

    #[test]
    fn a_value_is_the_one_in_brackets_and_a_file_is_not_made() {
        let (_folder, files) =
            folder(&[("a/b", "none [kyber] bfq\n"), ("a/c", "12\n"), ("a/d", "")]);
        assert_eq!(files.value("/a/b").as_deref(), Some("kyber"));
        assert_eq!(files.number("a/c"), Some(12));
        assert_eq!(files.value("a/d"), None);
        assert_eq!(files.names("a"), ["b", "c", "d"]);
        assert!(files.names("none").is_empty());
        files.write("a/c", b"7").expect("it is written");
        assert_eq!(files.read("a/c").expect("it is read"), b"7");
        assert!(files.write("a/e", b"7").is_err() && files.read("a/e").is_err());
    }
}
