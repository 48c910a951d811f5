//! Root writes the report where it was told to, and nowhere else, though others can write there, too.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::Path,
    process::Output,
};

use crate::support::{self, Report, ioprof, output, succeed, text};
use nix::sys::stat::{Mode, SFlag, mknod};

/// Somebody on the machine, and who calls sudo. Neither need have a name.
const OTHER: u32 = 61_001;
const CALLER: u32 = 61_002;

/// `ioprof run -o PLACE`, by sudo where there is a caller.
fn run(place: &Path, caller: Option<u32>) -> Output {
    let mut run = ioprof();
    run.args(["run", "-o"]).arg(place).args(["--", "true"]);
    run.env_remove("SUDO_UID").env_remove("SUDO_GID");
    if let Some(caller) = caller {
        let caller = caller.to_string();
        run.env("SUDO_UID", &caller).env("SUDO_GID", &caller);
    }
    output(&mut run)
}

fn assert_written(place: &Path, caller: Option<u32>, owner: u32) {
    let ran = run(place, caller);
    assert!(ran.status.success(), "{ran:?}");
    Report::read(place);
    let data = place.metadata().expect("it is there");
    assert_eq!((data.uid(), data.mode() & 0o777), (owner, 0o600));
}

fn assert_refused(place: &Path, caller: Option<u32>, reason: &str) {
    let ran = run(place, caller);
    assert_eq!(ran.status.code(), Some(125), "{ran:?}");
    let said = text(&ran.stderr);
    assert!(said.contains(reason) && said.lines().count() == 1, "{said}");
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is root's");
}

/// A folder that anybody may write to, as /tmp is, below one that anybody may enter.
fn shared() -> tempfile::TempDir {
    let folder = support::folder();
    mode(folder.path(), 0o1777);
    folder
}

#[test]
fn what_another_user_has_put_into_a_shared_folder_is_not_followed() {
    requires!();
    let (folder, own) = (shared(), support::folder());
    let place = folder.path().join("run.json");
    let victim = own.path().join("victim");
    for caller in [None, Some(CALLER)] {
        fs::write(&victim, "before").expect("written");
        symlink(&victim, &place).expect("linked");
        nix::unistd::fchownat(
            nix::fcntl::AT_FDCWD,
            &place,
            Some(OTHER.into()),
            None,
            nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW,
        )
        .expect("it is root's");
        assert_refused(
            &place,
            caller,
            "run.json is a symbolic link of another user",
        );
        assert_eq!(fs::read(&victim).expect("read"), b"before");
        fs::remove_file(&place).expect("removed");
        // Nor a folder on the way.
        let way = folder.path().join("way");
        symlink(own.path(), &way).expect("linked");
        nix::unistd::fchownat(
            nix::fcntl::AT_FDCWD,
            &way,
            Some(OTHER.into()),
            None,
            nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW,
        )
        .expect("it is root's");
        assert_refused(&way.join("victim"), caller, "way is a symbolic link");
        assert_eq!(fs::read(&victim).expect("read"), b"before");
        fs::remove_file(&way).expect("removed");
        // Nor a pipe, at whose end they may wait.
        mknod(&place, SFlag::S_IFIFO, Mode::from_bits_truncate(0o666), 0).expect("made");
        chown(&place, Some(OTHER), None).expect("it is root's");
        assert_refused(&place, caller, "run.json is a pipe of another user");
        fs::remove_file(&place).expect("removed");
        // A plain file gives way, and whoever holds it open sees nothing.
        fs::write(&place, "theirs").expect("written");
        chown(&place, Some(OTHER), None).expect("it is root's");
        let held = fs::File::open(&place).expect("opened");
        let before = held.metadata().expect("it is open").len();
        assert_written(&place, caller, 0);
        assert_eq!(held.metadata().expect("it is open").len(), before);
        fs::remove_file(&place).expect("removed");
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 0);
    }
}

#[test]
fn under_sudo_the_report_is_the_callers_where_they_may_write() {
    requires!();
    let folder = shared();
    assert_written(&folder.path().join("shared.json"), Some(CALLER), CALLER);
    let home = folder.path().join("home");
    fs::create_dir(&home).expect("made");
    chown(&home, Some(CALLER), Some(CALLER)).expect("it is root's");
    mode(&home, 0o700);
    assert_written(&home.join("run.json"), Some(CALLER), CALLER);
    // Where they may not, sudo was asked for root's rights.
    let roots = folder.path().join("roots");
    fs::create_dir(&roots).expect("made");
    mode(&roots, 0o700);
    assert_written(&roots.join("run.json"), Some(CALLER), 0);
    // Root that no sudo has made writes for itself.
    assert_written(&home.join("other.json"), None, 0);
}

#[test]
fn links_of_root_are_followed_and_a_disk_is_not_written_over() {
    requires!();
    let folder = shared();
    let (file, link) = (folder.path().join("run.json"), folder.path().join("link"));
    symlink("run.json", &link).expect("linked");
    let ran = run(&link, None);
    assert!(ran.status.success(), "{ran:?}");
    Report::read(&file);
    assert!(link.symlink_metadata().expect("it is there").is_symlink());
    let disk = folder.path().join("disk");
    mknod(
        &disk,
        SFlag::S_IFBLK,
        Mode::S_IRWXU,
        nix::sys::stat::makedev(7, 250),
    )
    .expect("made");
    assert_refused(&disk, None, "block device");
    // The shell's own name for where the output goes, in which the report is alone.
    let all = folder.path().join("all");
    let script = r#"exec "$0" run -o /dev/stdout -- echo first >"$1""#;
    let mut shell = std::process::Command::new("sh");
    let ioprof = ioprof();
    let ran = succeed(
        shell
            .args(["-c", script])
            .arg(ioprof.get_program())
            .arg(&all),
    );
    Report::parse(&fs::read(&all).expect("it is there"));
    assert!(ran.stderr.starts_with(b"first\n"), "{ran:?}");
}
