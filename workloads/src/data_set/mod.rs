//! The files that a workload works on: made from a seed, in a folder of their own, removed at the end.

mod content;
mod folder;
mod location;

use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use std::os::fd::AsFd;

pub use content::{Content, Kind, mix};
pub use folder::{Folder, MARKER};
pub use location::Location;

use crate::counters::Operation;
use crate::error::Error;
use crate::files::Kernel;
use crate::interrupt::Interrupt;
use crate::options::{CommonOptions, SizeRange};
use crate::transfer::Transfer;

/// Files per folder, so that no folder grows large.
const FILES_PER_FOLDER: u64 = 1000;

/// Bytes made and written at once.
const CHUNK: usize = 1 << 20;

/// Where a file has data; the rest of it is holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Everywhere.
    Dense,
    /// In its first bytes.
    Head(u64),
    /// In three of four extents of this many bytes.
    Striped(u64),
}

impl Layout {
    /// The next extent of data at or after `from` in a file of `size` bytes.
    pub fn next_data(self, from: u64, size: u64) -> Option<(u64, u64)> {
        let (start, end) = match self {
            Self::Dense => (from, size),
            Self::Head(bytes) => (from, size.min(bytes)),
            Self::Striped(extent) => {
                let start = if from / extent % 4 == 3 {
                    (from / extent + 1) * extent
                } else {
                    from
                };
                (start, size.min((start / extent / 4 * 4 + 3) * extent))
            }
        };
        (start < end).then_some((start, end))
    }

    /// How many bytes of data a file of `size` bytes has.
    pub fn data_bytes(self, size: u64) -> u64 {
        let mut total = 0;
        let mut at = 0;
        while let Some((start, end)) = self.next_data(at, size) {
            total += end - start;
            at = end;
        }
        total
    }
}

/// The parameters of a data set. The same specification gives the same files with the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Specification {
    /// The workload it is for; part of the folder's name.
    pub workload: &'static str,
    /// Seed of sizes and contents.
    pub seed: u64,
    /// How many files.
    pub files: u64,
    /// Sizes are drawn evenly from this range.
    pub size: SizeRange,
    /// What the bytes look like.
    pub kind: Kind,
    /// Where the files have holes.
    pub layout: Layout,
    /// Bytes that the workload will write there besides.
    pub extra_bytes: u64,
}

impl Specification {
    /// The size of file number `index`.
    pub fn file_size(&self, index: u64) -> u64 {
        let span = self.size.max - self.size.min + 1;
        // The high half of the product maps the number evenly onto the span (Lemire 2019).
        self.size.min + ((u128::from(mix(self.seed ^ mix(!index))) * u128::from(span)) >> 64) as u64
    }

    fn data_bytes(&self) -> u64 {
        (0..self.files)
            .map(|index| self.layout.data_bytes(self.file_size(index)))
            .fold(0, u64::saturating_add)
    }

    /// The parameters that identify a data set.
    fn fingerprint(&self) -> String {
        format!(
            "seed {} files {} size {} kind {:?} layout {:?}",
            self.seed, self.files, self.size, self.kind, self.layout
        )
    }
}

/// One file of a data set.
#[derive(Clone, Debug)]
pub struct DataFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
}

/// A data set in location. Dropping it removes it, unless it is to be kept.
#[derive(Debug)]
pub struct DataSet {
    folder: Folder,
    /// Its files, in the order they were made.
    pub files: Vec<DataFile>,
    /// The bytes they hold.
    pub content: Content,
    /// Where they have data.
    pub layout: Layout,
    /// Whether a kept one was found.
    pub reused: bool,
    /// Bytes that were written for it.
    pub written_bytes: u64,
}

impl DataSet {
    /// Finds a kept data set or makes a new one. An interrupt leaves it with fewer files.
    ///
    /// # Errors
    ///
    /// Anything the file system refuses, too little space, a foreign folder in its location.
    pub fn create(
        specification: &Specification,
        common: &CommonOptions,
        location: &Location,
        interrupt: &Interrupt,
        transfer: &mut Transfer<'_, Kernel>,
    ) -> Result<Self, Error> {
        let fingerprint = specification.fingerprint();
        let folder = if common.keep {
            Folder::kept(&location.dir, specification.workload, &fingerprint)?
        } else {
            Folder::temporary(&location.dir)?
        };
        let mut set = Self {
            content: Content::new(specification.seed, specification.kind),
            layout: specification.layout,
            files: Vec::new(),
            reused: false,
            written_bytes: 0,
            folder,
        };
        for index in 0..specification.files {
            let path = set.file_path(index);
            set.files.push(DataFile {
                path,
                size: specification.file_size(index),
            });
        }
        if set.folder.is_complete() && set.files.iter().all(is_intact) {
            location.check_space(specification.extra_bytes, 1)?;
            set.reused = true;
            return Ok(set);
        }
        location.check_space(
            specification
                .data_bytes()
                .saturating_add(specification.extra_bytes),
            specification.files,
        )?;
        let made = set.fill(interrupt, transfer)?;
        set.files.truncate(made);
        if made as u64 == specification.files {
            set.folder.mark_complete(&fingerprint)?;
        } else {
            set.folder.discard();
        }
        Ok(set)
    }

    /// The folder the files are in.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Records that the workload is about to change contents, so that no later run takes them for the seed's.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the marker cannot be changed.
    pub fn will_be_modified(&self) -> Result<(), Error> {
        self.folder.mark_incomplete()
    }

    fn file_path(&self, index: u64) -> PathBuf {
        self.dir()
            .join(format!("d{:04}", index / FILES_PER_FOLDER))
            .join(format!("f{index:07}"))
    }

    /// Writes the files; returns how many until an interrupt.
    fn fill(
        &mut self,
        interrupt: &Interrupt,
        transfer: &mut Transfer<'_, Kernel>,
    ) -> Result<usize, Error> {
        let mut buffer = vec![0; CHUNK];
        for (index, file) in self.files.iter().enumerate() {
            if interrupt.is_set() {
                return Ok(index);
            }
            if (index as u64).is_multiple_of(FILES_PER_FOLDER)
                && let Some(parent) = file.path.parent()
            {
                make_folder(parent, transfer)?;
            }
            let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
            let open = transfer
                .open(&file.path, flags)
                .map_err(Error::io("create", &file.path))?;
            let mut at = 0;
            let mut finished = true;
            while let Some((start, end)) = self.layout.next_data(at, file.size) {
                if interrupt.is_set() {
                    finished = false;
                    break;
                }
                let length = (end - start).min(CHUNK as u64);
                let piece = &mut buffer[..length as usize];
                self.content.fill(index as u64, start, piece);
                transfer
                    .write_all(open.as_fd(), piece, start)
                    .map_err(Error::io("write", &file.path))?;
                self.written_bytes += length;
                at = start + length;
            }
            if at < file.size {
                let length =
                    crate::files::signed(file.size).map_err(Error::io("make", &file.path))?;
                transfer
                    .counters
                    .call(
                        Operation::Truncate,
                        |()| 0,
                        || Ok(nix::unistd::ftruncate(&open, length)?),
                    )
                    .map_err(Error::io("extend", &file.path))?;
            }
            transfer
                .close(open)
                .map_err(Error::io("close", &file.path))?;
            if !finished {
                return Ok(index);
            }
        }
        Ok(self.files.len())
    }
}

/// Makes a folder that may be left from an incomplete data set.
fn make_folder(path: &Path, transfer: &mut Transfer<'_, Kernel>) -> Result<(), Error> {
    let result = transfer.counters.call(
        Operation::MakeDirectory,
        |()| 0,
        || std::fs::create_dir(path),
    );
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::io("make the folder", path)(error))
        }
        _ => Ok(()),
    }
}

/// Whether a kept file still has its size.
fn is_intact(file: &DataFile) -> bool {
    std::fs::symlink_metadata(&file.path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.len() == file.size)
}

#[cfg(test)]
mod tests;
