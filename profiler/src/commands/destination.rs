//! Where the JSON report goes: found to be writable before the run, and written whole or not at all.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::error::Error;

/// A place that can be written to.
pub enum Destination {
    /// Nowhere: no report was asked for.
    None,
    /// The standard output.
    Stdout,
    /// A file that takes its name when it is whole; only its owner may read it.
    File(NamedTempFile, PathBuf),
    /// A device or a pipe, which is written as it is.
    Special(File, PathBuf),
}

impl Destination {
    /// Makes sure of the place.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] where it cannot be written to.
    pub fn open(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else {
            return Ok(Self::None);
        };
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let refused = |source: io::Error| Error::Output {
            path: path.to_owned(),
            source,
        };
        // The file that a link stands for is written, and not the link.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        match path.metadata() {
            Ok(there) if there.is_dir() => Err(refused(io::Error::from_raw_os_error(
                nix::errno::Errno::EISDIR as i32,
            ))),
            // What is opened by way of /dev or /proc cannot be replaced by another file.
            Ok(there) if !there.is_file() || is_kernel_made(path) => {
                let file = OpenOptions::new().write(true).open(path).map_err(refused)?;
                Ok(Self::Special(file, path.to_owned()))
            }
            _ => {
                let folder = target
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty())
                    .unwrap_or(Path::new("."));
                let file = NamedTempFile::new_in(folder).map_err(refused)?;
                give_to_caller(&file).map_err(refused)?;
                Ok(Self::File(file, target))
            }
        }
    }

    /// Writes the report.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] where that fails; a file that was there before is then as it was.
    pub fn write(self, json: &[u8]) -> Result<(), Error> {
        let (path, written) = match self {
            Self::None => return Ok(()),
            Self::Stdout => ("stdout".into(), io::stdout().lock().write_all(json)),
            Self::Special(mut file, path) => (path, file.write_all(json)),
            Self::File(mut file, path) => {
                let written = file
                    .write_all(json)
                    .and_then(|()| file.as_file().sync_all());
                let written = written.and_then(|()| Ok(file.persist(&path).map(|_| ())?));
                (path, written)
            }
        };
        written.map_err(|source| Error::Output { path, source })
    }
}

fn is_kernel_made(path: &Path) -> bool {
    ["/dev", "/proc"]
        .iter()
        .any(|folder| path.starts_with(folder))
}

/// Under sudo the report belongs to who has called it: it is they who want to read it.
fn give_to_caller(file: &NamedTempFile) -> io::Result<()> {
    let id = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    if nix::unistd::geteuid().is_root()
        && let (Some(user), Some(group)) = (id("SUDO_UID"), id("SUDO_GID"))
    {
        std::os::unix::fs::fchown(file, Some(user), Some(group))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run.json");
        std::fs::write(&path, "before").expect("written");
        let destination = Destination::open(Some(&path)).expect("writable");
        assert_eq!(std::fs::read(&path).expect("read"), b"before");
        destination.write(b"after").expect("written");
        assert_eq!(std::fs::read(&path).expect("read"), b"after");
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 1);
    }

    #[test]
    fn what_cannot_be_written_to_is_found_at_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for wrong in [
            folder.path().to_owned(),
            folder.path().join("none/run.json"),
        ] {
            assert!(matches!(
                Destination::open(Some(&wrong)),
                Err(Error::Output { .. })
            ));
        }
    }

    #[test]
    fn a_link_stays_and_what_it_stands_for_is_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, link) = (folder.path().join("run.json"), folder.path().join("link"));
        std::fs::write(&file, "before").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("linked");
        let destination = Destination::open(Some(&link)).expect("writable");
        destination.write(b"after").expect("written");
        assert!(link.symlink_metadata().expect("it is there").is_symlink());
        assert_eq!(std::fs::read(&file).expect("read"), b"after");
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let null = Path::new("/dev/null");
        Destination::open(Some(null))
            .expect("writable")
            .write(b"{}")
            .expect("written");
        assert!(!null.metadata().expect("it is there").is_file());
    }
}
