//! What is swapped is called so, and is no file's.

use std::{any::Any, ffi::OsStr, path::PathBuf};

use crate::support::{
    self,
    device::{Loop, kernel_is_before},
    ioprof, plain,
    program::Program,
    report::{Block, BlockOperation, CheckKind, Origin, Report, known, requests},
    requirements::{skip, tool},
    text,
    zram::Zram,
};

const MIB: u64 = 1024 * 1024;

/// A device that is swapped to.
struct Swap {
    node: PathBuf,
    _device: Box<dyn Any>,
}

impl Swap {
    fn to(node: PathBuf, device: impl Any) -> Self {
        support::succeed(tool("mkswap").arg(&node));
        let priority = ["--priority", "1000"];
        support::succeed(tool("swapon").args(priority).arg(&node));
        Self {
            node,
            _device: Box::new(device),
        }
    }

    fn name(&self) -> &str {
        let name = self.node.file_name().and_then(OsStr::to_str);
        name.expect("a device has a name")
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        support::output(tool("swapoff").arg(&self.node));
    }
}

#[test]
fn what_is_swapped_is_told_apart_and_amplifies_nothing() {
    requires!(alone, "cc", "losetup", "mkswap", "swapon", "swapoff");
    let disk = Loop::unmounted(64 * MIB);
    let swap = Swap::to(disk.node(), disk);
    is_told_apart(&swap, Some(CheckKind::DeviceWrittenBytes), false);
}

#[test]
fn what_is_swapped_to_a_device_without_requests_is_told_apart_too() {
    requires!(alone, "cc", "mkswap", "swapon", "swapoff");
    let Some(disk) = Zram::unmounted(64 * MIB) else {
        return skip(Zram::MISSING);
    };
    let swap = Swap::to(disk.node(), disk);
    // Before 6.3 the driver reads a page without a bio (`rw_page` of `struct block_device_operations`).
    is_told_apart(&swap, None, kernel_is_before((6, 3)));
}

fn is_told_apart(swap: &Swap, compared: Option<CheckKind>, reads_past_bios: bool) {
    let program = Program::compile("swap");
    let device = swap.name();
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let mut run = ioprof();
    run.args(["run", "--full", "-o", plain(&file), "--"]);
    let run = support::succeed(run.args(program.with(&["24"])));
    let report = Report::read(&file);
    report.assert_nothing_lost();
    let own = report.workload(0);
    let bytes = |operation| -> u64 {
        let rows = requests(own, device, operation);
        rows.inspect(|row| assert_eq!(row.origin, Origin::Swap, "{row:#?}"))
            .map(|row| row.bytes)
            .sum()
    };
    let (out, back) = (bytes(BlockOperation::Write), bytes(BlockOperation::Read));
    assert!(out >= 12 * MIB, "each page is another: {out}");
    assert!(back > 0 || reads_past_bios, "{:#?}", own.block);
    let whole = report.device(device);
    assert!(whole.written_bytes >= out && whole.read_bytes >= back);
    if let Some(compared) = compared {
        let (counted, kernel) = report.device_check(device, compared);
        assert_eq!(counted, kernel);
    }
    // The driver of some devices reads without a request.
    let swapping = report
        .findings
        .iter()
        .find(|one| one.id.as_str() == "SWAP001");
    if back > 0 {
        let finding = swapping.expect("it waits for what is swapped in");
        let place = finding.place.device.as_ref().map(ToString::to_string);
        assert_eq!(place.as_deref(), Some(device));
        assert!(
            finding.summary.to_string().contains("swapped out"),
            "{finding:?}"
        );
    } else {
        assert!(swapping.is_none(), "{swapping:?}");
    }
    // No call writes.
    let writeback = known(&own.writeback);
    assert_eq!(writeback.write_amplification_bounds, None, "{writeback:#?}");
    // The loader's reads are all the calls there are.
    let cache = known(&own.page_cache);
    let read: u64 = Block::once(known(&own.block).as_slice(), BlockOperation::Read)
        .filter(|row| row.origin != Origin::Swap)
        .map(|row| row.bytes)
        .sum();
    assert!(
        cache
            .read_amplification
            .is_none_or(|ratio| ratio <= read as f64),
        "{cache:#?}"
    );
    let said = text(&run.stderr);
    assert!(said.contains("swap out"), "{said}");
    assert!(said.contains("swap in") || back == 0, "{said}");
    assert!(said.contains("swapped in "), "{said}");
}
