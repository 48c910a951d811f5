//! File systems: which the kernel has, and what is known of each.

use std::{collections::BTreeSet, fs};

/// What file systems have in common.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Whether ioprof has a mechanism for these alone, so that each has a line of its own.
    pub has_mechanism: bool,
    /// What is told of their files.
    pub what: &'static str,
    /// Their names in /proc/filesystems.
    pub names: &'static str,
}

/// All that are known. "Tested" is what the kernel tests do on them.
pub const KINDS: &[Kind] = &[
    Kind {
        has_mechanism: true,
        what: "identity, paths by handle, metadata, journal and its waits; tested",
        names: "ext4 xfs",
    },
    Kind {
        has_mechanism: true,
        what: "identity with the subvolume, compressed and direct bios, paths by handle, metadata; \
               waits for its log tree are of no kind of their own; tested",
        names: "btrfs",
    },
    Kind {
        has_mechanism: true,
        what: "device bytes, dirty bytes and faults through the file below; tested on ext4 and tmpfs",
        names: "overlay",
    },
    Kind {
        has_mechanism: true,
        what: "identity, swap; paths by handle where one exists; tested",
        names: "tmpfs",
    },
    Kind {
        has_mechanism: true,
        what: "identity, paths by handle, metadata where requests carry REQ_META; not tested",
        names: "f2fs",
    },
    Kind {
        has_mechanism: false,
        what: "on a device, by what all have in common: calls, dirty bytes, faults, device bytes of pages of the file; \
               metadata where requests carry REQ_META; ext2 and ext3 by the driver of ext4; not tested",
        names: "ext2 ext3 vfat msdos exfat ntfs ntfs3 jfs nilfs2 ocfs2 gfs2 gfs2meta hfs hfsplus minix sysv v7 ufs udf iso9660 \
                affs befs bfs qnx4 qnx6 reiserfs hpfs adfs efs freevxfs omfs romfs zonefs bcachefs vboxsf",
    },
    Kind {
        has_mechanism: false,
        what: "compressed or encrypted, read through pages of their own: calls and faults; device bytes may be in no row of a file; \
               not tested",
        names: "squashfs erofs cramfs jffs2 ubifs zfs ecryptfs",
    },
    Kind {
        has_mechanism: false,
        what: "served by a process or another machine: calls, dirty bytes and faults; device requests are those of \
               who serves them; not tested",
        names: "fuse fuseblk virtiofs nfs nfs4 cifs smb3 smbfs 9p ceph afs coda orangefs",
    },
    Kind {
        has_mechanism: false,
        what: "in memory or made by the kernel, without a device: calls",
        names: "sysfs proc cgroup cgroup2 cpuset devtmpfs devpts binfmt_misc configfs debugfs tracefs securityfs sockfs bpf \
                pipefs autofs ramfs hugetlbfs mqueue pstore efivarfs fusectl bdev dax drm rpc_pipefs nfsd selinuxfs smackfs apparmorfs \
                resctrl pidfs nsfs anon_inodefs secretmem guest_memfd functionfs gadgetfs oprofilefs xenfs dmabuf \
                inotifyfs eventpollfs nullfs rootfs aio ipathfs qibfs spufs ibmasmfs usbfs openpromfs s390_hypfs",
    },
];

/// Where the kernel lists those that it has.
pub const REGISTERED: &str = "/proc/filesystems";

/// The file systems that the kernel has, modules that are loaded included; none where they are not told.
pub fn registered() -> Option<BTreeSet<String>> {
    let text = fs::read_to_string(REGISTERED).ok()?;
    let names = text.lines().filter_map(|line| line.split('\t').nth(1));
    Some(names.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_is_of_one_kind() {
        let names = KINDS.iter().flat_map(|kind| kind.names.split_whitespace());
        let mut seen = BTreeSet::new();
        for name in names {
            assert!(seen.insert(name), "{name}");
        }
    }
}
