//! Options of workloads: those that are searched, and those that set the size of the data set.

use std::ffi::OsString;

use ioprof_workloads::options::Size;

use crate::analysis::tune::Dimension;

/// A kibibyte.
pub const KIB: u64 = 1 << 10;
/// A mebibyte.
pub const MIB: u64 = 1 << 20;

/// How the size of a data set is set.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// The option.
    pub option: &'static str,
    /// The bytes of one of what is counted; 0 where the option is a size.
    pub unit: u64,
    /// No larger than the workload's own.
    pub most: u64,
}

impl Scale {
    /// The words for about so many bytes.
    pub fn words(&self, bytes: u64) -> Vec<OsString> {
        let bytes = bytes.min(self.most);
        let value = match self.unit {
            0 => Size(bytes.div_ceil(MIB) * MIB).to_string(),
            unit => bytes.div_ceil(unit).max(1).to_string(),
        };
        vec![format!("--{}", self.option).into(), value.into()]
    }
}

/// How many CPUs this process may use.
pub fn processors() -> u64 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u64)
}

/// An option without a value.
pub fn flag(name: &'static str) -> Dimension {
    Dimension {
        name,
        values: vec![None],
    }
}

/// An option whose values have no order.
pub fn of_words(name: &'static str, words: &[&str]) -> Dimension {
    let values = words.iter().map(|word| Some((*word).to_owned())).collect();
    Dimension { name, values }
}

/// An option that is a number.
pub fn of_numbers(name: &'static str, numbers: impl IntoIterator<Item = u64>) -> Dimension {
    let mut numbers: Vec<_> = numbers.into_iter().collect();
    numbers.sort_unstable();
    numbers.dedup();
    let values = numbers.iter().map(|number| Some(number.to_string()));
    Dimension {
        name,
        values: values.collect(),
    }
}

/// An option that is a size.
pub fn of_sizes(name: &'static str, sizes: impl IntoIterator<Item = u64>) -> Dimension {
    let values = sizes.into_iter().map(|bytes| Some(Size(bytes).to_string()));
    Dimension {
        name,
        values: values.collect(),
    }
}
