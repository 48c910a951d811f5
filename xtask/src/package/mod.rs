//! `cargo xtask package`: the Debian package, with what it holds made by the binary that it holds.

mod contents;
mod third_party;
mod verify;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::process;
use crate::profile;
use crate::requirements::{self, Consent, Purpose};
use crate::tools;
use crate::workspace::{Workspace, make_empty};

/// What makes the package.
const MAKER: &str = "cargo-deb";
const MAKER_VERSION: &str = "3.8.0";

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    consent: Consent,
}

/// `cargo xtask package`.
pub fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    requirements::require(Purpose::Packaging, &args.consent)?;
    if tools::version(workspace, MAKER).as_deref() != Some(MAKER_VERSION) {
        tools::install(workspace, MAKER, MAKER_VERSION, &[], None)?;
    }
    let program = profile::build(workspace)?;
    let folder = workspace.join("target/package");
    make_empty(&folder)?;
    let time = commit_time(workspace)?;
    contents::make(workspace, &program, &folder, time)?;
    let package = make(workspace, &program, &folder, time)?;
    verify::run(workspace, &package)?;
    println!("{}", package.display());
    Ok(())
}

/// When the commit was made, in seconds since 1970: the time that everything in the package has.
fn commit_time(workspace: &Workspace) -> Result<u64> {
    let mut git = Command::new("git");
    git.current_dir(workspace.root())
        .args(["show", "--no-patch", "--format=%ct", "HEAD"]);
    let time = process::output(&mut git)?;
    time.trim()
        .parse()
        .map_err(|error| Error::malformed("the commit's time", error))
}

fn make(workspace: &Workspace, program: &Path, folder: &Path, time: u64) -> Result<PathBuf> {
    let mut maker = Command::new(tools::path(workspace, MAKER));
    maker
        .args([
            "--package",
            "ioprof",
            "--no-build",
            "--no-dbgsym",
            "--strip",
        ])
        .args(["--no-separate-debug-symbols", "--quiet", "--output"])
        .arg(folder)
        .current_dir(workspace.root())
        .env("SOURCE_DATE_EPOCH", time.to_string());
    // It looks for the binary where cargo puts it by itself.
    if let Some(target) = program.parent().and_then(Path::parent) {
        maker.env("CARGO_TARGET_DIR", target);
    }
    let said = process::output(&mut maker)?;
    let package = said
        .lines()
        .next_back()
        .map(|path| PathBuf::from(path.trim()));
    package
        .filter(|path| path.extension().is_some_and(|end| end == "deb"))
        .ok_or_else(|| Error::malformed("what cargo-deb says", "it names no package"))
}
