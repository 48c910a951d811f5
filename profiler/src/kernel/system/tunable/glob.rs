//! Patterns of udev(7) and sysctl.d(5): `*`, `?`, `[a-z]`, and `|` between alternatives.

/// Whether a text is of a pattern.
pub fn is_of(text: &str, pattern: &str) -> bool {
    let mut alternatives = pattern.split('|');
    alternatives.any(|one| matches(text.as_bytes(), one.as_bytes()))
}

fn matches(text: &[u8], pattern: &[u8]) -> bool {
    // Where to go on when the last star takes one byte more.
    let (mut text_at, mut pattern_at) = (0, 0);
    let mut star = None;
    while text_at < text.len() {
        let taken = match pattern.get(pattern_at) {
            Some(b'*') => {
                star = Some((text_at, pattern_at + 1));
                Some(0)
            }
            Some(b'?') => Some(1),
            Some(b'[') => set(text[text_at], &pattern[pattern_at..]),
            Some(byte) if *byte == text[text_at] => Some(1),
            _ => None,
        };
        match (taken, star) {
            (Some(0), _) => pattern_at += 1,
            (Some(length), _) => {
                pattern_at += length;
                text_at += 1;
            }
            (None, Some((from, after))) => {
                star = Some((from + 1, after));
                (text_at, pattern_at) = (from + 1, after);
            }
            (None, None) => return false,
        }
    }
    pattern[pattern_at..].iter().all(|byte| *byte == b'*')
}

/// The length of a set in brackets, where a byte is in it.
fn set(byte: u8, pattern: &[u8]) -> Option<usize> {
    let is_negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = if is_negated { 2 } else { 1 };
    // A bracket in the first place is one of the set.
    let rest = pattern.get(first + 1..)?;
    let end = first + 1 + rest.iter().position(|byte| *byte == b']')?;
    let mut members = &pattern[first..end];
    let mut has = false;
    while let Some((low, after)) = members.split_first() {
        let (high, after) = match after {
            [b'-', high, after @ ..] => (high, after),
            after => (low, after),
        };
        has |= (*low..=*high).contains(&byte);
        members = after;
    }
    (has != is_negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_udev() {
        for (text, pattern, expected) in [
            ("sda", "sd*[!0-9]|sr*", true),
            ("sda1", "sd*[!0-9]|sr*", false),
            ("sr0", "sd*[!0-9]|sr*", true),
            ("nvme0n1", "nvme[0-9]*n[0-9]*", true),
            ("vda", "vd?", true),
            ("vdaa", "vd?", false),
            ("vda", "", false),
            ("", "*", true),
            ("a]b", "a[]]b", true),
            ("x", "[a-", false),
            ("aXbXc", "a*b*c", true),
            ("vm.dirty_ratio", "vm.dirty*", true),
        ] {
            assert_eq!(is_of(text, pattern), expected, "{text} {pattern}");
        }
    }
}
