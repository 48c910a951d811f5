//! One machine, from its image to the output of its tests.

use std::fs;
use std::path::{Path, PathBuf};

use super::configurations::Configuration;
use super::image::{self, Payload};
use super::initramfs;
use super::kernels::Kernel;
use super::qemu::{Disk, Machine, Outcome};
use crate::error::{Error, Result};
use crate::workspace::{Workspace, make_empty};

/// How many of the console's last lines are shown where the guest reported no status.
const CONSOLE_LINES: usize = 60;

/// One machine.
pub struct Guest<'a> {
    pub workspace: &'a Workspace,
    pub kernel: &'a Kernel,
    pub disk: Disk,
    pub configuration: Configuration,
    pub busybox: &'a Path,
    /// The binary under test.
    pub ioprof: &'a Path,
    /// The tests' executables, and what each is given, as a shell reads it.
    pub tests: &'a [PathBuf],
    pub arguments: String,
    /// How long it may take.
    pub seconds: u64,
    /// Where machines are made and their logs kept.
    pub folder: &'a Path,
}

impl Guest<'_> {
    /// What it is called.
    pub fn name(&self) -> String {
        let disk = format!("{:?}", self.disk).to_lowercase();
        format!("{} {disk} {}", self.kernel.release, self.configuration.name)
    }

    fn logs(&self) -> PathBuf {
        self.folder.join("logs").join(self.name().replace(' ', "-"))
    }

    /// Makes the machine and boots it; how it ended, and after how many seconds.
    pub fn boot(&self) -> Result<(Outcome, u64)> {
        let own = self
            .folder
            .join("guests")
            .join(self.name().replace(' ', "-"));
        let logs = self.logs();
        make_empty(&own)?;
        make_empty(&logs)?;
        let (archive, disk) = (own.join("initramfs"), own.join("disk"));
        initramfs::write(self.kernel, self.busybox, &own, &archive)?;
        let payload = Payload {
            tests: self.tests,
            ioprof: self.ioprof,
            arguments: &self.arguments,
            before: self.configuration.before,
            seconds: self.seconds.saturating_sub(30).max(30),
        };
        image::write(self.workspace, self.kernel, &payload, &own, &disk)?;
        let ended = Machine {
            vmlinux: &self.kernel.vmlinux(),
            initramfs: &archive,
            disk: &disk,
            behind: self.disk,
            configuration: &self.configuration,
            seconds: self.seconds,
            logs: &logs,
        }
        .run()?;
        // It is large, and made anew each time.
        fs::remove_dir_all(&own).map_err(Error::file("remove", &own))?;
        Ok(ended)
    }

    /// Prints the tests' output, and the end of the kernel's log where the guest reported no status.
    pub fn show(&self, outcome: Outcome) -> Result<()> {
        println!("{}", self.name());
        print!("{}", self.log("said")?);
        if !matches!(outcome, Outcome::Status(_)) {
            let console = self.log("console")?;
            let lines: Vec<_> = console.lines().collect();
            for line in &lines[lines.len().saturating_sub(CONSOLE_LINES)..] {
                println!("console: {line}");
            }
        }
        Ok(())
    }

    fn log(&self, name: &str) -> Result<String> {
        let file = self.logs().join(name);
        let text = fs::read(&file).map_err(Error::file("read", &file))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
