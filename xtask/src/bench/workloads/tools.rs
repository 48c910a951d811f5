//! The programs that are compared, and the folder they work in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::table::Sample;
use super::{IsThere, Result};

/// The programs and the folder for data, which is removed at the end.
pub struct Bench<'a> {
    ioprof: PathBuf,
    pub is_there: IsThere<'a>,
    pub dir: PathBuf,
    pub data: PathBuf,
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            eprintln!("cannot remove {}: {error}", self.dir.display());
        }
    }
}

impl<'a> Bench<'a> {
    pub fn prepare(is_there: IsThere<'a>) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or("no workspace")?
            .to_path_buf();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        succeed(Command::new(cargo).current_dir(&root).args([
            "build",
            "--release",
            "--package",
            "ioprof",
        ]))?;
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let dir = std::env::temp_dir().join(format!("ioprof-bench-{}", std::process::id()));
        let data = dir.join("data");
        fs::create_dir_all(&data)?;
        let bench = Self {
            ioprof: target.join("release/ioprof"),
            is_there,
            dir,
            data,
        };
        let sources = root.join("xtask/bench");
        for (source, options) in [
            ("files.c", &["-O2", "-pthread"][..]),
            ("pointer.c", &["-O2"]),
        ] {
            let output = bench.program(source);
            succeed(
                Command::new("cc")
                    .args(options)
                    .arg("-o")
                    .arg(output)
                    .arg(sources.join(source)),
            )?;
        }
        if is_there("go") {
            succeed(
                Command::new("go")
                    .args(["build", "-o"])
                    .arg(bench.program("files.go"))
                    .arg(sources.join("files.go")),
            )?;
        }
        Ok(bench)
    }

    pub fn program(&self, source: &str) -> PathBuf {
        self.dir.join(source.replace('.', "-"))
    }

    /// Runs a workload on kept data and returns its summary.
    pub fn workload(&self, arguments: &str) -> Result<Value> {
        let summary = self.dir.join("summary.json");
        let script = r#"summary=$1; shift; exec "$@" 3>"$summary""#;
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .arg(&summary)
            .arg(&self.ioprof)
            .args(["workload", "--summary-fd", "3"]);
        command
            .args(arguments.split_whitespace())
            .arg("--keep")
            .arg("--dir")
            .arg(&self.data);
        succeed(command.stdout(Stdio::null()))?;
        let summary: Value = serde_json::from_slice(&fs::read(summary)?)?;
        let failed = summary["errors"].as_array().map_or(0, Vec::len);
        if failed > 0 {
            return Err(format!("{failed} files failed: {}", summary["errors"][0]).into());
        }
        Ok(summary)
    }

    /// The files of a kept data set.
    pub fn kept(&self, workload: &str) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for set in fs::read_dir(&self.data)? {
            let set = set?.path();
            let name = set
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.starts_with(&format!("ioprof-{workload}-")) {
                for folder in fs::read_dir(set)?
                    .filter_map(|folder| Some(folder.ok()?.path()))
                    .filter(|path| path.is_dir())
                {
                    files.extend(fs::read_dir(folder)?.filter_map(|file| Some(file.ok()?.path())));
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// The first of them.
    pub fn kept_file(&self, workload: &str) -> Result<PathBuf> {
        let files = self.kept(workload)?;
        Ok(files.into_iter().next().ok_or("no file was made")?)
    }

    /// Removes what the last rows left, so that little disk is needed at once.
    pub fn clear(&self) -> Result<()> {
        fs::remove_dir_all(&self.data)?;
        Ok(fs::create_dir_all(&self.data)?)
    }

    /// One job of fio; returns its report on reads.
    pub fn fio(&self, file: &Path, options: &str) -> Result<Value> {
        let mut command = Command::new("fio");
        command
            .args(["--name=bench", "--output-format=json"])
            .arg(format!("--filename={}", file.display()));
        let output = output(command.args(options.split_whitespace()))?;
        let report: Value = serde_json::from_str(&output)?;
        Ok(report["jobs"][0].clone())
    }

    /// A program that prints "FILES BYTES SECONDS ERRORS".
    pub fn files_program(&self, source: &str, arguments: &[&str]) -> Result<Sample> {
        let list = self.dir.join("list");
        let output = output(Command::new(self.program(source)).arg(list).args(arguments))?;
        let numbers: Vec<f64> = output
            .split_whitespace()
            .map(str::parse)
            .collect::<std::result::Result<_, _>>()?;
        match numbers[..] {
            [files, _, seconds, 0.0] => Ok(Sample::rate(files / seconds)),
            _ => Err(format!("{source} printed {output}").into()),
        }
    }

    pub fn write_list(&self, files: &[PathBuf]) -> Result<()> {
        let lines: Vec<String> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        Ok(fs::write(self.dir.join("list"), lines.join("\n") + "\n")?)
    }
}

/// Empties the page cache, as `--cache cold` does.
pub fn cold() -> Result<()> {
    succeed(&mut Command::new("sync"))?;
    fs::write("/proc/sys/vm/drop_caches", "3")
        .map_err(|error| format!("cannot empty the page cache: {error}; run as root").into())
}

pub fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or(0.0)
}

pub fn peak(summary: &Value) -> Option<f64> {
    summary["peak_rss_bytes"].as_f64()
}

pub fn succeed(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .map_err(|error| format!("cannot start {program}: {error}; install it"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{program} failed: {status}").into())
    }
}

pub fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("cannot start {program}: {error}; install it"))?;
    if !output.status.success() {
        return Err(format!(
            "{program} failed: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
