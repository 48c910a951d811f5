//! Programs of a known number of system calls, in C: nothing but what is written there makes calls.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use super::{folder, succeed};

/// Where there is no compiler, the folder with the programs compiled.
const COMPILED: &str = "IOPROF_TEST_PROGRAMS";

/// A program of `tests/programs`, compiled; gone with this value.
pub struct Program {
    folder: tempfile::TempDir,
    name: &'static str,
}

/// The folder with the programs compiled, where there is one.
pub fn compiled() -> Option<PathBuf> {
    std::env::var_os(COMPILED).map(PathBuf::from)
}

impl Program {
    /// Compiles a program, with the C compiler that building ioprof takes too. Linked statically, as a
    /// dynamic loader opens, reads and maps files by the calls that are to be counted. Options of its own are in a file
    /// beside it.
    pub fn compile(name: &'static str) -> Self {
        Self::of("programs", name)
    }

    /// Compiles a library of `tests/libraries`, to be loaded before others.
    pub fn library(name: &'static str) -> Self {
        Self::of("libraries", name)
    }

    fn of(kind: &str, name: &'static str) -> Self {
        let folder = folder();
        let program = folder.path().join(name);
        if let Some(compiled) = compiled() {
            succeed(Command::new("cp").arg(compiled.join(name)).arg(program));
            return Self { folder, name };
        }
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(kind);
        let own = sources.join(name).with_extension("options");
        let options = if own.exists() {
            own
        } else {
            sources.join("options")
        };
        let options = std::fs::read_to_string(options).expect("they are there");
        let mut compiler = Command::new("cc");
        compiler
            .args(options.split_whitespace())
            .arg("-o")
            .arg(program);
        succeed(compiler.arg(sources.join(name).with_extension("c")));
        Self { folder, name }
    }

    /// The executable file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    /// Its command line with these arguments.
    pub fn with(&self, arguments: &[&str]) -> Vec<OsString> {
        let mut words = vec![self.path().into_os_string()];
        words.extend(arguments.iter().map(OsString::from));
        words
    }
}
