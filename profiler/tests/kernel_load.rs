//! A little of what `cargo xtask soak` does much of: all of it is counted, and ioprof stays small.

mod load;
mod support;

use load::{How, cycles, scenarios};
use support::requirements::{can_profile, turns};

#[test]
fn two_thousand_processes_are_all_counted() {
    if can_profile(&["cc", "bpftool"]) {
        scenarios::processes(2000);
    }
}

#[test]
fn five_hundred_threads_at_once_are_all_counted() {
    if can_profile(&["cc", "bpftool"]) {
        scenarios::threads(How::Run, 500, 10);
        scenarios::threads(How::Attach, 500, 10);
    }
}

#[test]
fn forty_thousand_files_are_all_counted_and_the_full_table_is_told() {
    if can_profile(&["cc", "bpftool"]) {
        scenarios::files(20_000);
        scenarios::files(40_000);
    }
}

#[test]
fn reads_and_nops_as_fast_as_they_go_are_all_counted() {
    if can_profile(&["cc", "bpftool"]) {
        scenarios::reads(200_000);
        scenarios::nops(200_000);
    }
}

#[test]
fn a_bit_of_everything_again_and_again_leaves_memory_flat() {
    if can_profile(&["cc", "bpftool"]) {
        scenarios::pulses(2000);
    }
}

#[test]
fn ten_attachments_leave_nothing_behind() {
    if can_profile(&["cc", "bpftool"]) {
        cycles::by_command(turns(10));
    }
}
