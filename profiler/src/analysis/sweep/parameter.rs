//! Parameters, their values, and all settings of them.

use ioprof_workloads::options::Size;
use serde::Serialize;

/// The most settings of a sweep.
pub const MOST_SETTINGS: usize = 100;

/// What is varied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Parameter {
    /// Its name: in a command that of its placeholder, of a workload that of an option.
    pub name: String,
    /// What it is set to, in the order in which that was given.
    pub values: Vec<String>,
}

/// For each parameter the place of its value.
pub type Places = Vec<usize>;

impl Parameter {
    /// Of NAME=VALUES, where VALUES are values and ranges, divided by commas; an error with what is wrong.
    ///
    /// # Errors
    ///
    /// Where it has another form, where there is no value or one twice, and where a range has none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, given) = text
            .split_once('=')
            .ok_or("NAME=VALUES is expected, as in bs=4k..1m or depth=1,4,16")?;
        if !is_name(name) {
            return Err(
                "the name begins with a letter, and has letters, digits, - and _ alone".into(),
            );
        }
        let mut values = Vec::<String>::new();
        for one in given.split(',') {
            let of_one = match range(one)? {
                Some(values) => values,
                None => vec![one.to_owned()],
            };
            for value in of_one {
                if value.is_empty() {
                    return Err("a value is missing: write values as in depth=1,4,16".into());
                }
                if values.contains(&value) {
                    return Err(format!("{value} is there twice: name each value once"));
                }
                if values.len() >= MOST_SETTINGS {
                    return Err(format!(
                        "more than {MOST_SETTINGS} values: name fewer, or a range"
                    ));
                }
                values.push(value);
            }
        }
        Ok(Self {
            name: name.to_owned(),
            values,
        })
    }

    /// The places of its values from the least one to the largest, where all are numbers or sizes; else as they were given.
    pub fn ranks(&self) -> Vec<usize> {
        let numbers: Option<Vec<u64>> = self.values.iter().map(|value| number(value)).collect();
        match numbers {
            None => (0..self.values.len()).collect(),
            Some(numbers) => numbers
                .iter()
                .map(|one| numbers.iter().filter(|other| *other < one).count())
                .collect(),
        }
    }
}

/// Whether it can be the name of a parameter.
pub fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || one == '-' || one == '_')
}

/// A whole number, with a unit of one letter or without.
fn number(text: &str) -> Option<u64> {
    let unit = text.trim_start_matches(|first: char| first.is_ascii_digit());
    // A size may have more than that, as in 4KiB and 4B, and blanks around it.
    let is_unit = |one: char| one.is_ascii_alphabetic() && !one.eq_ignore_ascii_case(&'b');
    let is_number = unit.len() <= 1 && unit.chars().all(is_unit);
    let size = text.parse::<Size>().ok().filter(|_| is_number)?;
    Some(size.0)
}

/// The values from one end to the other, each twice the one before; none where the text is no range.
fn range(text: &str) -> Result<Option<Vec<String>>, String> {
    let Some((first, last)) = text.split_once("..") else {
        return Ok(None);
    };
    let (least, most) = match (number(first), number(last)) {
        (Some(least), Some(most)) => (least, most),
        // As a path may have it.
        (None, None) if !(first.is_empty() && last.is_empty()) => return Ok(None),
        _ => {
            return Err(format!(
                "{text} has no two ends that are whole numbers, as 4k..1m has"
            ));
        }
    };
    if least == 0 {
        return Err(format!(
            "{text} doubles, and 0 does not: begin at 1 or more"
        ));
    }
    if least > most {
        return Err(format!(
            "{text} begins above its end: write {last}..{first}"
        ));
    }
    let mut ends = first.chars().chain(last.chars());
    let unit = ends.find(char::is_ascii_alphabetic);
    let doubled = std::iter::successors(Some(least), |value| value.checked_mul(2));
    let doubled = doubled.take_while(|value| *value <= most);
    Ok(Some(doubled.map(|value| written(value, unit)).collect()))
}

/// A number as the ends of its range are written: with units, large or small, or without.
fn written(value: u64, unit: Option<char>) -> String {
    match unit {
        None => value.to_string(),
        Some(like) if like.is_ascii_uppercase() => Size(value).to_string(),
        Some(_) => Size(value).to_string().to_ascii_lowercase(),
    }
}

/// All settings: each value of a parameter with each of the others, those of the last one changing first.
///
/// # Errors
///
/// Where a name is there twice, and where there are too many settings.
pub fn settings(parameters: &[Parameter]) -> Result<Vec<Places>, String> {
    for (at, one) in parameters.iter().enumerate() {
        if parameters
            .iter()
            .skip(at)
            .skip(1)
            .any(|other| other.name == one.name)
        {
            return Err(format!(
                "{} is there twice: name each parameter once",
                one.name
            ));
        }
    }
    let number = parameters.iter().fold(1_usize, |number, one| {
        number.saturating_mul(one.values.len())
    });
    if number > MOST_SETTINGS {
        return Err(format!(
            "they make {number} settings, and at most {MOST_SETTINGS} are supported: name fewer values"
        ));
    }
    let mut settings = vec![Vec::new()];
    for parameter in parameters {
        settings = settings
            .into_iter()
            .flat_map(|places: Places| {
                (0..parameter.values.len()).map(move |place| {
                    let mut places = places.clone();
                    places.push(place);
                    places
                })
            })
            .collect();
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(text: &str) -> Vec<String> {
        Parameter::parse(text).expect("it is a parameter").values
    }

    fn refused(text: &str) -> String {
        Parameter::parse(text).expect_err("it is none")
    }

    #[test]
    fn a_range_doubles_and_is_written_as_its_ends_are() {
        assert_eq!(values("bs=4k..32k"), ["4k", "8k", "16k", "32k"]);
        assert_eq!(values("bs=512K..2M"), ["512K", "1M", "2M"]);
        assert_eq!(values("bs=512..2k"), ["512", "1k", "2k"]);
        assert_eq!(values("depth=1..10"), ["1", "2", "4", "8"]);
        assert_eq!(values("bs=4096..8192"), ["4096", "8192"]);
        assert_eq!(values("bs=3k..3k"), ["3k"]);
        assert_eq!(values("n=1..4,100"), ["1", "2", "4", "100"]);
        assert_eq!(values("n=1..18446744073709551615").len(), 64);
    }

    #[test]
    fn values_are_any_texts() {
        assert_eq!(values("engine=sync,io_uring"), ["sync", "io_uring"]);
        assert_eq!(values("dir=../a,x..y,a=b"), ["../a", "x..y", "a=b"]);
    }

    #[test]
    fn what_is_no_parameter_is_refused_with_the_reason() {
        for (text, word) in [
            ("bs", "NAME=VALUES"),
            ("=1", "begins with a letter"),
            ("b s=1", "begins with a letter"),
            ("bs=", "a value is missing"),
            ("bs=1,,2", "a value is missing"),
            ("bs=4k,8k,4k", "4k is there twice"),
            ("bs=1..8,4", "4 is there twice"),
            ("bs=1m..4k", "write 4k..1m"),
            ("bs=0..8", "begin at 1"),
            ("bs=..8", "two ends"),
            ("bs=4k..", "two ends"),
            ("bs=4k..x", "two ends"),
            ("bs=..", "two ends"),
            ("bs=+1..8", "two ends"),
            ("bs=1..8 ", "two ends"),
            ("bs=1..8b", "two ends"),
            ("bs=1..8KiB", "two ends"),
        ] {
            let said = refused(text);
            assert!(said.contains(word), "{text}: {said}");
        }
    }

    #[test]
    fn settings_are_all_combinations_and_not_too_many() {
        let parse = |text: &&str| Parameter::parse(text).expect("it is a parameter");
        let all = |texts: &[&str]| settings(&texts.iter().map(parse).collect::<Vec<_>>());
        assert_eq!(
            all(&["a=1,2", "b=x,y,z"]),
            Ok([[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
                .map(Vec::from)
                .to_vec())
        );
        let said = all(&["a=1", "b=2", "a=3"]).expect_err("it is there twice");
        assert!(said.contains("a is there twice"), "{said}");
        let said = all(&["a=1..512", "b=1..1024"]).expect_err("they are too many");
        assert!(said.contains("110 settings"), "{said}");
    }

    #[test]
    fn numbers_have_their_order_and_words_that_in_which_they_were_given() {
        let ranks = |text: &str| Parameter::parse(text).expect("it is a parameter").ranks();
        assert_eq!(ranks("bs=1m,4k,512"), [2, 1, 0]);
        assert_eq!(ranks("engine=sync,libaio"), [0, 1]);
        assert_eq!(ranks("x=9,sync"), [0, 1]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Parameter::parse(&text);
            let _ = Parameter::parse(&format!("a={text}"));
        }
    }
}
