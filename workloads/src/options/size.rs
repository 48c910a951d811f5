//! Sizes as users write them: 4096, 64K, 1MiB. K means 1024.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Units, largest first, so that a size prints in the largest that divides it.
const UNITS: [(char, u64); 4] = [
    ('T', 1 << 40),
    ('G', 1 << 30),
    ('M', 1 << 20),
    ('K', 1 << 10),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let digits = trimmed.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let unit = trimmed[digits.len()..].to_ascii_uppercase();
        let unit = unit
            .strip_suffix("IB")
            .or_else(|| unit.strip_suffix('B'))
            .unwrap_or(&unit);
        let factor = match unit {
            "" => 1,
            unit => UNITS
                .iter()
                .find(|(letter, _)| unit.len() == 1 && unit.starts_with(*letter))
                .map(|(_, factor)| *factor)
                .ok_or_else(|| {
                    format!("`{text}` has an unknown unit; use K, M, G or T, as in 64K")
                })?,
        };
        let number: u64 = digits.parse().map_err(|_| {
            format!("`{text}` is not a size; write a whole number of bytes, or as in 64K")
        })?;
        number
            .checked_mul(factor)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is too large"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (letter, factor) in UNITS {
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(formatter, "{}{letter}", self.0 / factor);
            }
        }
        write!(formatter, "{}", self.0)
    }
}

/// A size or a range of sizes: 64K, 4K-1M.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeRange {
    /// The smallest.
    pub min: u64,
    /// The largest, not below the smallest.
    pub max: u64,
}

impl From<Size> for SizeRange {
    fn from(size: Size) -> Self {
        Self {
            min: size.0,
            max: size.0,
        }
    }
}

impl FromStr for SizeRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (min, max) = match text.split_once('-') {
            Some((min, max)) => (min.parse::<Size>()?.0, max.parse::<Size>()?.0),
            None => return text.parse::<Size>().map(Self::from),
        };
        if min > max {
            return Err(format!(
                "`{text}` starts above its end; write the smaller size first"
            ));
        }
        Ok(Self { min, max })
    }
}

impl fmt::Display for SizeRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            return write!(formatter, "{}", Size(self.min));
        }
        write!(formatter, "{}-{}", Size(self.min), Size(self.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_usual_spellings() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("4k", 4096),
            ("64K", 65536),
            ("1MiB", 1 << 20),
            ("2gb", 2 << 30),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "K", "-1", "1.5M", "4X", "4KK", "99999999999T", "١"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        assert_eq!(
            "4K-1M".parse(),
            Ok(SizeRange {
                min: 4096,
                max: 1 << 20
            })
        );
        assert!("1M-4K".parse::<SizeRange>().is_err());
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(bytes in any::<u64>()) {
            prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Size>();
            let _ = text.parse::<SizeRange>();
        }
    }
}
