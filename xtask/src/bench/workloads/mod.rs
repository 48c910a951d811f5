//! `cargo xtask bench workloads`: the built-in workloads side by side with what others do on the same files.
//!
//! Both sides of a row run alternately in one run, and medians are compared: the speed of a shared machine changes by the
//! minute, a ratio does not.

mod table;
mod tools;

use std::error::Error;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use table::{Other, Sample, Table};
use tools::{Bench, cold, number, output, peak, succeed};

/// The small files: as many, of this size.
const FILES: &str = "10000";
const FILE_SIZE: &str = "64K";

/// The large map; all but its first GiB is a hole, whose pages are as real as others once they are mapped.
const MAP_SIZE: &str = "12G";
const MAP_LOADS: &str = "50000000";

/// Whether a program is installed.
pub type IsThere<'a> = &'a dyn Fn(&str) -> bool;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Measures what it can, and prints the table and what was left out.
///
/// # Errors
///
/// What failed, after the table. Tools that are missing are no failure.
pub fn run(is_there: IsThere<'_>) -> Result<()> {
    let bench = Bench::prepare(is_there)?;
    let mut table = Table::default();
    for (name, measure) in MEASUREMENTS {
        if let Err(error) = measure(&bench, &mut table) {
            table.failed(name, &*error);
        }
        bench.clear()?;
    }
    print!("{}", table.text());
    match table.failures() {
        0 => Ok(()),
        count => Err(format!("{count} measurements failed; each is named below the table").into()),
    }
}

type Measurement = fn(&Bench<'_>, &mut Table) -> Result<()>;

const MEASUREMENTS: [(&str, Measurement); 5] = [
    ("direct reads", blocks),
    ("small files", files),
    ("mapped files", maps),
    ("batch", batch),
    ("copy", copy),
];

/// Direct reads of one file, against fio.
fn blocks(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let settings = "async --engine uring --direct --cache as-is --depth 32 --file-size 1G";
    bench.workload(&format!("{settings} --access sequential"))?;
    let file = bench.kept_file("async")?;
    for (what, unit, access, rw, size) in [
        (
            "4 KiB random direct reads, depth 32",
            "IOPS",
            "random",
            "randread",
            "4k",
        ),
        (
            "1 MiB sequential direct reads",
            "MiB/s",
            "sequential",
            "read",
            "1M",
        ),
    ] {
        let per_second = |bytes: f64| {
            if unit == "IOPS" {
                bytes / 4096.0
            } else {
                bytes / f64::from(1 << 20)
            }
        };
        let ours = || {
            let summary = bench.workload(&format!("{settings} --access {access} --duration 4"))?;
            let seconds = number(&summary, "elapsed_ns") / 1e9;
            let read = &summary["operations"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|operation| operation["name"] == "read");
            let read = read.ok_or("no reads in the summary")?;
            let cpu = (number(&summary, "cpu_user_ns") + number(&summary, "cpu_system_ns")) / 1e9;
            let (bytes, calls) = (number(read, "bytes"), number(read, "calls"));
            Ok(Sample {
                rate: per_second(bytes / seconds),
                cpu: Some(cpu / calls),
                memory: peak(&summary),
            })
        };
        let fio = || {
            let options = format!(
                "--ioengine=io_uring --direct=1 --rw={rw} --bs={size} --iodepth=32 --runtime=4 --time_based"
            );
            let job = bench.fio(&file, &options)?;
            let read = &job["read"];
            let cpu = (number(&job, "usr_cpu") + number(&job, "sys_cpu")) / 100.0
                * number(&job, "job_runtime")
                / 1e3;
            let rate = per_second(number(read, "io_bytes") / (number(read, "runtime") / 1e3));
            Ok(Sample {
                rate,
                cpu: Some(cpu / number(read, "total_ios")),
                memory: None,
            })
        };
        let others = vec![Other::new("fio", 1.0, fio).with("fio")];
        table.measure((what, unit), ours, others, bench.is_there);
    }
    Ok(())
}

/// Small files from open to close, against Go and C.
fn files(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let settings =
        format!("async --read-percent 100 --depth 1000 --files {FILES} --file-size {FILE_SIZE}");
    bench.workload(&format!("{settings} --cache warm"))?;
    bench.write_list(&bench.kept("async")?)?;
    let per_second =
        |summary: &Value| number(summary, "files") / (number(summary, "elapsed_ns") / 1e9);
    let sample = |summary: &Value| Sample {
        rate: per_second(summary),
        cpu: None,
        memory: peak(summary),
    };
    let warm = |engine: &str| {
        let arguments = format!("{settings} --engine {engine} --cache as-is --duration 1");
        move || Ok(sample(&bench.workload(&arguments)?))
    };
    let others = vec![
        Other::new("Go", 3.0, || bench.files_program("files.go", &["2"])).with("go"),
        Other::new("C", 0.8, || bench.files_program("files.c", &["5"])),
        Other::new("our tokio engine", 1.0, warm("tokio")),
    ];
    let what = ("10,000 files of 64 KiB, warm (uring)", "files/s");
    table.measure(what, warm("uring"), others, bench.is_there);

    let ours = || {
        let summary = bench.workload(&format!("{settings} --cache cold"))?;
        Ok(sample(&summary))
    };
    let cold = |source| move || cold().and_then(|()| bench.files_program(source, &["1"]));
    let others = vec![
        Other::new("Go", 1.2, cold("files.go")).with("go"),
        Other::new("C", 1.0, cold("files.c")),
    ];
    table.measure(
        ("the same, cold (uring)", "files/s"),
        ours,
        others,
        bench.is_there,
    );
    Ok(())
}

/// Mapped files: random loads against C, a scan against fio's mmap engine and read(2).
fn maps(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let large = format!("mmap --file-size {MAP_SIZE} --data-size 1G --cache as-is");
    let scan = bench.workload(&format!("{large} --pattern scan"))?;
    let resident = number(&scan, "peak_rss_bytes");
    eprintln!(
        "sequential scan of {MAP_SIZE}: {:.1} MiB resident at most",
        resident / f64::from(1 << 20)
    );
    let file = bench.kept_file("mmap")?;
    let ours = || {
        let arguments = format!(
            "{large} --pattern random --populate --window {MAP_SIZE} --operations {MAP_LOADS}"
        );
        let summary = bench.workload(&arguments)?;
        let loads = &summary["operations"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|operation| operation["name"] == "load");
        let loads = loads.ok_or("no loads in the summary")?;
        Ok(Sample::rate(
            number(loads, "calls") / number(loads, "time_ns") * 1e3,
        ))
    };
    let pointer = || {
        let output = output(
            Command::new(bench.program("pointer.c"))
                .arg(&file)
                .arg(MAP_LOADS),
        )?;
        let mut numbers = output.split_whitespace().map(str::parse::<f64>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(loads)), Some(Ok(seconds))) => Ok(Sample::rate(loads / seconds / 1e6)),
            _ => Err(format!("pointer.c printed {output}").into()),
        }
    };
    let what = ("12 GiB map, random 8-byte loads", "M/s");
    table.measure(
        what,
        ours,
        vec![Other::new("C", 0.9, pointer)],
        bench.is_there,
    );
    bench.clear()?;

    let settings = "mmap --file-size 1G --pattern scan";
    bench.workload(&format!("{settings} --cache warm"))?;
    let file = bench.kept_file("mmap")?;
    let ours = || {
        let summary = bench.workload(&format!("{settings} --cache as-is"))?;
        let rate = f64::from(1 << 10) / (number(&summary, "elapsed_ns") / 1e9);
        Ok(Sample {
            rate,
            cpu: None,
            memory: peak(&summary),
        })
    };
    let fio = |engine: &'static str| {
        let file = file.clone();
        move || {
            let job = bench.fio(
                &file,
                &format!("--ioengine={engine} --rw=read --bs=1M --invalidate=0 --loops=3"),
            )?;
            Ok(Sample::rate(
                number(&job["read"], "bw_bytes") / f64::from(1 << 20),
            ))
        }
    };
    let others = vec![
        Other::new("fio mmap", 1.0, fio("mmap")).with("fio"),
        Other::new("read(2) of 1 MiB", 1.0, fio("sync")).with("fio"),
    ];
    table.measure(
        ("map scanned in cache", "MiB/s"),
        ours,
        others,
        bench.is_there,
    );
    Ok(())
}

/// The pipeline, against Go and a shell pipeline.
fn batch(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let settings = format!("batch --files {FILES} --file-size {FILE_SIZE}");
    bench.workload(&format!("{settings} --cache warm"))?;
    let files = bench.kept("batch")?;
    bench.write_list(&files)?;
    let ours = || {
        let summary = bench.workload(&format!("{settings} --cache as-is"))?;
        let seconds = number(&summary, "elapsed_ns") / 1e9;
        Ok(Sample {
            rate: number(&summary, "files") / seconds,
            cpu: None,
            memory: peak(&summary),
        })
    };
    let shell = || {
        let start = Instant::now();
        let script = "find \"$1\" -type f -name 'f*' -print0 | xargs -0 -P2 xxhsum > /dev/null";
        succeed(
            Command::new("sh")
                .args(["-c", script, "sh"])
                .arg(&bench.data)
                .stderr(Stdio::null()),
        )?;
        Ok(Sample::rate(
            files.len() as f64 / start.elapsed().as_secs_f64(),
        ))
    };
    let go = || bench.files_program("files.go", &["2", "checksum"]);
    let others = vec![
        Other::new("Go", 4.0, go).with("go"),
        Other::new("find, xargs -P2 xxhsum", 1.0, shell).with("xxhsum"),
    ];
    let what = ("batch, 10,000 files of 64 KiB, checksum, warm", "files/s");
    table.measure(what, ours, others, bench.is_there);
    Ok(())
}

/// A copy in cache, against cp.
fn copy(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let settings = "copy --file-size 1G --dense --no-fsync";
    bench.workload(&format!("{settings} --cache warm"))?;
    let file = bench.kept_file("copy")?;
    let ours = || {
        // What an earlier copy left to be written back must not be paid for by this one.
        succeed(&mut Command::new("sync"))?;
        let summary = bench.workload(&format!("{settings} --cache as-is"))?;
        Ok(Sample::rate(
            1024.0 / (number(&summary, "elapsed_ns") / 1e9),
        ))
    };
    let cp = || {
        succeed(&mut Command::new("sync"))?;
        let target = bench.dir.join("copy");
        let start = Instant::now();
        succeed(
            Command::new("cp")
                .arg("--reflink=never")
                .arg(&file)
                .arg(&target),
        )?;
        let seconds = start.elapsed().as_secs_f64();
        fs::remove_file(target)?;
        Ok(Sample::rate(1024.0 / seconds))
    };
    let others = vec![Other::new("cp --reflink=never", 1.0, cp)];
    table.measure(
        ("copy auto, 1 GiB in cache", "MiB/s"),
        ours,
        others,
        bench.is_there,
    );
    Ok(())
}
