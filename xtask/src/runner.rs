//! Starts what cargo built for it: through sudo where the program needs root and this user is not.
//!
//! Cargo calls this as the target's runner, so that one `cargo test` runs every test, each as the right user.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, ExitCode};

use toml::Value;

use crate::error::{Error, Result};
use crate::privileges::{is_root, sudo_works};
use crate::process;

#[derive(clap::Args)]
pub struct Args {
    /// Only programs whose file name starts so get sudo
    #[arg(long, default_value = "")]
    prefix: String,

    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<OsString>,
}

/// What makes cargo start programs of this prefix as root; nothing where this is root, or cannot become it.
pub fn cargo_options(prefix: &str) -> Result<Vec<String>> {
    if is_root() || !sudo_works() {
        return Ok(Vec::new());
    }
    let itself = env::current_exe().map_err(Error::file("find", Path::new("xtask")))?;
    let itself = itself.to_string_lossy();
    Ok(vec!["--config".to_owned(), config(&itself, prefix)])
}

fn config(itself: &str, prefix: &str) -> String {
    let words = [itself, "runner", "--prefix", prefix, "--"];
    let runner = Value::Array(words.map(Value::from).to_vec());
    format!("target.'cfg(unix)'.runner={runner}")
}

/// `xtask runner`: becomes the program.
pub fn run(args: &Args) -> Result<ExitCode> {
    let Some((program, rest)) = args.command.split_first() else {
        return Ok(ExitCode::FAILURE);
    };
    let mut command = if needs_root(program, &args.prefix) {
        let mut sudo = Command::new("sudo");
        // sudo clears the environment, so what tests go by is handed through by hand.
        sudo.args(["--", "env"]).args(kept_variables()).arg(program);
        sudo
    } else {
        Command::new(program)
    };
    Err(process::become_program(command.args(rest)))
}

fn needs_root(program: &OsStr, prefix: &str) -> bool {
    Path::new(program)
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
}

fn kept_variables() -> impl Iterator<Item = OsString> {
    env::vars_os().filter_map(|(name, value)| {
        let text = name.to_string_lossy();
        let kept = ["CARGO_", "IOPROF_", "RUST_"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
            || ["CI", "PATH", "LD_LIBRARY_PATH"].contains(&text.as_ref());
        kept.then(|| [name, value].join(OsStr::new("=")))
    })
}

#[cfg(test)]
mod tests {
    use super::{config, needs_root};

    #[test]
    fn only_the_kernel_tests_get_root() {
        assert!(needs_root("/t/debug/deps/kernel-0123".as_ref(), "kernel"));
        assert!(!needs_root("/t/kernel/deps/cli-0123".as_ref(), "kernel"));
        assert!(needs_root("/t/release/deps/overhead-0123".as_ref(), ""));
    }

    #[test]
    fn the_setting_is_one_that_cargo_can_read() {
        let text = config("/a \"path\"/xtask", "kernel");
        let table: toml::Table = text.parse().expect("TOML");
        let runner = &table["target"]["cfg(unix)"]["runner"];
        assert_eq!(runner[0].as_str(), Some("/a \"path\"/xtask"));
        assert_eq!(runner[3].as_str(), Some("kernel"));
    }
}
