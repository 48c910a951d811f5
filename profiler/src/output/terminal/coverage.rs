//! What of a kernel is told by name, in a class, or not at all.

use super::{Style, line::WIDTH};
use crate::{
    model::coverage::{Group, Subject, count},
    output::{
        format::{self, filled, wrapped},
        text::visible,
    },
};

/// All subjects, each with its counts first.
pub fn render(subjects: &[Subject], style: Style) -> String {
    let texts: Vec<_> = subjects.iter().map(|one| subject(one, style)).collect();
    texts.join("\n")
}

fn subject(subject: &Subject, style: Style) -> String {
    let mut text = style.heading(subject.name);
    text.push('\n');
    let counts = subject
        .parts()
        .map(|(part, groups)| format!("{part} {}", number(count(groups))));
    let unknown = match &subject.unknown {
        Some(unknown) => format!("in no table {}", number(unknown.len())),
        None => "the kernel tells no list".to_owned(),
    };
    let counts = [&counts[..], &[unknown]].concat();
    text.push_str(&format!("  {}\n", counts.join(", ")));
    for (part, groups) in subject.parts() {
        for group in groups {
            text.push_str(&listed(part, group));
        }
    }
    if let Some(unknown) = subject.unknown.as_ref().filter(|names| !names.is_empty()) {
        let names = style.alarm(&names(unknown));
        text.push_str(&format!("  in no table\n{names}\n"));
    }
    text
}

fn number(count: usize) -> String {
    format::count(count as u64)
}

fn listed(part: &str, group: &Group) -> String {
    let part = format!("  {part}:");
    let words = [part.as_str()].into_iter().chain(group.what.split(' '));
    let mut text = format!("{}\n", filled(words, WIDTH, INDENT));
    if !group.names.is_empty() {
        text.push_str(&format!("{}\n", names(&group.names)));
    }
    text
}

fn names(names: &[String]) -> String {
    let mut shown: Vec<_> = names
        .iter()
        .map(|name| visible(name).into_owned())
        .collect();
    if let Some(first) = shown.first_mut() {
        first.insert_str(0, INDENT);
    }
    wrapped(&shown, WIDTH, INDENT)
}

const INDENT: &str = "    ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::text::width;

    #[test]
    fn names_in_no_table_are_told_and_all_fits_the_terminal() {
        let name = |number| format!("name_{number}");
        let one = Subject {
            name: "Calls",
            named: vec![Group {
                what: "counted ".repeat(30).trim().to_owned(),
                names: (0..100).map(name).collect(),
            }],
            unknown: Some(vec!["new\u{1b}".into()]),
            ..Subject::default()
        };
        let text = render(&[one], Style::PLAIN);
        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
        let counts = "  named 100, in a class 0, not seen 0, in no table 1\n";
        assert!(text.starts_with(&format!("Calls\n{counts}")), "{text}");
        assert!(text.ends_with("  in no table\n    new\\x1b\n"), "{text}");
        assert_eq!(text.matches("name_").count(), 100);
    }
}
