use super::*;
use crate::faulty::{FaultOutcome, Faulty};
use crate::summary::Summary;
use proptest::prelude::*;

/// Moods that a transfer must get over: at least one lets it move.
fn outcomes() -> impl Strategy<Value = Vec<FaultOutcome>> {
    let passing = prop_oneof![
        Just(FaultOutcome::Complete),
        Just(FaultOutcome::Short),
        Just(FaultOutcome::Error(libc::EINTR)),
        Just(FaultOutcome::Error(libc::EAGAIN)),
    ];
    prop::collection::vec(passing, 0..8).prop_map(|mut outcomes| {
        outcomes.push(FaultOutcome::Complete);
        outcomes
    })
}

proptest! {
    #[test]
    fn everything_arrives_whatever_the_kernel_does(
        bytes in prop::collection::vec(any::<u8>(), 0..3000), outcomes in outcomes(), at in 0_u64..100,
    ) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("file");
        let faulty = Faulty::new(outcomes);
        let gauge = OpenGauge::default();
        let mut transfer = Transfer::new(&faulty, &gauge, None);
        let file = transfer.open(&path, OFlag::O_RDWR | OFlag::O_CREAT).expect("open");
        transfer.write_all(file.as_fd(), &bytes, at).expect("write");
        let mut back = vec![0; bytes.len() + 10];
        let count = transfer.read_full(file.as_fd(), &mut back, at).expect("read");
        transfer.close(file).expect("close");
        prop_assert_eq!(&back[..count], &bytes[..]);

        // Every call is counted, and every byte once.
        let mut summary = Summary::default();
        transfer.counters.report(&mut summary);
        prop_assert_eq!(summary.bytes("write"), bytes.len() as u64);
        prop_assert_eq!(summary.bytes("read"), bytes.len() as u64);
        let failed: u64 = summary.operations.iter().flat_map(|operation| operation.errors.values()).sum();
        let events = ["interrupted", "would_block"].map(|name| summary.events.get(name).copied().unwrap_or(0));
        prop_assert_eq!(failed, events.iter().sum::<u64>());
        prop_assert_eq!(gauge.peak(), 1);
    }
}

#[test]
fn an_error_that_stays_ends_the_transfer() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let faulty = Faulty::new(vec![FaultOutcome::Short, FaultOutcome::Error(libc::ENOSPC)]);
    let gauge = OpenGauge::default();
    let mut transfer = Transfer::new(&faulty, &gauge, None);
    let file = transfer
        .open(&dir.path().join("file"), OFlag::O_RDWR | OFlag::O_CREAT)
        .expect("open");
    let error = transfer
        .write_all(file.as_fd(), &[0; 100], 0)
        .expect_err("no space");
    assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    transfer.close(file).expect("close");
}

#[test]
fn a_file_without_data_times_out() {
    let (reader, _writer) = nix::unistd::pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).expect("pipe");
    let gauge = OpenGauge::default();
    let mut transfer = Transfer::new(
        &crate::files::Kernel,
        &gauge,
        Some(Duration::from_millis(5)),
    );
    let error = transfer
        .read_some(reader.as_fd(), &mut [0; 8], None)
        .expect_err("nothing to read");
    assert_eq!(error.raw_os_error(), Some(libc::ETIMEDOUT));
    assert_eq!(transfer.counters.events(Event::TimedOut), 1);
    assert!(transfer.counters.events(Event::WouldBlock) >= 1);
}
