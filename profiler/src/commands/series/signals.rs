//! What a process that waits for its runs does with signals.

use std::mem::MaybeUninit;

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

/// What asks to stop.
const STOPS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

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
        let waited_for: SigSet = STOPS.into_iter().chain([Signal::SIGCHLD]).collect();
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

    /// What has asked to stop since the last run, and would not reach the next one.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses it.
    pub fn pending(&self) -> Result<Option<Signal>, Error> {
        let mut pending = MaybeUninit::uninit();
        // SAFETY: the kernel writes the set that the pointer leads to.
        let result = unsafe { libc::sigpending(pending.as_mut_ptr()) };
        Errno::result(result).map_err(Error::system("asking for signals"))?;
        // SAFETY: the call has succeeded, and so written it.
        let pending = unsafe { pending.assume_init() };
        // SAFETY: it is a set of the kernel's signals.
        let pending = unsafe { SigSet::from_sigset_t_unchecked(pending) };
        Ok(STOPS.into_iter().find(|signal| pending.contains(*signal)))
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
