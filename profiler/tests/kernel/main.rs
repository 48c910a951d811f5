//! Known events on the real kernel, counted exactly: a module for each subject.

#![allow(
    clippy::panic,
    reason = "what a test needs and does not find ends it, with the reason"
)]

#[macro_use]
mod support;

mod aio;
mod attach;
mod bios;
mod block;
mod block_below;
mod block_flush;
mod block_in_flight;
mod block_merge;
mod calibrate;
mod compat;
mod containers;
mod coverage;
mod dirty;
mod executed;
mod failure;
mod fault;
mod file;
mod file_direct;
mod file_group;
mod file_identity;
mod file_place;
mod file_rename;
mod file_stacked;
mod findings;
mod findings_ceiling;
mod findings_shared;
mod findings_tail;
mod histogram;
mod history;
mod hostile;
mod io_uring;
mod lifecycle;
mod load;
mod missing;
mod off_cpu;
mod output;
mod page_cache;
mod preempted;
mod privilege;
mod repeat;
mod row;
mod sessions;
mod signals;
mod status;
mod swap;
mod sweep;
mod syscall;
mod targets;
mod task;
mod together;
mod transfer;
mod tree;
mod tune;
mod tune_system;
mod under_way;
mod unknown_calls;
mod uring_moves;
mod user;
mod wait_all;
mod waits;
mod window;
mod workloads;
mod writeback;
