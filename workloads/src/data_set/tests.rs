use super::*;
use crate::counters::Counters;
use crate::transfer::OpenGauge;
use std::fs;

fn specification() -> Specification {
    Specification {
        workload: "test",
        seed: 7,
        files: 5,
        size: SizeRange {
            min: 0,
            max: 20_000,
        },
        kind: Kind::Noise,
        layout: Layout::Dense,
        extra_bytes: 0,
    }
}

fn create(dir: &Path, keep: bool, specification: &Specification) -> Result<DataSet, Error> {
    let gauge = OpenGauge::default();
    let mut transfer = Transfer::new(&Kernel, &gauge, None);
    let location = Location::choose(Some(dir))?;
    let common = CommonOptions {
        keep,
        ..CommonOptions::default()
    };
    DataSet::create(
        specification,
        &common,
        &location,
        &Interrupt::new(),
        &mut transfer,
    )
}

fn contents(set: &DataSet) -> Vec<Vec<u8>> {
    set.files
        .iter()
        .map(|file| fs::read(&file.path).expect("file of the data set"))
        .collect()
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_does_not() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let first = contents(&create(dir.path(), false, &specification()).expect("first"));
    let second = contents(&create(dir.path(), false, &specification()).expect("second"));
    let other = contents(
        &create(
            dir.path(),
            false,
            &Specification {
                seed: 8,
                ..specification()
            },
        )
        .expect("other"),
    );
    assert_eq!(first, second);
    assert_ne!(first, other);
    assert_eq!(
        fs::read_dir(dir.path()).expect("listing").count(),
        0,
        "a data set was left behind"
    );
}

#[test]
fn a_kept_one_is_found_again_and_a_damaged_one_made_anew() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let first = create(dir.path(), true, &specification()).expect("first");
    let victim = first.files[2].path.clone();
    assert!(matches!(
        create(dir.path(), true, &specification()),
        Err(Error::Busy { .. })
    ));
    drop(first);
    let second = create(dir.path(), true, &specification()).expect("second");
    assert!(second.reused);
    drop(second);
    fs::write(&victim, "x".repeat(30_000)).expect("damage");
    let third = create(dir.path(), true, &specification()).expect("third");
    assert!(!third.reused);
    assert_eq!(third.content.difference(2, 0, &contents(&third)[2]), None);
    third.will_be_modified().expect("marking");
    drop(third);
    assert!(
        !create(dir.path(), true, &specification())
            .expect("fourth")
            .reused
    );
}

#[test]
fn a_foreign_folder_is_left_alone() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mine = create(dir.path(), true, &specification())
        .expect("first")
        .dir()
        .to_path_buf();
    fs::remove_dir_all(&mine).expect("removal");
    fs::create_dir(&mine).expect("foreign folder");
    fs::write(mine.join("precious"), "data").expect("foreign file");
    assert!(matches!(
        create(dir.path(), true, &specification()),
        Err(Error::Foreign { .. })
    ));
    assert_eq!(
        fs::read(mine.join("precious")).expect("still there"),
        b"data"
    );

    // The same by the back door: the folder is replaced while the data set is in use.
    let set = create(dir.path(), false, &specification()).expect("temporary");
    let path = set.dir().to_path_buf();
    fs::rename(&path, dir.path().join("away")).expect("rename");
    fs::create_dir(&path).expect("foreign folder");
    fs::write(path.join("precious"), "data").expect("foreign file");
    drop(set);
    assert!(path.join("precious").exists());
}

#[test]
fn a_marked_folder_that_others_can_change_is_foreign() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("temporary folder");
    let first = create(dir.path(), true, &specification()).expect("first");
    let path = first.dir().to_path_buf();
    drop(first);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("it is ours");
    assert!(matches!(
        create(dir.path(), true, &specification()),
        Err(Error::Foreign { .. })
    ));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("it is ours");
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(61_001), None).expect("it is root's");
        assert!(matches!(
            create(dir.path(), true, &specification()),
            Err(Error::Foreign { .. })
        ));
        std::os::unix::fs::chown(&path, Some(0), None).expect("it is root's");
    }
    assert!(
        create(dir.path(), true, &specification())
            .expect("again")
            .reused
    );
}

#[test]
fn an_interrupt_leaves_nothing() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let gauge = OpenGauge::default();
    let mut transfer = Transfer::new(&Kernel, &gauge, None);
    let interrupt = Interrupt::new();
    interrupt.raise(libc::SIGINT);
    let common = CommonOptions {
        keep: true,
        ..CommonOptions::default()
    };
    let location = Location::choose(Some(dir.path())).expect("location");
    let set = DataSet::create(
        &specification(),
        &common,
        &location,
        &interrupt,
        &mut transfer,
    )
    .expect("set");
    assert!(set.files.is_empty());
    drop(set);
    assert_eq!(fs::read_dir(dir.path()).expect("listing").count(), 0);
}

#[test]
fn what_was_written_is_what_was_counted() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let gauge = OpenGauge::default();
    let mut transfer = Transfer::new(&Kernel, &gauge, None);
    let specification = Specification {
        layout: Layout::Striped(4096),
        ..specification()
    };
    let location = Location::choose(Some(dir.path())).expect("location");
    let set = DataSet::create(
        &specification,
        &CommonOptions::default(),
        &location,
        &Interrupt::new(),
        &mut transfer,
    )
    .expect("set");
    let expected: u64 = set
        .files
        .iter()
        .map(|file| specification.layout.data_bytes(file.size))
        .sum();
    let mut summary = crate::Summary::default();
    std::mem::replace(&mut transfer.counters, Counters::new()).report(&mut summary);
    assert_eq!(summary.bytes("write"), expected);
    assert_eq!(set.written_bytes, expected);
    assert_eq!(gauge.peak(), 1);
    for file in &set.files {
        assert_eq!(fs::metadata(&file.path).expect("metadata").len(), file.size);
    }
}

#[test]
fn layouts_cover_what_they_say() {
    assert_eq!(Layout::Dense.data_bytes(10), 10);
    assert_eq!(Layout::Head(4).data_bytes(10), 4);
    assert_eq!(Layout::Head(40).data_bytes(10), 10);
    assert_eq!(Layout::Striped(2).data_bytes(16), 12);
    assert_eq!(Layout::Striped(2).data_bytes(7), 6);
    assert_eq!(Layout::Striped(2).next_data(6, 16), Some((8, 14)));
    assert_eq!(Layout::Striped(2).next_data(14, 16), None);
}
