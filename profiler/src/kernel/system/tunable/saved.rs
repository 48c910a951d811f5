//! Settings as they were found, and their way back.

use std::io;

use super::{Atime, Files, Place, value_of};

/// A change of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A file gets a value.
    Value {
        /// The file.
        path: String,
        /// The value.
        value: String,
    },
    /// A mount notes accesses in another way.
    Atime {
        /// The mount.
        place: Place,
        /// The way.
        atime: Atime,
    },
}

impl Change {
    /// Makes it.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses it, or makes another value of it.
    pub fn make(&self, files: &Files) -> io::Result<()> {
        match self {
            Self::Value { path, value } => {
                files.write(path, value.as_bytes())?;
                let made = value_of(&files.read(path)?);
                if made != *value {
                    return Err(io::Error::other(format!("the kernel makes {made} of it")));
                }
                Ok(())
            }
            Self::Atime { place, atime } => place.set(*atime),
        }
    }
}

/// Settings that belong together, as they were found.
#[derive(Clone, Debug)]
pub enum Saved {
    /// Files, in the order in which they are written back: the kernel changes later ones with earlier ones.
    Files(Vec<Found>),
    /// A mount.
    Atime {
        /// The mount.
        place: Place,
        /// What it noted.
        atime: Atime,
    },
}

/// A file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    path: String,
    bytes: Vec<u8>,
    /// Whether its value follows from the others, so that it is not written.
    follows: bool,
}

/// A setting that is not as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrestored {
    /// The file, or the mount point.
    pub place: String,
    /// What it was.
    pub found: String,
    /// Why it is not.
    pub reason: String,
}

impl Saved {
    /// These files as they are, without those that cannot be read.
    pub fn files(files: &Files, paths: impl IntoIterator<Item = String>) -> Self {
        let found = paths.into_iter().filter_map(|path| {
            let bytes = files.read(&path).ok()?;
            let follows = false;
            Some(Found {
                path,
                bytes,
                follows,
            })
        });
        Self::Files(found.collect())
    }

    /// Pairs of files as they are: who writes one makes the other 0, and 0 cannot be written to each.
    pub fn twins(files: &Files, pairs: &[[&str; 2]]) -> Self {
        let pairs = pairs.iter().flat_map(|pair| {
            let found = pair.map(|path| Some((path, files.read(path).ok()?)));
            let is_zero = |found: &Option<(&str, Vec<u8>)>| {
                found
                    .as_ref()
                    .is_some_and(|(_, bytes)| value_of(bytes) == "0")
            };
            // Where both are 0, the first of them was written.
            let follow = [
                is_zero(&found[0]) && !is_zero(&found[1]),
                is_zero(&found[1]),
            ];
            found
                .into_iter()
                .zip(follow)
                .filter_map(|(found, follows)| {
                    let (path, bytes) = found?;
                    Some(Found {
                        path: path.to_owned(),
                        bytes,
                        follows,
                    })
                })
        });
        Self::Files(pairs.collect())
    }

    /// Puts everything back that is not as it was found; what is not so then.
    pub fn restore(&self, files: &Files) -> Vec<Unrestored> {
        match self {
            Self::Files(found) => restore(found, files),
            Self::Atime { place, atime } => {
                let failed = match place.atime() {
                    Some(now) if now == *atime => None,
                    Some(_) => place.set(*atime).err().map(|error| error.to_string()),
                    None => Some("it is not mounted any more".to_owned()),
                };
                let unrestored = failed.map(|reason| Unrestored {
                    place: place.point.to_string_lossy().into_owned(),
                    found: atime.to_string(),
                    reason,
                });
                unrestored.into_iter().collect()
            }
        }
    }
}

fn restore(all: &[Found], files: &Files) -> Vec<Unrestored> {
    let is_as_found = |found: &Found| {
        let now = files.read(&found.path).ok();
        now.is_some_and(|now| value_of(&now) == value_of(&found.bytes))
    };
    let mut refused = Vec::new();
    for found in all.iter().filter(|found| !found.follows) {
        if !is_as_found(found)
            && let Err(error) = files.write(&found.path, found.written().as_bytes())
        {
            refused.push((&found.path, error));
        }
    }
    let unrestored = all.iter().filter(|found| !is_as_found(found)).map(|found| {
        let refused = refused.iter().find(|(path, _)| *path == &found.path);
        let reason = refused.map(|(_, error)| error.to_string());
        Unrestored {
            place: format!("/{}", found.path),
            found: value_of(&found.bytes),
            reason: reason.unwrap_or_else(|| {
                let now = files.value(&found.path).unwrap_or_default();
                format!("it is {now}")
            }),
        }
    });
    unrestored.collect()
}

impl Found {
    /// What is written to have it back: its bytes, and of several values the one in brackets.
    fn written(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        if text.contains('[') {
            value_of(&self.bytes)
        } else {
            text.into_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::system::tunable::tests::folder;

    const RATIO: &str = "vm/ratio";
    const BYTES: &str = "vm/bytes";

    #[test]
    fn what_differs_is_written_back_byte_by_byte_in_its_order() {
        let (_folder, files) = folder(&[("q/a", "128\n"), ("q/b", "256\n")]);
        let saved = Saved::files(&files, ["q/a", "q/b", "q/none"].map(String::from));
        let change = Change::Value {
            path: "q/a".into(),
            value: "512".into(),
        };
        change.make(&files).expect("it is made");
        files.write("q/b", b"1024").expect("it is written");
        assert_eq!(saved.restore(&files), []);
        assert_eq!(files.read("q/a").expect("read"), b"128\n");
        assert_eq!(files.read("q/b").expect("read"), b"256\n");
    }

    #[test]
    fn a_file_is_not_written_whose_value_is_as_it_was() {
        let (folder, files) = folder(&[("q/s", "none [kyber]\n")]);
        let saved = Saved::files(&files, ["q/s".to_owned()]);
        // Another one is offered by now.
        files.write("q/s", b"none [kyber] bfq\n").expect("written");
        assert_eq!(saved.restore(&files), []);
        let now = files.read("q/s").expect("read");
        assert_eq!(now, b"none [kyber] bfq\n");
        files.write("q/s", b"[none] kyber bfq\n").expect("written");
        // The kernel would put it in brackets.
        assert_eq!(saved.restore(&files), []);
        assert_eq!(files.read("q/s").expect("read"), b"kyber");
        drop(folder);
    }

    #[test]
    fn what_cannot_be_had_back_is_told() {
        let (folder, files) = folder(&[("q/a", "128\n"), ("q/b", "7\n")]);
        let saved = Saved::files(&files, ["q/a", "q/b"].map(String::from));
        std::fs::remove_file(folder.path().join("q/a")).expect("removed");
        files.write("q/b", b"8").expect("written");
        let unrestored = saved.restore(&files);
        assert_eq!(files.read("q/b").expect("read"), b"7\n");
        let [one] = &unrestored[..] else {
            panic!("{unrestored:?}")
        };
        assert_eq!((one.place.as_str(), one.found.as_str()), ("/q/a", "128"));
        assert!(one.reason.contains("No such file"), "{unrestored:?}");
    }

    #[test]
    fn of_twins_the_one_that_was_set_is_written() {
        for (ratio, bytes, writes) in [("20", "0", RATIO), ("0", "4096", BYTES), ("0", "0", RATIO)]
        {
            let (_folder, files) = folder(&[(RATIO, ratio), (BYTES, bytes)]);
            let Saved::Files(found) = Saved::twins(&files, &[[RATIO, BYTES]]) else {
                panic!("they are files")
            };
            let written = found.iter().filter(|found| !found.follows);
            let written: Vec<_> = written.map(|found| found.path.as_str()).collect();
            assert_eq!(written, [writes], "{ratio} {bytes}");
        }
    }

    #[test]
    fn a_change_that_the_kernel_makes_something_else_of_is_refused() {
        let (_folder, files) = folder(&[("q/a", "128\n")]);
        let change = |path: &str, value: &str| Change::Value {
            path: path.into(),
            value: value.into(),
        };
        assert!(change("q/none", "1").make(&files).is_err());
        assert!(change("q/a", "[1] 2").make(&files).is_err());
        assert!(change("q/a", "1").make(&files).is_ok());
    }
}
