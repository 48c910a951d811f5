//! `cargo xtask ebpf --setup`: from Debian's packages and crates.io, what the eBPF build needs.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::linker::{self, Linker};
use super::record::{Record, Versions};
use super::toolchain::Compiler;
use crate::apt;
use crate::error::{Error, Result};
use crate::tools;
use crate::workspace::Workspace;

const COMPILER_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", CLIPPY_PACKAGE];

/// Clippy of the same version.
const CLIPPY_PACKAGE: &str = "rust-web-clippy";

/// What those of LLVM bring, below its folder.
const LLVM_FILES: &[&str] = &["include/llvm-c/Core.h", "lib/libPolly.a"];

/// What to do where there is no Debian.
const ELSEWHERE: &str = "use `rustup toolchain install nightly --component rust-src,clippy` and `cargo binstall bpf-linker`";

/// Installs what is missing; at once done where nothing is.
pub fn run(workspace: &Workspace) -> Result<()> {
    let recorded = Record::read(workspace).ok().map(|record| record.toolchain);
    let compiler = compiler(recorded.as_ref())?;
    println!("compiler: {}, LLVM {}", compiler.version, compiler.llvm);
    if compiler.clippy().is_none() && compiler.is_packaged() {
        apt_install(&[CLIPPY_PACKAGE])?;
    }
    let linker = match linker(workspace, &compiler) {
        Some(linker) => linker,
        None => install_linker(workspace, &compiler)?,
    };
    println!("bpf-linker: {}", linker.version);
    Ok(())
}

/// A compiler that will do: one that is here, or Debian's.
fn compiler(recorded: Option<&Versions>) -> Result<Compiler> {
    if let Some(compiler) = Compiler::choose(recorded) {
        return Ok(compiler);
    }
    apt_install(COMPILER_PACKAGES)?;
    Compiler::choose(recorded).ok_or_else(|| Error::Setup {
        why: format!(
            "{} did not bring a compiler that will do",
            COMPILER_PACKAGES.join(", ")
        ),
        remedy: ELSEWHERE,
    })
}

/// The linker that was installed here before; rustup's compilers have an LLVM that Debian
/// lacks, so beside those any linker of the right version will do.
fn linker(workspace: &Workspace, compiler: &Compiler) -> Option<Linker> {
    let linker = if compiler.is_packaged() {
        Linker::installed(workspace)
    } else {
        Linker::find(workspace)
    };
    linker.filter(|linker| linker.version == linker::VERSION)
}

/// Builds `bpf-linker` against the LLVM that the compiler itself uses, into the checkout's own folder.
fn install_linker(workspace: &Workspace, compiler: &Compiler) -> Result<Linker> {
    if !compiler.is_packaged() {
        return Err(Error::Setup {
            why: format!("{} is not of Debian", compiler.rustc.display()),
            remedy: "use `cargo binstall bpf-linker`",
        });
    }
    let major = compiler.llvm.split('.').next().unwrap_or_default();
    let prefix = PathBuf::from(format!("/usr/lib/llvm-{major}"));
    if !LLVM_FILES.iter().all(|file| prefix.join(file).exists()) {
        apt_install(&llvm_packages(major))?;
    }
    let feature = format!("llvm-{major}");
    tools::install(
        workspace,
        linker::NAME,
        linker::VERSION,
        &["--no-default-features", "--features", &feature],
        Some(("LLVM_PREFIX", prefix.as_os_str())),
    )?;
    Linker::installed(workspace).ok_or(Error::Setup {
        why: "the bpf-linker that was just built does not start".to_owned(),
        remedy: "run `target/tools/bin/bpf-linker --version` to see why",
    })
}

fn llvm_packages(major: &str) -> Vec<String> {
    let own = ["llvm", "libpolly"].map(|name| format!("{name}-{major}-dev"));
    let linked = ["zlib1g-dev", "libzstd-dev", "libxml2-dev"].map(str::to_owned);
    own.into_iter().chain(linked).collect()
}

fn apt_install(packages: &[impl AsRef<OsStr> + AsRef<str>]) -> Result<()> {
    if !apt::is_there() {
        return Err(Error::Setup {
            why: "there is no apt-get".to_owned(),
            remedy: ELSEWHERE,
        });
    }
    apt::install(packages)
}

#[cfg(test)]
mod tests {
    use super::llvm_packages;

    #[test]
    fn llvms_packages_are_those_of_the_compilers_llvm() {
        assert_eq!(llvm_packages("22")[..2], ["llvm-22-dev", "libpolly-22-dev"]);
    }
}
