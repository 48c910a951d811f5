//! The eBPF object: building it, recording what it was built from, and checking that it still is.

mod build;
mod linker;
mod programs;
mod record;
mod setup;
mod sources;
mod stack;
mod strip;
mod toolchain;

use std::fs;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::hash::sha256_hex;
use crate::requirements::in_ci;
use crate::workspace::Workspace;

use record::Record;
use toolchain::Toolchain;

/// The target of the kernel side: little endian, as every machine that ioprof is built for.
const TARGET: &str = "bpfel-unknown-none";

#[derive(clap::Args)]
pub struct Args {
    /// Change nothing: fail unless the committed object is what its sources make
    #[arg(long, conflicts_with = "setup")]
    check: bool,

    /// Install what the build needs, from Debian's packages and crates.io
    #[arg(long)]
    setup: bool,
}

/// `cargo xtask ebpf`; an object that differs from the committed one still has to be tested, and is the answer.
pub fn run(workspace: &Workspace, args: &Args) -> Result<Option<PathBuf>> {
    if args.check {
        return check(workspace);
    }
    if args.setup {
        setup::run(workspace)?;
    } else {
        update(workspace)?;
    }
    Ok(None)
}

/// Builds the object and writes it and its record into the source tree.
fn update(workspace: &Workspace) -> Result<()> {
    let recorded = Record::read(workspace).ok();
    let toolchain =
        Toolchain::choose(workspace, recorded.as_ref().map(|record| &record.toolchain))?;
    println!("building the eBPF object with {toolchain}");
    let sources_sha256 = sources::hash(workspace)?;
    let object = build::object(workspace, &toolchain)?;
    let record = Record {
        sources_sha256,
        object_sha256: sha256_hex(&object),
        toolchain: toolchain.versions,
    };
    let path = record::object_path(workspace);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    }
    let changed = fs::read(&path).ok().as_ref() != Some(&object);
    fs::write(&path, &object).map_err(Error::file("write", &path))?;
    record.write(workspace)?;
    println!(
        "{} profiler/ebpf/ioprof.bpf.o: {} bytes, sha256 {}",
        if changed { "wrote" } else { "unchanged:" },
        object.len(),
        record.object_sha256
    );
    stack::check(&object)
}

/// Fails unless the committed object is the recorded one, and the sources are those it was made from.
pub fn check_sources(workspace: &Workspace) -> Result<Record> {
    let record = Record::read(workspace)?;
    let path = record::object_path(workspace);
    let object = fs::read(&path).map_err(Error::file("read", &path))?;
    if sha256_hex(&object) != record.object_sha256 {
        return Err(Error::ObjectChanged);
    }
    stack::check(&object)?;
    if sources::hash(workspace)? != record.sources_sha256 {
        return Err(Error::SourcesChanged);
    }
    Ok(record)
}

/// The names of the programs in the committed object that are attached to events.
pub fn probes(workspace: &Workspace) -> Result<Vec<String>> {
    let path = record::object_path(workspace);
    let object = fs::read(&path).map_err(Error::file("read", &path))?;
    programs::names(&object)
}

/// Runs clippy on the probes for the target they are built for, where there is a toolchain that can.
pub fn lint(workspace: &Workspace) -> Result<()> {
    let recorded = Record::read(workspace).ok().map(|record| record.toolchain);
    let toolchain = match Toolchain::choose(workspace, recorded.as_ref()) {
        Err(error @ Error::NoToolchain { .. }) if !in_ci() => {
            println!("the probes are not linted: {error}");
            return Ok(());
        }
        chosen => chosen?,
    };
    match &toolchain.clippy {
        Some(clippy) => build::lint(workspace, &toolchain, clippy),
        None if in_ci() => Err(Error::NoClippy),
        None => {
            println!("the probes are not linted: {}", Error::NoClippy);
            Ok(())
        }
    }
}

/// As [`check_sources`]; then builds the object again. Another toolchain may make another object.
fn check(workspace: &Workspace) -> Result<Option<PathBuf>> {
    let record = check_sources(workspace)?;
    println!("the committed eBPF object is recorded as made from these sources");
    let toolchain = match Toolchain::choose(workspace, Some(&record.toolchain)) {
        Ok(toolchain) => toolchain,
        Err(error @ Error::NoToolchain { .. }) => {
            println!("not rebuilt: {error}");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let object = build::object(workspace, &toolchain)?;
    if sha256_hex(&object) == record.object_sha256 {
        println!("rebuilt with {toolchain}: the same bytes");
        return Ok(None);
    }
    let path = workspace.join("target/ebpf/ioprof.bpf.o");
    fs::write(&path, &object).map_err(Error::file("write", &path))?;
    if toolchain.versions == record.toolchain {
        return Err(Error::NotReproduced(path));
    }
    println!(
        "other bytes, from another toolchain: {toolchain} here, {} recorded; \
         running the kernel tests on the object just built",
        record.toolchain
    );
    Ok(Some(path))
}
