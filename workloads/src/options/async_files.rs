//! Options of `async`.

use super::{CommonOptions, Size, SizeRange};

/// Many files, or many blocks of one file, in flight at once.
#[derive(clap::Args, Clone, Debug)]
pub struct AsyncOptions {
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "a doc comment here would replace the workload's help"
    )]
    pub common: CommonOptions,

    /// I/O engine
    #[arg(long, value_enum, default_value_t)]
    pub engine: EngineChoice,

    /// Access pattern
    #[arg(long, value_enum, default_value_t)]
    pub access: Access,

    /// Number of files, with --access files
    #[arg(long, value_name = "COUNT", default_value_t = 12_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub files: u64,

    /// File size, or a range of sizes [default: 64K, or 1G for blocks]
    #[arg(long, value_name = "SIZE[-SIZE]")]
    pub file_size: Option<SizeRange>,

    /// Bytes per read or write [default: files 64K, random 4K, sequential 1M]
    #[arg(long, value_name = "SIZE")]
    pub block_size: Option<Size>,

    /// Maximum in flight [default: 256 files or 32 blocks]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=32768))]
    pub depth: Option<u32>,

    /// Threads [default: uring 1 per CPU, or 1 for blocks; tokio 32]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub workers: Option<u32>,

    /// Read percentage; the rest are written [default: files 80, blocks 100]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub read_percent: Option<u8>,

    /// Bypass the page cache (O_DIRECT)
    #[arg(long)]
    pub direct: bool,

    /// Verify the contents of each read
    #[arg(long)]
    pub verify: bool,

    /// When to fsync writes
    #[arg(long, value_enum, default_value_t)]
    pub fsync: SyncWhen,

    /// Per-file timeout
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = super::async_files::seconds)]
    pub timeout: f64,

    /// Run time; the data set repeats [default: one pass]
    #[arg(long, value_name = "SECONDS", value_parser = super::async_files::seconds)]
    pub duration: Option<f64>,
}

/// Reads a positive number of seconds.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 1e6 => Ok(seconds),
        _ => Err(format!(
            "`{text}` is not a number of seconds above 0 and up to 1000000"
        )),
    }
}

/// The engines of `async`.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// uring where the kernel allows it, otherwise tokio
    #[default]
    Auto,
    /// io_uring with registered files and buffers
    Uring,
    /// A bounded pool of threads; works on every kernel
    Tokio,
}

/// The access patterns of `async`.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Many files, each read or written whole
    #[default]
    Files,
    /// Blocks of one file in random order, each once per pass
    Random,
    /// Blocks of one file from start to end
    Sequential,
}

/// When written data is made durable.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncWhen {
    /// Never; the kernel writes back later
    Never,
    /// Each written file, before closing it
    #[default]
    File,
}
