//! Bios whose pages are not of the file that they are for: those of direct I/O, and those of a file system's own pages.

use crate::support::{
    device::{FileSystem, Loop, kernel_is_before, written_file},
    folder, plain, profile,
    program::Program,
    report::{BlockOperation, known},
};

/// Many pieces of the program.
const SIZE: u64 = 1024 * 1024;

#[test]
fn what_is_written_directly_out_of_another_file_is_of_the_one_it_goes_to() {
    requires!("cc", "losetup", "mkfs.ext4 mkfs.xfs mkfs.btrfs");
    let program = Program::compile("direct_out_of");
    for file_system in FileSystem::ALL {
        let device = Loop::with(file_system, 512 * 1024 * 1024);
        let written = || written_file(&device.mounted(), SIZE as usize);
        let target = device.mounted().join("target");
        std::fs::rename(written(), &target).expect("a file can be renamed");
        let source = written();
        // The call reads the source in a page fault, or its pages go to the device themselves.
        for way in ["mapped", "spliced"] {
            if file_system == FileSystem::Btrfs && kernel_is_before((6, 5)) {
                // Neither the end of its bios nor a flag of theirs tells that they are direct I/O.
                continue;
            }
            let arguments = [plain(&source), plain(&target), way];
            let report = profile(&[], &program.with(&arguments));
            report.assert_nothing_lost();
            let of_device = |path| {
                let row = &report.file(path).counts;
                (row.device_read_bytes, row.device_written_bytes)
            };
            let told = (of_device(&source), of_device(&target));
            let expected = ((Some(SIZE), Some(0)), (Some(0), Some(SIZE)));
            assert_eq!(told, expected, "{file_system:?}, {way}");
        }
    }
}

/// It unpacks into pages of the file what it has read into its own.
#[test]
fn of_which_file_a_squashfs_reads_is_unknown() {
    requires!("dd", "losetup", "mksquashfs");
    let files = folder();
    let packed = files.path().join("packed");
    std::fs::write(&packed, vec![b'0'; SIZE as usize]).expect("a file can be written");
    let device = Loop::squashed(files.path());
    let file = device.mounted().join("packed");
    let from = format!("if={}", plain(&file));
    let report = profile(&[], &["dd", &from, "of=/dev/null", "bs=64K", "status=none"]);
    report.assert_nothing_lost();
    let row = &report.file(&file).counts;
    assert_eq!((row.read_bytes, row.device_read_bytes), (SIZE, None));
    let (_, read) = report.block(0, device.name(), BlockOperation::Read);
    assert!(read > 0, "it has read none of it");
    let others = &known(&report.workload(0).files).other_counts;
    assert!(known(&others.device_read_bytes) >= &read, "{others:#?}");
    // Of what was read, a mapping may have asked for some.
    let cache = known(&report.workload(0).page_cache);
    assert_eq!(cache.read_amplification, None);
}
