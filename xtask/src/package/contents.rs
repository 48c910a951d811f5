//! What is in the package and not in the sources: man pages, completions, licences, Debian's changelog.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::third_party;
use crate::error::{Error, Result};
use crate::process;
use crate::workspace::Workspace;

const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// Makes it below a folder; profiler/Cargo.toml says where it goes.
pub fn make(workspace: &Workspace, program: &Path, folder: &Path, time: u64) -> Result<()> {
    process::run(Command::new(program).arg("man").arg(folder.join("man")))?;
    for shell in SHELLS {
        let script = process::output(Command::new(program).args(["completions", shell]))?;
        write(&folder.join(shell), &script)?;
    }
    write(
        &folder.join("third-party.txt"),
        &third_party::text(workspace)?,
    )?;
    write(&folder.join("changelog"), &changelog(workspace, time)?)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::file("write", path))
}

/// The changelog in Debian's form: one entry, as the package's own history is no other than ioprof's.
fn changelog(workspace: &Workspace, time: u64) -> Result<String> {
    let path = workspace.join("profiler/Cargo.toml");
    let manifest = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
    let manifest: toml::Table = manifest
        .parse()
        .map_err(|error| Error::malformed(path.display().to_string(), error))?;
    let maintainer = manifest
        .get("package")
        .and_then(|package| {
            package
                .get("metadata")?
                .get("deb")?
                .get("maintainer")?
                .as_str()
        })
        .ok_or_else(|| Error::malformed(path.display().to_string(), "it names no maintainer"))?;
    let mut date = Command::new("date");
    date.env("LC_ALL", "C")
        .args(["--utc", "--rfc-email", "--date", &format!("@{time}")]);
    Ok(entry(
        env!("CARGO_PKG_VERSION"),
        maintainer,
        process::output(&mut date)?.trim(),
    ))
}

fn entry(version: &str, maintainer: &str, date: &str) -> String {
    format!(
        "ioprof ({version}-1) unstable; urgency=medium\n\n  * What changed is in changelog.gz, beside this \
         file.\n\n -- {maintainer}  {date}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::entry;

    #[test]
    fn the_changelog_has_debians_form() {
        let entry = entry("1.2.3", "A <a@b.c>", "Sun, 22 Nov 2026 12:00:00 +0000");
        assert!(entry.starts_with("ioprof (1.2.3-1) unstable; urgency=medium\n\n  * "));
        assert!(entry.ends_with("\n\n -- A <a@b.c>  Sun, 22 Nov 2026 12:00:00 +0000\n"));
    }
}
