//! What makes a value permanent: lines of udev(7), sysctl.d(5) and fstab(5).

use serde::Serialize;

use crate::text::Text;

/// Lines for a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Permanent {
    /// The file.
    pub file: Text,
    /// The lines, which together are one entry.
    pub lines: Vec<Text>,
    /// The command that makes it hold at once; null where --keep does as well.
    pub then: Option<Text>,
}

/// A rule for an attribute of the queue of a device: of the one that has an attribute, as a name may be another one's
/// after the next start; else by its name.
pub fn udev(device: &str, identity: Option<(&str, &str)>, name: &str, value: &str) -> Permanent {
    let which = match identity {
        Some((attribute, value)) => format!("ATTR{{{attribute}}}==\"{value}\""),
        None => format!("KERNEL==\"{device}\""),
    };
    let lines = [
        "ACTION==\"add|change\", SUBSYSTEM==\"block\", \\".to_owned(),
        format!("  {which}, \\"),
        format!("  ATTR{{queue/{name}}}=\"{value}\""),
    ];
    Permanent {
        file: "/etc/udev/rules.d/90-ioprof.rules".into(),
        lines: lines.map(Text::from).into(),
        then: Some("udevadm control --reload; udevadm trigger --subsystem-match=block".into()),
    }
}

/// A line for a limit of dirty pages.
pub fn sysctl(name: &str, value: &str) -> Permanent {
    Permanent {
        file: "/etc/sysctl.d/90-ioprof.conf".into(),
        lines: vec![format!("{name} = {value}").into()],
        then: Some("sysctl --system".into()),
    }
}

/// A line of fstab(5): its fields before the options, these, and those behind them.
pub struct Fstab<'a> {
    /// Device, mount point and type.
    pub before: [&'a str; 3],
    /// The options; none where there is no such line.
    pub options: Option<&'a str>,
    /// What is behind them.
    pub behind: &'a [String],
}

/// The line with another option for accesses.
pub fn fstab(of: &Fstab<'_>, option: &str, others: &[&str]) -> Permanent {
    let options = of.options.unwrap_or("defaults").split(',');
    let options = options.filter(|option| !others.contains(option));
    let options: Vec<_> = options.chain([option]).collect();
    let behind = match of.behind {
        [] => "0 0".to_owned(),
        fields => fields.join(" "),
    };
    let [device, point, kind] = of.before;
    let line = format!("{device} {point} {kind} {} {behind}", options.join(","));
    Permanent {
        file: "/etc/fstab".into(),
        lines: vec![line.into()],
        then: Some(format!("mount -o remount,{option} {point}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(permanent: &Permanent) -> String {
        let lines = permanent.lines.iter().map(Text::as_str);
        lines.collect::<Vec<_>>().join("\n").replace("\\\n ", "")
    }

    #[test]
    fn a_rule_is_for_the_device_that_tells_its_number_else_for_the_name() {
        let rule = udev("vda", Some(("wwid", "naa.5 1")), "scheduler", "none");
        assert_eq!(
            joined(&rule),
            "ACTION==\"add|change\", SUBSYSTEM==\"block\",  ATTR{wwid}==\"naa.5 1\",  ATTR{queue/scheduler}=\"none\""
        );
        let rule = udev("vda", None, "read_ahead_kb", "512");
        assert!(joined(&rule).contains("KERNEL==\"vda\""));
        assert!(rule.lines.iter().all(|line| line.as_str().len() <= 80));
    }

    #[test]
    fn the_line_of_fstab_keeps_its_other_options() {
        let behind = ["0".to_owned(), "1".to_owned()];
        let line = Fstab {
            before: ["UUID=1", "/", "ext4"],
            options: Some("relatime,errors=remount-ro"),
            behind: &behind,
        };
        let others = ["relatime", "strictatime"];
        let line = fstab(&line, "noatime", &others);
        assert_eq!(joined(&line), "UUID=1 / ext4 errors=remount-ro,noatime 0 1");
        let line = Fstab {
            before: ["/dev/b", "/srv", "xfs"],
            options: None,
            behind: &[],
        };
        let line = fstab(&line, "noatime", &others);
        assert_eq!(joined(&line), "/dev/b /srv xfs defaults,noatime 0 0");
    }

    #[test]
    fn a_limit_is_a_line_of_sysctl() {
        assert_eq!(
            joined(&sysctl("vm.dirty_ratio", "40")),
            "vm.dirty_ratio = 40"
        );
    }
}
