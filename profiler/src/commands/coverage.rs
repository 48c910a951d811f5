//! `ioprof doctor --coverage`.

use std::{io, process::ExitCode};

use super::deliver::print;
use crate::{
    collector::coverage::of_this_kernel,
    output::terminal::{Style, coverage},
};

/// Lists what of this kernel is told by name, in a class, or not at all; fails where something is in none of the three.
pub fn coverage() -> ExitCode {
    let subjects = of_this_kernel();
    let stdout = io::stdout();
    let style = Style::of(&stdout);
    print(&mut stdout.lock(), &coverage::render(&subjects, style));
    let is_known = |unknown: &Vec<String>| unknown.is_empty();
    let all_known = subjects
        .iter()
        .all(|subject| subject.unknown.as_ref().is_none_or(is_known));
    if all_known {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
