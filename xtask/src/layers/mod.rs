//! The rules that no compiler checks: which part may know which, how long a file may be, what none may hold.

mod rules;
mod source;

use std::fs;
use std::process::Command;

use crate::error::{Error, Result};
use crate::process;
use crate::workspace::Workspace;

/// `cargo xtask layers`: says what breaks a rule, and fails if anything does.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut errors = 0;
    for path in files(workspace)? {
        let full = workspace.join(&path);
        // A file that git still lists may have been deleted; a folder may be a repository of its own.
        if !full.is_file() {
            continue;
        }
        let content = fs::read(&full).map_err(Error::file("read", &full))?;
        for finding in rules::check(&path, &content, workspace.root()) {
            errors += usize::from(finding.is_error);
            let kind = if finding.is_error { "error" } else { "warning" };
            let line = if finding.line == 0 {
                String::new()
            } else {
                format!(":{}", finding.line)
            };
            eprintln!("{kind}: {path}{line}: {}", finding.message);
        }
    }
    if errors == 0 {
        Ok(())
    } else {
        Err(Error::Layers(errors))
    }
}

/// Every file that is tracked, or would be if it were added.
fn files(workspace: &Workspace) -> Result<Vec<String>> {
    let mut list = Command::new("git");
    list.current_dir(workspace.root()).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let listed = process::output(&mut list)?;
    Ok(listed
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect())
}
