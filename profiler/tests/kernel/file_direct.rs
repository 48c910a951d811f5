//! Files of direct I/O: a row has what went past the page cache for its file, and not what else its calls have read.

use crate::support::{
    device::{FileSystem, Loop, written_file},
    plain, profile,
    program::Program,
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
