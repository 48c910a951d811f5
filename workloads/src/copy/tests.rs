use super::*;
use crate::interrupt::Interrupt;
use crate::options::{CommonOptions, CopyMethod, Size};
use clap::ValueEnum;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn options(dir: &Path, method: CopyMethod) -> CopyOptions {
    CopyOptions {
        common: CommonOptions {
            dir: Some(dir.to_path_buf()),
            cache: crate::options::CacheState::AsIs,
            ..CommonOptions::default()
        },
        method,
        input: None,
        file_size: Size((17 << 20) + 123),
        dense: false,
        block_size: Size(1 << 20),
        verify: true,
        no_fsync: true,
    }
}

/// A folder on a real file system: tmpfs has no direct I/O.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("temporary folder")
}

#[test]
fn every_method_makes_a_true_copy() {
    let dir = folder();
    for method in CopyMethod::value_variants() {
        let summary = run(
            &options(dir.path(), *method),
            &Control::standalone(&Interrupt::new()),
        )
        .expect("run");
        assert_eq!(summary.errors, [], "{method:?}");
        assert!(
            summary
                .notes
                .iter()
                .any(|note| note.starts_with("verified")),
            "{method:?}: {:?}",
            summary.notes
        );
        if *method != CopyMethod::Auto && summary.notes.len() == 1 {
            assert_eq!(summary.engine, value_name(method));
        }
        assert_eq!(
            fs::read_dir(dir.path()).expect("listing").count(),
            0,
            "{method:?} left files"
        );
    }
}

#[test]
fn auto_keeps_holes() {
    let dir = folder();
    let summary = run(
        &options(dir.path(), CopyMethod::Auto),
        &Control::standalone(&Interrupt::new()),
    )
    .expect("run");
    assert_eq!(summary.errors, []);
    let copied: u64 = ["copy_file_range", "write"]
        .iter()
        .map(|name| summary.bytes(name))
        .sum();
    assert_eq!(copied, Layout::Striped(EXTENT).data_bytes((17 << 20) + 123));
    assert!(summary.events["hole"] >= 1);
}

#[test]
fn a_file_of_proc_is_copied_though_its_size_is_0() {
    let dir = folder();
    for method in [
        CopyMethod::Auto,
        CopyMethod::Mmap,
        CopyMethod::CopyFileRange,
        CopyMethod::Direct,
    ] {
        let input = Some("/proc/version".into());
        let summary = run(
            &CopyOptions {
                input,
                ..options(dir.path(), method)
            },
            &Control::standalone(&Interrupt::new()),
        )
        .expect("run");
        assert_eq!(summary.errors, [], "{method:?}");
        assert_eq!(
            summary.bytes("write"),
            fs::read("/proc/version").expect("version").len() as u64
        );
    }
}

#[test]
fn a_method_that_is_refused_is_replaced_with_a_note() {
    // copy_file_range refuses to cross from one kind of file system to another (EXDEV), sysfs to ext4 here.
    let dir = folder();
    let input = Some("/sys/kernel/notes".into());
    let options = CopyOptions {
        input,
        ..options(dir.path(), CopyMethod::CopyFileRange)
    };
    let summary = run(&options, &Control::standalone(&Interrupt::new())).expect("run");
    assert_eq!(summary.errors, []);
    assert_eq!(summary.engine, "read-write");
    assert!(
        summary
            .engine_reason
            .is_some_and(|reason| reason.contains("copy_file_range is refused"))
    );
}

#[test]
fn the_mode_goes_along_and_a_difference_is_seen() {
    let dir = folder();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::write(&from, vec![7; 100_000]).expect("original");
    fs::set_permissions(&from, fs::Permissions::from_mode(0o640)).expect("mode");
    let interrupt = Interrupt::new();
    let gauge = crate::transfer::OpenGauge::default();
    let options = options(dir.path(), CopyMethod::Auto);
    let mut copier = Copier::new(&options, &interrupt, &gauge).expect("copier");
    copier.copy(&from, &to).expect("copy");
    assert_eq!(fs::metadata(&to).expect("metadata").mode() & 0o7777, 0o640);
    assert_eq!(
        verify::compare(&from, &to, true).expect("comparison"),
        Ok(())
    );

    let mut bytes = vec![7; 100_000];
    bytes[99_999] = 8;
    fs::write(&to, &bytes).expect("damage");
    assert_eq!(
        verify::compare(&from, &to, true).expect("comparison"),
        Err("the byte at offset 99999 differs".to_owned())
    );
    fs::write(&to, "short").expect("damage");
    assert!(
        verify::compare(&from, &to, true)
            .expect("comparison")
            .is_err()
    );
}

#[test]
fn an_interrupt_stops_a_copy_and_leaves_nothing() {
    let dir = folder();
    let interrupt = Interrupt::new();
    interrupt.raise(libc::SIGINT);
    let summary = run(
        &options(dir.path(), CopyMethod::Auto),
        &Control::standalone(&interrupt),
    )
    .expect("run");
    assert_eq!(summary.interrupted_by, Some(libc::SIGINT));
    assert_eq!(fs::read_dir(dir.path()).expect("listing").count(), 0);
}
