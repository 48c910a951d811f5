//! Probes attached and detached again and again in one process.

use crate::support::{load, requirements};

// Alone: what other tests open would count.
#[test]
fn ten_sessions_leave_no_descriptor_behind() {
    requires!(alone, "cc", "bpftool");
    println!("{}", load::cycles::in_one_process(requirements::turns(10)));
}
