//! Whose a bio is that the driver of a stacked device makes of a request of that device.

use ioprof_ebpf::abi::block::Origin;

use super::{
    end::End,
    pages::{BELOW, Owner},
    requests,
};

/// The owner of the bio at an address, where it is made of the request of a device above. It is counted there for its file and
/// its workload.
#[inline(always)]
pub fn owner(bio: u64) -> Option<Owner> {
    match owner_above(bio) {
        0 => None,
        packed => Some(Owner::unpack(packed)),
    }
}

/// The same as [`Owner::pack`] has it, with [`BELOW`]; 0 where it is of no such device. Exported, as the verifier then
/// looks at it by itself.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn owner_above(bio: u64) -> u64 {
    let request = End::at(bio).request_above();
    if request == 0 {
        return 0;
    }
    let owner = match requests::slot_of_queued(request) {
        // It was queued before the window, or there was no room for it.
        None => Owner::of(0, Origin::Unknown),
        Some(slot) if slot.workload == 0 => Owner {
            origin: slot.origin(),
            ..Owner::of(0, Origin::Unknown)
        },
        Some(slot) => Owner::of(slot.workload.into(), Origin::Below),
    };
    owner.pack() | BELOW
}
