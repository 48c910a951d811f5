//! The one file that blocks are read from and written to.

use std::os::fd::{AsFd, OwnedFd};

use crate::async_files::plan::Plan;
use crate::error::Error;
use crate::files::Kernel;
use crate::options::SyncWhen;
use crate::transfer::{OpenGauge, Transfer};

/// The file that blocks are read from and written to, opened before the ring starts.
pub struct BlockFile<'a> {
    /// For reading, if the plan has reads.
    pub read: Option<OwnedFd>,
    /// For writing, if the plan has writes.
    pub write: Option<OwnedFd>,
    /// Opens and closes the file, and counts that.
    pub transfer: Transfer<'a, Kernel>,
}

impl<'a> BlockFile<'a> {
    /// Opens it, if the plan is of blocks.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn open(plan: &Plan, gauge: &'a OpenGauge) -> Result<Self, Error> {
        let mut file = Self {
            read: None,
            write: None,
            transfer: Transfer::new(&Kernel, gauge, None),
        };
        if plan.blocks.is_some() && !plan.files.is_empty() {
            let path = plan.any_path();
            let mut open = |read| {
                file.transfer
                    .open(path, plan.open_flags(read))
                    .map_err(Error::io("open", path))
            };
            file.read = (plan.read_percent > 0).then(|| open(true)).transpose()?;
            file.write = (plan.read_percent < 100).then(|| open(false)).transpose()?;
        }
        Ok(file)
    }

    /// Syncs it, if the plan says so, and closes it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn close(&mut self, plan: &Plan) -> Result<(), Error> {
        let path = plan.any_path();
        let mut result = Ok(());
        if let (Some(file), SyncWhen::File) = (&self.write, plan.fsync) {
            result = self
                .transfer
                .sync(file.as_fd())
                .map_err(Error::io("fsync", path));
        }
        for file in [self.read.take(), self.write.take()].into_iter().flatten() {
            result = result.and(self.transfer.close(file).map_err(Error::io("close", path)));
        }
        result
    }
}
