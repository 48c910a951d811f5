//! What a binary says of itself, and what it hands to shells and to man(1).

#[path = "kernel/support/mod.rs"]
#[allow(
    unused,
    clippy::panic,
    reason = "the kernel tests use all of it, and this a part"
)]
mod support;

#[path = "../build/commit.rs"]
mod commit;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use commit::Checkout;
use support::{
    folder, ioprof, plain,
    requirements::{find_tool, skip, tool},
    succeed, text,
};

/// Whether these programs are there. Says that the test is skipped where not.
fn has(tools: &[&str]) -> bool {
    let missing = tools.iter().find(|tool| find_tool(tool).is_none());
    if let Some(missing) = missing {
        skip(&format!("{missing} is not installed"));
    }
    missing.is_none()
}

fn said(arguments: &[&str]) -> String {
    text(&succeed(ioprof().args(arguments)).stdout)
}

#[test]
fn the_version_names_commit_object_and_compilers() {
    let verbose = said(&["--version", "--verbose"]);
    assert_eq!(said(&["--verbose", "--version"]), verbose);
    assert_eq!(said(&["-vV"]), verbose);
    let value = |key: &str| {
        let line = verbose.lines().find(|line| line.starts_with(key));
        let line = line.unwrap_or_else(|| panic!("no {key} in {verbose}"));
        line[key.len()..].trim().to_owned()
    };
    assert_eq!(value("ioprof"), env!("CARGO_PKG_VERSION"));
    assert!(value("compiler").starts_with("rustc "), "{verbose}");
    assert!(value("target").contains("linux"), "{verbose}");

    // By the same bytes as the kernel is given, whichever object that is.
    let object = option_env!("IOPROF_EBPF_OBJECT")
        .unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/ebpf/ioprof.bpf.o"));
    let hash = text(&succeed(Command::new("sha256sum").arg(object)).stdout);
    let hash = hash.split(' ').next().expect("a hash");
    assert_eq!(value("eBPF object"), format!("sha256 {hash}"));
    if option_env!("IOPROF_EBPF_OBJECT").is_none() {
        let record = concat!(env!("CARGO_MANIFEST_DIR"), "/ebpf/record.json");
        let record = fs::read_to_string(record).expect("it is beside the object");
        for key in ["eBPF compiler", "eBPF LLVM"] {
            assert!(record.contains(&format!("{:?}", value(key))), "{verbose}");
        }
    }

    let commit = value("commit ");
    let short: String = commit.chars().take(12).collect();
    for line in [said(&["--version"]), said(&["-V"])] {
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains(&short), "{short} is not in {line}");
    }
    let hash = commit.strip_suffix("-dirty").unwrap_or(&commit);
    let is_hash = hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(is_hash || commit == "unknown", "{commit}");
}

/// git in a folder, as somebody whose settings are unknown.
fn git(folder: &Path, arguments: &[&str]) -> Output {
    let mut git = tool("git");
    git.current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .args(["-c", "user.name=a", "-c", "user.email=a@localhost"])
        .args(arguments);
    succeed(&mut git)
}

fn head(folder: &Path) -> String {
    let head = git(folder, &["rev-parse", "HEAD"]).stdout;
    text(&head).trim().to_owned()
}

#[test]
fn the_commit_is_that_of_the_checkout_and_dirty_by_its_sources_alone() {
    if !has(&["git"]) {
        return;
    }
    let place = folder();
    let top = place.path().join("checkout");
    fs::create_dir(&top).expect("a folder can be made");
    assert!(Checkout::at(&top).is_none(), "no repository yet");
    git(&top, &["init", "--quiet"]);
    let write = |name: &str, content: &str| {
        let path = top.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(path, content).expect("a file can be written");
    };
    let commit = || {
        let checkout = Checkout::at(&top).expect("a checkout");
        checkout.commit(&["src", "Cargo.lock"])
    };
    assert_eq!(commit(), None, "nothing is committed yet");
    for name in ["src/main.rs", "Cargo.lock", "docs/text.md"] {
        write(name, "1");
    }
    git(&top, &["add", "."]);
    git(&top, &["commit", "--quiet", "--message=1"]);
    assert_eq!(commit(), Some(head(&top)));

    // Neither the documentation nor what is not tracked is in the binary.
    write("docs/text.md", "2");
    write("src/notes", "2");
    assert_eq!(commit(), Some(head(&top)));
    write("src/main.rs", "2");
    assert_eq!(commit(), Some(head(&top) + "-dirty"));
    let first = head(&top);
    git(&top, &["commit", "--quiet", "--all", "--message=2"]);
    assert_ne!(head(&top), first);
    assert_eq!(commit(), Some(head(&top)));

    // The top alone is the checkout: what is unpacked below it is of no commit.
    let below = top.join("src");
    assert!(Checkout::at(&below).is_none());
    // In a linked worktree .git is a file.
    let other = place.path().join("other");
    let path = plain(&other);
    git(&top, &["worktree", "add", "--quiet", path, &first]);
    let linked = Checkout::at(&other).expect("a checkout");
    assert_eq!(linked.commit(&["src"]), Some(first.clone()));
    let day = linked.date().expect("a day");
    assert_eq!((day.len(), day.matches('-').count()), (10, 2), "{day}");

    // Each move of HEAD changes one of the files that cargo is told to look at.
    for folder in [&top, &other] {
        let state = || {
            let checkout = Checkout::at(folder).expect("a checkout");
            let files = checkout.moves_with_head().into_iter();
            files.map(|file| fs::read(file).ok()).collect::<Vec<_>>()
        };
        let before = state();
        let message = ["commit", "--quiet", "--allow-empty", "--message=3"];
        git(folder, &message);
        let committed = state();
        assert_ne!(before, committed, "{}", folder.display());
        git(folder, &["checkout", "--quiet", "--detach", &first]);
        assert_ne!(committed, state(), "{}", folder.display());
    }
}

#[test]
fn bash_completes_commands_options_and_workloads() {
    if !has(&["bash"]) {
        return;
    }
    let script = said(&["completions", "bash"]);
    for (words, expected) in [
        ("ru", "run"),
        ("run as", "async"),
        ("run --para", "--parallel"),
        ("attach --dur", "--duration"),
        ("workload mm", "mmap"),
        ("completions fi", "fish"),
    ] {
        let words: Vec<_> = ["ioprof"].into_iter().chain(words.split(' ')).collect();
        // As bash calls the function: the command, the word to be completed, the one before it.
        let call = format!(
            "{script}\nCOMP_WORDS=({all}); COMP_CWORD={last}\n\
             _ioprof ioprof {word} {before}; echo \"${{COMPREPLY[*]}}\"",
            all = words.join(" "),
            last = words.len() - 1,
            word = words[words.len() - 1],
            before = words[words.len() - 2],
        );
        let done = succeed(tool("bash").args(["--norc", "-c", &call]));
        assert_eq!(text(&done.stdout).trim(), expected, "{words:?}");
        assert!(done.stderr.is_empty(), "{done:?}");
    }
}

#[test]
fn zsh_and_fish_can_read_their_completions() {
    if !has(&["zsh", "fish"]) {
        return;
    }
    let folder = folder();
    for (shell, without_running) in [("zsh", "-n"), ("fish", "--no-execute")] {
        let file = folder.path().join(shell);
        fs::write(&file, said(&["completions", shell])).expect("a file can be written");
        let read = succeed(tool(shell).arg(without_running).arg(&file));
        assert!(read.stderr.is_empty(), "{shell}: {read:?}");
    }
    let file = folder.path().join("fish");
    let ask = format!("source {}; complete -C 'ioprof ru'", file.display());
    let done = succeed(tool("fish").args(["--no-config", "-c", &ask]));
    assert!(text(&done.stdout).starts_with("run\t"), "{done:?}");
}

#[test]
fn man_has_nothing_against_the_pages() {
    if !has(&["man"]) {
        return;
    }
    let folder = folder();
    let pages = folder.path().join("man1");
    let name = plain(&pages);
    said(&["man", name]);
    let mut names = Vec::new();
    for page in fs::read_dir(&pages).expect("the folder was made") {
        let page = page.expect("it can be read").path();
        let mut man = tool("man");
        man.args(["--warnings", "--encoding=UTF-8", "--local-file"])
            .env("LC_ALL", "C.UTF-8")
            .env("MANROFFSEQ", "")
            .env("MANWIDTH", "80");
        let shown = succeed(man.arg(&page));
        assert!(shown.stderr.is_empty(), "{}: {shown:?}", page.display());
        // Lines are filled.
        let shown = text(&shown.stdout);
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        let stem = page.file_stem().expect("a name").to_string_lossy();
        assert!(shown.contains(&format!("{stem} - ")), "{shown}");
        for section in ["SYNOPSIS", "DESCRIPTION", "SEE ALSO"] {
            assert!(shown.contains(section), "{section} is not in {shown}");
        }
        names.push(stem.into_owned());
    }
    for expected in ["ioprof", "ioprof-run", "ioprof-attach", "ioprof-report"] {
        assert!(names.iter().any(|name| name == expected), "{names:?}");
    }
    // In the same folder again, and where none can be made.
    said(&["man", name]);
    let refused = support::output(ioprof().args(["man", "/proc/nowhere"]));
    assert_eq!(refused.status.code(), Some(125));
    assert!(text(&refused.stderr).contains("/proc/nowhere"));
}
