//! Which modules and crates a Rust file names.

/// A path in code, from the root of the crate or of another one.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    pub line: usize,
    /// `kernel::bpf::map` for `crate::kernel::bpf::map`; `aya::maps` as it stands.
    pub path: String,
}

/// The module of a file below `src/`: `kernel::bpf` for `kernel/bpf/mod.rs`.
pub fn module(file: &str) -> String {
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    module.replace('/', "::")
}

/// The paths that begin with `crate`, `super` or one of these crates, in a file of this module.
pub fn named(text: &str, module: &str, crates: &[&str]) -> Vec<Named> {
    // Tests may name what they like, and come last.
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut found = Vec::new();
    for (line, start) in starts(text) {
        let mut paths = Vec::new();
        expand(&text[start..], String::new(), &mut paths);
        for path in paths {
            let (root, rest) = path.split_once("::").unwrap_or((&path, ""));
            let path = match root {
                "crate" => rest.to_owned(),
                "super" => above(module, &path),
                other if crates.contains(&other) => path,
                _ => continue,
            };
            found.push(Named { line, path });
        }
    }
    found
}

/// Where a path begins outside of comments, with the number of its line.
fn starts(text: &str) -> Vec<(usize, usize)> {
    let mut starts = Vec::new();
    let mut offset = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices("::") {
            let begin = code[..at].rfind(|c| !is_word(c)).map_or(0, |end| end + 1);
            if begin < at && !code[..begin].ends_with("::") {
                starts.push((number, offset + begin));
            }
        }
        offset += line.len();
    }
    starts
}

/// Adds each path of a tree such as `a::{b, c::{d, e}}`; what follows the tree is the answer.
fn expand<'a>(text: &'a str, before: String, paths: &mut Vec<String>) -> &'a str {
    let end = text.find(|c| !is_word(c) && c != ':').unwrap_or(text.len());
    let (own, mut rest) = text.split_at(end);
    let path = before + own;
    let Some(group) = rest.strip_prefix('{') else {
        paths.push(path.trim_end_matches("::").to_owned());
        return rest;
    };
    rest = group;
    while !rest.is_empty() && !rest.starts_with('}') {
        rest = expand(rest.trim_start(), path.clone(), paths);
        // What is behind `as`, or a `*`, is of no interest.
        rest = rest.trim_start_matches(|c| c != ',' && c != '}');
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    rest.strip_prefix('}').unwrap_or(rest)
}

/// A path that begins with one or more `super`, from the root.
fn above(module: &str, path: &str) -> String {
    let mut module: Vec<_> = module.split("::").collect();
    let mut rest = path;
    while let Some(after) = rest.strip_prefix("super") {
        module.pop();
        rest = after.trim_start_matches("::");
    }
    if !rest.is_empty() {
        module.push(rest);
    }
    module.join("::")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::{module, named};

    fn paths(text: &str) -> Vec<String> {
        let named = named(text, "kernel::bpf::map", &["aya"]);
        named.into_iter().map(|named| named.path).collect()
    }

    #[test]
    fn a_file_is_a_module() {
        assert_eq!(module("kernel/bpf/mod.rs"), "kernel::bpf");
        assert_eq!(module("kernel/session.rs"), "kernel::session");
        assert_eq!(module("text.rs"), "text");
    }

    #[test]
    fn each_branch_of_a_use_is_a_path() {
        assert_eq!(
            paths(
                "use crate::{\n    error::Error,\n    model::{self, block::{Block, Share as S}},\n};\n"
            ),
            [
                "error::Error",
                "model::self",
                "model::block::Block",
                "model::block::Share"
            ]
        );
        assert_eq!(
            paths("use super::{error::one_line, *};\nuse super::super::text;"),
            [
                "kernel::bpf::error::one_line",
                "kernel::bpf",
                "kernel::text"
            ]
        );
    }

    #[test]
    fn paths_are_found_wherever_code_is() {
        assert_eq!(
            paths("fn f(x: &aya::Ebpf) -> crate::error::Error {"),
            ["aya::Ebpf", "error::Error"]
        );
        assert_eq!(paths("pub(super) use std::aya::x; // aya::Ebpf"), [""; 0]);
        let named = named("\nuse aya::maps;\n", "kernel", &["aya"]);
        assert_eq!(named[0].line, 2);
    }
}
