//! Probes attached and detached again and again in one process. It is a program of its own, as what other tests
//! open would count.

mod load;
mod support;

use support::requirements;

#[test]
fn ten_sessions_leave_no_descriptor_behind() {
    if requirements::can_profile(&["cc", "bpftool"]) {
        load::cycles::in_one_process(requirements::turns(10));
    }
}
