//! Compiles the kernel side so that the same sources give the same bytes in every folder of every machine.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::TARGET;
use super::strip::strip;
use super::toolchain::Toolchain;
use crate::error::{Error, Result};
use crate::process;
use crate::workspace::Workspace;

const PACKAGE: &str = "ioprof-ebpf";

/// What the compiler is told; part of the sources' hash.
pub const FLAGS: &[&str] = &[
    // The object depends on no architecture, so the machine that builds it must not choose one.
    "--cfg=bpf_target_arch=\"x86_64\"",
    // Atomic operations that return a value; the kernel has had them since 5.12.
    "-Ctarget-cpu=v3",
    "-Cpanic=abort",
    // The kernel's type information is made from debug information.
    "-Cdebuginfo=2",
    "-Clink-arg=--btf",
    "-Clinker=bpf-linker",
    "-Clink-arg=--llvm-args=--max-store-memset=64",
];

/// What the profile is set to; part of the sources' hash.
pub const PROFILE: &[(&str, &str)] = &[
    ("OPT_LEVEL", "3"),
    ("CODEGEN_UNITS", "1"),
    ("DEBUG_ASSERTIONS", "false"),
    ("OVERFLOW_CHECKS", "false"),
    ("LTO", "false"),
    ("STRIP", "none"),
];

/// Builds the object and returns its bytes, stripped.
pub fn object(workspace: &Workspace, toolchain: &Toolchain) -> Result<Vec<u8>> {
    let target = folder(workspace);
    process::run(&mut kernel_side(workspace, toolchain, "build", &target)?)?;
    let path = target.join(TARGET).join("release").join(PACKAGE);
    let object = fs::read(&path).map_err(Error::file("read", &path))?;
    strip(&object)
}

/// Runs clippy on what the object is built from, for the target it is built for.
pub fn lint(workspace: &Workspace, toolchain: &Toolchain, clippy: &Path) -> Result<()> {
    let mut check = kernel_side(workspace, toolchain, "check", &folder(workspace))?;
    process::run(
        check
            .env("RUSTC_WORKSPACE_WRAPPER", clippy)
            // What `cargo clippy` hands to its driver; each word ends so.
            .env(
                "CLIPPY_ARGS",
                "--deny__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__",
            ),
    )
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.join("target/ebpf")
}

/// A cargo command on the kernel side, with all that decides what it makes.
fn kernel_side(
    workspace: &Workspace,
    toolchain: &Toolchain,
    subcommand: &str,
    target: &Path,
) -> Result<Command> {
    let flags = flags(workspace, toolchain, target)?;
    let mut command = cargo(workspace, toolchain);
    command
        .arg(subcommand)
        .args(["--release", "--locked"])
        .args(["--package", PACKAGE, "--bin", PACKAGE])
        .args(["-Zbuild-std=core", "--target", TARGET, "--target-dir"])
        .arg(target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags);
    for (name, value) in PROFILE {
        command.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    Ok(command)
}

/// The toolchain's cargo, with nothing in its environment that would change what it makes.
fn cargo(workspace: &Workspace, toolchain: &Toolchain) -> Command {
    let mut cargo = Command::new(&toolchain.cargo);
    cargo.current_dir(workspace.root());
    for (name, _) in std::env::vars_os() {
        if is_disturbing(&name.to_string_lossy()) {
            cargo.env_remove(name);
        }
    }
    cargo
        .env("RUSTC", &toolchain.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_INCREMENTAL", "0")
        .env("PATH", toolchain.linker.search_path());
    cargo
}

/// What the cargo above this process, or its user, has set for another build.
fn is_disturbing(variable: &str) -> bool {
    const NAMES: &[&str] = &[
        "LD_LIBRARY_PATH",
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
        "CARGO",
        "CARGO_ENCODED_RUSTFLAGS",
    ];
    const PREFIXES: &[&str] = &[
        "CARGO_BUILD_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "CARGO_UNSTABLE_",
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
    ];
    NAMES.contains(&variable) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}

/// The fixed flags, and those that take this machine's folders out of what is compiled.
fn flags(workspace: &Workspace, toolchain: &Toolchain, target: &Path) -> Result<OsString> {
    let mut flags: Vec<OsString> = FLAGS.iter().map(Into::into).collect();
    // The last one that fits wins, so the folders inside the checkout come after it.
    let mut remap = |from: &Path, to: &str| {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(from);
        flag.push("=");
        flag.push(to);
        flags.push(flag);
    };
    remap(workspace.root(), "/ioprof");
    remap(&toolchain.rust_src, "/rust");
    if let Ok(real) = toolchain.rust_src.canonicalize() {
        remap(&real, "/rust");
    }
    for package in packages(workspace, toolchain)? {
        remap(&package.folder, &format!("/packages/{}", package.name));
    }
    remap(target, "/target");
    let separator = "\u{1f}";
    Ok(flags.join(separator.as_ref()))
}

/// A package from outside the workspace.
struct Package {
    /// Its name and version.
    name: String,
    folder: PathBuf,
}

/// Where cargo keeps the packages that the build may read.
fn packages(workspace: &Workspace, toolchain: &Toolchain) -> Result<Vec<Package>> {
    let mut metadata = cargo(workspace, toolchain);
    metadata.args([
        "metadata",
        "--locked",
        "--format-version=1",
        "--filter-platform",
        TARGET,
    ]);
    parse_packages(&process::output(&mut metadata)?)
}

fn parse_packages(metadata: &str) -> Result<Vec<Package>> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        packages: Vec<Listed>,
    }
    #[derive(serde::Deserialize)]
    struct Listed {
        name: String,
        version: String,
        source: Option<String>,
        manifest_path: PathBuf,
    }
    let metadata: Metadata = serde_json::from_str(metadata)
        .map_err(|error| Error::malformed("`cargo metadata`'s output", error))?;
    Ok(metadata
        .packages
        .into_iter()
        .filter(|package| package.source.is_some())
        .filter_map(|package| {
            Some(Package {
                name: format!("{}-{}", package.name, package.version),
                folder: package.manifest_path.parent()?.to_owned(),
            })
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_from_outside_are_renamed() {
        let packages = parse_packages(
            r#"{"packages": [
                {"name": "aya-ebpf", "version": "0.2.1", "source": "registry+x", "manifest_path": "/r/aya-ebpf-0.2.1/Cargo.toml"},
                {"name": "ioprof-ebpf", "version": "0.1.0", "source": null, "manifest_path": "/w/Cargo.toml"}
            ]}"#,
        )
        .expect("a list");
        assert_eq!(packages.len(), 1);
        assert_eq!(packages[0].name, "aya-ebpf-0.2.1");
        assert_eq!(packages[0].folder, Path::new("/r/aya-ebpf-0.2.1"));
        assert!(parse_packages("no json").is_err());
    }

    #[test]
    fn the_users_settings_do_not_reach_the_build() {
        for name in ["RUSTFLAGS", "CARGO_PROFILE_RELEASE_LTO", "RUSTUP_TOOLCHAIN"] {
            assert!(is_disturbing(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_HTTP_CAINFO",
        ] {
            assert!(!is_disturbing(name), "{name}");
        }
    }
}
