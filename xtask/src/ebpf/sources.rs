//! One hash over all that the eBPF object is made from, taken without any BPF toolchain.
//!
//! That is: the crate's own files, what the workspace's manifest says of it and of its dependencies, the
//! locked versions and checksums of those dependencies and of theirs, and the flags of the build.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::build;
use crate::error::{Error, Result};
use crate::hash::sha256_hex;
use crate::workspace::Workspace;

/// The crate's folder.
const CRATE: &str = "profiler-ebpf";

/// The hash of everything that decides what the object is, other than the toolchain.
pub fn hash(workspace: &Workspace) -> Result<String> {
    manifest_of(workspace.root()).map(|manifest| sha256_hex(manifest.as_bytes()))
}

/// The list that is hashed: one line for each thing.
fn manifest_of(root: &Path) -> Result<String> {
    let mut lines = String::new();
    let mut add = |kind: &str, what: &str, value: &str| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(lines, "{kind} {what} {value}");
    };
    for flag in build::FLAGS {
        add("flag", flag, "");
    }
    for (name, value) in build::PROFILE {
        add("profile", name, value);
    }
    for (path, content) in own_files(&root.join(CRATE))? {
        add("file", &path, &sha256_hex(&content));
    }
    let workspace = read_toml(&root.join("Cargo.toml"))?;
    let edition = lookup(&workspace, &["workspace", "package", "edition"]);
    add("edition", "", &text(edition));
    let roots = direct_dependencies(&read_toml(&root.join(CRATE).join("Cargo.toml"))?);
    for name in &roots {
        let declared = lookup(&workspace, &["workspace", "dependencies", name]);
        add("dependency", name, &text(declared));
    }
    let lock = Lock::read(&root.join("Cargo.lock"))?;
    for package in lock.closure(&roots) {
        add(
            "package",
            &package.name,
            &format!("{} {}", package.version, package.checksum),
        );
    }
    Ok(lines)
}

/// The manifest and every file below `src`, by path relative to the crate.
fn own_files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut add = |path: &Path| -> Result<()> {
        let content = fs::read(path).map_err(Error::file("read", path))?;
        let name = path.strip_prefix(folder).unwrap_or(path);
        files.insert(name.to_string_lossy().into_owned(), content);
        Ok(())
    };
    add(&folder.join("Cargo.toml"))?;
    let mut folders = vec![folder.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(Error::file("list", &folder))? {
            let path = entry.map_err(Error::file("list", &folder))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                add(&path)?;
            }
        }
    }
    Ok(files)
}

fn read_toml(path: &Path) -> Result<Table> {
    let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
    text.parse()
        .map_err(|error| Error::malformed(path.display().to_string(), error))
}

fn lookup<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(table.get(*first)?, |value, key| value.get(key))
}

fn text(value: Option<&Value>) -> String {
    value.map(Value::to_string).unwrap_or_default()
}

/// What the BPF build depends on: everything that is neither optional, nor for tests, nor for other targets.
fn direct_dependencies(manifest: &Table) -> BTreeSet<String> {
    let everywhere = lookup(manifest, &["dependencies"]);
    let on_bpf = lookup(
        manifest,
        &["target", "cfg(target_arch = \"bpf\")", "dependencies"],
    );
    [everywhere, on_bpf]
        .into_iter()
        .flatten()
        .filter_map(Value::as_table)
        .flatten()
        .filter(|(_, declared)| declared.get("optional").and_then(Value::as_bool) != Some(true))
        .map(|(name, _)| name.clone())
        .collect()
}

/// One locked package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    checksum: String,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// `Cargo.lock`.
#[derive(serde::Deserialize)]
struct Lock {
    package: Vec<Package>,
}

impl Lock {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
        toml::from_str(&text).map_err(|error| Error::malformed(path.display().to_string(), error))
    }

    /// The locked packages that `roots` need, with all that those need in turn.
    fn closure(&self, roots: &BTreeSet<String>) -> BTreeSet<&Package> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&str> = roots.iter().map(String::as_str).collect();
        while let Some(wanted) = open.pop() {
            // "name", or "name version" where several versions are locked.
            let (name, version) = match wanted.split_once(' ') {
                Some((name, rest)) => (name, rest.split(' ').next()),
                None => (wanted, None),
            };
            for package in &self.package {
                let fits = package.name == name && version.is_none_or(|v| v == package.version);
                if fits && found.insert(package) {
                    open.extend(package.dependencies.iter().map(String::as_str));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: &str = "[workspace.package]\nedition = \"2024\"\n[workspace.dependencies]\n\
        kernel-side = \"1\"\nuser-side = \"1\"\n";
    const MANIFEST: &str = "[dependencies]\nuser-side = { workspace = true, optional = true }\n\
        [target.'cfg(target_arch = \"bpf\")'.dependencies]\nkernel-side.workspace = true\n\
        [dev-dependencies]\ntester = \"1\"\n";
    const LOCK: &str = "[[package]]\nname = \"kernel-side\"\nversion = \"1.0.0\"\nchecksum = \"k\"\n\
        dependencies = [\"deep 2.0.0\"]\n\
        [[package]]\nname = \"deep\"\nversion = \"1.0.0\"\nchecksum = \"d1\"\n\
        [[package]]\nname = \"deep\"\nversion = \"2.0.0\"\nchecksum = \"d2\"\n\
        [[package]]\nname = \"user-side\"\nversion = \"1.0.0\"\nchecksum = \"u\"\n";

    fn checkout() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        for (path, text) in [
            ("Cargo.toml", WORKSPACE),
            ("Cargo.lock", LOCK),
            ("profiler-ebpf/Cargo.toml", MANIFEST),
            ("profiler-ebpf/src/lib.rs", "// shared\n"),
            ("profiler-ebpf/src/probes/block.rs", "// a probe\n"),
        ] {
            write(root, path, text);
        }
        folder
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, text).expect("written");
    }

    /// Whether the hashed list differs once `path` says `text`.
    fn changes(path: &str, text: &str) -> bool {
        let folder = checkout();
        let before = manifest_of(folder.path()).expect("a list");
        write(folder.path(), path, text);
        before != manifest_of(folder.path()).expect("a list")
    }

    #[test]
    fn is_the_same_in_every_checkout() {
        let (one, other) = (checkout(), checkout());
        assert_eq!(
            manifest_of(one.path()).expect("a list"),
            manifest_of(other.path()).expect("a list")
        );
    }

    #[test]
    fn lists_the_kernel_sides_packages_alone() {
        let list = manifest_of(checkout().path()).expect("a list");
        let packages: Vec<_> = list.lines().filter(|l| l.starts_with("package")).collect();
        assert_eq!(
            packages,
            ["package deep 2.0.0 d2", "package kernel-side 1.0.0 k"]
        );
    }

    #[test]
    fn sees_every_source() {
        assert!(changes("profiler-ebpf/src/lib.rs", "// changed\n"));
        assert!(changes("profiler-ebpf/src/probes/block.rs", "// changed\n"));
        assert!(changes("profiler-ebpf/src/probes/new.rs", ""));
        assert!(changes(
            "profiler-ebpf/Cargo.toml",
            &(MANIFEST.to_owned() + "# more\n")
        ));
    }

    #[test]
    fn sees_the_locked_versions_and_declared_features() {
        assert!(changes("Cargo.lock", &LOCK.replace("d2", "d3")));
        assert!(changes(
            "Cargo.toml",
            &WORKSPACE.replace("kernel-side = \"1\"", "kernel-side = \"2\"")
        ));
        assert!(changes("Cargo.toml", &WORKSPACE.replace("2024", "2021")));
    }

    #[test]
    fn does_not_see_what_the_object_is_not_made_from() {
        assert!(!changes("Cargo.lock", &LOCK.replace("\"u\"", "\"v\"")));
        assert!(!changes("Cargo.lock", &LOCK.replace("d1", "d0")));
        assert!(!changes(
            "Cargo.toml",
            &WORKSPACE.replace("user-side = \"1\"", "user-side = \"2\"")
        ));
        assert!(!changes("profiler-ebpf/src/notes.txt", "not compiled"));
    }
}
