//! The rules that no compiler checks: which layer may name which, how long a file may be, what none may hold.

mod paths;
mod rules;

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::{Error, Result};
use crate::process;
use crate::workspace::Workspace;

/// A longer file is remarked on.
const LONG: usize = 400;
/// A longer file is refused.
const TOO_LONG: usize = 500;

/// `cargo xtask layers`: says what breaks a rule, and fails if anything does.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut errors = 0;
    for file in files(workspace)? {
        let path = workspace.join(&file);
        // A file that git still lists may have been deleted; a folder may be a repository of its own.
        if !path.is_file() {
            continue;
        }
        let content = fs::read(&path).map_err(Error::file("read", &path))?;
        let text = String::from_utf8_lossy(&content);
        for (line, message) in findings(&file, &text, workspace.root()) {
            errors += 1;
            eprintln!("error: {file}:{line}: {message}");
        }
        if file.ends_with(".rs") && text.lines().nth(LONG).is_some() {
            eprintln!("warning: {file}: more than {LONG} lines: split it");
        }
    }
    if errors == 0 {
        Ok(())
    } else {
        Err(Error::Layers(errors))
    }
}

/// Every file that is tracked, or would be if it were added.
fn files(workspace: &Workspace) -> Result<Vec<String>> {
    let mut list = Command::new("git");
    list.current_dir(workspace.root()).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let listed = process::output(&mut list)?;
    let paths = listed.split('\0').filter(|path| !path.is_empty());
    Ok(paths.map(str::to_owned).collect())
}

/// What breaks a rule in a file, with the line of each.
fn findings(file: &str, text: &str, checkout: &Path) -> Vec<(usize, String)> {
    let mut found = folders(text, checkout);
    if file.ends_with(".rs") {
        found.extend(rules::check(file, text));
        found.extend(unfinished(text));
        if text.lines().nth(TOO_LONG).is_some() {
            found.push((
                TOO_LONG,
                "more lines than can be read in one sitting: split it".to_owned(),
            ));
        }
    }
    found
}

/// Words in comments; clippy sees to `todo!`.
fn unfinished(text: &str) -> Vec<(usize, String)> {
    let in_comments = (1..).zip(text.lines()).filter_map(|(number, line)| {
        let comment = line.split_once("//")?.1;
        let mut words = comment.split(|c: char| !c.is_alphanumeric());
        let word = words.find(|word| ["TODO", "FIXME", "XXX"].contains(word))?;
        Some((number, format!("{word}: finish it or open an issue")))
    });
    in_comments.collect()
}

/// Folders of one person's machine, in text or in binaries.
fn folders(text: &str, checkout: &Path) -> Vec<(usize, String)> {
    // Put together here, so that this file passes too.
    let mut folders = ["home", "root"].map(|name| format!("/{name}/")).to_vec();
    // A checkout at the top, such as /src, has too common a name.
    if checkout.components().count() > 2 {
        folders.push(checkout.to_string_lossy().into_owned());
    }
    let in_name = |c: char| c.is_ascii_alphanumeric() || "_-.}/".contains(c);
    let names = |line: &str, folder: &str| {
        line.match_indices(folder).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + folder.len()..]);
            let ends =
                folder.ends_with('/') || after.starts_with('/') || !after.starts_with(in_name);
            !before.ends_with(in_name) && ends
        })
    };
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for folder in folders.iter().filter(|folder| names(line, folder)) {
            found.push((number, format!("`{folder}`: a path of one machine")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{TOO_LONG, findings};

    fn lines(file: &str, text: &str) -> Vec<usize> {
        let found = findings(file, text, Path::new("/data/src/ioprof"));
        found.into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn files_that_are_too_long_are_refused() {
        assert!(lines("x.rs", &"\n".repeat(TOO_LONG)).is_empty());
        assert_eq!(lines("x.rs", &"\n".repeat(TOO_LONG + 1)), [TOO_LONG]);
        assert!(lines("docs/x.md", &"\n".repeat(TOO_LONG + 1)).is_empty());
    }

    #[test]
    fn nothing_is_left_unfinished() {
        let word = "TODO";
        assert_eq!(lines("x.rs", &format!("x\n// {word}: more\n")), [2]);
        assert!(
            lines(
                "x.rs",
                &format!("// {word}s are refused\nlet x = \"{word}\";")
            )
            .is_empty()
        );
    }

    #[test]
    fn no_file_names_a_folder_of_one_machine() {
        let home = format!("see /{}/me/ioprof\n", "home");
        assert_eq!(lines("docs/x.md", &format!("a\nb\n{home}")), [3]);
        assert_eq!(lines("x.rs", &format!("// /{}/x", "root")), [1]);
        assert_eq!(lines("x.json", "{\"path\": \"/data/src/ioprof/x\"}"), [1]);
        assert_eq!(lines("x.json", "/data/src/ioprof"), [1]);
        assert!(lines("x.json", "/data/src/ioprof2 /mnt/data/src/ioprof").is_empty());
        assert!(lines("x.md", "https://example.org/home/ and $DIR/root/").is_empty());
    }
}
