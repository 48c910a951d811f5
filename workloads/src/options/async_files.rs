//! Options of `async`.

use super::{CommonOptions, Size, SizeRange};

/// Many files, or many blocks of one file, at once.
#[derive(clap::Args, Clone, Debug)]
pub struct AsyncOptions {
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "a doc comment here would replace the workload's help"
    )]
    pub common: CommonOptions,

    /// How to ask for many things at once
    #[arg(long, value_enum, default_value_t)]
    pub engine: EngineChoice,

    /// Whole files, or blocks of one large file
    #[arg(long, value_enum, default_value_t)]
    pub access: Access,

    /// Number of files, for `--access files`
    #[arg(long, value_name = "COUNT", default_value_t = 12_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub files: u64,

    /// Size of a file, or a range to draw each one's from; by default 64K, or 1G for the one file of blocks
    #[arg(long, value_name = "SIZE[-SIZE]")]
    pub file_size: Option<SizeRange>,

    /// Bytes per read or write; by default 64K for whole files, 4K for random, 1M for sequential blocks
    #[arg(long, value_name = "SIZE")]
    pub block_size: Option<Size>,

    /// Most files or blocks in flight; by default 256 for whole files, 32 for blocks
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=32768))]
    pub depth: Option<u32>,

    /// Threads; by default, with uring, one for blocks and one per processor for whole files, with tokio up to 32
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub workers: Option<u32>,

    /// Of a hundred files or blocks, how many are read; the others are written
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub read_percent: Option<u8>,

    /// Bypass the page cache (O_DIRECT)
    #[arg(long)]
    pub direct: bool,

    /// Compare what is read with what the seed says was written
    #[arg(long)]
    pub verify: bool,

    /// When to make writes durable
    #[arg(long, value_enum, default_value_t)]
    pub fsync: SyncWhen,

    /// Give a file up after this many seconds; the others go on
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = super::async_files::seconds)]
    pub timeout: f64,

    /// Go on for this many seconds, over the data set again and again; by default once over it
    #[arg(long, value_name = "SECONDS", value_parser = super::async_files::seconds)]
    pub duration: Option<f64>,
}

/// Reads a positive number of seconds.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 1e6 => Ok(seconds),
        _ => Err(format!(
            "`{text}` is no number of seconds above 0 and up to 1000000"
        )),
    }
}

/// The engines of `async`.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// uring where the kernel allows it, tokio otherwise
    #[default]
    Auto,
    /// io_uring: batched submission, registered files and buffers
    Uring,
    /// A bounded pool of threads under tokio; works on every kernel
    Tokio,
}

/// What `async` works on.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Many files, each opened, read or written whole, and closed
    #[default]
    Files,
    /// Blocks of one file, each once per pass, in an order drawn from the seed
    Random,
    /// Blocks of one file, from its start to its end
    Sequential,
}

/// When written data is made durable.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncWhen {
    /// Never: the page cache writes back when it likes
    Never,
    /// Each written file before it is closed
    #[default]
    File,
}
