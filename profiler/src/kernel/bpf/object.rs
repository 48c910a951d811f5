//! The eBPF object that this binary carries.

/// Puts the object where the loader may read it as the words it consists of.
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("IOPROF_OBJECT")));

/// The bytes of the object.
pub fn bytes() -> &'static [u8] {
    &ALIGNED.0
}

/// How it was built: its hash, the hash of its sources, and the toolchain, as JSON.
pub const RECORD: &str = include_str!("../../../ebpf/record.json");
