//! What the kernel's verifier takes for each program, which is most of what a start takes.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aya::programs::{Program, ProgramError};
use nix::time::{ClockId, clock_gettime};

/// A program that the kernel has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The program in the object.
    pub program: &'static str,
    /// CPU time of its load.
    pub time: Duration,
    /// Instructions that the verifier went through, each as often as it did; none where the kernel does not tell, as before
    /// 5.16.
    pub instructions: Option<u32>,
}

/// The programs that were verified. Several threads add to them.
#[derive(Debug, Default)]
pub struct Verifier(Mutex<Vec<Verified>>);

impl Verifier {
    /// Has the kernel verify a program by loading it.
    pub fn verify(
        &self,
        name: &'static str,
        program: &mut Program,
        load: impl FnOnce(&mut Program) -> Result<(), ProgramError>,
    ) -> Result<(), ProgramError> {
        let before = thread_time();
        load(program)?;
        let time = thread_time().saturating_sub(before);
        let info = program.info()?;
        let mut verified = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        verified.push(Verified {
            program: name,
            time,
            instructions: info.verified_instruction_count(),
        });
        Ok(())
    }

    /// All of them, the longest first.
    pub fn into_verified(self) -> Vec<Verified> {
        let mut verified = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        verified.sort_by_key(|one| (std::cmp::Reverse(one.time), one.program));
        verified
    }
}

/// CPU time of this thread: what others do on the machine meanwhile is not in it.
fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
