//! Patterns of udev(7) and sysctl.d(5): `*`, `?`, `[a-z]`, and `|` between alternatives.

use std::ffi::CString;

/// Whether a text is of a pattern, by fnmatch(3), as udev has it (`match_attr` of src/udev/udev-rules.c).
pub fn is_of(text: &str, pattern: &str) -> bool {
    let mut alternatives = pattern.split('|');
    alternatives.any(|one| matches(text, one) == Some(true))
}

/// None where one of them has a byte of 0, which no name has.
fn matches(text: &str, pattern: &str) -> Option<bool> {
    let (text, pattern) = (CString::new(text).ok()?, CString::new(pattern).ok()?);
    // SAFETY: both are strings that end with a 0, and live through the call, which reads them alone.
    Some(unsafe { libc::fnmatch(pattern.as_ptr(), text.as_ptr(), 0) } == 0)
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
