//! `ioprof completions` and `ioprof man`: the command line for shells and for man(1).

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use crate::{cli::Cli, error::Error, version};

/// The end of every page.
const SEE_ALSO: &str = "ioprof(1), perf(1), strace(1), iostat(1), bpftrace(8)";

/// Prints the completions for a shell.
///
/// # Errors
///
/// Where they cannot be written.
pub fn completions(shell: Shell) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ioprof", &mut script);
    io::stdout()
        .write_all(&script)
        .map_err(Error::system("writing the completions"))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a man page for each command into a folder, which is created if missing.
///
/// # Errors
///
/// [`Error::ManPage`] where one cannot be written.
pub fn man(folder: &Path) -> Result<ExitCode, Error> {
    let refused = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::ManPage { path, source }
    };
    fs::create_dir_all(folder).map_err(refused(folder))?;
    for (name, page) in pages() {
        let path = folder.join(name);
        fs::write(&path, page).map_err(refused(&path))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The pages with their files' names.
fn pages() -> Vec<(String, Vec<u8>)> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    collect(&command, &mut pages);
    pages
}

fn collect(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) {
    // Writing to memory does not fail.
    if let Ok(page) = page(command) {
        pages.push(page);
    }
    for command in command.get_subcommands().filter(|one| !one.is_hide_set()) {
        collect(command, pages);
    }
}

fn page(command: &Command) -> io::Result<(String, Vec<u8>)> {
    let man = Man::new(command.clone())
        .source(format!("ioprof {}", version::NUMBER))
        .manual("User Commands")
        .date(version::DATE);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if command.get_arguments().any(|one| !one.is_hide_set()) {
        man.render_options_section(&mut page)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = Roff::new();
    if let Some(help) = command
        .get_after_long_help()
        .or_else(|| command.get_after_help())
    {
        notes(&help.to_string(), &mut rest);
    }
    rest.control("SH", ["SEE ALSO"]);
    rest.text([roman(SEE_ALSO)]);
    rest.to_writer(&mut page)?;
    Ok((man.get_filename(), page))
}

/// Paragraphs as such; indented lines, which are commands, verbatim.
fn notes(text: &str, page: &mut Roff) {
    page.control("SH", ["NOTES"]);
    let mut is_literal = false;
    for line in text.lines() {
        let indented = line.starts_with(' ');
        if indented != is_literal {
            page.control(if indented { "nf" } else { "fi" }, []);
            is_literal = indented;
        }
        if line.is_empty() {
            page.control("PP", []);
        } else {
            page.text([roman(line)]);
        }
    }
    if is_literal {
        page.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_options_and_notes() {
        let pages = pages();
        let text = |name: &str| {
            let page = pages.iter().find(|(file, _)| file == name);
            let (_, page) = page.unwrap_or_else(|| panic!("no {name}"));
            String::from_utf8(page.clone()).expect("text")
        };
        for command in Cli::command().get_subcommands() {
            text(&format!("ioprof-{}.1", command.get_name()));
        }
        for workload in ioprof_workloads::Workload::NAMES {
            text(&format!("ioprof-workload-{workload}.1"));
        }
        let main = text("ioprof.1");
        assert!(main.contains("ioprof\\-attach(1)"), "{main}");
        assert!(main.contains("125"), "the exit status is told: {main}");
        let run = text("ioprof-run.1");
        assert!(run.contains("\\-\\-parallel"), "{run}");
        assert!(
            run.contains(".nf\n  sudo ioprof run async\n"),
            "examples stand as they are: {run}"
        );
        assert!(!text("ioprof-workload.1").contains("summary"), "hidden");
    }
}
