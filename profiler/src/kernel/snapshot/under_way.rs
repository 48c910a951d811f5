//! Reading the calls that were under way at both ends.

use std::path::PathBuf;

use ioprof_ebpf::abi::{layout::MAX_UNDER_WAY, names, under_way::UnderWay as Noted};

use super::{file::File, path::Paths};
use crate::{
    error::Error,
    kernel::bpf::{Ebpf, map::Array},
};

/// A call that was under way.
#[derive(Clone, Debug)]
pub struct UnderWay {
    /// As it was noted.
    pub call: Noted,
    /// The path of its file; none where it has none, or it is not known.
    pub path: Option<PathBuf>,
}

/// Reads them; `files` are the rows.
pub fn read(ebpf: &Ebpf, paths: &Paths, files: &[File]) -> Result<Vec<UnderWay>, Error> {
    let noted = Array::<Noted>::of(ebpf, names::UNDER_WAY)?;
    let used = Array::<u64>::of(ebpf, names::UNDER_WAY_USED)?.get(0)?;
    // Numbers begin with 1.
    (1..=used.min(u64::from(MAX_UNDER_WAY) - 1))
        .map(|place| {
            let call = noted.get(place as u32)?;
            let path = match paths.first_seen(call.path, call.file.device)? {
                Some(path) => Some(path),
                None => {
                    let row = files.iter().find(|file| file.key == call.file);
                    row.and_then(|file| file.place.path.clone())
                }
            };
            // Pipes and sockets have none, unless in a folder.
            let path = path.filter(|path| path.file_name().is_some());
            Ok(UnderWay { call, path })
        })
        .collect()
}
