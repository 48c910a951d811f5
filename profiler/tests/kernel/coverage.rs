//! What this kernel has is listed by name, in a class, or as not seen.

use std::{collections::BTreeSet, fs};

use crate::support::{ioprof, requirements::skip, succeed, text, zram::Zram};

/// The listing, which succeeds only where all that the kernel has is in a table.
fn listing() -> String {
    text(&succeed(ioprof().args(["doctor", "--coverage"])).stdout)
}

/// The groups of a subject, each with its line and its names.
fn groups<'a>(listing: &'a str, subject: &str) -> Vec<(String, BTreeSet<&'a str>)> {
    let lines = listing.lines().skip_while(|line| *line != subject);
    let lines = lines.skip(2).take_while(|line| !line.is_empty());
    let mut groups: Vec<(String, BTreeSet<_>)> = Vec::new();
    for line in lines {
        match (line.strip_prefix("    "), groups.last_mut()) {
            // Names are behind each other with commas, and words are not.
            (Some(names), Some((_, all))) => {
                all.extend(names.split(", ").map(|name| name.trim_end_matches(',')))
            }
            _ => groups.push((line.trim().to_owned(), BTreeSet::new())),
        }
    }
    assert!(!groups.is_empty(), "{subject}: {listing}");
    groups
}

#[test]
fn all_file_systems_of_this_kernel_are_listed() {
    let listing = listing();
    let listed: BTreeSet<_> = groups(&listing, "File systems")
        .into_iter()
        .flat_map(|(_, names)| names)
        .collect();
    let registered = fs::read_to_string("/proc/filesystems").expect("everybody may read it");
    let registered = registered
        .lines()
        .filter_map(|line| line.split('\t').nth(1));
    for name in registered {
        assert!(listed.contains(name), "{name}: {listing}");
    }
}

#[test]
fn devices_are_listed_by_what_is_counted_of_them() {
    requires!(alone);
    let Some(disk) = Zram::unmounted(1024 * 1024) else {
        return skip(Zram::MISSING);
    };
    let name = disk.name();
    let listing = listing();
    let groups = groups(&listing, "Block devices");
    let of = |beginning: &str| {
        let found = groups.iter().find(|(what, _)| what.starts_with(beginning));
        &found.unwrap_or_else(|| panic!("{beginning}: {listing}")).1
    };
    assert!(of("named: by bios").contains(name.as_str()), "{listing}");
    let by_requests = of("named: by requests");
    assert!(!by_requests.contains(name.as_str()), "{listing}");
    let with_queues = fs::read_dir("/sys/block").expect("there are block devices");
    let with_queues = with_queues
        .flatten()
        .filter(|disk| disk.path().join("mq").exists());
    let mut disks = 0;
    for disk in with_queues {
        let name = disk.file_name().into_string().expect("plain");
        assert!(by_requests.contains(name.as_str()), "{name}: {listing}");
        disks += 1;
    }
    assert_ne!(disks, 0);
}
