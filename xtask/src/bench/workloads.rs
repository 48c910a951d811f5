//! `cargo xtask bench workloads`: the built-in workloads side by side with what others do on the same files.
//!
//! Both sides of a row run alternately in one run, and medians are compared: the speed of a shared machine changes by the
//! minute, a ratio does not.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

/// Runs of each side of a row.
const RUNS: usize = 5;

/// The small files of the issue: as many, of this size.
const FILES: &str = "10000";
const FILE_SIZE: &str = "64K";

/// The large map; all but its first GiB is a hole, whose pages are as real as others once they are mapped.
const MAP_SIZE: &str = "12G";
const MAP_LOADS: &str = "50000000";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What one run of one side gave.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    /// The figure that the row is about; more is better.
    rate: f64,
    /// CPU seconds per operation or file, where that is compared too.
    cpu: Option<f64>,
    /// Peak of resident memory in bytes, where known.
    memory: Option<f64>,
}

impl Sample {
    fn rate(rate: f64) -> Self {
        Self { rate, ..Self::default() }
    }
}

/// One side of a row: its name and how to run it once.
type Side<'a> = (&'a str, Box<dyn FnMut() -> Result<Sample> + 'a>);

/// A line of the table.
struct Row {
    what: &'static str,
    unit: &'static str,
    ours: Sample,
    others: Vec<(String, Sample, f64)>,
}

/// Measures everything and prints the table. Needs fio, go, a C compiler, xxhsum, and root for cold caches.
///
/// # Errors
///
/// What is missing, or what failed.
pub fn run() -> Result<()> {
    let bench = Bench::prepare()?;
    let mut rows = Vec::new();
    for measure in [blocks, files, maps, batch, copy] {
        rows.extend(measure(&bench)?);
    }
    print!("{}", table(&rows));
    Ok(())
}

/// The programs and the folder for data, which is removed at the end.
struct Bench {
    ioprof: PathBuf,
    dir: PathBuf,
    data: PathBuf,
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            eprintln!("cannot remove {}: {error}", self.dir.display());
        }
    }
}

impl Bench {
    fn prepare() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?.to_path_buf();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        succeed(Command::new(cargo).current_dir(&root).args(["build", "--release", "--package", "ioprof"]))?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let dir = std::env::temp_dir().join(format!("ioprof-bench-{}", std::process::id()));
        let data = dir.join("data");
        fs::create_dir_all(&data)?;
        let bench = Self { ioprof: target.join("release/ioprof"), dir, data };
        let sources = root.join("xtask/bench");
        for (source, options) in [("files.c", &["-O2", "-pthread"][..]), ("pointer.c", &["-O2"])] {
            let output = bench.program(source);
            succeed(Command::new("cc").args(options).arg("-o").arg(output).arg(sources.join(source)))?;
        }
        succeed(Command::new("go").args(["build", "-o"]).arg(bench.program("files.go")).arg(sources.join("files.go")))?;
        Ok(bench)
    }

    fn program(&self, source: &str) -> PathBuf {
        self.dir.join(source.replace('.', "-"))
    }

    /// Runs a workload on kept data and returns its summary.
    fn workload(&self, arguments: &str) -> Result<Value> {
        let summary = self.dir.join("summary.json");
        let script = r#"summary=$1; shift; exec "$@" 3>"$summary""#;
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(&summary).arg(&self.ioprof).args(["workload", "--summary-fd", "3"]);
        command.args(arguments.split_whitespace()).arg("--keep").arg("--dir").arg(&self.data);
        succeed(command.stdout(Stdio::null()))?;
        let summary: Value = serde_json::from_slice(&fs::read(summary)?)?;
        let failed = summary["errors"].as_array().map_or(0, Vec::len);
        if failed > 0 {
            return Err(format!("{failed} files failed: {}", summary["errors"][0]).into());
        }
        Ok(summary)
    }

    /// The files of a kept data set.
    fn kept(&self, workload: &str) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for set in fs::read_dir(&self.data)? {
            let set = set?.path();
            let name = set.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(&format!("ioprof-{workload}-")) {
                for folder in fs::read_dir(set)?.filter_map(|folder| Some(folder.ok()?.path())).filter(|path| path.is_dir()) {
                    files.extend(fs::read_dir(folder)?.filter_map(|file| Some(file.ok()?.path())));
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// Removes what the last rows left, so that little disk is needed at once.
    fn clear(&self) -> Result<()> {
        fs::remove_dir_all(&self.data)?;
        Ok(fs::create_dir_all(&self.data)?)
    }

    /// One job of fio; returns its report on reads.
    fn fio(&self, file: &Path, options: &str) -> Result<Value> {
        let mut command = Command::new("fio");
        command.args(["--name=bench", "--output-format=json"]).arg(format!("--filename={}", file.display()));
        let output = output(command.args(options.split_whitespace()))?;
        let report: Value = serde_json::from_str(&output)?;
        Ok(report["jobs"][0].clone())
    }

    /// A program that prints "FILES BYTES SECONDS ERRORS".
    fn files_program(&self, source: &str, arguments: &[&str]) -> Result<Sample> {
        let list = self.dir.join("list");
        let output = output(Command::new(self.program(source)).arg(list).args(arguments))?;
        let numbers: Vec<f64> = output.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
        match numbers[..] {
            [files, _, seconds, 0.0] => Ok(Sample::rate(files / seconds)),
            _ => Err(format!("{source} printed {output}").into()),
        }
    }

    fn write_list(&self, files: &[PathBuf]) -> Result<()> {
        let lines: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        Ok(fs::write(self.dir.join("list"), lines.join("\n") + "\n")?)
    }
}

/// Direct reads of one file, against fio.
fn blocks(bench: &Bench) -> Result<Vec<Row>> {
    let settings = "async --engine uring --direct --cache as-is --depth 32 --file-size 1G";
    bench.workload(&format!("{settings} --access sequential"))?;
    let file = bench.kept("async")?.into_iter().next().ok_or("no file was made")?;
    let mut rows = Vec::new();
    for (what, unit, access, rw, size) in [
        ("4 KiB random direct reads, depth 32", "IOPS", "random", "randread", "4k"),
        ("1 MiB sequential direct reads", "MiB/s", "sequential", "read", "1M"),
    ] {
        let per_second = |bytes: f64| if unit == "IOPS" { bytes / 4096.0 } else { bytes / f64::from(1 << 20) };
        let ours = || {
            let summary = bench.workload(&format!("{settings} --access {access} --duration 4"))?;
            let seconds = number(&summary, "elapsed_ns") / 1e9;
            let read = &summary["operations"].as_array().into_iter().flatten().find(|operation| operation["name"] == "read");
            let read = read.ok_or("no reads in the summary")?;
            let cpu = (number(&summary, "cpu_user_ns") + number(&summary, "cpu_system_ns")) / 1e9;
            let (bytes, calls) = (number(read, "bytes"), number(read, "calls"));
            Ok(Sample { rate: per_second(bytes / seconds), cpu: Some(cpu / calls), memory: peak(&summary) })
        };
        let fio = || {
            let options = format!("--ioengine=io_uring --direct=1 --rw={rw} --bs={size} --iodepth=32 --runtime=4 --time_based");
            let job = bench.fio(&file, &options)?;
            let read = &job["read"];
            let cpu = (number(&job, "usr_cpu") + number(&job, "sys_cpu")) / 100.0 * number(&job, "job_runtime") / 1e3;
            let rate = per_second(number(read, "io_bytes") / (number(read, "runtime") / 1e3));
            Ok(Sample { rate, cpu: Some(cpu / number(read, "total_ios")), memory: None })
        };
        rows.push(row(what, unit, vec![("ioprof", Box::new(ours)), ("fio", Box::new(fio))], &[1.0])?);
    }
    bench.clear()?;
    Ok(rows)
}

/// Small files from open to close, against Go and C.
fn files(bench: &Bench) -> Result<Vec<Row>> {
    let settings = format!("async --read-percent 100 --depth 1000 --files {FILES} --file-size {FILE_SIZE}");
    bench.workload(&format!("{settings} --cache warm"))?;
    bench.write_list(&bench.kept("async")?)?;
    let per_second = |summary: &Value| number(summary, "files") / (number(summary, "elapsed_ns") / 1e9);
    let sample = |summary: &Value| Sample { rate: per_second(summary), cpu: None, memory: peak(summary) };
    let warm = |engine: &str| {
        let arguments = format!("{settings} --engine {engine} --cache as-is --duration 1");
        move || Ok(sample(&bench.workload(&arguments)?))
    };
    let warm_row = row(
        "10,000 files of 64 KiB, warm (uring)",
        "files/s",
        vec![
            ("ioprof", Box::new(warm("uring"))),
            ("Go", Box::new(|| bench.files_program("files.go", &["2"]))),
            ("C", Box::new(|| bench.files_program("files.c", &["5"]))),
            ("our tokio engine", Box::new(warm("tokio"))),
        ],
        &[3.0, 0.8, 1.0],
    )?;
    let cold_row = row(
        "the same, cold (uring)",
        "files/s",
        vec![
            ("ioprof", Box::new(|| Ok(sample(&bench.workload(&format!("{settings} --cache cold"))?)))),
            ("Go", Box::new(|| cold().and_then(|()| bench.files_program("files.go", &["1"])))),
            ("C", Box::new(|| cold().and_then(|()| bench.files_program("files.c", &["1"])))),
        ],
        &[1.2, 1.0],
    )?;
    bench.clear()?;
    Ok(vec![warm_row, cold_row])
}

/// Mapped files: random loads against C, a scan against fio's mmap engine and read(2).
fn maps(bench: &Bench) -> Result<Vec<Row>> {
    let large = format!("mmap --file-size {MAP_SIZE} --data-size 1G --cache as-is");
    let scan = bench.workload(&format!("{large} --pattern scan"))?;
    let resident = number(&scan, "peak_rss_bytes");
    eprintln!("sequential scan of {MAP_SIZE}: {:.1} MiB resident at most", resident / f64::from(1 << 20));
    let file = bench.kept("mmap")?.into_iter().next().ok_or("no file was made")?;
    let ours = || {
        let arguments = format!("{large} --pattern random --populate --window {MAP_SIZE} --operations {MAP_LOADS}");
        let summary = bench.workload(&arguments)?;
        let loads = &summary["operations"].as_array().into_iter().flatten().find(|operation| operation["name"] == "load");
        let loads = loads.ok_or("no loads in the summary")?;
        Ok(Sample::rate(number(loads, "calls") / number(loads, "time_ns") * 1e3))
    };
    let pointer = || {
        let output = output(Command::new(bench.program("pointer.c")).arg(&file).arg(MAP_LOADS))?;
        let mut numbers = output.split_whitespace().map(str::parse::<f64>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(loads)), Some(Ok(seconds))) => Ok(Sample::rate(loads / seconds / 1e6)),
            _ => Err(format!("pointer.c printed {output}").into()),
        }
    };
    let random =
        row("12 GiB map, random 8-byte loads", "M/s", vec![("ioprof", Box::new(ours)), ("C", Box::new(pointer))], &[0.9])?;
    bench.clear()?;

    let settings = "mmap --file-size 1G --pattern scan";
    bench.workload(&format!("{settings} --cache warm"))?;
    let file = bench.kept("mmap")?.into_iter().next().ok_or("no file was made")?;
    let ours = || {
        let summary = bench.workload(&format!("{settings} --cache as-is"))?;
        let rate = f64::from(1 << 10) / (number(&summary, "elapsed_ns") / 1e9);
        Ok(Sample { rate, cpu: None, memory: peak(&summary) })
    };
    let fio = |engine: &'static str| {
        let file = file.clone();
        move || {
            let job = bench.fio(&file, &format!("--ioengine={engine} --rw=read --bs=1M --invalidate=0 --loops=3"))?;
            Ok(Sample::rate(number(&job["read"], "bw_bytes") / f64::from(1 << 20)))
        }
    };
    let sides: Vec<Side<'_>> =
        vec![("ioprof", Box::new(ours)), ("fio mmap", Box::new(fio("mmap"))), ("read(2) of 1 MiB", Box::new(fio("sync")))];
    let sequential = row("map scanned in cache", "MiB/s", sides, &[1.0, 1.0])?;
    bench.clear()?;
    Ok(vec![random, sequential])
}

/// The pipeline, against Go and a shell pipeline.
fn batch(bench: &Bench) -> Result<Vec<Row>> {
    let settings = format!("batch --files {FILES} --file-size {FILE_SIZE}");
    bench.workload(&format!("{settings} --cache warm"))?;
    let files = bench.kept("batch")?;
    bench.write_list(&files)?;
    let ours = || {
        let summary = bench.workload(&format!("{settings} --cache as-is"))?;
        let seconds = number(&summary, "elapsed_ns") / 1e9;
        Ok(Sample { rate: number(&summary, "files") / seconds, cpu: None, memory: peak(&summary) })
    };
    let shell = || {
        let start = Instant::now();
        let script = "find \"$1\" -type f -name 'f*' -print0 | xargs -0 -P2 xxhsum > /dev/null";
        succeed(Command::new("sh").args(["-c", script, "sh"]).arg(&bench.data).stderr(Stdio::null()))?;
        Ok(Sample::rate(files.len() as f64 / start.elapsed().as_secs_f64()))
    };
    let sides: Vec<Side<'_>> = vec![
        ("ioprof", Box::new(ours)),
        ("Go", Box::new(|| bench.files_program("files.go", &["2", "checksum"]))),
        ("find | xargs xxhsum", Box::new(shell)),
    ];
    let result = row("batch, 10,000 files of 64 KiB, checksum, warm", "files/s", sides, &[4.0, 1.0])?;
    bench.clear()?;
    Ok(vec![result])
}

/// A copy in cache, against cp.
fn copy(bench: &Bench) -> Result<Vec<Row>> {
    let settings = "copy --file-size 1G --dense --no-fsync";
    bench.workload(&format!("{settings} --cache warm"))?;
    let file = bench.kept("copy")?.into_iter().next().ok_or("no file was made")?;
    let ours = || {
        // What an earlier copy left to be written back must not be paid for by this one.
        succeed(&mut Command::new("sync"))?;
        let summary = bench.workload(&format!("{settings} --cache as-is"))?;
        Ok(Sample::rate(1024.0 / (number(&summary, "elapsed_ns") / 1e9)))
    };
    let cp = || {
        succeed(&mut Command::new("sync"))?;
        let target = bench.dir.join("copy");
        let start = Instant::now();
        succeed(Command::new("cp").arg("--reflink=never").arg(&file).arg(&target))?;
        let seconds = start.elapsed().as_secs_f64();
        fs::remove_file(target)?;
        Ok(Sample::rate(1024.0 / seconds))
    };
    let sides: Vec<Side<'_>> = vec![("ioprof", Box::new(ours)), ("cp --reflink=never", Box::new(cp))];
    let result = row("copy auto, 1 GiB in cache", "MiB/s", sides, &[1.0])?;
    bench.clear()?;
    Ok(vec![result])
}

/// Runs all sides in turn; `goals` are the ratios to reach against each of the others.
fn row(what: &'static str, unit: &'static str, mut sides: Vec<Side<'_>>, goals: &[f64]) -> Result<Row> {
    eprintln!("{what}");
    let mut samples = vec![Vec::new(); sides.len()];
    for _ in 0..RUNS {
        for ((_, measure), samples) in sides.iter_mut().zip(&mut samples) {
            samples.push(measure()?);
        }
    }
    let mut medians = samples.iter().map(|samples| Sample {
        rate: median(samples.iter().map(|sample| Some(sample.rate))).unwrap_or(0.0),
        cpu: median(samples.iter().map(|sample| sample.cpu)),
        memory: median(samples.iter().map(|sample| sample.memory)),
    });
    let ours = medians.next().unwrap_or_default();
    let names = sides.iter().skip(1).map(|(name, _)| (*name).to_owned());
    let others = names.zip(medians).zip(goals).map(|((name, sample), goal)| (name, sample, *goal)).collect();
    Ok(Row { what, unit, ours, others })
}

/// The middle of the values; `None` where one is missing.
fn median(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect::<Option<_>>()?;
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// As Markdown, to be kept in docs/benchmarks.md.
fn table(rows: &[Row]) -> String {
    let mut text = String::from("| what | unit | ioprof | against | | ratio | goal | CPU per operation, ratio | peak memory |\n");
    text.push_str("|---|---|---:|---|---:|---:|---:|---:|---:|\n");
    for row in rows {
        let memory = row.ours.memory.map_or_else(String::new, |bytes| format!("{:.1} MiB", bytes / f64::from(1 << 20)));
        for (name, other, goal) in &row.others {
            let cpu = match (row.ours.cpu, other.cpu) {
                (Some(ours), Some(other)) if other > 0.0 => format!("{:.2}", ours / other),
                _ => String::new(),
            };
            let (what, unit, ratio) = (row.what, row.unit, row.ours.rate / other.rate);
            text.push_str(&format!(
                "| {what} | {unit} | {:.0} | {name} | {:.0} | {ratio:.2} | {goal:.1} | {cpu} | {memory} |\n",
                row.ours.rate, other.rate
            ));
        }
    }
    text
}

/// Empties the page cache, as `--cache cold` does.
fn cold() -> Result<()> {
    succeed(&mut Command::new("sync"))?;
    fs::write("/proc/sys/vm/drop_caches", "3").map_err(|error| format!("cannot empty the page cache: {error}; run as root").into())
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or(0.0)
}

fn peak(summary: &Value) -> Option<f64> {
    summary["peak_rss_bytes"].as_f64()
}

fn succeed(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|error| format!("cannot start {program}: {error}; install it"))?;
    if status.success() { Ok(()) } else { Err(format!("{program} failed: {status}").into()) }
}

fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot start {program}: {error}; install it"))?;
    if !output.status.success() {
        return Err(format!("{program} failed: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
