//! The limits of dirty pages; see Documentation/admin-guide/sysctl/vm.rst.

use super::{Files, Saved};

/// The limits of dirty pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirtyLimits {
    /// Percent of memory at which who writes has to write back; 0 where the bytes are set.
    pub ratio: u64,
    /// The same as bytes; 0 where the ratio is set.
    pub bytes: u64,
    /// Percent of memory at which the kernel begins to write back; 0 where the bytes are set.
    pub background_ratio: u64,
    /// The same as bytes.
    pub background_bytes: u64,
}

impl DirtyLimits {
    /// The folder of their files.
    pub const FOLDER: &str = "proc/sys/vm";
    const PAIRS: [[&str; 2]; 2] = [
        ["proc/sys/vm/dirty_ratio", "proc/sys/vm/dirty_bytes"],
        [
            "proc/sys/vm/dirty_background_ratio",
            "proc/sys/vm/dirty_background_bytes",
        ],
    ];

    /// Those of a machine.
    pub fn of(files: &Files) -> Option<Self> {
        let [[ratio, bytes], [background_ratio, background_bytes]] =
            Self::PAIRS.map(|pair| pair.map(|path| files.number(path)));
        Some(Self {
            ratio: ratio?,
            bytes: bytes?,
            background_ratio: background_ratio?,
            background_bytes: background_bytes?,
        })
    }

    /// All of them, to be had back.
    pub fn save(files: &Files) -> Saved {
        Saved::twins(files, &Self::PAIRS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::system::tunable::{Change, tests::folder};

    #[test]
    fn a_limit_in_bytes_is_taken_back_by_the_ratio() {
        let [ratio, bytes] = DirtyLimits::PAIRS[1];
        let (_folder, files) = folder(&[
            ("proc/sys/vm/dirty_ratio", "20\n"),
            ("proc/sys/vm/dirty_bytes", "0\n"),
            (ratio, "10\n"),
            (bytes, "0\n"),
        ]);
        let limits = DirtyLimits::of(&files).expect("they are there");
        assert_eq!((limits.ratio, limits.background_ratio), (20, 10));
        let saved = DirtyLimits::save(&files);
        let change = Change::Value {
            path: bytes.into(),
            value: "4096".into(),
        };
        change.make(&files).expect("it is made");
        // As the kernel does.
        files.write(ratio, b"0\n").expect("written");
        let unrestored = saved.restore(&files);
        // It would make the bytes 0 now, which a folder of files does not.
        let [one] = &unrestored[..] else {
            panic!("{unrestored:?}")
        };
        assert_eq!(one.place, format!("/{bytes}"));
        assert_eq!(files.read(ratio).expect("read"), b"10\n");
        assert_eq!(files.read(bytes).expect("read"), b"4096");
    }
}
