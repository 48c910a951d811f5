use super::window::Span;
use super::*;
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;

const MAPPING: Mapping = Mapping {
    populate: false,
    huge: false,
    advice: Advice::Normal,
};

/// A file of `pages` pages of ones, open for reading and writing.
fn file_of_ones(dir: &Path, pages: usize) -> (std::path::PathBuf, File) {
    let path = dir.join("mapped");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .expect("file");
    file.write_all(&vec![1; pages * PAGE as usize])
        .expect("contents");
    (path, file)
}

#[test]
fn a_file_truncated_under_its_map_is_an_error_with_its_offset() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (path, file) = file_of_ones(dir.path(), 32);
    let interrupt = Interrupt::new();
    let mut counters = Counters::new();
    let span = Span {
        offset: 0,
        length: 32 * PAGE as usize,
    };

    let window = Window::open(&file, &path, span, MAPPING, false, &mut counters).expect("window");
    file.set_len(3 * PAGE).expect("truncation");
    match patterns::scan(&window, PAGE as usize, &interrupt, &mut counters) {
        Err(Error::Truncated {
            path: named,
            offset_bytes,
        }) => {
            assert_eq!(named, path);
            assert_eq!(offset_bytes, 3 * PAGE);
        }
        other => unreachable!("{other:?}"),
    }
    // The rest reads as zeros, and the window is taken down as any other.
    assert!(
        window.bytes()[3 * PAGE as usize..]
            .iter()
            .all(|&byte| byte == 0)
    );
    window.close(&mut counters);

    file.set_len(32 * PAGE).expect("extension");
    let mut window =
        Window::open(&file, &path, span, MAPPING, true, &mut counters).expect("window");
    file.set_len(0).expect("truncation");
    assert!(matches!(
        patterns::update(&mut window, 50, 1, &interrupt, &mut counters),
        Err(Error::Truncated { .. })
    ));
    window.close(&mut counters);
}

#[test]
fn updates_reach_the_file() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (path, file) = file_of_ones(dir.path(), 4);
    let mut counters = Counters::new();
    let span = Span {
        offset: 0,
        length: 4 * PAGE as usize,
    };
    let mut window =
        Window::open(&file, &path, span, MAPPING, true, &mut counters).expect("window");
    patterns::update(&mut window, 100, 1, &Interrupt::new(), &mut counters).expect("updates");
    window.sync(&mut counters).expect("msync");
    window.close(&mut counters);
    let sum: u64 = std::fs::read(&path)
        .expect("contents")
        .iter()
        .map(|&byte| u64::from(byte))
        .sum();
    assert_eq!(sum, 4 * PAGE + 100);
}

#[test]
fn a_scan_loads_every_byte_and_unmaps_every_window() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("sparse");
    File::create(&path)
        .and_then(|file| file.set_len(256 << 20))
        .expect("sparse file");
    let file = File::open(&path).expect("open");
    let interrupt = Interrupt::new();
    let mut counters = Counters::new();
    for span in spans(256 << 20, 4 << 20) {
        let window =
            Window::open(&file, &path, span, MAPPING, false, &mut counters).expect("window");
        patterns::scan(&window, 1 << 20, &interrupt, &mut counters).expect("scan");
        window.close(&mut counters);
    }
    let mut summary = Summary::default();
    counters.report(&mut summary);
    assert_eq!(summary.bytes("load"), 256 << 20);
    assert_eq!((summary.calls("mmap"), summary.calls("munmap")), (64, 64));
}

proptest! {
    #[test]
    fn windows_cover_the_file_and_share_the_operations(size in 1_u64..10_000_000, unit in 1_u64..20, operations in 0_u64..100_000) {
        let mut end = 0;
        let mut shared = 0;
        for span in spans(size, unit * WINDOW_UNIT) {
            prop_assert_eq!(span.offset, end);
            prop_assert!(span.length > 0);
            end += span.length as u64;
            shared += patterns::share(operations, span, size);
        }
        prop_assert_eq!(end, size);
        prop_assert_eq!(shared, operations);
    }
}
