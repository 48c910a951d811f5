//! Two programs that do nothing: what the kernel takes for calling any, the floor that the cost of the
//! others is measured against. A profile does not load them.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

#[btf_tracepoint(function = "sys_enter")]
fn baseline_enter(_ctx: BtfTracePointContext) {}

#[btf_tracepoint(function = "sys_exit")]
fn baseline_exit(_ctx: BtfTracePointContext) {}
