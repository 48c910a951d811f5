//! What is swapped is called so, and is no file's.

use crate::support::{
    self,
    device::Loop,
    ioprof, plain,
    program::Program,
    report::{Block, BlockOperation, CheckKind, Origin, Report, known, requests},
    requirements::tool,
    text,
};

const MIB: u64 = 1024 * 1024;

/// A device that is swapped to.
struct Swap(Loop);

impl Swap {
    fn new(bytes: u64) -> Self {
        let device = Loop::unmounted(bytes);
        support::succeed(tool("mkswap").arg(device.node()));
        let priority = ["--priority", "1000"];
        support::succeed(tool("swapon").args(priority).arg(device.node()));
        Self(device)
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        support::output(tool("swapoff").arg(self.0.node()));
    }
}

#[test]
fn what_is_swapped_is_told_apart_and_amplifies_nothing() {
    requires!("cc", "losetup", "mkswap", "swapon", "swapoff");
    let program = Program::compile("swap");
    let swap = Swap::new(64 * MIB);
    let device = swap.0.name();
    let folder = support::folder();
    let file = folder.path().join("run.json");
    let mut run = ioprof();
    run.args(["run", "-o", plain(&file), "--"]);
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
    assert!(back > 0, "{:#?}", own.block);
    let whole = report.device(device);
    assert!(whole.written_bytes >= out && whole.read_bytes >= back);
    let (counted, kernel) = report.device_check(device, CheckKind::DeviceWrittenBytes);
    assert_eq!(counted, kernel);
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
    assert!(
        said.contains("swap out") && said.contains("swap in"),
        "{said}"
    );
    assert!(said.contains("swapped in "), "{said}");
}
