//! Which file of the administrator sets a value: sysctl.d(5), the active profile of TuneD, fstab(5), and folders of
//! files in general.

use std::path::{Path, PathBuf};

use super::{Files, glob::is_of};

/// The folders of settings, the one that goes before others first.
const FOLDERS: [&str; 5] = ["etc", "run", "usr/local/lib", "usr/lib", "lib"];

/// Files of a kind in all folders, by name: of several of one name only the first counts.
pub fn in_folders(files: &Files, folder: &str, end: &str) -> Vec<String> {
    let mut found: Vec<(String, String)> = Vec::new();
    for base in FOLDERS {
        for name in files.names(&format!("{base}/{folder}")) {
            if name.ends_with(end) && !found.iter().any(|(known, _)| *known == name) {
                let path = format!("{base}/{folder}/{name}");
                found.push((name, path));
            }
        }
    }
    found.into_iter().map(|(_, path)| path).collect()
}

/// The content of a file as text; none where it cannot be read.
pub fn text(files: &Files, path: &str) -> Option<String> {
    let bytes = files.read(path).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first of these files of which something holds, as the administrator knows it.
pub fn first(files: &Files, paths: Vec<String>, holds: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let mut paths = paths.into_iter();
    let found = paths.find(|path| text(files, path).is_some_and(|text| holds(&text)))?;
    Some(files.known_as(&files.place(&found)))
}

/// The lines that are neither empty nor comments.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
}

/// The file of sysctl.d(5) that sets one of these names, such as `vm.dirty_ratio`.
pub fn sysctl(files: &Files, names: &[&str]) -> Option<PathBuf> {
    let mut paths = vec!["etc/sysctl.conf".to_owned()];
    paths.extend(in_folders(files, "sysctl.d", ".conf"));
    first(files, paths, |text| {
        lines(text).any(|line| {
            let key = line.split_once('=').map_or("", |(key, _)| key.trim());
            let key = key.trim_start_matches('-').replace('/', ".");
            names.iter().any(|name| is_of(name, &key))
        })
    })
}

/// How deep profiles may include others.
const DEEPEST: usize = 8;

/// The file of the active profile of TuneD, or of one that it includes, that has a line with one of these keys.
pub fn tuned(files: &Files, keys: &[&str]) -> Option<PathBuf> {
    let active = text(files, "etc/tuned/active_profile")?;
    let mut names: Vec<String> = active.split_whitespace().map(String::from).collect();
    for _ in 0..DEEPEST {
        let mut included = Vec::new();
        for path in names.iter().filter_map(|name| profile(files, name)) {
            let text = text(files, &path).unwrap_or_default();
            let of_line = |line: &str| {
                let (key, value) = line.split_once('=')?;
                Some((key.trim().to_owned(), value.trim().to_owned()))
            };
            for (key, value) in lines(&text).filter_map(of_line) {
                if keys.iter().any(|wanted| key.ends_with(wanted)) {
                    return Some(files.known_as(&files.place(&path)));
                }
                if key == "include" {
                    included.extend(value.split(',').map(|name| name.trim().to_owned()));
                }
            }
        }
        names = included;
    }
    None
}

fn profile(files: &Files, name: &str) -> Option<String> {
    // A name that leads elsewhere is none.
    if name.contains('/') {
        return None;
    }
    let folders = [
        "etc/tuned/profiles",
        "etc/tuned",
        "usr/lib/tuned/profiles",
        "usr/lib/tuned",
    ];
    let mut paths = folders
        .map(|folder| format!("{folder}/{name}/tuned.conf"))
        .into_iter();
    paths.find(|path| files.read(path).is_ok())
}

/// A line of fstab(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FstabLine {
    /// The fields before the options.
    pub before: [String; 3],
    /// The options.
    pub options: String,
    /// The fields behind them.
    pub behind: Vec<String>,
}

/// The line of a mount point.
pub fn fstab(files: &Files, point: &Path) -> Option<FstabLine> {
    let text = text(files, "etc/fstab")?;
    lines(&text).find_map(|line| {
        let mut fields = line.split_whitespace().map(String::from);
        let before = [fields.next()?, fields.next()?, fields.next()?];
        let has = Path::new(&before[1]) == point;
        has.then(|| FstabLine {
            before,
            options: fields.next().unwrap_or_else(|| "defaults".into()),
            behind: fields.collect(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::system::tunable::tests::folder;

    #[test]
    fn a_file_of_sysctl_that_names_the_value_is_found_unless_another_stands_before_it() {
        let names = ["vm.dirty_ratio", "vm.dirty_bytes"];
        let (_folder, files) = folder(&[
            ("etc/sysctl.conf", "# vm.dirty_ratio = 1\nvm.swappiness=1\n"),
            ("etc/sysctl.d/10-a.conf", "kernel.x = 1\n"),
            ("usr/lib/sysctl.d/10-a.conf", "vm.dirty_ratio = 1\n"),
            ("usr/lib/sysctl.d/20-b.conf.off", "vm.dirty_ratio = 1\n"),
        ]);
        assert_eq!(sysctl(&files, &names), None);
        for line in ["-vm/dirty_bytes = 4096\n", "vm.dirty_*=1\n"] {
            let (_folder, files) = folder(&[("usr/lib/sysctl.d/20-b.conf", line)]);
            let found = Some(PathBuf::from("/usr/lib/sysctl.d/20-b.conf"));
            assert_eq!(sysctl(&files, &names), found, "{line}");
        }
    }

    #[test]
    fn the_active_profile_of_tuned_is_followed_to_what_it_includes() {
        let (_folder, files) = folder(&[
            ("etc/tuned/active_profile", "mine\n"),
            (
                "etc/tuned/mine/tuned.conf",
                "[main]\ninclude = base, ../x\n",
            ),
            (
                "usr/lib/tuned/profiles/base/tuned.conf",
                "[disk]\nreadahead=>4096\n",
            ),
            ("usr/lib/tuned/other/tuned.conf", "[disk]\nelevator=bfq\n"),
        ]);
        let found = Some(PathBuf::from("/usr/lib/tuned/profiles/base/tuned.conf"));
        assert_eq!(tuned(&files, &["readahead"]), found);
        assert_eq!(tuned(&files, &["elevator"]), None);
        let (_folder, files) = folder(&[
            ("etc/tuned/active_profile", "a"),
            ("etc/tuned/a/tuned.conf", "include=a\n"),
        ]);
        assert_eq!(tuned(&files, &["x"]), None, "a circle ends");
    }

    #[test]
    fn the_line_of_a_mount_point_is_found() {
        let (_folder, files) = folder(&[(
            "etc/fstab",
            "# x\nUUID=1 / ext4 defaults 0 1\n/dev/b /srv xfs\n",
        )]);
        let line = fstab(&files, Path::new("/srv")).expect("it has one");
        assert_eq!(line.before, ["/dev/b", "/srv", "xfs"]);
        assert_eq!((line.options.as_str(), line.behind.len()), ("defaults", 0));
        let line = fstab(&files, Path::new("/")).expect("it has one");
        assert_eq!(line.behind, ["0", "1"]);
        assert_eq!(fstab(&files, Path::new("/home")), None);
    }
}
