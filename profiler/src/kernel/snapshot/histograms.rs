//! Reading histograms: the directory of octaves, and the blocks of buckets.

use ioprof_ebpf::{
    abi::{names, off_cpu::WAIT_KINDS},
    histogram::{Block, OCTAVES},
};

use crate::{
    error::Error,
    kernel::bpf::{
        Ebpf,
        map::{Array, PerCpuArray},
    },
};

/// Buckets that are not empty: octave, bucket, count.
pub type Buckets = Vec<(u32, u32, u64)>;

/// The directory and its blocks of buckets.
pub struct Histograms<'a> {
    directory: Array<'a, u64>,
    blocks: PerCpuArray<'a, Block>,
}

impl<'a> Histograms<'a> {
    /// Those of the object.
    pub fn new(ebpf: &'a Ebpf) -> Result<Self, Error> {
        Ok(Self {
            directory: Array::of(ebpf, names::DIRECTORY)?,
            blocks: PerCpuArray::of(ebpf, names::BLOCKS)?,
        })
    }

    /// The buckets of a series that are not empty, all CPUs together.
    pub fn series(&self, series: u32) -> Result<Buckets, Error> {
        let mut buckets = Vec::new();
        for (octave, cells) in self.octaves(series)? {
            let filled = (0..).zip(cells).filter(|(_, count)| *count > 0);
            buckets.extend(filled.map(|(bucket, count)| (octave, bucket, count)));
        }
        Ok(buckets)
    }

    /// The first cells of each octave of a series that keeps sums there.
    pub fn sums(&self, series: u32) -> Result<Vec<(u32, [u64; WAIT_KINDS])>, Error> {
        let octaves = self.octaves(series)?.into_iter();
        let first = |cells: Block| std::array::from_fn(|part| cells[part]);
        Ok(octaves
            .map(|(octave, cells)| (octave, first(cells)))
            .collect())
    }

    /// The cells of a series by octave, all CPUs together; those octaves that have any.
    fn octaves(&self, series: u32) -> Result<Vec<(u32, Block)>, Error> {
        let mut octaves = Vec::new();
        for octave in 0..OCTAVES {
            let number = self.directory.get(series * OCTAVES + octave)? as u32;
            // Numbers past the end were handed out when none was left, and that was counted as lost.
            if number == 0 || number >= self.blocks.count() {
                continue;
            }
            let mut sum = Block::default();
            let cpus = self.blocks.get(number)?;
            for cpu in cpus.iter() {
                for (sum, count) in sum.iter_mut().zip(cpu) {
                    // Where a value is moved to another bucket, that may be on another CPU.
                    *sum = sum.wrapping_add(*count);
                }
            }
            octaves.push((octave, sum));
        }
        Ok(octaves)
    }
}
