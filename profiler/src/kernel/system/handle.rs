//! File handles: they tell a file by its inode and generation, whatever names it has. See open_by_handle_at(2).

use std::{
    ffi::CStr,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd},
    ptr,
};

/// A file by what tells it from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inode {
    /// The device number of its file system, `s_dev`.
    pub device: (u32, u32),
    /// Its number.
    pub number: u64,
    /// Its generation.
    pub generation: u32,
    /// The subvolume of btrfs that it is in.
    pub volume: u32,
}

/// `MAX_HANDLE_SZ` of include/linux/exportfs.h, in words.
const WORDS: usize = 128 / 4;

/// `struct file_handle`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Handle {
    bytes: u32,
    kind: i32,
    words: [u32; WORDS],
}

/// The form of a handle. A kind of `enum fid_type` of include/linux/exportfs.h may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// FILEID_INO32_GEN of most file systems.
    Short,
    /// What tmpfs makes under the same number.
    Memory,
    /// The same as the first with 64 bits: XFS.
    Long,
    /// FILEID_BTRFS_WITHOUT_PARENT.
    Btrfs,
}

impl Handle {
    const EMPTY: Self = Self {
        bytes: size_of::<[u32; WORDS]>() as u32,
        kind: 0,
        words: [0; WORDS],
    };

    /// The handle of what a path leads to, seen from a folder; of the folder itself where the path is empty. None where
    /// its file system has none.
    pub fn of(folder: i32, path: &CStr) -> Option<Self> {
        let mut handle = Self::EMPTY;
        let mut mount = 0_i32;
        let flags = if path.is_empty() {
            libc::AT_EMPTY_PATH
        } else {
            0
        };
        // SAFETY: the path ends with a NUL, and the handle has room for as many bytes as it says.
        let failed = unsafe {
            libc::syscall(
                libc::SYS_name_to_handle_at,
                folder,
                path.as_ptr(),
                ptr::from_mut(&mut handle),
                ptr::from_mut(&mut mount),
                flags,
            )
        };
        (failed == 0).then_some(handle)
    }

    fn form(&self) -> Option<Form> {
        match (self.kind, self.bytes / 4) {
            (1, 2) => Some(Form::Short),
            (1, 3) => Some(Form::Memory),
            (0x81, 3) => Some(Form::Long),
            (0x4d, 5) => Some(Form::Btrfs),
            _ => None,
        }
    }

    /// The generation that it has of this file; none where it is another's, or of a form not known.
    pub fn generation(&self, inode: u64) -> Option<u32> {
        let [first, second, third, _, fifth, ..] = self.words;
        let long = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        let (number, generation) = match self.form()? {
            Form::Short => (first.into(), second),
            Form::Memory => (long(second, third), first),
            Form::Long => (long(first, second), third),
            Form::Btrfs => (long(first, second), fifth),
        };
        (number == inode).then_some(generation)
    }

    /// The handle of a file, of the same form as this one of another file there; none where the form is not known.
    pub fn for_inode(&self, inode: &Inode) -> Option<Self> {
        let (low, high) = (inode.number as u32, (inode.number >> 32) as u32);
        let words: &[u32] = match self.form()? {
            Form::Short => &[low, inode.generation],
            Form::Memory => &[inode.generation, low, high],
            Form::Long => &[low, high, inode.generation],
            Form::Btrfs => &[low, high, inode.volume, 0, inode.generation],
        };
        let mut handle = Self { ..*self };
        handle.words[..words.len()].copy_from_slice(words);
        Some(handle)
    }

    /// Opens the file in the file system of an open folder, for nothing but looking at it.
    ///
    /// # Errors
    ///
    /// Those of open_by_handle_at(2): ESTALE where there is no such file, EPERM without CAP_DAC_READ_SEARCH.
    pub fn open(&self, folder: impl AsFd) -> io::Result<OwnedFd> {
        // SAFETY: the handle has as many bytes as it says.
        let file = unsafe {
            libc::syscall(
                libc::SYS_open_by_handle_at,
                folder.as_fd().as_raw_fd(),
                ptr::from_ref(self),
                libc::O_PATH | libc::O_CLOEXEC,
            )
        };
        if file < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has just opened it, and nothing else has it.
        Ok(unsafe { OwnedFd::from_raw_fd(file as i32) })
    }
}

/// statx(2) of what a path leads to, seen from a folder; of the folder itself where the path is empty.
///
/// # Errors
///
/// Those of the call.
pub fn status(folder: i32, path: &CStr) -> io::Result<libc::statx> {
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the path ends with a NUL, and the kernel fills in the structure, whose every bit pattern is a value.
    let failed = unsafe {
        libc::syscall(
            libc::SYS_statx,
            folder,
            path.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW
                | libc::AT_NO_AUTOMOUNT
                | libc::AT_STATX_DONT_SYNC
                | libc::AT_EMPTY_PATH,
            libc::STATX_INO | libc::STATX_NLINK | libc::STATX_MNT_ID,
            found.as_mut_ptr(),
        )
    };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was all zeroes before.
    Ok(unsafe { found.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(kind: i32, words: &[u32]) -> Handle {
        let mut handle = Handle::EMPTY;
        (handle.kind, handle.bytes) = (kind, size_of_val(words) as u32);
        handle.words[..words.len()].copy_from_slice(words);
        handle
    }

    #[test]
    fn a_handle_tells_the_generation_by_its_form() {
        for (kind, words, told) in [
            (1, &[12, 7][..], Some(7)),
            (1, &[7, 12, 0], Some(7)),
            (0x81, &[12, 0, 7], Some(7)),
            (0x4d, &[12, 0, 256, 0, 7], Some(7)),
            (1, &[13, 7], None),
            (2, &[12, 7, 1, 1], None),
            (1, &[], None),
        ] {
            let handle = handle(kind, words);
            assert_eq!(handle.generation(12), told, "{kind} {words:?}");
            let other = Inode {
                number: 1 << 31,
                generation: 9,
                ..Inode::default()
            };
            let other = handle.for_inode(&other);
            let told = other.and_then(|other| other.generation(1 << 31));
            assert_eq!(told.is_some(), handle.form().is_some());
            assert!(told.is_none_or(|told| told == 9));
        }
    }
}
