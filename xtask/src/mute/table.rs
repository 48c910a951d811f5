//! Which tests notice a probe that is not attached: `profiler/tests/kernel/mute.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::vm::is_configuration;

/// The file, by program names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The tests that notice each probe.
    pub probes: BTreeMap<String, Vec<String>>,
    /// Probes that this kernel or these devices do not call.
    #[serde(default)]
    not_here: BTreeMap<String, NotHere>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NotHere {
    reason: String,
    /// The configuration of `cargo xtask vm` that tests it.
    vm: String,
}

impl Table {
    /// Reads the table, and fails unless it says of each probe how it is tested.
    pub fn parse(text: &str, probes: &[String]) -> Result<Self> {
        let table: Self = toml::from_str(text).map_err(|error| Error::malformed(WHAT, error))?;
        let wrong = table.mistakes(probes);
        if wrong.is_empty() {
            Ok(table)
        } else {
            Err(Error::malformed(WHAT, wrong.join("; ")))
        }
    }

    fn mistakes(&self, probes: &[String]) -> Vec<String> {
        let mut wrong = Vec::new();
        for probe in probes {
            match (self.probes.get(probe), self.not_here.get(probe)) {
                (None, None) => wrong.push(format!("it does not name {probe}")),
                (Some(_), Some(_)) => wrong.push(format!("{probe} is here, and not here")),
                (Some(tests), None) if tests.is_empty() => {
                    wrong.push(format!("no test notices {probe}"));
                }
                (None, Some(absent)) if absent.reason.is_empty() => {
                    wrong.push(format!("{probe} is not here for no reason"));
                }
                (None, Some(absent)) if !is_configuration(&absent.vm) => {
                    wrong.push(format!("{probe}: no configuration {}", absent.vm));
                }
                _ => {}
            }
        }
        let named = self.probes.keys().chain(self.not_here.keys());
        let unknown = named.filter(|name| !probes.contains(name));
        wrong.extend(unknown.map(|name| format!("there is no probe {name}")));
        wrong
    }

    /// The tests of some probes, each once.
    pub fn tests_of<'a>(&'a self, probes: &[&'a str]) -> BTreeSet<&'a str> {
        probes
            .iter()
            .filter_map(|probe| self.probes.get(*probe))
            .flatten()
            .map(String::as_str)
            .collect()
    }
}

const WHAT: &str = "profiler/tests/kernel/mute.toml";

#[cfg(test)]
mod tests {
    use super::Table;
    use crate::ebpf;
    use crate::workspace::Workspace;

    fn parse(text: &str) -> Result<Table, String> {
        let probes = ["block_issue", "block_getrq"].map(str::to_owned);
        Table::parse(text, &probes).map_err(|error| error.to_string())
    }

    const GETRQ: &str = "[not_here]\nblock_getrq = { reason = \"before 6.5\", vm = \"plain\" }\n";

    #[test]
    fn each_probe_is_tested_here_or_elsewhere() {
        let text = format!("{GETRQ}[probes]\nblock_issue = [\"block::a\", \"block::b\"]\n");
        let table = parse(&text).expect("a table");
        let tests = table.tests_of(&["block_issue", "block_getrq"]);
        assert_eq!(Vec::from_iter(tests), ["block::a", "block::b"]);
    }

    #[test]
    fn the_committed_table_names_each_probe_of_the_committed_object() {
        let workspace = Workspace::find().expect("the checkout");
        let probes = ebpf::probes(&workspace).expect("an object");
        let text = include_str!("../../../profiler/tests/kernel/mute.toml");
        Table::parse(text, &probes).expect("a table");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let refused = |text: &str, why: &str| {
            let error = parse(text).expect_err("it is wrong");
            assert!(error.contains(why), "{error}");
        };
        refused(GETRQ, "missing field `probes`");
        let with = |line: &str| format!("{GETRQ}[probes]\n{line}\n");
        refused(&with(""), "it does not name block_issue");
        refused(&with("block_issue = []"), "no test notices block_issue");
        refused(
            &with("block_issue = [\"a\"]\nold = [\"a\"]"),
            "there is no probe old",
        );
        refused(
            &with("block_issue = [\"a\"]\nblock_getrq = [\"a\"]"),
            "block_getrq is here, and not here",
        );
        refused(
            "[probes]\nblock_issue = [\"a\"]\n[not_here]\nblock_getrq = { reason = \"x\", vm = \"none\" }\n",
            "no configuration none",
        );
    }
}
