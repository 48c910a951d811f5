//! The last reports of a user, kept so that they can be shown again.
//!
//! They are in `$XDG_STATE_HOME/ioprof`, else in `~/.local/state/ioprof`. Under sudo ioprof is a process of the caller
//! when it saves one, so the home is the caller's, whatever HOME says. Where it had to stay root's, the home is root's: it
//! writes nothing with root's rights where the caller says.

use std::{
    fs::{self, DirBuilder, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use nix::unistd::{Uid, geteuid};

use super::user::caller_of_sudo;

/// So many are kept.
const KEPT: usize = 20;

/// Where reports are kept.
pub struct History {
    folder: PathBuf,
    /// The user's home, where the folder is in it.
    home: Option<PathBuf>,
}

impl History {
    /// The reports of the user that this process is now.
    ///
    /// # Errors
    ///
    /// Where the user has no home.
    pub fn of_this_user() -> io::Result<Self> {
        Self::of(geteuid())
    }

    /// The reports of the user who called sudo, or of this one.
    ///
    /// # Errors
    ///
    /// Where the user has no home.
    pub fn of_caller() -> io::Result<Self> {
        let user = caller_of_sudo().filter(|_| geteuid().is_root());
        Self::of(user.unwrap_or_else(geteuid))
    }

    fn of(user: Uid) -> io::Result<Self> {
        let caller = caller_of_sudo();
        // By sudo, and root all the same: the environment is what the caller says.
        let is_roots = user.is_root() && caller.is_some();
        let variable = |name: &str| {
            let value = std::env::var_os(name).map(PathBuf::from);
            // The XDG Base Directory Specification ignores relative paths.
            value.filter(|path| path.is_absolute() && !is_roots)
        };
        if let Some(state) = variable("XDG_STATE_HOME") {
            return Ok(Self {
                folder: state.join("ioprof"),
                home: None,
            });
        }
        let by_name = || nix::unistd::User::from_uid(user).ok().flatten();
        let home = variable("HOME")
            .filter(|_| caller.is_none())
            .or_else(|| Some(by_name()?.dir));
        let home = home.ok_or_else(|| io::Error::other("this user has no home"))?;
        Ok(Self {
            folder: home.join(".local/state/ioprof"),
            home: Some(home),
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Saves a report, and removes those that are too many; its path, as a shell takes it.
    ///
    /// # Errors
    ///
    /// The kernel's reason; a report is there whole or not at all.
    pub fn save(&self, json: &[u8]) -> io::Result<PathBuf> {
        let path = write(&self.folder, json, OWN)?;
        let saved = self.saved()?;
        for old in saved.iter().skip(KEPT) {
            // Another ioprof may have removed it.
            let _ = fs::remove_file(old);
        }
        Ok(self.short(path))
    }

    /// The reports, the newest first.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read.
    pub fn saved(&self) -> io::Result<Vec<PathBuf>> {
        let mut saved = files(&self.folder)?;
        saved.sort_unstable_by(|one, other| other.cmp(one));
        Ok(saved)
    }

    /// The path from the user's home.
    fn short(&self, path: PathBuf) -> PathBuf {
        let home = self.home.as_ref();
        match home.and_then(|home| path.strip_prefix(home).ok()) {
            Some(rest) => Path::new("~").join(rest),
            None => path,
        }
    }
}

/// Calibrations, which are all kept: beside the reports of a user, for all users where root has made them.
pub struct Calibrations {
    folder: PathBuf,
    modes: Modes,
}

/// Where those of root are.
const OF_ROOT: &str = "/var/lib/ioprof";

/// The folder in that of the state.
const CALIBRATIONS: &str = "calibrations";

impl Calibrations {
    /// Those that this process makes.
    ///
    /// # Errors
    ///
    /// Where the user has no home.
    pub fn of_this_user() -> io::Result<Self> {
        let is_named = std::env::var_os("XDG_STATE_HOME").is_some() && caller_of_sudo().is_none();
        if geteuid().is_root() && !is_named {
            return Ok(Self::of_root());
        }
        let history = History::of_this_user()?;
        Ok(Self {
            folder: history.folder.join(CALIBRATIONS),
            modes: OWN,
        })
    }

    /// All that this process may use, the newest first: files of this user, or of who called sudo, and of root.
    pub fn all() -> Vec<PathBuf> {
        let own = History::of_caller().map(|history| history.folder.join(CALIBRATIONS));
        let folders = own.into_iter().chain([Self::of_root().folder]);
        let mut all: Vec<_> = folders
            .filter_map(|folder| files(&folder).ok())
            .flatten()
            .collect();
        all.sort_unstable_by(|one, other| other.file_name().cmp(&one.file_name()));
        all
    }

    /// Those that root has made.
    fn of_root() -> Self {
        Self {
            folder: Path::new(OF_ROOT).join(CALIBRATIONS),
            modes: FOR_ALL,
        }
    }

    /// Saves one; its path.
    ///
    /// # Errors
    ///
    /// The kernel's reason; it is there whole or not at all.
    pub fn save(&self, json: &[u8]) -> io::Result<PathBuf> {
        write(&self.folder, json, self.modes)
    }
}

/// The modes of a folder and of the files in it.
type Modes = (u32, u32);
const OWN: Modes = (0o700, 0o600);
const FOR_ALL: Modes = (0o755, 0o644);

/// Writes a file of a new name into a folder, which is made if missing; its path.
fn write(folder: &Path, json: &[u8], (of_folder, of_file): Modes) -> io::Result<PathBuf> {
    let missing: Vec<_> = folder.ancestors().take_while(|one| !one.exists()).collect();
    DirBuilder::new()
        .recursive(true)
        .mode(of_folder)
        .create(folder)?;
    // A umask takes from what others may do.
    for made in missing {
        fs::set_permissions(made, Permissions::from_mode(of_folder))?;
    }
    // It need not survive a crash of the machine, so nobody waits for the disk.
    let mut file = tempfile::Builder::new()
        .prefix(".ioprof-")
        .tempfile_in(folder)?;
    file.as_file()
        .set_permissions(Permissions::from_mode(of_file))?;
    file.write_all(json)?;
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let path = folder.join(format!("{now}-{}.json", std::process::id()));
    file.persist(&path)?;
    Ok(path)
}

/// The files in a folder that have a name that this gives.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(is_own) {
            files.push(path);
        }
    }
    Ok(files)
}

/// Whether a file has a name that this gives: date, time, process.
fn is_own(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".json") else {
        return false;
    };
    let parts: Vec<_> = stem.split('-').collect();
    let lengths_fit = match parts[..] {
        [date, time, process] => date.len() == 8 && time.len() == 6 && !process.is_empty(),
        _ => false,
    };
    lengths_fit && parts.concat().bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn history(home: &Path) -> History {
        History {
            folder: home.join(".local/state/ioprof"),
            home: Some(home.to_owned()),
        }
    }

    fn mode(path: &Path) -> u32 {
        let metadata = path.metadata().expect("it is there");
        metadata.permissions().mode() & 0o777
    }

    #[test]
    fn a_report_is_saved_whole_for_its_owner_only() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let history = history(home.path());
        let told = history.save(b"{}").expect("saved");
        assert!(told.starts_with("~/.local/state/ioprof"), "{told:?}");
        let saved = history.saved().expect("there is a folder");
        assert_eq!(saved.len(), 1);
        assert_eq!(fs::read(&saved[0]).expect("read"), b"{}");
        assert_eq!((mode(&saved[0]), mode(&history.folder)), (0o600, 0o700));
        let all = fs::read_dir(&history.folder).expect("read").count();
        assert_eq!(all, 1, "nothing temporary is left");
    }

    #[test]
    fn the_last_are_kept_and_what_is_not_ioprofs_stays() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let history = history(home.path());
        fs::create_dir_all(&history.folder).expect("made");
        for second in 10..40 {
            let name = format!("20200101-0000{second}-1.json");
            fs::write(history.folder.join(name), "old").expect("written");
        }
        for other in [
            "notes.json",
            "20200101-000000-x.json",
            "20200101-000000-1.txt",
        ] {
            fs::write(history.folder.join(other), "mine").expect("written");
        }
        history.save(b"new").expect("saved");
        let saved = history.saved().expect("there is a folder");
        assert_eq!(saved.len(), KEPT);
        assert_eq!(fs::read(&saved[0]).expect("read"), b"new");
        assert!(
            saved[KEPT - 1].ends_with("20200101-000021-1.json"),
            "{saved:?}"
        );
        let all = fs::read_dir(&history.folder).expect("read").count();
        assert_eq!(all, KEPT + 3);
    }

    #[test]
    fn where_nothing_can_be_written_the_reason_is_told() {
        let home = tempfile::NamedTempFile::new().expect("a temporary file");
        assert!(history(home.path()).save(b"{}").is_err());
    }
}
