//! What a process that waits for its runs does with signals.

use nix::{
    errno::Errno,
    sys::{
        signal::{SigSet, Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::{
    commands::{measurement::StopSignal, run::has_reached_children},
    error::Error,
};

/// The signals that this process waits for.
pub struct Signals {
    waited_for: SigSet,
    before: SigSet,
}

impl Signals {
    /// Keeps them until they are asked for.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses it.
    pub fn block() -> Result<Self, Error> {
        let stops = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
        let waited_for: SigSet = stops.into_iter().chain([Signal::SIGCHLD]).collect();
        let before = waited_for.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK);
        let before = before.map_err(Error::system("blocking signals"))?;
        Ok(Self { waited_for, before })
    }

    /// As they were.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses it.
    pub fn restore(&self) -> Result<(), Error> {
        self.before
            .thread_set_mask()
            .map_err(Error::system("unblocking signals"))
    }

    /// The mask before, which what is executed is to have.
    pub const fn mask_before(&self) -> SigSet {
        self.before
    }

    /// What has asked to stop since it was waited for.
    pub fn pending(&self) -> Option<Signal> {
        let now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        loop {
            // SAFETY: the set and the time live through the call, and nothing is asked of the signal but its number.
            let number = unsafe {
                libc::sigtimedwait(
                    self.waited_for.as_ref(),
                    std::ptr::null_mut(),
                    &raw const now,
                )
            };
            match Signal::try_from(number) {
                // What has ended is found by waiting for it.
                Ok(Signal::SIGCHLD) => {}
                other => return other.ok(),
            }
        }
    }

    /// Waits for a run, and passes on what asks it to stop; how it ended, and what has asked.
    ///
    /// # Errors
    ///
    /// Where it cannot be waited for.
    pub fn wait(&self, child: Pid) -> Result<(WaitStatus, Option<Signal>), Error> {
        let mut stopped = None;
        loop {
            match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
                ended => {
                    let ended = ended.map_err(Error::system("waiting for a run"))?;
                    return Ok((ended, stopped));
                }
            }
            let signal = self.waited_for.wait();
            let signal = signal.map_err(Error::system("waiting for signals"))?;
            if signal == Signal::SIGCHLD {
                continue;
            }
            stopped = Some(signal);
            // The terminal has sent it to all of the foreground. The run may have ended in this moment.
            if !has_reached_children(StopSignal(signal)) {
                let _ = kill(child, signal);
            }
        }
    }
}
