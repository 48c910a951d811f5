//! The pages that a workload made dirty.

use super::line::WIDTH;
use crate::{
    model::report::Workload,
    output::format::{bytes, digits, wrapped},
};

/// A line or two; nothing where the workload made nothing dirty.
pub fn line(workload: &Workload) -> String {
    let Some(writeback) = &workload.writeback else {
        return "  dirty   unknown: a probe for it is missing, see the ledger\n".into();
    };
    if writeback.dirtied_bytes == 0 {
        return String::new();
    }
    let mut parts = vec![
        format!("dirty   made {}", bytes(writeback.dirtied_bytes)),
        format!("written by others {}", bytes(writeback.written_bytes)),
        format!("dirty at end {}", bytes(writeback.dirty_bytes_at_end)),
    ];
    if writeback.cancelled_bytes > 0 {
        parts.push(format!("dropped {}", bytes(writeback.cancelled_bytes)));
    }
    if let Some(amplification) = writeback.write_amplification {
        parts.push(format!("write amplification {}", digits(amplification)));
    }
    format!("  {}\n", wrapped(&parts, WIDTH - 2, "          "))
}
