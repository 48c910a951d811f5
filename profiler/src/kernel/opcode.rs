//! The names of the opcodes of io_uring and of control blocks.

use std::borrow::Cow;

use ioprof_ebpf::abi::opcodes::{AIO, Opcode, URING};

/// The name of an opcode of io_uring.
pub fn uring_name(opcode: u32) -> Cow<'static, str> {
    name(URING, "io_uring", opcode)
}

/// The name of an opcode of a control block.
pub fn aio_name(opcode: u32) -> Cow<'static, str> {
    name(AIO, "io_submit", opcode)
}

/// The name of an opcode; what it is of and its number where it has none here.
fn name(opcodes: &[Opcode], interface: &str, opcode: u32) -> Cow<'static, str> {
    let known = opcodes.get(opcode as usize).map(|(name, _)| *name);
    known.filter(|name| !name.is_empty()).map_or_else(
        || Cow::Owned(format!("{interface} {opcode}")),
        Cow::Borrowed,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_have_the_names_of_the_kernels_headers() {
        assert_eq!(uring_name(22), "READ");
        assert_eq!(uring_name(62), "PIPE");
        assert_eq!(uring_name(127), "io_uring 127");
        assert_eq!(aio_name(8), "PWRITEV");
        assert_eq!(aio_name(4), "io_submit 4");
    }
}
