//! The licences of the crates that the binary holds, each text once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::process;
use crate::workspace::{Workspace, cargo};

/// How the files begin that hold licences.
const FILES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: PathBuf,
    /// None for what is of this workspace.
    source: Option<String>,
}

/// A table of crates and licences, and behind it the texts that come with the crates.
pub fn text(workspace: &Workspace) -> Result<String> {
    let linked = linked(workspace)?;
    let mut metadata = cargo_in(workspace);
    metadata.args(["metadata", "--format-version=1", "--locked"]);
    let metadata: Metadata = serde_json::from_str(&process::output(&mut metadata)?)
        .map_err(|error| Error::malformed("`cargo metadata`'s output", error))?;
    let mut table = "The binary holds code of these crates.\n\n".to_owned();
    let mut texts = BTreeMap::<String, Vec<String>>::new();
    let mut packages = metadata.packages;
    packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    for package in packages {
        let name = format!("{} {}", package.name, package.version);
        if package.source.is_none() || !linked.contains(&name) {
            continue;
        }
        let license = package.license.as_deref().unwrap_or("see below");
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{name}: {license}");
        for text in texts_of(&package.manifest_path)? {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    for (text, crates) in texts {
        let _ = write!(
            table,
            "\n{}\n{}:\n\n{text}\n",
            "-".repeat(80),
            crates.join(", ")
        );
    }
    Ok(table)
}

fn cargo_in(workspace: &Workspace) -> Command {
    let mut command = Command::new(cargo());
    command.current_dir(workspace.root());
    command
}

/// Names and versions of what is linked into the binary.
fn linked(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let mut tree = cargo_in(workspace);
    tree.args(["tree", "--package", "ioprof", "--locked", "--prefix=none"])
        .args(["--edges=normal,no-proc-macro", "--format={p}"]);
    Ok(process::output(&mut tree)?
        .lines()
        .filter_map(name_and_version)
        .collect())
}

/// Of a line like `clap v4.6.7 (*)`.
fn name_and_version(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let (name, version) = (words.next()?, words.next()?);
    Some(format!("{name} {}", version.strip_prefix('v')?))
}

fn texts_of(manifest: &Path) -> Result<Vec<String>> {
    let folder = manifest.parent().unwrap_or(manifest);
    let entries = fs::read_dir(folder).map_err(Error::file("read", folder))?;
    let mut files: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && is_license(path))
        .collect();
    files.sort();
    let read = |path: &PathBuf| {
        let bytes = fs::read(path).map_err(Error::file("read", path))?;
        let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
        Ok(text.trim_matches('\n').to_owned())
    };
    files.iter().map(read).collect()
}

fn is_license(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_uppercase();
    FILES.iter().any(|begin| name.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::{is_license, name_and_version};

    #[test]
    fn crates_and_their_licences_are_known_by_name() {
        let found = name_and_version("clap v4.6.7 (*)");
        assert_eq!(found.as_deref(), Some("clap 4.6.7"));
        assert_eq!(name_and_version(""), None);
        for name in ["LICENSE-MIT", "license.md", "COPYING"] {
            assert!(is_license(name.as_ref()), "{name}");
        }
        assert!(!is_license("README.md".as_ref()));
    }
}
