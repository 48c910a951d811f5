//! How a mount notes that files were read: relatime, noatime or strictatime; see mount(8) and mount_setattr(2).

use std::{
    fmt,
    fs::OpenOptions,
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::fs::OpenOptionsExt as _,
    },
    path::PathBuf,
};

use crate::kernel::system::{Mounts, disk::mount_number};

/// When the time of an access is noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atime {
    /// Where it is older than the last change, or than a day: the kernel's default.
    Relatime,
    /// Never.
    Noatime,
    /// Always.
    Strictatime,
}

impl Atime {
    /// By the options of a mount.
    pub fn of(options: &str) -> Self {
        let has = |wanted: &str| options.split(',').any(|option| option == wanted);
        match (has("noatime"), has("relatime")) {
            (true, _) => Self::Noatime,
            (_, true) => Self::Relatime,
            _ => Self::Strictatime,
        }
    }

    /// The option of mount(8).
    pub const fn option(self) -> &'static str {
        match self {
            Self::Relatime => "relatime",
            Self::Noatime => "noatime",
            Self::Strictatime => "strictatime",
        }
    }

    /// The flag of mount_setattr(2).
    const fn flag(self) -> u64 {
        match self {
            Self::Relatime => libc::MOUNT_ATTR_RELATIME,
            Self::Noatime => libc::MOUNT_ATTR_NOATIME,
            Self::Strictatime => libc::MOUNT_ATTR_STRICTATIME,
        }
    }
}

impl fmt::Display for Atime {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.option())
    }
}

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number.
    pub number: u64,
    /// Its mount point.
    pub point: PathBuf,
}

impl Place {
    /// What is noted there now; none where it is not mounted any more.
    pub fn atime(&self) -> Option<Atime> {
        let mounted = Mounts::now().mounted_as(self.number)?;
        Some(Atime::of(&mounted.options))
    }

    /// Has it noted so from now on, and changes no other option.
    ///
    /// # Errors
    ///
    /// Where something else is mounted there, or the kernel's reason.
    pub fn set(&self, atime: Atime) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_PATH);
        let point = options.open(&self.point)?;
        if mount_number(point.as_fd()) != Some(self.number) {
            return Err(io::Error::other("another file system is mounted there"));
        }
        // The fields of `struct mount_attr`: what is set, what is cleared, propagation, user namespace.
        let attributes = [atime.flag(), libc::MOUNT_ATTR__ATIME, 0, 0];
        // SAFETY: the path is a string that ends with a NUL, and the kernel reads as many bytes of the attributes as are
        // told.
        let failed = unsafe {
            libc::syscall(
                libc::SYS_mount_setattr,
                point.as_raw_fd(),
                c"".as_ptr(),
                libc::AT_EMPTY_PATH,
                attributes.as_ptr(),
                size_of_val(&attributes),
            )
        };
        if failed == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_a_mount_tell_what_is_noted() {
        assert_eq!(Atime::of("rw,relatime,discard"), Atime::Relatime);
        assert_eq!(Atime::of("rw,noatime,lazytime"), Atime::Noatime);
        assert_eq!(Atime::of("rw,nodiratime"), Atime::Strictatime);
    }
}
