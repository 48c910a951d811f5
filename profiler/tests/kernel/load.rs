//! A little of what `cargo xtask soak` does much of: all of it is counted, and ioprof stays small.

use crate::support::{
    load::{How, cycles, scenarios},
    requirements::turns,
};

// Alone: it watches the memory of the whole kernel.
#[test]
fn two_thousand_processes_are_all_counted() {
    requires!(alone, "cc", "bpftool");
    println!("{}", scenarios::processes(2000).line());
}

#[test]
fn five_hundred_threads_at_once_are_all_counted() {
    requires!("cc", "bpftool");
    println!("{}", scenarios::threads(How::Run, 500, 10).line());
    println!("{}", scenarios::threads(How::Attach, 500, 10).line());
}

#[test]
fn forty_thousand_files_are_all_counted_and_the_full_table_is_told() {
    requires!("cc", "bpftool");
    println!("{}", scenarios::files(20_000).line());
    println!("{}", scenarios::files(40_000).line());
}

#[test]
fn reads_and_nops_as_fast_as_they_go_are_all_counted() {
    requires!("cc", "bpftool");
    println!("{}", scenarios::reads(200_000).0.line());
    println!("{}", scenarios::nops(200_000).0.line());
}

#[test]
fn a_bit_of_everything_again_and_again_leaves_memory_flat() {
    requires!("cc", "bpftool");
    println!("{}", scenarios::pulses(2000).line());
}

#[test]
fn ten_attachments_leave_nothing_behind() {
    requires!("cc", "bpftool");
    println!("{}", cycles::by_command(turns(10)));
}
