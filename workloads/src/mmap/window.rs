//! A part of a file, mapped, guarded and advised on.

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::{Advice, Mmap, MmapMut, MmapOptions};

use super::guard::Guard;
use crate::counters::{Counters, Operation};
use crate::error::Error;

/// How windows are mapped.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// MAP_POPULATE.
    pub populate: bool,
    /// MADV_HUGEPAGE.
    pub huge: bool,
    /// The access pattern that the kernel is advised of.
    pub advice: Advice,
}

/// Where a window is in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From the file's start.
    pub offset: u64,
    /// Never 0.
    pub length: usize,
}

/// Cuts a file into windows. `window` is a multiple of the page size.
pub fn spans(file_size: u64, window: u64) -> impl Iterator<Item = Span> {
    (0..file_size.div_ceil(window)).map(move |index| {
        let offset = index * window;
        Span {
            offset,
            length: usize::try_from(window.min(file_size - offset)).unwrap_or(usize::MAX),
        }
    })
}

/// The two ways to map.
#[derive(Debug)]
enum Map {
    Read(Mmap),
    Write(MmapMut),
}

/// A mapped part of a file.
#[derive(Debug)]
pub struct Window<'a> {
    // Dropped first: fields are dropped in their order.
    guard: Guard,
    map: Map,
    path: &'a Path,
    span: Span,
}

impl<'a> Window<'a> {
    /// Maps a part of a file, for writing as well if `write`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the kernel refuses the map. Refused advice is only counted.
    pub fn open(
        file: &File,
        path: &'a Path,
        span: Span,
        mapping: Mapping,
        write: bool,
        counters: &mut Counters,
    ) -> Result<Self, Error> {
        let mut options = MmapOptions::new();
        options.offset(span.offset).len(span.length);
        if mapping.populate {
            options.populate();
        }
        let map = counters.call(
            Operation::Mmap,
            |_| 0,
            || {
                if write {
                    // SAFETY: the file is of a data set: its folder is locked by this run and not writable for other users, and
                    // this process has no other map of it. The guard below handles truncation.
                    unsafe { options.map_mut(file) }.map(Map::Write)
                } else {
                    // SAFETY: a file named by the user may be changed by others meanwhile. Its bytes are only added up or
                    // passed to write(2), so no value of them is invalid; the guard below handles truncation.
                    unsafe { options.map(file) }.map(Map::Read)
                }
            },
        );
        let map = map.map_err(Error::io("map", path))?;
        let start = match &map {
            Map::Read(map) => map.as_ptr(),
            Map::Write(map) => map.as_ptr(),
        };
        let guard = Guard::new(start, span.length).map_err(Error::io("guard the map of", path))?;
        let window = Self {
            guard,
            map,
            path,
            span,
        };
        // Advice is refused by some file systems; the counter keeps the refusal.
        let _ = window.advise(mapping.advice, counters);
        if mapping.huge {
            let _ = window.advise(Advice::HugePage, counters);
        }
        Ok(window)
    }

    fn advise(&self, advice: Advice, counters: &mut Counters) -> io::Result<()> {
        counters.call(
            Operation::Madvise,
            |()| 0,
            || match &self.map {
                Map::Read(map) => map.advise(advice),
                Map::Write(map) => map.advise(advice),
            },
        )
    }

    /// The mapped bytes, borrowed from the page cache.
    pub fn bytes(&self) -> &[u8] {
        match &self.map {
            Map::Read(map) => map,
            Map::Write(map) => map,
        }
    }

    /// The same, to be changed; empty where the window was mapped for reading.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.map {
            Map::Read(_) => &mut [],
            Map::Write(map) => map,
        }
    }

    /// Whether all accesses so far were within the file.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] with the offset of the first that did not, or [`Error::Io`] where the file does not end before it.
    pub fn check(&self) -> Result<(), Error> {
        match self.guard.fault() {
            None => Ok(()),
            Some(at) => {
                let offset_bytes = self.span.offset + at as u64;
                let ends_before =
                    std::fs::metadata(self.path).is_ok_and(|now| now.len() <= offset_bytes);
                Err(match &self.map {
                    _ if ends_before => Error::Truncated {
                        path: self.path.to_path_buf(),
                        offset_bytes,
                    },
                    // The page is within the file and could not be loaded: no space for a hole, or a device error.
                    Map::Write(_) => Error::io("change a mapped page of", self.path)(
                        io::Error::from_raw_os_error(libc::ENOSPC),
                    ),
                    Map::Read(_) => Error::io("read a mapped page of", self.path)(
                        io::Error::from_raw_os_error(libc::EIO),
                    ),
                })
            }
        }
    }

    /// Writes changed pages to the device (msync(2) with MS_SYNC).
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn sync(&self, counters: &mut Counters) -> Result<(), Error> {
        let Map::Write(map) = &self.map else {
            return Ok(());
        };
        counters
            .call(Operation::Msync, |()| 0, || map.flush())
            .map_err(Error::io("msync", self.path))
    }

    /// Unmaps the window, and counts that.
    pub fn close(self, counters: &mut Counters) {
        let Self { guard, map, .. } = self;
        drop(guard);
        // munmap(2) of a whole map cannot fail.
        let _ = counters.call(
            Operation::Munmap,
            |()| 0,
            || {
                drop(map);
                Ok(())
            },
        );
    }
}
