//! A program that does a step for each byte it is told, and answers when it is done.

use std::{
    io::{Read as _, Write as _},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use super::program::Program;

/// Such a program; it ends with its input.
pub struct Steps {
    child: Child,
    tell: ChildStdin,
    answers: ChildStdout,
}

impl Steps {
    pub fn start(program: &Program, arguments: &[&str]) -> Self {
        let words = program.with(arguments);
        let mut child = std::process::Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        Self {
            tell: child.stdin.take().expect("a pipe"),
            answers: child.stdout.take().expect("a pipe"),
            child,
        }
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Has it do some steps, and returns when they are done.
    pub fn tell(&mut self, steps: impl AsRef<[u8]>) {
        for step in steps.as_ref() {
            self.begin(*step);
            self.wait();
        }
    }

    /// Has it begin a step.
    pub fn begin(&mut self, step: u8) {
        self.tell.write_all(&[step]).expect("the program listens");
    }

    /// Waits until it is in a system call on a descriptor.
    pub fn wait_in(&self, call: i64, descriptor: u32) {
        super::wait_for_call(self.pid(), self.pid(), call, descriptor);
    }

    /// Returns when that is done.
    pub fn wait(&mut self) {
        let mut answer = [0];
        self.answers
            .read_exact(&mut answer)
            .expect("the program answers");
    }

    pub fn end(mut self) {
        drop(self.tell);
        assert!(self.child.wait().expect("a child").success());
    }
}
