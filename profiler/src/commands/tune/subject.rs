//! What is tuned: the settings of each workload, the size of its data set, and what its summary says of a run.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use clap::ValueEnum as _;
use ioprof_workloads::{
    Summary,
    options::{
        Access, AsyncOptions, BatchOptions, CommonOptions, CopyOptions, MmapOptions, Size,
        SizeRange,
    },
};

use super::options::{KIB, MIB, Scale, flag, of_numbers, of_sizes, of_words, processors};
use crate::{
    analysis::tune::{Dimension, Latencies, Run, Space},
    cli::Given,
    error::Error,
    model::calibration::{Operation, Pattern},
    text::Text,
};

/// A workload whose settings are searched.
pub struct Subject {
    /// Its name.
    pub workload: &'static str,
    /// The settings.
    pub space: Space,
    /// The user's words, without those for folder and cache.
    pub given: Vec<OsString>,
    /// The user's folder.
    pub dir: Option<PathBuf>,
    /// The state of the page cache before each run, as an option takes it; whether it is the workload's default.
    pub cache: (String, bool),
    /// How the size of the data set is set; none where the user has set it.
    pub scale: Option<Scale>,
    /// What is for runs on the same data set alone.
    pub own: &'static [&'static str],
    /// Whether a part of a run tells nothing of the whole: it has phases, or an end that takes long.
    pub is_whole: bool,
    /// What the device is asked for by default, where that is operations of one kind.
    load: Option<Load>,
    bytes: fn(&Summary) -> u64,
}

/// Operations of one kind, as the block layer has them where they are direct.
#[derive(Clone, Copy, Debug)]
struct Load {
    operation: Operation,
    pattern: Pattern,
    size: u64,
    is_direct: bool,
}

impl Subject {
    fn new<W>(
        workload: &'static str,
        given: &Given<W>,
        common: &CommonOptions,
        dimensions: Vec<Dimension>,
    ) -> Result<Self, Error> {
        if common.keep {
            return Err(refused("--keep is not for tune: its data set is removed"));
        }
        let words = given.given.iter();
        let words = words.filter(|(name, _)| !["dir", "cache"].contains(&name.as_str()));
        let cache = common.cache.to_possible_value();
        let cache = cache.filter(|_| given.has(&["cache"]));
        let cache = cache.map_or_else(
            || ("cold-data".to_owned(), false),
            |value| (value.get_name().to_owned(), value.get_name() == "cold"),
        );
        Ok(Self {
            workload,
            space: Space {
                dimensions: dimensions
                    .into_iter()
                    .filter(|one| !given.has(&[one.name]) && !one.values.is_empty())
                    .collect(),
            },
            given: words.flat_map(|(_, words)| words.clone()).collect(),
            dir: common.dir.clone(),
            cache,
            scale: None,
            own: &[],
            is_whole: false,
            load: None,
            bytes: |summary| summary.bytes("read") + summary.bytes("write"),
        })
    }

    /// `async`.
    ///
    /// # Errors
    ///
    /// Where an option contradicts the search.
    pub fn of_async(given: &Given<AsyncOptions>) -> Result<Self, Error> {
        let options = &given.options;
        if options.duration.is_some() {
            return Err(refused("--duration is not for tune: use --time"));
        }
        let processors = processors();
        let whole = options.access == Access::Files;
        let size = options.file_size.map_or(64 * KIB, |size| size.max);
        let (depths, sizes, workers): (&[u64], &[u64], _) = match options.access {
            Access::Files => (
                &[16, 64, 1024],
                &[16 * KIB, 256 * KIB, MIB],
                [1, 2 * processors, 8 * processors, 128],
            ),
            Access::Random => (
                &[1, 8, 128, 512],
                &[16 * KIB, 64 * KIB, 256 * KIB, MIB],
                [2, 2 * processors, 8 * processors, 128],
            ),
            Access::Sequential => (
                &[1, 8, 128, 512],
                &[64 * KIB, 256 * KIB, 4 * MIB],
                [2, 2 * processors, 8 * processors, 128],
            ),
        };
        let sizes = sizes.iter().filter(|bytes| !whole || **bytes <= size);
        let dimensions = vec![
            flag("direct"),
            of_numbers("depth", depths.iter().copied()),
            of_sizes("block-size", sizes.copied()),
            of_numbers("workers", workers),
            of_words("engine", &["tokio"]),
        ];
        let mean = options.file_size.map_or(64 * KIB, mean);
        let scale = if whole {
            (!given.has(&["files"])).then_some(Scale {
                option: "files",
                unit: mean,
                most: mean.saturating_mul(options.files),
            })
        } else {
            options.file_size.is_none().then_some(Scale {
                option: "file-size",
                unit: 0,
                most: 1024 * MIB,
            })
        };
        Ok(Self {
            scale,
            load: load(options),
            ..Self::new("async", given, &options.common, dimensions)?
        })
    }

    /// `mmap`.
    ///
    /// # Errors
    ///
    /// Where an option contradicts the search.
    pub fn of_mmap(given: &Given<MmapOptions>) -> Result<Self, Error> {
        let options = &given.options;
        let dimensions = vec![
            flag("populate"),
            of_sizes("window", [MIB, 8 * MIB, 128 * MIB, 768 * MIB]),
            flag("huge"),
            of_sizes("block-size", [64 * KIB, 256 * KIB, 4 * MIB]),
        ];
        let is_sized = given.has(&["file-size", "data-size", "operations"]);
        let scale = (!is_sized).then_some(Scale {
            option: "file-size",
            unit: 0,
            most: options.file_size.0,
        });
        Ok(Self {
            scale,
            own: &["--reuse-changed"],
            is_whole: true,
            bytes: |summary| summary.bytes("load") + summary.bytes("store"),
            ..Self::new("mmap", given, &options.common, dimensions)?
        })
    }

    /// `batch`.
    ///
    /// # Errors
    ///
    /// Where an option contradicts the search.
    pub fn of_batch(given: &Given<BatchOptions>) -> Result<Self, Error> {
        let options = &given.options;
        // The default is one for each of them.
        let processors = processors();
        let workers = [1, 2, 2 * processors, 4 * processors, 8 * processors, 64];
        let workers = workers.into_iter().filter(|one| *one != processors);
        let dimensions = vec![of_numbers("workers", workers)];
        let unit = mean(options.file_size);
        let scale = (!given.has(&["files", "input"])).then_some(Scale {
            option: "files",
            unit,
            most: unit.saturating_mul(options.files),
        });
        Ok(Self {
            scale,
            bytes: |summary| summary.bytes("read"),
            ..Self::new("batch", given, &options.common, dimensions)?
        })
    }

    /// `copy`.
    ///
    /// # Errors
    ///
    /// Where an option contradicts the search.
    pub fn of_copy(given: &Given<CopyOptions>) -> Result<Self, Error> {
        let options = &given.options;
        let methods = [
            "read-write",
            "copy_file_range",
            "sendfile",
            "splice",
            "mmap",
            "direct",
        ];
        let dimensions = vec![
            of_words("method", &methods),
            of_sizes("block-size", [16 * KIB, 64 * KIB, MIB, 4 * MIB]),
        ];
        let scale = (!given.has(&["file-size", "input"])).then_some(Scale {
            option: "file-size",
            unit: 0,
            most: options.file_size.0,
        });
        // Holes, too, are copied: whoever leaves them out has done as much.
        let bytes = |summary: &Summary| {
            let size = summary.parameters.get("file_size");
            let size = size.and_then(|size| size.parse::<Size>().ok());
            size.map_or(0, |size| size.0)
        };
        Ok(Self {
            scale,
            is_whole: true,
            bytes,
            ..Self::new("copy", given, &options.common, dimensions)?
        })
    }

    /// Leaves options at their default.
    ///
    /// # Errors
    ///
    /// Where one is not searched, and where none is left.
    pub fn fix(&mut self, names: &[String]) -> Result<(), Error> {
        let known: Vec<_> = self.space.dimensions.iter().map(|one| one.name).collect();
        if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
            let name = Text::from(name.as_str());
            return Err(refused(&format!(
                "--fix {name}: no such option is searched; there are {}",
                known.join(", ")
            )));
        }
        let dimensions = &mut self.space.dimensions;
        dimensions.retain(|one| !names.iter().any(|name| name == one.name));
        if dimensions.is_empty() {
            return Err(refused("nothing is left to search: all settings are given"));
        }
        Ok(())
    }

    /// Leaves out what is the same as the default, as it ran.
    pub fn without_what_ran(&mut self, default: &Summary) {
        for dimension in &mut self.space.dimensions {
            let is_default = |value: &Option<String>| {
                dimension.name == "engine" && value.as_deref() == Some(&default.engine)
            };
            dimension.values.retain(|value| !is_default(value));
        }
        self.space.dimensions.retain(|one| !one.values.is_empty());
    }

    /// The words of settings.
    pub fn words(&self, place: &[usize]) -> Vec<OsString> {
        let mut words = Vec::new();
        for setting in self.space.settings(place) {
            words.push(format!("--{}", setting.name.as_str()).into());
            words.extend(setting.value.map(|value| value.as_str().into()));
        }
        words
    }

    /// What the device is asked for with these settings; none where that is not known: the page cache asks for other
    /// sizes, and files have an order of their own.
    pub fn load(&self, place: &[usize]) -> Option<(Operation, Pattern, u64)> {
        let mut load = self.load?;
        for setting in self.space.settings(place) {
            match setting.name.as_str() {
                "direct" => load.is_direct = true,
                "block-size" => load.size = setting.value?.as_str().parse::<Size>().ok()?.0,
                _ => {}
            }
        }
        load.is_direct
            .then_some((load.operation, load.pattern, load.size))
    }

    /// What a run did.
    pub fn run(&self, summary: &Summary) -> Run {
        let mut latencies: BTreeMap<String, Latencies> = BTreeMap::new();
        for operation in &summary.operations {
            let is_durable = ["fsync", "msync"].contains(&operation.name.as_str());
            let Some(latency) = operation
                .latency
                .as_ref()
                .filter(|_| is_durable || operation.bytes > 0)
            else {
                continue;
            };
            let of = latencies.entry(operation.name.clone()).or_default();
            for bucket in &latency.buckets {
                *of.entry(bucket.le_ns).or_default() += bucket.count;
            }
        }
        Run {
            bytes: (self.bytes)(summary),
            elapsed_ns: summary.elapsed_ns,
            cpu_ns: summary.cpu_user_ns.saturating_add(summary.cpu_system_ns),
            is_cut_off: false,
            latencies,
        }
    }
}

fn load(options: &AsyncOptions) -> Option<Load> {
    let (pattern, size) = match options.access {
        Access::Files => return None,
        Access::Random => (Pattern::Random, 4 * KIB),
        Access::Sequential => (Pattern::Sequential, MIB),
    };
    let operation = match options.read_percent.unwrap_or(100) {
        100 => Operation::Read,
        0 => Operation::Write,
        _ => return None,
    };
    Some(Load {
        operation,
        pattern,
        size: options.block_size.map_or(size, |size| size.0),
        is_direct: options.direct,
    })
}

/// The size of a file on average.
fn mean(size: SizeRange) -> u64 {
    (size.min / 2).saturating_add(size.max / 2).max(1)
}

fn refused(reason: &str) -> Error {
    Error::TuneOption {
        reason: reason.to_owned(),
    }
}
