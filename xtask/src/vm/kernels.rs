//! Stock kernels of Debian: downloaded and unpacked, never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use super::vmlinux;
use crate::error::{Error, Result};
use crate::process;
use crate::workspace::make_empty;

/// Which archives are looked into: 5.10 in the first, 6.1 and 6.12 in the next two, later ones in the last.
const SUITES: &[&str] = &[
    "debian bullseye",
    "debian bookworm",
    "debian-security bookworm-security",
    "debian trixie-backports",
];

/// The series of a kernel and its flavour: the newest package of it is taken, as the archives drop old ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// As in 6.12; none for the newest there is.
    number: Option<String>,
    /// `cloud`, `rt`, or empty for the kernel of PCs.
    flavour: String,
}

impl FromStr for Series {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (number, flavour) = text.split_once('-').unwrap_or((text, "cloud"));
        let is_number = number.split('.').count() == 2
            && number.split('.').all(|part| part.parse::<u32>().is_ok());
        let flavour = match flavour {
            "cloud" | "rt" => flavour,
            "pc" => "",
            _ => return Err("the flavours are cloud, rt and pc, as in 6.12-rt".to_owned()),
        };
        if !is_number && number != "newest" {
            return Err("a series is needed, as in 6.12, or the word newest".to_owned());
        }
        Ok(Self {
            number: is_number.then(|| number.to_owned()),
            flavour: flavour.to_owned(),
        })
    }
}

impl Series {
    /// The release among these packages, `linux-image-RELEASE`.
    fn newest(&self, packages: &str) -> Option<String> {
        let suffix = if self.flavour.is_empty() {
            "-amd64".to_owned()
        } else {
            format!("-{}-amd64", self.flavour)
        };
        packages
            .lines()
            .filter_map(|line| line.split_whitespace().next()?.strip_prefix("linux-image-"))
            .filter(|release| !release.contains("unsigned") && !release.contains("dbg"))
            .filter_map(|release| {
                let version = release.strip_suffix(&suffix)?;
                // That of another flavour, and the packages that only name the newest.
                if version.ends_with("-cloud") || version.ends_with("-rt") {
                    return None;
                }
                let order = numbers(version)?;
                let is_wanted = self.number.as_ref().is_none_or(|number| {
                    numbers(number).is_some_and(|number| order.starts_with(&number))
                });
                is_wanted.then_some((order, release))
            })
            .max()
            .map(|(_, release)| release.to_owned())
    }
}

/// The numbers of a version, most significant first; none where there are fewer than a kernel's.
fn numbers(version: &str) -> Option<Vec<u32>> {
    let numbers: Vec<u32> = version
        .split(['.', '-', '+'])
        .map_while(|part| part.parse().ok())
        .collect();
    (numbers.len() >= 2).then_some(numbers)
}

/// A kernel that is here.
pub struct Kernel {
    /// What `uname -r` says.
    pub release: String,
    folder: PathBuf,
}

impl Kernel {
    /// The newest of a series; the only step that takes the network, and only once for each kernel.
    pub fn fetch(archive: &Archive, series: &Series) -> Result<Self> {
        let packages = archive.search("^linux-image-[0-9.].*-amd64$")?;
        let release = series.newest(&packages).ok_or_else(|| Error::NoKernel {
            series: format!("{series:?}"),
        })?;
        let folder = archive.folder.join("kernels").join(&release);
        let kernel = Self { release, folder };
        if !kernel.vmlinux().exists() {
            kernel.unpack(archive)?;
        }
        Ok(kernel)
    }

    /// The kernel as QEMU starts it.
    pub fn vmlinux(&self) -> PathBuf {
        self.folder.join("vmlinux")
    }

    /// Where `lib/modules/RELEASE` is.
    pub fn root(&self) -> &Path {
        &self.folder
    }

    fn unpack(&self, archive: &Archive) -> Result<()> {
        make_empty(&self.folder)?;
        let tree = self.folder.join("unpacked");
        fs::create_dir(&tree).map_err(Error::file("create", &tree))?;
        let escaped = self.release.replace('.', "\\.").replace('+', "\\+");
        // Since 6.19 the image is in packages of its own.
        let parts = archive.search(&format!("^linux-(base|binary|modules)-{escaped}$"))?;
        let names = parts
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .map(str::to_owned)
            .chain([format!("linux-image-{}", self.release)]);
        for package in archive.download(names, &tree)? {
            process::run(Command::new("dpkg-deb").arg("-x").arg(package).arg(&tree))?;
        }
        let modules = self.folder.join("lib/modules").join(&self.release);
        let parent = self.folder.join("lib/modules");
        fs::create_dir_all(&parent).map_err(Error::file("create", &parent))?;
        let found = ["lib/modules", "usr/lib/modules"]
            .map(|place| tree.join(place).join(&self.release))
            .into_iter()
            .find(|place| place.exists())
            .ok_or_else(|| Error::malformed("the kernel's package", "it has no modules"))?;
        fs::rename(&found, &modules).map_err(Error::file("move", &found))?;
        // The package's installation would make the list of what depends on what.
        process::run(
            Command::new("depmod")
                .arg("-b")
                .arg(&self.folder)
                .arg(&self.release),
        )?;
        let image = [
            tree.join(format!("boot/vmlinuz-{}", self.release)),
            modules.join("vmlinuz"),
        ];
        let image = image
            .iter()
            .find(|image| image.exists())
            .ok_or_else(|| Error::malformed("the kernel's package", "it has no vmlinuz"))?;
        vmlinux::extract(image, &self.vmlinux())?;
        fs::remove_dir_all(&tree).map_err(Error::file("remove", &tree))
    }
}

/// Debian's packages, by the machine's own mirror, with lists of its own: those of the machine are not touched.
pub struct Archive {
    folder: PathBuf,
    options: Vec<String>,
}

impl Archive {
    /// Brings the lists up to date where they are older than a day.
    pub fn open(folder: &Path) -> Result<Self> {
        let lists = folder.join("apt");
        for part in ["lists/partial", "cache/archives/partial"] {
            let part = lists.join(part);
            fs::create_dir_all(&part).map_err(Error::file("create", &part))?;
        }
        let mirror = mirror()?;
        let sources: String = SUITES
            .iter()
            .filter_map(|suite| suite.split_once(' '))
            .map(|(archive, suite)| {
                format!(
                    "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \
                     {mirror}/{archive} {suite} main\n"
                )
            })
            .collect();
        let file = lists.join("sources.list");
        let is_same = fs::read_to_string(&file).is_ok_and(|there| there == sources);
        let archive = Self {
            folder: folder.to_owned(),
            options: vec![
                format!("Dir::Etc::sourcelist={}", file.display()),
                "Dir::Etc::sourceparts=/dev/null".to_owned(),
                format!("Dir::State::lists={}", lists.join("lists").display()),
                format!("Dir::Cache={}", lists.join("cache").display()),
                "APT::Sandbox::User=root".to_owned(),
                "Acquire::Languages=none".to_owned(),
                "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
                "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false".to_owned(),
                "Acquire::Retries=3".to_owned(),
            ],
        };
        let stamp = lists.join("updated");
        let is_fresh = stamp
            .metadata()
            .and_then(|stamp| stamp.modified())
            .is_ok_and(|at| at.elapsed().is_ok_and(|age| age.as_secs() < 24 * 60 * 60));
        if !(is_same && is_fresh) {
            fs::write(&file, sources).map_err(Error::file("write", &file))?;
            process::run(archive.apt("apt-get").args(["-qq", "update"]))?;
            fs::write(&stamp, "").map_err(Error::file("write", &stamp))?;
        }
        Ok(archive)
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for option in &self.options {
            command.args(["-o", option]);
        }
        command
    }

    /// The packages whose names agree, one in a line.
    fn search(&self, names: &str) -> Result<String> {
        process::output(
            self.apt("apt-cache")
                .args(["search", "--names-only", names]),
        )
    }

    /// Downloads packages into a folder.
    fn download(&self, names: impl Iterator<Item = String>, folder: &Path) -> Result<Vec<PathBuf>> {
        process::run(
            self.apt("apt-get")
                .args(["-qq", "download"])
                .args(names)
                .current_dir(folder),
        )?;
        let entries = fs::read_dir(folder).map_err(Error::file("read", folder))?;
        Ok(entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "deb"))
            .collect())
    }

    /// A busybox that needs no library, for the time before there is a file system.
    pub fn busybox(&self) -> Result<PathBuf> {
        let busybox = self.folder.join("busybox");
        if busybox.exists() {
            return Ok(busybox);
        }
        let tree = self.folder.join("busybox-package");
        fs::create_dir_all(&tree).map_err(Error::file("create", &tree))?;
        for package in self.download(std::iter::once("busybox-static".to_owned()), &tree)? {
            process::run(Command::new("dpkg-deb").arg("-x").arg(package).arg(&tree))?;
        }
        let found = ["bin/busybox", "usr/bin/busybox"]
            .map(|place| tree.join(place))
            .into_iter()
            .find(|place| place.exists())
            .ok_or_else(|| Error::malformed("busybox-static", "it has no busybox"))?;
        fs::rename(&found, &busybox).map_err(Error::file("move", &found))?;
        fs::remove_dir_all(&tree).map_err(Error::file("remove", &tree))?;
        Ok(busybox)
    }
}

/// Where this machine's own packages come from.
fn mirror() -> Result<String> {
    let sources = process::output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Created-By: Packages",
    ]))?;
    sources
        .lines()
        .find_map(|line| line.trim_end_matches('/').strip_suffix("/debian"))
        .map(str::to_owned)
        .ok_or_else(|| Error::malformed("apt's list of sources", "it names no archive of Debian"))
}

#[cfg(test)]
mod tests {
    use super::Series;

    const PACKAGES: &str = "linux-image-6.1.0-9-cloud-amd64 - Linux\n\
        linux-image-6.1.0-56-cloud-amd64 - Linux\n\
        linux-image-6.1.0-56-amd64 - Linux\n\
        linux-image-6.1.0-56-rt-amd64 - Linux\n\
        linux-image-6.12-cloud-amd64 - the newest\n\
        linux-image-6.12.117+deb12-cloud-amd64 - Linux\n\
        linux-image-6.12.99+deb12-cloud-amd64 - Linux\n\
        linux-image-7.3.4+deb13-cloud-amd64-unsigned - Linux\n\
        linux-image-7.3.4+deb13-cloud-amd64 - Linux\n";

    #[test]
    fn the_newest_of_a_series_and_flavour_is_taken() {
        let newest = |series: &str| {
            let series: Series = series.parse().expect("a series");
            series.newest(PACKAGES)
        };
        assert_eq!(newest("6.1").as_deref(), Some("6.1.0-56-cloud-amd64"));
        assert_eq!(newest("6.1-pc").as_deref(), Some("6.1.0-56-amd64"));
        assert_eq!(newest("6.1-rt").as_deref(), Some("6.1.0-56-rt-amd64"));
        assert_eq!(
            newest("6.12").as_deref(),
            Some("6.12.117+deb12-cloud-amd64")
        );
        assert_eq!(newest("newest").as_deref(), Some("7.3.4+deb13-cloud-amd64"));
        assert_eq!(newest("5.10"), None);
    }

    #[test]
    fn what_is_no_series_is_refused() {
        for wrong in ["6", "six.one", "6.1-desktop", ""] {
            assert!(wrong.parse::<Series>().is_err(), "{wrong}");
        }
    }
}
