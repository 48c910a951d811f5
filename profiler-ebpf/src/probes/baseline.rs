//! Two empty programs: the baseline of the overhead of the others. A profile does not load them.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

#[btf_tracepoint(function = "sys_enter")]
fn baseline_enter(_ctx: BtfTracePointContext) {}

#[btf_tracepoint(function = "sys_exit")]
fn baseline_exit(_ctx: BtfTracePointContext) {}
