//! What may be where. Each rule looks at one file and says what is wrong in which line.

use std::path::Path;

use toml::{Table, Value};

use super::source::Source;

/// A file longer than this is remarked on.
const LONG: usize = 400;
/// A file longer than this is refused.
const TOO_LONG: usize = 500;

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    pub path: String,
    /// 0 where it is about the whole file.
    pub line: usize,
    pub message: String,
    pub is_error: bool,
}

/// Something that is allowed only in some folders of `profiler/src`.
struct Confined {
    words: &'static [&'static str],
    is_macro: bool,
    allowed: &'static [&'static str],
    reason: &'static str,
}

const CONFINED: &[Confined] = &[
    Confined {
        words: &["aya", "aya_log", "aya_obj"],
        is_macro: false,
        allowed: &["kernel"],
        reason: "only kernel/ knows how the kernel is spoken to",
    },
    Confined {
        words: &["ioprof_ebpf"],
        is_macro: false,
        allowed: &["kernel", "collector"],
        reason: "only kernel/ and collector/ know the form of the maps; others use the model",
    },
    Confined {
        words: &["print", "println", "eprint", "eprintln", "dbg"],
        is_macro: true,
        allowed: &["output", "commands", "main"],
        reason: "only output/, commands/ and main.rs print",
    },
];

/// Checks one file; `checkout` is the folder that no file may name.
pub fn check(path: &str, content: &[u8], checkout: &Path) -> Vec<Finding> {
    let mut findings = Findings::new(path);
    folder_names(content, checkout, &mut findings);
    if let Ok(text) = std::str::from_utf8(content) {
        if path.ends_with(".rs") {
            let source = Source::parse(text);
            confined(&source, &mut findings);
            independent(&source, &mut findings);
            unfinished(&source, &mut findings);
            length(text, &mut findings);
        } else if path == "workloads/Cargo.toml" {
            independent_manifest(text, &mut findings);
        }
    }
    findings.list
}

struct Findings<'a> {
    path: &'a str,
    list: Vec<Finding>,
}

impl<'a> Findings<'a> {
    fn new(path: &'a str) -> Self {
        let list = Vec::new();
        Self { path, list }
    }

    fn add(&mut self, line: usize, is_error: bool, message: String) {
        self.list.push(Finding {
            path: self.path.to_owned(),
            line,
            message,
            is_error,
        });
    }

    fn error(&mut self, line: usize, message: impl Into<String>) {
        self.add(line, true, message.into());
    }
}

fn confined(source: &Source, findings: &mut Findings<'_>) {
    let Some(inside) = findings.path.strip_prefix("profiler/src/") else {
        return;
    };
    // The first folder, or the file itself: `kernel/` and `kernel.rs` are the same module.
    let module = inside.split(['/', '.']).next().unwrap_or_default();
    for word in source.words() {
        for rule in CONFINED {
            let meant = if rule.is_macro {
                word.is_macro_call()
            } else {
                word.is_path_root()
            };
            if meant && rule.words.contains(&word.text) && !rule.allowed.contains(&module) {
                findings.error(word.line, format!("`{}` here: {}", word.text, rule.reason));
            }
        }
    }
}

/// The workloads must run, and be counted, without anything of the profiler.
fn independent(source: &Source, findings: &mut Findings<'_>) {
    if !findings.path.starts_with("workloads/") {
        return;
    }
    for word in source.words() {
        if ["ioprof", "ioprof_ebpf", "xtask"].contains(&word.text) && word.is_path_root() {
            findings.error(
                word.line,
                format!(
                    "`{}` here: workloads/ uses no crate of this workspace",
                    word.text
                ),
            );
        }
    }
}

fn independent_manifest(text: &str, findings: &mut Findings<'_>) {
    let Ok(manifest) = text.parse::<Table>() else {
        findings.error(0, "not TOML");
        return;
    };
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let names = manifest
            .get(kind)
            .and_then(Value::as_table)
            .into_iter()
            .flat_map(Table::keys);
        for name in names.filter(|name| name.starts_with("ioprof") || *name == "xtask") {
            findings.error(
                0,
                format!("depends on `{name}`: workloads/ uses no crate of this workspace"),
            );
        }
    }
}

fn unfinished(source: &Source, findings: &mut Findings<'_>) {
    for (line, comment) in source.comments() {
        let mut words = comment.split(|c: char| !c.is_alphanumeric());
        if let Some(word) = words.find(|word| ["TODO", "FIXME", "XXX"].contains(word)) {
            findings.error(line, format!("`{word}`: finish it or open an issue"));
        }
    }
    for word in source.words() {
        if ["todo", "unimplemented"].contains(&word.text) && word.is_macro_call() {
            findings.error(word.line, format!("`{}!`: finish it", word.text));
        }
    }
}

fn length(text: &str, findings: &mut Findings<'_>) {
    let lines = text.lines().count();
    if lines > LONG {
        findings.add(
            0,
            lines > TOO_LONG,
            format!("{lines} lines: split it, {LONG} can be read in one sitting"),
        );
    }
}

/// No folder of one person's machine, in text or in binaries.
fn folder_names(content: &[u8], checkout: &Path, findings: &mut Findings<'_>) {
    // Put together here, so that this file passes too.
    let mut folders = ["home", "root"].map(|name| format!("/{name}/")).to_vec();
    // A checkout at the top, such as /src, has too common a name.
    if checkout.components().count() > 2 {
        folders.push(checkout.to_string_lossy().into_owned());
    }
    for folder in folders {
        for at in occurrences(content, folder.as_bytes()) {
            let line = content[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            findings.error(line, format!("`{folder}`: a path of one machine"));
        }
    }
}

/// Where a path begins in some bytes, and is not the end of a longer one.
fn occurrences<'a>(content: &'a [u8], path: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.}/".contains(&byte);
    content
        .windows(path.len())
        .enumerate()
        .filter(move |(at, window)| {
            let begins = *at == 0 || !in_name(content[at - 1]);
            let after = content.get(at + path.len());
            let ends =
                path.ends_with(b"/") || !after.is_some_and(|byte| in_name(*byte) && *byte != b'/');
            *window == path && begins && ends
        })
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Finding, check};

    fn findings(path: &str, text: &str) -> Vec<Finding> {
        check(path, text.as_bytes(), Path::new("/data/src/ioprof"))
    }

    fn refused(path: &str, text: &str) -> bool {
        findings(path, text).iter().any(|finding| finding.is_error)
    }

    #[test]
    fn aya_stays_in_kernel() {
        let text = "use aya::Ebpf;\n";
        assert!(!refused("profiler/src/kernel/loader.rs", text));
        assert!(!refused("profiler/src/kernel.rs", text));
        assert!(refused("profiler/src/collector/block.rs", text));
        assert!(refused("profiler/src/kernelish.rs", text));
        assert!(refused("profiler/src/main.rs", "fn f(e: aya::Ebpf) {}"));
        assert!(!refused("profiler/src/main.rs", "// aya::Ebpf\n"));
    }

    #[test]
    fn the_abi_stays_in_kernel_and_collector() {
        let text = "use ioprof_ebpf::abi;\n";
        assert!(!refused("profiler/src/kernel/maps.rs", text));
        assert!(!refused("profiler/src/collector/block.rs", text));
        assert!(refused("profiler/src/model/latency.rs", text));
        assert!(!refused("profiler/tests/kernel/abi.rs", text));
    }

    #[test]
    fn printing_stays_at_the_edge() {
        for name in ["print", "println", "eprint", "eprintln"] {
            let text = format!("fn f() {{ {name}!(\"x\"); }}");
            assert!(!refused("profiler/src/output/terminal.rs", &text));
            assert!(!refused("profiler/src/commands/run.rs", &text));
            assert!(!refused("profiler/src/main.rs", &text));
            assert!(refused("profiler/src/model/profile.rs", &text));
        }
        assert!(!refused(
            "profiler/src/model/profile.rs",
            "fn f() { writeln!(x, \"println!\") }"
        ));
    }

    #[test]
    fn workloads_stand_alone() {
        assert!(refused("workloads/src/lib.rs", "use ioprof_ebpf::abi;"));
        assert!(refused("workloads/src/lib.rs", "use ioprof::model;"));
        assert!(!refused(
            "workloads/src/main.rs",
            "use ioprof_workloads::plan;"
        ));
        assert!(refused(
            "workloads/Cargo.toml",
            "[dependencies]\nioprof-ebpf.workspace = true\n"
        ));
        assert!(!refused(
            "workloads/Cargo.toml",
            "[package]\nname = \"ioprof-workloads\"\n"
        ));
    }

    #[test]
    fn long_files_are_remarked_on_and_longer_ones_refused() {
        assert!(findings("x.rs", &"\n".repeat(400)).is_empty());
        let remarked = findings("x.rs", &"\n".repeat(401));
        assert_eq!(remarked.len(), 1);
        assert!(!remarked[0].is_error);
        assert!(refused("x.rs", &"\n".repeat(501)));
        assert!(!refused("docs/x.md", &"\n".repeat(501)));
    }

    #[test]
    fn nothing_is_left_unfinished() {
        assert!(refused("x.rs", "// TODO: more\n"));
        assert!(refused("x.rs", "/* FIXME */\n"));
        assert!(refused("x.rs", "fn f() { todo!() }"));
        assert!(refused("x.rs", "fn f() { unimplemented!(\"later\") }"));
        assert!(!refused(
            "x.rs",
            "// TODOs are refused\nlet todo = \"TODO\";"
        ));
    }

    #[test]
    fn no_file_names_a_folder_of_one_machine() {
        let home = format!("see /{}/me/ioprof\n", "home");
        assert!(refused("docs/x.md", &home));
        assert!(refused("x.rs", &format!("// /{}/x", "root")));
        assert!(refused("x.json", "{\"path\": \"/data/src/ioprof/x\"}"));
        assert!(refused("x.json", "/data/src/ioprof"));
        assert!(!refused("x.json", "/data/src/ioprof2 /mnt/data/src/ioprof"));
        assert!(!refused("x.md", "https://example.org/home/ and $DIR/root/"));
        assert_eq!(findings("x.md", &format!("a\nb\n{home}"))[0].line, 3);
        let binary = [b"\xff\x00".as_slice(), home.as_bytes()].concat();
        assert_eq!(check("x.o", &binary, Path::new("/")).len(), 1);
    }
}
