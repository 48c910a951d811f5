//! `cargo xtask run`: builds ioprof and becomes `ioprof run`.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::error::{Error, Result};
use crate::privileges::{can_profile, sudo_works};
use crate::process;
use crate::workspace::{Workspace, cargo};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// What `ioprof run` is given, as it stands
    #[arg(
        value_name = "ARGS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    _args: Vec<OsString>,
}

/// `cargo xtask run`: does not return where it succeeds, so that status and signals are ioprof's own.
pub fn run(workspace: &Workspace, _: &Args) -> Result<ExitCode> {
    let program = build(workspace)?;
    let mut ioprof = if can_profile() || !sudo_works() {
        // Without sudo, ioprof itself says best what it lacks.
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("--").arg(program);
        sudo
    };
    // From the process itself, since clap takes a leading `--` for its own.
    ioprof.arg("run").args(env::args_os().skip(2));
    Err(process::become_program(&mut ioprof))
}

/// Builds the release and returns its path, wherever cargo puts it.
pub fn build(workspace: &Workspace) -> Result<PathBuf> {
    let mut build = Command::new(cargo());
    build
        .current_dir(workspace.root())
        .args([
            "build",
            "--release",
            "--package",
            "ioprof",
            "--bin",
            "ioprof",
        ])
        .arg("--message-format=json-render-diagnostics");
    executable(&process::output(&mut build)?).ok_or_else(|| {
        Error::malformed("`cargo build`'s output", "it names no executable `ioprof`")
    })
}

/// An executable that cargo has built.
pub struct Built {
    /// Where it is.
    pub executable: PathBuf,
    /// Its name in the manifest.
    pub name: String,
    /// Whether it runs tests.
    pub is_test: bool,
}

/// The executables named in cargo's messages.
pub fn executables(messages: &str) -> impl Iterator<Item = Built> {
    #[derive(serde::Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
        #[serde(default)]
        target: Target,
    }
    #[derive(Default, serde::Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    messages.lines().filter_map(|line| {
        let message: Message = serde_json::from_str(line).ok()?;
        Some(Built {
            executable: message.executable?,
            is_test: message.target.kind.iter().any(|kind| kind == "test"),
            name: message.target.name,
        })
    })
}

/// The last of them.
fn executable(messages: &str) -> Option<PathBuf> {
    Some(executables(messages).last()?.executable)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::executable;

    #[test]
    fn the_path_is_what_cargo_says() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"executable\":\"/t/release/ioprof\"}\n\
            {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(
            executable(messages).as_deref(),
            Some(Path::new("/t/release/ioprof"))
        );
        assert_eq!(executable(""), None);
    }
}
