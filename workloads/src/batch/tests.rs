use super::message::{CHUNK, PipelineOptions};
use super::*;
use crate::faulty::{FaultOutcome, Faulty};
use crate::files::Files;
use crate::options::Transform;
use crate::transfer::OpenGauge;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn options(root: &Path, ordered: bool, workers: usize) -> PipelineOptions {
    PipelineOptions {
        root: root.to_path_buf(),
        own_marker: false,
        transforms: vec![Transform::Checksum, Transform::Lines],
        output: None,
        workers,
        ordered,
        results: Some(root.with_extension("results")),
    }
}

/// Runs the pipeline; returns the summary and the lines of its results.
fn pipe(options: &PipelineOptions) -> (Summary, Vec<String>) {
    pipe_through(&Kernel, options)
}

fn pipe_through<F: Files>(files: &F, options: &PipelineOptions) -> (Summary, Vec<String>) {
    let gauge = OpenGauge::default();
    let counters = pipeline::run(options, files, &gauge, &Interrupt::new()).expect("pipeline");
    let mut summary = Summary {
        peak_open_files: gauge.peak(),
        ..Summary::default()
    };
    counters.report(&mut summary);
    let lines = options
        .results
        .as_ref()
        .map(|path| fs::read_to_string(path).expect("results"))
        .unwrap_or_default();
    (summary, lines.lines().map(str::to_owned).collect())
}

/// The bytes of file number `index`.
fn contents(index: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + index * 7) as u8).collect()
}

fn expected_line(path: &Path, bytes: &[u8]) -> String {
    let sum = xxhash_rust::xxh3::xxh3_64(bytes);
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
    format!(
        "ok\t{0}\t{0}\t{sum:016x}\t{lines}\t{1}",
        bytes.len(),
        path.display()
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn results_are_right_and_ordered_as_found(
        sizes in prop::collection::vec(prop_oneof![0_usize..100, 0_usize..100, Just(CHUNK - 1), Just(CHUNK), CHUNK..2 * CHUNK, Just(2 * CHUNK)], 1..40),
        workers in 1_usize..5,
    ) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let root = dir.path().join("input");
        fs::create_dir(&root).expect("folder");
        let mut expected = BTreeMap::new();
        for (index, &size) in sizes.iter().enumerate() {
            let path = root.join(format!("f{index}"));
            fs::write(&path, contents(index, size)).expect("file");
            expected.insert(path.clone(), expected_line(&path, &contents(index, size)));
        }
        let gauge = OpenGauge::default();
        let mut walk = discover::Walk::new(&root, false, &gauge);
        let mut order = Vec::new();
        while let Some(found) = walk.next() {
            order.push(expected[&found.expect("listed")].clone());
        }
        let (summary, lines) = pipe(&options(&root, true, workers));
        prop_assert_eq!(&lines, &order);
        prop_assert_eq!(summary.files, sizes.len() as u64);
        prop_assert_eq!(summary.bytes("read"), sizes.iter().sum::<usize>() as u64);
        // The read that gets the last byte meets the end as well; an empty file takes one to find that out.
        let reads: usize = sizes.iter().map(|size| size.div_ceil(CHUNK).max(1)).sum();
        prop_assert_eq!(summary.calls("read"), reads as u64);

        let (_, mut lines) = pipe(&options(&root, false, workers));
        lines.sort();
        order.sort();
        prop_assert_eq!(lines, order);
    }
}

#[test]
fn an_interrupt_lets_go_of_readers_that_wait_for_their_turn() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let root = dir.path().join("input");
    fs::create_dir(&root).expect("folder");
    for index in 0..200 {
        fs::write(root.join(format!("f{index}")), "x").expect("file");
    }
    let options = options(&root, true, 4);
    let gauge = OpenGauge::default();
    let collector = collect::Collector::new(&options, &Kernel, &gauge).expect("collector");
    let gate = collector.gate();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| gate.wait(1_000_000));
        gate.close();
        assert!(!waiting.join().expect("reader"));
    });
    for _ in 0..20 {
        let interrupt = Interrupt::new();
        std::thread::scope(|scope| {
            scope.spawn(|| interrupt.raise(libc::SIGINT));
            pipeline::run(&options, &Kernel, &gauge, &interrupt).expect("pipeline");
        });
    }
}

#[test]
fn a_users_folder_with_all_it_may_hold() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let root = dir.path().join("input");
    fs::create_dir_all(root.join("sub/.hidden-folder")).expect("folders");
    fs::write(root.join(".hidden"), "one\ntwo\n").expect("file");
    fs::write(root.join("sub/.hidden-folder/deep"), "x").expect("file");
    fs::write(
        root.join(std::ffi::OsString::from("line\nend \u{1F600}")),
        "y",
    )
    .expect("file");
    symlink(root.join(".hidden"), root.join("link")).expect("link");
    symlink("nowhere", root.join("dangling")).expect("link");
    symlink("..", root.join("sub/loop")).expect("link");
    nix::unistd::mkfifo(&root.join("fifo"), nix::sys::stat::Mode::S_IRWXU).expect("FIFO");
    symlink(root.join("fifo"), root.join("link-to-fifo")).expect("link");

    let (summary, _) = pipe(&options(&root, false, 2));
    // Four files and two of the links; the FIFO, its link and the loop are skipped.
    assert_eq!(summary.files, 5);
    assert_eq!(summary.events["skipped"], 3);
    let failed: Vec<_> = summary
        .errors
        .iter()
        .map(|failure| failure.path.clone())
        .collect();
    assert_eq!(failed, [root.join("dangling").display().to_string()]);
    assert_eq!(summary.errors[0].operation, "open");
}

#[test]
fn an_unreadable_file_fails_alone() {
    if nix::unistd::geteuid().is_root() {
        // Root reads everything; a file that fails for root as well stands in: reading a process' memory at 0 is EIO.
        let gauge = OpenGauge::default();
        let dir = tempfile::tempdir().expect("temporary folder");
        let root = dir.path().join("input");
        fs::create_dir(&root).expect("folder");
        symlink("/proc/self/mem", root.join("mem")).expect("link");
        fs::write(root.join("good"), "x").expect("file");
        let (summary, lines) = pipe(&options(&root, true, 1));
        assert_eq!((summary.files, summary.failed()), (2, 1));
        assert!(
            lines.iter().any(|line| line.starts_with("read\t"))
                && lines.iter().any(|line| line.starts_with("ok\t"))
        );
        assert_eq!(gauge.peak(), 0);
        return;
    }
    let dir = tempfile::tempdir().expect("temporary folder");
    let root = dir.path().join("input");
    fs::create_dir(&root).expect("folder");
    fs::write(root.join("secret"), "x").expect("file");
    fs::set_permissions(root.join("secret"), fs::Permissions::from_mode(0o000)).expect("mode");
    fs::write(root.join("good"), "x").expect("file");
    let (summary, _) = pipe(&options(&root, true, 1));
    assert_eq!((summary.files, summary.failed()), (2, 1));
}

#[test]
fn files_whose_size_says_nothing_are_read_to_the_end() {
    // 0 for a file of /proc, 4096 for one of /sys.
    for path in [
        "/proc/version",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ] {
        let Ok(bytes) = fs::read(path) else { continue };
        let dir = tempfile::tempdir().expect("temporary folder");
        let root = dir.path().join("input");
        fs::create_dir(&root).expect("folder");
        symlink(path, root.join("link")).expect("link");
        let (summary, lines) = pipe(&options(&root, true, 1));
        assert_eq!(summary.bytes("read"), bytes.len() as u64);
        assert_eq!(summary.calls("read"), 2, "{path}");
        assert_eq!(lines, [expected_line(&root.join("link"), &bytes)]);
    }
}

#[test]
fn files_that_change_after_stat_are_read_to_the_end() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let root = dir.path().join("input");
    fs::create_dir(&root).expect("folder");
    let bytes = contents(1, CHUNK + 9);
    fs::write(root.join("f"), &bytes).expect("file");
    let expected = [expected_line(&root.join("f"), &bytes)];
    for growth in [-(2 * CHUNK as i64), -1, 1, 9, 10, CHUNK as i64] {
        let kernel = Faulty::growing(growth);
        let (summary, lines) = pipe_through(&kernel, &options(&root, true, 1));
        assert_eq!(lines, expected, "{growth}");
        assert_eq!(summary.calls("stat"), 1);
    }
    let kernel = Faulty::new(vec![FaultOutcome::Short, FaultOutcome::Error(libc::EINTR)]);
    let (_, lines) = pipe_through(&kernel, &options(&root, true, 1));
    assert_eq!(lines, expected);
}

#[test]
fn what_is_compressed_and_written_comes_back() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let root = dir.path().join("input");
    fs::create_dir(&root).expect("folder");
    let sizes = [0, 10, CHUNK, CHUNK * 3 + 5];
    let mut originals = Vec::new();
    for (index, &size) in sizes.iter().enumerate() {
        fs::write(root.join(format!("f{index}")), contents(index, size)).expect("file");
        originals.push(contents(index, size));
    }
    for compress in [true, false] {
        let folder = Folder::temporary(dir.path()).expect("folder");
        let out = folder.path().to_path_buf();
        let transforms = if compress {
            vec![Transform::Compress]
        } else {
            vec![Transform::None]
        };
        let options = PipelineOptions {
            output: Some(folder),
            transforms,
            results: None,
            ..options(&root, false, 2)
        };
        let (summary, _) = pipe(&options);
        assert_eq!(summary.errors, []);
        let mut came_back: Vec<Vec<u8>> = (0..sizes.len())
            .map(|index| fs::read(out.join(format!("o{index:07}"))).expect("output"))
            .map(|bytes| {
                if compress {
                    zstd::stream::decode_all(&bytes[..]).expect("zstd")
                } else {
                    bytes
                }
            })
            .collect();
        came_back.sort();
        let mut wanted = originals.clone();
        wanted.sort();
        assert_eq!(came_back, wanted);
        assert_eq!(summary.calls("fsync"), sizes.len() as u64);
        drop(options);
        assert!(!out.exists());
    }
}
