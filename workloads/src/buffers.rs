//! Page-aligned memory for transfers, as direct I/O needs it.

use std::io;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// An alignment that direct I/O of any device accepts.
pub const PAGE: u64 = 4096;

/// One buffer, aligned to a page.
#[derive(Debug)]
pub struct Buffer(MmapMut);

impl Buffer {
    /// A zeroed buffer; a length of 0 becomes one page.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(length: usize) -> io::Result<Self> {
        Ok(Self(MmapMut::map_anon(length.max(PAGE as usize))?))
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// The next multiple of a page.
pub fn round_up(bytes: u64) -> u64 {
    bytes.saturating_add(PAGE - 1) / PAGE * PAGE
}
