//! docs/report/coverage.md, generated from the tables that the probes and the report are made of.
//!
//! `IOPROF_UPDATE_EXPECTED=1 cargo test -p ioprof --lib coverage_page` writes the page anew. It is made in tests alone,
//! so that the program carries none of it.

use std::{fs, path::PathBuf};

use crate::{
    collector::coverage::of_the_tables,
    model::coverage::{Group, Subject},
    output::format::filled,
};

const HEAD: &str = "\
# What is told by name

Generated from the tables in the sources: see [adding-a-probe.md](../adding-a-probe.md#what-is-generated).
`ioprof doctor --coverage` prints the same for the running kernel, and what it has besides. Tests fail where a kernel has a
system call, an opcode of io_uring or a file system that is not on this page.

- **named**: a row of its own.
- **in a class**: counted together with others.
- **not seen**: not counted.
";

fn page() -> String {
    let sections = of_the_tables().iter().map(section).collect::<String>();
    format!("{HEAD}{sections}")
}

fn section(subject: &Subject) -> String {
    let rows: String = subject
        .parts()
        .iter()
        .flat_map(|(part, groups)| groups.iter().map(move |group| row(part, group)))
        .collect();
    let note = filled(subject.note.split(' '), 120, "");
    format!(
        "\n## {}\n\n{note}\n\n| | what is counted | which |\n|---|---|---|\n{rows}",
        subject.name
    )
}

fn row(part: &str, group: &Group) -> String {
    let names: Vec<_> = group.names.iter().map(|name| format!("`{name}`")).collect();
    format!("| {part} | {} | {} |\n", group.what, names.join(", "))
}

#[test]
fn the_page_is_that_of_the_tables() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/report/coverage.md");
    let generated = page();
    if std::env::var_os("IOPROF_UPDATE_EXPECTED").is_some() {
        fs::write(&path, &generated).expect("the page is written");
    }
    let kept = fs::read_to_string(&path).expect("the page is in docs/report/");
    assert!(
        kept == generated,
        "docs/report/coverage.md is not that of the tables: write it by \
         IOPROF_UPDATE_EXPECTED=1 cargo test -p ioprof --lib coverage_page"
    );
}
