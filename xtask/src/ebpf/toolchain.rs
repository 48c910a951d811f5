//! Which compiler builds the eBPF object.
//!
//! `core` has to be compiled for the target, so any compiler will do that comes with the standard
//! library's sources: rustup's nightly with `rust-src`, or Debian's `rustc-web` with `rust-web-src`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::linker::Linker;
use super::record::Versions;
use crate::error::{Error, Result};
use crate::process;
use crate::workspace::Workspace;

/// The oldest compiler that builds the workspace.
const OLDEST: (u32, u32) = (1, 95);

/// A compiler, the cargo beside it, and a linker: all that the build needs.
#[derive(Debug, Clone)]
pub struct Toolchain {
    pub cargo: PathBuf,
    pub rustc: PathBuf,
    pub clippy: Option<PathBuf>,
    /// The folder that holds `library/`.
    pub rust_src: PathBuf,
    pub linker: Linker,
    pub versions: Versions,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.versions)
    }
}

/// A compiler that might do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiler {
    pub rustc: PathBuf,
    cargo: PathBuf,
    rust_src: PathBuf,
    /// The line of `rustc --version`.
    pub version: String,
    /// LLVM's version.
    pub llvm: String,
}

impl Compiler {
    /// Clippy of this compiler: no other knows its crates.
    pub fn clippy(&self) -> Option<PathBuf> {
        let driver = self.rustc.with_file_name("clippy-driver");
        process::is_executable(&driver).then_some(driver)
    }
}

impl Toolchain {
    /// The recorded toolchain where it is here, and else the first that is there.
    pub fn choose(workspace: &Workspace, recorded: Option<&Versions>) -> Result<Self> {
        let linker = Linker::find(workspace);
        let compiler = Compiler::choose(recorded);
        match (compiler, linker) {
            (Some(compiler), Some(linker)) => Ok(Self::of(compiler, linker)),
            (compiler, linker) => Err(Error::NoToolchain {
                found: missing(compiler.is_some(), linker.is_some()),
            }),
        }
    }

    fn of(compiler: Compiler, linker: Linker) -> Self {
        let clippy = compiler.clippy();
        let versions = Versions {
            rustc: compiler.version,
            llvm: compiler.llvm,
            bpf_linker: linker.version.clone(),
        };
        Self {
            clippy,
            cargo: compiler.cargo,
            rustc: compiler.rustc,
            rust_src: compiler.rust_src,
            linker,
            versions,
        }
    }
}

/// Every compiler here that could do, best first: nightly, the distribution's, the one in use.
fn compilers() -> Vec<Compiler> {
    let nightly = process::try_output(Command::new("rustup").args([
        "which",
        "--toolchain",
        "nightly",
        "rustc",
    ]));
    [
        nightly.map(|path| PathBuf::from(path.trim())),
        Some(PathBuf::from("/usr/bin/rustc")),
        process::try_output(Command::new("rustc").args(["--print", "sysroot"]))
            .map(|path| Path::new(path.trim()).join("bin/rustc")),
    ]
    .into_iter()
    .flatten()
    .filter_map(|rustc| Compiler::at(&rustc))
    .collect()
}

impl Compiler {
    /// The recorded compiler where it is here, and else the first that is there.
    pub fn choose(recorded: Option<&Versions>) -> Option<Self> {
        preferred(compilers(), recorded)
    }

    /// Whether it came with the distribution's packages.
    pub fn is_packaged(&self) -> bool {
        self.rustc.starts_with("/usr/bin")
    }

    /// This compiler, if it is new enough and has a cargo and the library's sources beside it.
    fn at(rustc: &Path) -> Option<Self> {
        let ask = |argument: &[&str]| {
            process::try_output(
                Command::new(rustc)
                    .env_remove("LD_LIBRARY_PATH")
                    .args(argument),
            )
        };
        let (version, llvm) = parse_version(&ask(&["--version", "--verbose"])?)?;
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?.trim());
        let rust_src = sysroot.join("lib/rustlib/src/rust");
        let cargo = rustc.with_file_name("cargo");
        let complete = rust_src.join("library/core/Cargo.toml").is_file()
            && process::is_executable(&cargo)
            && release(&version)? >= OLDEST;
        complete.then(|| Self {
            rustc: rustc.to_owned(),
            cargo,
            rust_src,
            version,
            llvm,
        })
    }
}

/// The recorded compiler where it is among these, and else the first.
fn preferred(mut compilers: Vec<Compiler>, recorded: Option<&Versions>) -> Option<Compiler> {
    let same = |compiler: &Compiler| {
        recorded.is_some_and(|r| r.rustc == compiler.version && r.llvm == compiler.llvm)
    };
    let index = compilers.iter().position(same).unwrap_or(0);
    (index < compilers.len()).then(|| compilers.swap_remove(index))
}

/// The first line and LLVM's version, of what `rustc --version --verbose` prints.
fn parse_version(verbose: &str) -> Option<(String, String)> {
    let line = verbose.lines().next()?.trim();
    let llvm = verbose
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))?;
    Some((line.to_owned(), llvm.trim().to_owned()))
}

/// Major and minor, of a line like `rustc 1.95.0 (...)`.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix("rustc ")?.split(['.', ' ', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn missing(compiler: bool, linker: bool) -> String {
    let (major, minor) = OLDEST;
    let no_compiler =
        format!("no rustc {major}.{minor} or newer has the standard library's sources");
    match (compiler, linker) {
        (false, false) => no_compiler + ", and there is no bpf-linker",
        (false, true) => no_compiler,
        _ => "there is no bpf-linker".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERBOSE: &str = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\n\
        binary: rustc\nrelease: 1.96.0\nLLVM version: 22.1.8\n";

    fn compiler(version: &str) -> Compiler {
        Compiler {
            rustc: "rustc".into(),
            cargo: "cargo".into(),
            rust_src: "src".into(),
            version: version.to_owned(),
            llvm: "22.1.8".to_owned(),
        }
    }

    fn recorded(rustc: &str) -> Versions {
        Versions {
            rustc: rustc.to_owned(),
            llvm: "22.1.8".to_owned(),
            bpf_linker: "0.13.0".to_owned(),
        }
    }

    #[test]
    fn reads_what_rustc_says_of_itself() {
        let (version, llvm) = parse_version(VERBOSE).expect("two versions");
        assert_eq!(
            version,
            "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"
        );
        assert_eq!(llvm, "22.1.8");
        assert_eq!(release(&version), Some((1, 96)));
        assert_eq!(
            release("rustc 1.98.0-nightly (0 2026-01-01)"),
            Some((1, 98))
        );
        assert_eq!(release("gcc 12"), None);
    }

    #[test]
    fn the_recorded_compiler_comes_first() {
        let all = vec![compiler("nightly"), compiler("debian")];
        assert_eq!(
            preferred(all.clone(), Some(&recorded("debian"))),
            Some(compiler("debian"))
        );
        assert_eq!(
            preferred(all.clone(), Some(&recorded("gone"))),
            Some(compiler("nightly"))
        );
        assert_eq!(preferred(all, None), Some(compiler("nightly")));
        assert_eq!(preferred(Vec::new(), None), None);
    }

    #[test]
    fn the_message_names_what_is_missing() {
        assert!(missing(false, true).contains("standard library's sources"));
        assert!(!missing(false, true).contains("bpf-linker"));
        assert!(missing(false, false).contains("bpf-linker"));
        assert_eq!(missing(true, false), "there is no bpf-linker");
    }
}
