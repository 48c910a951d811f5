//! Rules of udev(7), as far as they set an attribute of a device.

use super::{Files, glob::is_of};

/// A part of a rule: a key with what is in its braces, an operator, a value.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    key: String,
    operator: String,
    value: String,
}

/// Whether a file of rules sets an attribute of a device. A rule that is for other devices, as far as its name and its
/// attributes tell, is passed over; every other condition is taken to hold.
pub fn sets(rules: &str, files: &Files, device: &str, attribute: &str) -> bool {
    let joined = rules.replace("\\\n", " ");
    let mut lines = joined.lines().map(str::trim);
    lines.any(|line| {
        let parts = parts(line);
        let assigns = |part: &Part| match part.key.as_str() {
            "RUN" => part.value.contains(attribute),
            key => matches!(part.operator.as_str(), "=" | ":=") && is_attribute(key, attribute),
        };
        !line.starts_with('#')
            && parts.iter().any(assigns)
            && parts.iter().all(|part| may_hold(part, files, device))
    })
}

fn is_attribute(key: &str, attribute: &str) -> bool {
    // The folder of read-ahead has a second name.
    let second = attribute.replace("queue/", "bdi/");
    key == format!("ATTR{{{attribute}}}") || key == format!("ATTR{{{second}}}")
}

/// Whether a condition may hold for a device; true of what is none.
fn may_hold(part: &Part, files: &Files, device: &str) -> bool {
    let expected = match part.operator.as_str() {
        "==" => true,
        "!=" => false,
        _ => return true,
    };
    let name = part.key.strip_prefix("ATTR{");
    let has = match part.key.as_str() {
        "KERNEL" => Some(device.to_owned()),
        "SUBSYSTEM" => Some("block".to_owned()),
        "ENV{DEVTYPE}" => Some("disk".to_owned()),
        _ => match name.and_then(|name| name.strip_suffix('}')) {
            Some(name) => {
                // As it is: the list of schedulers is matched as a whole.
                let bytes = files.read(&format!("sys/block/{device}/{name}"));
                let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
                // Without the attribute no condition on it holds.
                let Ok(text) = text else { return false };
                Some(text)
            }
            None => None,
        },
    };
    has.is_none_or(|has| is_of(&has, &part.value) == expected)
}

/// The parts of a line, up to one that cannot be understood.
fn parts(line: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some((part, after)) = next(rest) {
        parts.push(part);
        rest = after;
    }
    parts
}

fn next(line: &str) -> Option<(Part, &str)> {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    let (key, rest) = line.split_at(line.find(['=', '!', '+', '-', ':'])?);
    let (operator, rest) = rest.split_at(rest.find(|c| !"=!+-:".contains(c))?);
    // `e"..."` has escapes, `i"..."` is compared without regard to case.
    let rest = rest.trim_start().trim_start_matches(['e', 'i']);
    let rest = rest.strip_prefix('"')?;
    let mut value = String::new();
    let mut characters = rest.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let part = Part {
                    key: key.trim().to_owned(),
                    operator: operator.to_owned(),
                    value,
                };
                return Some((part, &rest[at + 1..]));
            }
            '\\' if rest[at + 1..].starts_with('"') => {
                value.push('"');
                characters.next();
            }
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::system::tunable::tests::folder;

    #[test]
    fn a_line_has_keys_operators_and_values() {
        let parts = parts(r#"KERNEL=="sd?", ATTR{queue/scheduler}="bfq" , RUN+="echo \"a\"""#);
        let told = parts.iter().map(|part| {
            (
                part.key.as_str(),
                part.operator.as_str(),
                part.value.as_str(),
            )
        });
        let expected = [
            ("KERNEL", "==", "sd?"),
            ("ATTR{queue/scheduler}", "=", "bfq"),
            ("RUN", "+=", "echo \"a\""),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_rule_counts_that_may_be_for_the_device() {
        let (_folder, files) = folder(&[
            ("sys/block/vda/queue/zoned", "none\n"),
            ("sys/block/vda/queue/rotational", "0\n"),
        ]);
        let scheduler = |rules: &str| sets(rules, &files, "vda", "queue/scheduler");
        assert!(scheduler(r#"ATTR{queue/scheduler}="bfq""#));
        assert!(scheduler(
            "ACTION==\"add\", KERNEL==\"vd*\", \\\n ATTR{queue/scheduler}=\"bfq\""
        ));
        assert!(scheduler(
            r#"ATTR{queue/rotational}=="0", ENV{X}=="y", ATTR{queue/scheduler}:="none""#
        ));
        assert!(scheduler(
            r#"RUN+="/bin/sh -c 'echo bfq > /sys/block/%k/queue/scheduler'""#
        ));
        for passed_over in [
            r#"ATTR{queue/zoned}=="host-managed", ATTR{queue/scheduler}="mq-deadline""#,
            r#"KERNEL=="sd*[!0-9]|sr*", ATTR{queue/scheduler}="bfq""#,
            r#"KERNEL!="vd*", ATTR{queue/scheduler}="bfq""#,
            r#"ATTR{none}=="*", ATTR{queue/scheduler}="bfq""#,
            r#"# ATTR{queue/scheduler}="bfq""#,
            r#"ATTR{queue/scheduler}=="bfq", ATTR{queue/nr_requests}="64""#,
            "ATTR{queue/scheduler}=",
            "",
        ] {
            assert!(!scheduler(passed_over), "{passed_over}");
        }
        let ahead = |rules: &str| sets(rules, &files, "vda", "queue/read_ahead_kb");
        assert!(ahead(r#"ATTR{bdi/read_ahead_kb}="128""#));
    }
}
