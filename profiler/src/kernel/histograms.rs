//! Reading histograms: the directory of octaves, and the blocks of buckets.

use aya::{
    Ebpf,
    maps::{Array, MapData, PerCpuArray},
};
use ioprof_ebpf::{
    abi::off_cpu::WAIT_KINDS,
    histogram::{Block, OCTAVES},
};

use super::maps::{array, per_cpu_array, refused};
use crate::error::Error;

/// Buckets that are not empty: octave, bucket, count.
pub type Buckets = Vec<(u32, u32, u64)>;

/// The directory and its blocks of buckets.
pub struct Histograms<'a> {
    directory: Array<&'a MapData, u64>,
    blocks: PerCpuArray<&'a MapData, Block>,
}

impl<'a> Histograms<'a> {
    const DIRECTORY: &'static str = "DIRECTORY";
    const BLOCKS: &'static str = "BLOCKS";

    /// Those of the object.
    pub fn new(ebpf: &'a Ebpf) -> Result<Self, Error> {
        Ok(Self {
            directory: array(ebpf, Self::DIRECTORY)?,
            blocks: per_cpu_array(ebpf, Self::BLOCKS)?,
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

    /// How many series there are.
    pub fn count(&self) -> u32 {
        self.directory.len() / OCTAVES
    }

    /// The cells of a series by octave, all CPUs together; those octaves that have any.
    fn octaves(&self, series: u32) -> Result<Vec<(u32, Block)>, Error> {
        let mut octaves = Vec::new();
        for octave in 0..OCTAVES {
            let number = self
                .directory
                .get(&(series * OCTAVES + octave), 0)
                .map_err(refused(Self::DIRECTORY))? as u32;
            // Numbers past the end were handed out when none was left, and that was counted as lost.
            if number == 0 || number >= self.blocks.len() {
                continue;
            }
            let mut sum = Block::default();
            let cpus = self.blocks.get(&number, 0).map_err(refused(Self::BLOCKS))?;
            for cpu in cpus.iter() {
                for (sum, count) in sum.iter_mut().zip(cpu) {
                    *sum += count;
                }
            }
            octaves.push((octave, sum));
        }
        Ok(octaves)
    }
}
