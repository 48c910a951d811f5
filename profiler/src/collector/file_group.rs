//! Files of one folder whose names differ only in what programs make up: numbers, and random letters and digits.

use std::{cmp::Reverse, os::unix::ffi::OsStrExt as _, path::Path};

use crate::text::Text;

/// So many files are not yet a group.
const FEW: usize = 3;

/// What stands for the parts of names that differ.
const WILD: u8 = b'*';

/// Files of one pattern.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    /// The common beginning and end of their paths, and a star between them.
    pub pattern: Text,
    /// The mount namespace of the paths.
    pub namespace: Option<u32>,
    /// The files, by their places in the list that was given.
    pub members: Vec<usize>,
}

/// A file, as far as it matters here.
#[derive(Clone, Copy)]
struct Named<'a> {
    at: usize,
    namespace: Option<u32>,
    folder: &'a [u8],
    name: &'a [u8],
}

impl<'a> Named<'a> {
    /// None for what is in no folder, and where the beginning of the path is not known.
    fn of(at: usize, namespace: Option<u32>, path: &'a Path) -> Option<Self> {
        let folder = path.is_absolute().then(|| path.parent()).flatten()?;
        Some(Self {
            at,
            namespace,
            folder: folder.as_os_str().as_bytes(),
            name: path.file_name()?.as_bytes(),
        })
    }

    /// Whether it is in the same folder.
    fn is_beside(&self, other: &Self) -> bool {
        (self.namespace, self.folder) == (other.namespace, other.folder)
    }
}

/// Files of a group, with what their names begin and end with.
struct Alike<'a> {
    first: Named<'a>,
    begin: &'a [u8],
    end: &'a [u8],
    /// Whether the rest of their names is random, and so of one length.
    is_random: bool,
    /// By their places in the list.
    members: Vec<usize>,
}

impl<'a> Alike<'a> {
    /// None where the names have no letter in common.
    fn of(files: &[Named<'a>], is_random: bool) -> Option<Self> {
        let (begin, end) = common(files)?;
        Some(Self {
            first: *files.first()?,
            begin,
            end,
            is_random,
            members: files.iter().map(|file| file.at).collect(),
        })
    }

    /// Whether a file could be one of them.
    fn fits(&self, file: &Named<'_>) -> bool {
        file.is_beside(&self.first)
            && file.name.len() == self.first.name.len()
            && file.name.starts_with(self.begin)
            && file.name.ends_with(self.end)
    }

    /// Whether all of another group could be.
    fn fits_all(&self, other: &Self) -> bool {
        self.is_random
            && other.is_random
            && self.fits(&other.first)
            && other.begin.starts_with(self.begin)
            && other.end.ends_with(self.end)
    }

    fn group(self) -> Group {
        let slash: &[u8] = if self.first.folder == b"/" { b"" } else { b"/" };
        let path = [self.first.folder, slash, self.begin, &[WILD], self.end].concat();
        Group {
            pattern: Text::of_bytes(&path),
            namespace: self.first.namespace,
            members: self.members,
        }
    }
}

/// The groups of a list of files. Of each the mount namespace and the path are given; no two are the same. There may be tens
/// of thousands: they are sorted in place, and no name is copied.
pub fn groups<'a>(files: impl Iterator<Item = (Option<u32>, Option<&'a Path>)>) -> Vec<Group> {
    let files: Vec<Named<'a>> = files
        .enumerate()
        .filter_map(|(at, (namespace, path))| Named::of(at, namespace, path?))
        .collect();
    let mut found = Vec::new();
    // Numbers first: what differs in nothing else is not random.
    let left = alike(files, without_numbers, |_| true, false, &mut found);
    let left = alike(left, without_random, are_random, true, &mut found);
    merged(
        absorbed(found, left)
            .into_iter()
            .map(Alike::group)
            .collect(),
    )
}

/// Adds the files of one folder and one skeleton of names to what was found, where there are enough; what is left.
fn alike<'a, S: Iterator<Item: Ord>>(
    mut files: Vec<Named<'a>>,
    skeleton: impl Fn(&'a [u8]) -> S,
    are_alike: impl Fn(&[Named<'a>]) -> bool,
    is_random: bool,
    found: &mut Vec<Alike<'a>>,
) -> Vec<Named<'a>> {
    files.sort_unstable_by(|one, other| {
        let place = |file: &Named<'a>| (file.namespace, file.folder);
        place(one)
            .cmp(&place(other))
            .then_with(|| skeleton(one.name).cmp(skeleton(other.name)))
            .then(one.at.cmp(&other.at))
    });
    let mut left = Vec::new();
    let is_same = |one: &Named<'a>, other: &Named<'a>| {
        one.is_beside(other) && skeleton(one.name).eq(skeleton(other.name))
    };
    for same in files.chunk_by(is_same) {
        let is_group = same.len() > FEW && are_alike(same);
        match is_group.then(|| Alike::of(same, is_random)).flatten() {
            Some(group) => found.push(group),
            None => left.extend_from_slice(same),
        }
    }
    left
}

/// Of random words some look chosen, and some are cut by what else stands in them: what fits a group of random names, the
/// largest first, is in it.
fn absorbed<'a>(mut groups: Vec<Alike<'a>>, mut left: Vec<Named<'a>>) -> Vec<Alike<'a>> {
    groups.sort_by_key(|group| Reverse(group.members.len()));
    let mut done: Vec<Alike<'a>> = Vec::new();
    for mut group in groups {
        match done.iter_mut().find(|larger| larger.fits_all(&group)) {
            Some(larger) => larger.members.append(&mut group.members),
            None => done.push(group),
        }
    }
    for group in done.iter_mut().filter(|group| group.is_random) {
        let fitting: Vec<_> = left.extract_if(.., |file| group.fits(file)).collect();
        group.members.extend(fitting.iter().map(|file| file.at));
    }
    done
}

/// One group for each pattern.
fn merged(mut groups: Vec<Group>) -> Vec<Group> {
    groups.sort_by(|one, other| {
        (one.namespace, &one.pattern).cmp(&(other.namespace, &other.pattern))
    });
    groups.dedup_by(|next, one| {
        let is_same = (next.namespace, &next.pattern) == (one.namespace, &one.pattern);
        if is_same {
            one.members.append(&mut next.members);
        }
        is_same
    });
    groups
}

/// A name with a star for each number.
fn without_numbers(name: &[u8]) -> impl Iterator<Item = u8> {
    let parts = name.chunk_by(|one, next| one.is_ascii_digit() && next.is_ascii_digit());
    let first = parts.filter_map(|part| part.first());
    first.map(|byte| if byte.is_ascii_digit() { WILD } else { *byte })
}

/// A part of a name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Word(&'a [u8]),
    /// A word that may be random, by its length: random words have one.
    Random(usize),
}

/// A name without what each word is that has digits, or capitals behind other letters.
fn without_random(name: &[u8]) -> impl Iterator<Item = Part<'_>> {
    words(name).map(|word| {
        let capitals = word.iter().skip(1).any(u8::is_ascii_uppercase);
        let has_case = capitals && word.iter().any(u8::is_ascii_lowercase);
        if has_case || word.iter().any(u8::is_ascii_digit) {
            Part::Random(word.len())
        } else {
            Part::Word(word)
        }
    })
}

/// Whether digits stand among letters in most of these names: words of two capitals are no random ones.
fn are_random(files: &[Named<'_>]) -> bool {
    let is_mixed = |word: &[u8]| {
        word.iter().any(u8::is_ascii_digit) && word.iter().any(u8::is_ascii_alphabetic)
    };
    let mixed = files.iter().filter(|file| words(file.name).any(is_mixed));
    mixed.count() > files.len() / 2
}

/// The words of a name, and each byte between them.
fn words(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.chunk_by(|one, next| one.is_ascii_alphanumeric() && next.is_ascii_alphanumeric())
}

/// What the names of files begin and end with; nothing where they have no letter in common.
fn common<'a>(files: &[Named<'a>]) -> Option<(&'a [u8], &'a [u8])> {
    let first = files.first()?;
    let begin = files.iter().fold(first.name.len(), |most, file| {
        let same = first.name.iter().zip(file.name);
        same.take(most)
            .take_while(|(one, other)| one == other)
            .count()
    });
    let end = files.iter().fold(first.name.len(), |most, file| {
        let rests = [first, file].map(|file| file.name.get(begin..).unwrap_or_default());
        let same = rests[0].iter().rev().zip(rests[1].iter().rev());
        same.take(most)
            .take_while(|(one, other)| one == other)
            .count()
    });
    // A number is not cut in two.
    let mut begin = &first.name[..begin];
    while let [rest @ .., b'0'..=b'9'] = begin {
        begin = rest;
    }
    let mut end = &first.name[first.name.len() - end..];
    while let [b'0'..=b'9', rest @ ..] = end {
        end = rest;
    }
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    let has_letter = begin.iter().chain(end).any(is_letter);
    has_letter.then_some((begin, end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The patterns of files in one folder, and how many each has.
    fn patterns(names: &[impl AsRef<str>]) -> Vec<(String, usize)> {
        let paths: Vec<_> = names
            .iter()
            .map(|name| format!("/t/{}", name.as_ref()))
            .collect();
        groups(paths.iter().map(|path| (None, Some(Path::new(path)))))
            .into_iter()
            .map(|group| (group.pattern.to_string(), group.members.len()))
            .collect()
    }

    fn numbered(count: usize, name: fn(usize) -> String) -> Vec<String> {
        (0..count).map(name).collect()
    }

    #[test]
    fn names_that_differ_in_numbers_are_one_pattern() {
        for (name, pattern) in [
            (
                (|at| format!(".tmp-config{at}.json")) as fn(usize) -> String,
                "/t/.tmp-config*.json",
            ),
            (|at| format!("tmp-{at:03}"), "/t/tmp-*"),
            (|at| format!("{at:06}.sst"), "/t/*.sst"),
            (|at| format!("part-{at}-of-200.log"), "/t/part-*-of-200.log"),
            (|at| format!("log.{}.{at}", 7 * at), "/t/log.*"),
            (|at| format!("gr\u{fc}n{at}\u{e9}"), "/t/gr\u{fc}n*\u{e9}"),
        ] {
            let names = numbered(200, name);
            assert_eq!(patterns(&names), [(pattern.to_owned(), 200)]);
            // Few of them have their own rows.
            assert_eq!(patterns(&names[..FEW]), []);
            assert_eq!(patterns(&names[..=FEW]).len(), 1);
        }
    }

    #[test]
    fn random_names_of_one_length_are_one_pattern() {
        let one = |pattern: &str, count| [(pattern.to_owned(), count)];
        let made = ["a.x9KqZ2", "a.Qw3rTy", "a.zXcVbN", "a.0lPmN1", "a.kK2jHg"];
        assert_eq!(patterns(&made), one("/t/a.*", 5));
        let made = [".tmpa1B2c3", ".tmpZ9y8X7", ".tmpQ5w6E7", ".tmpM0n1B2"];
        assert_eq!(patterns(&made), one("/t/.tmp*", 4));
        // Without a digit, and cut by a sign that Python's tempfile uses, too.
        let made = [
            ".tmpa1b2c3.j",
            ".tmpz9y8x7.j",
            ".tmpq5w6e7.j",
            ".tmpm0n1b2.j",
            ".tmpabcdef.j",
            ".tmpa_cd3f.j",
            ".tmp_bcd3f.j",
        ];
        assert_eq!(patterns(&made), one("/t/.tmp*.j", 7));
        // Of another length, as somebody has chosen it.
        let made = [&made[..], &[".tmp.j", ".tmp-backup.j"]].concat();
        assert_eq!(patterns(&made), one("/t/.tmp*.j", 7));
    }

    #[test]
    fn names_that_somebody_chose_are_no_pattern() {
        for names in [
            ["alice.csv", "bob.csv", "carol.csv", "dave.csv"],
            [
                "UserService.java",
                "RoleService.java",
                "TaskService.java",
                "BaseService.java",
            ],
            // Nothing but numbers: each may be a table of a database.
            ["16384", "16385", "16390", "16401"],
        ] {
            assert_eq!(patterns(&names), []);
        }
    }

    #[test]
    fn folders_and_mount_namespaces_are_apart_and_what_is_in_no_folder_is_in_no_group() {
        let paths = |folder: &str| numbered_in(folder, 4);
        let (one, other, cut) = (paths("/one/"), paths("/"), paths("...names/"));
        let files = [(None, &one), (Some(7), &one), (None, &other), (None, &cut)];
        let files = files.iter().flat_map(|(namespace, paths)| {
            paths.iter().map(|path| (*namespace, Some(Path::new(path))))
        });
        let found = groups(files.chain([(None, None)]));
        let found: Vec<_> = found
            .iter()
            .map(|group| (group.namespace, group.pattern.as_str(), &group.members[..]))
            .collect();
        let expected: [(_, _, &[usize]); 3] = [
            (None, "/f*", &[8, 9, 10, 11]),
            (None, "/one/f*", &[0, 1, 2, 3]),
            (Some(7), "/one/f*", &[4, 5, 6, 7]),
        ];
        assert_eq!(found, expected);
    }

    fn numbered_in(folder: &str, count: usize) -> Vec<String> {
        (0..count).map(|at| format!("{folder}f{at}")).collect()
    }

    proptest! {
        #[test]
        fn each_file_is_in_one_group_at_most_and_its_path_is_of_the_pattern(
            names in prop::collection::btree_set("[a-cA-C0-3.\u{e9}-]{1,5}", 1..60)
        ) {
            let names: Vec<_> = names
                .into_iter()
                .filter(|name| name.as_str() != "." && name.as_str() != "..")
                .map(|name| format!("/t/{name}"))
                .collect();
            let found = groups(names.iter().map(|name| (None, Some(Path::new(name)))));
            let mut seen: Vec<_> = found.iter().flat_map(|group| &group.members).collect();
            seen.sort_unstable();
            let all = seen.len();
            seen.dedup();
            prop_assert_eq!(seen.len(), all);
            for group in &found {
                prop_assert!(group.members.len() > FEW);
                let (begin, end) = group.pattern.as_str().split_once('*').expect("a star");
                for at in &group.members {
                    let rest = names[*at].strip_prefix(begin);
                    prop_assert!(rest.is_some_and(|rest| rest.ends_with(end)), "{group:?}");
                }
            }
        }
    }
}
