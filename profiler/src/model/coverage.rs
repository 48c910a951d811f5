//! How much of what a kernel has is told by name.

use std::collections::BTreeSet;

/// What is told alike, and of which names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What is counted of each; where nothing is, why.
    pub what: String,
    /// The names, as the kernel has them.
    pub names: Vec<String>,
}

/// A kind of thing that a kernel has several of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// What they are.
    pub name: &'static str,
    /// What to know of all of them.
    pub note: &'static str,
    /// Those with a row of their own.
    pub named: Vec<Group>,
    /// Those that are counted together with others.
    pub folded: Vec<Group>,
    /// Those that are not seen.
    pub unseen: Vec<Group>,
    /// Those of the kernel that are in none of the three; null where the kernel's list was not read.
    pub unknown: Option<Vec<String>>,
}

impl Subject {
    /// What of it a kernel with these names has. A group without any is left out.
    pub fn of(mut self, found: &BTreeSet<String>) -> Self {
        let mut unknown = found.clone();
        for groups in [&mut self.named, &mut self.folded, &mut self.unseen] {
            for group in &mut *groups {
                for name in &group.names {
                    unknown.remove(name);
                }
                group.names.retain(|name| found.contains(name));
            }
            groups.retain(|group| !group.names.is_empty());
        }
        self.unknown = Some(unknown.into_iter().collect());
        self
    }

    /// The three, each with its heading.
    pub fn parts(&self) -> [(&'static str, &[Group]); 3] {
        [
            ("named", &self.named),
            ("in a class", &self.folded),
            ("not seen", &self.unseen),
        ]
    }
}

/// How many names groups have.
pub fn count(groups: &[Group]) -> usize {
    let counts = groups.iter().map(|group| group.names.len());
    counts.fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(names: &[&str]) -> Group {
        Group {
            what: "calls".into(),
            names: names.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn what_a_kernel_has_beyond_the_three_is_told() {
        let all = Subject {
            named: vec![group(&["read", "write"]), group(&["tee"])],
            folded: vec![group(&["getpid"])],
            unseen: vec![group(&["exit"])],
            ..Subject::default()
        };
        let found = ["read", "getpid", "exit", "new"].map(String::from);
        let here = all.of(&found.into());
        assert_eq!(here.named, [group(&["read"])]);
        assert_eq!(here.parts().map(|(_, groups)| count(groups)), [1, 1, 1]);
        assert_eq!(here.unknown, Some(vec!["new".into()]));
    }
}
