//! The programs of the object.

use aya::{
    Ebpf,
    programs::{Program, ProgramError},
};

/// A program of the object by its name.
pub fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Program, ProgramError> {
    ebpf.program_mut(name).ok_or(ProgramError::NotLoaded)
}
