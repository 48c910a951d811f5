//! The pages that a workload made dirty.

use super::line::WIDTH;
use crate::{
    model::{
        report::Workload,
        writeback::{Bounds, Writeback},
    },
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
        format!("dirty   made {}", made(writeback)),
        format!("written by others {}", bytes(writeback.written_bytes)),
        match writeback.dirty_bytes_at_end {
            0 => "none dirty at end".to_owned(),
            left => format!("at most {} dirty at end", bytes(left)),
        },
    ];
    if writeback.cancelled_bytes > 0 {
        parts.push(format!("dropped {}", bytes(writeback.cancelled_bytes)));
    }
    // Older reports have no bounds.
    let exact = |ratio| Bounds {
        least: ratio,
        most: ratio,
    };
    let bounds = writeback.write_amplification_bounds;
    if let Some(Bounds { least, most }) = bounds.or(writeback.write_amplification.map(exact)) {
        let (least, most) = (digits(least), digits(most));
        parts.push(if least == most {
            format!("write amplification {least}")
        } else {
            format!("write amplification {least} to {most}")
        });
    }
    format!("  {}\n", wrapped(&parts, WIDTH - 2, "          "))
}

/// What was made dirty: through mappings no less than the pages, and no more than their folios.
fn made(writeback: &Writeback) -> String {
    let unknown = writeback
        .mapped_bytes
        .saturating_sub(writeback.mapped_page_bytes);
    let most = bytes(writeback.dirtied_bytes);
    match writeback.dirtied_bytes.saturating_sub(unknown) {
        least if unknown > 0 => format!("{} to {most}", bytes(least)),
        _ => most,
    }
}
