//! `ioprof explain`.

use std::{io, process::ExitCode};

use super::deliver::print;
use crate::{analysis::IDS, error::Error};

/// The page of each rule, as docs/findings/ has it.
const PAGES: [&str; IDS.len()] = [
    include_str!("../../../docs/findings/AHEAD001.md"),
    include_str!("../../../docs/findings/AIO001.md"),
    include_str!("../../../docs/findings/ALIGN001.md"),
    include_str!("../../../docs/findings/BYTE001.md"),
    include_str!("../../../docs/findings/DEPTH001.md"),
    include_str!("../../../docs/findings/LIMIT001.md"),
    include_str!("../../../docs/findings/MMAP001.md"),
    include_str!("../../../docs/findings/OPEN001.md"),
    include_str!("../../../docs/findings/PATH001.md"),
    include_str!("../../../docs/findings/POLL001.md"),
    include_str!("../../../docs/findings/PUNT001.md"),
    include_str!("../../../docs/findings/SEEK001.md"),
    include_str!("../../../docs/findings/SHARE001.md"),
    include_str!("../../../docs/findings/SMALL001.md"),
    include_str!("../../../docs/findings/STAT001.md"),
    include_str!("../../../docs/findings/SWAP001.md"),
    include_str!("../../../docs/findings/SYNC001.md"),
    include_str!("../../../docs/findings/SYNC002.md"),
    include_str!("../../../docs/findings/SYNC003.md"),
    include_str!("../../../docs/findings/TAIL001.md"),
    include_str!("../../../docs/findings/THROTTLE001.md"),
    include_str!("../../../docs/findings/URING001.md"),
];

/// Prints what a finding means, how its gain is computed and when it is wrong; without a rule, the list of them.
///
/// # Errors
///
/// Where there is no such rule.
pub fn explain(id: Option<&str>) -> Result<ExitCode, Error> {
    let text = match id {
        None => PAGES
            .iter()
            .filter_map(|page| page.lines().next())
            .map(|title| format!("{}\n", title.trim_start_matches("# ")))
            .collect(),
        Some(id) => page(id)
            .ok_or_else(|| Error::UnknownRule {
                id: id.into(),
                ids: IDS.join(", "),
            })?
            .to_owned(),
    };
    print(&mut io::stdout(), &text);
    Ok(ExitCode::SUCCESS)
}

fn page(wanted: &str) -> Option<&'static str> {
    let mut pages = IDS.iter().zip(PAGES);
    let found = pages.find(|(id, _)| id.eq_ignore_ascii_case(wanted));
    found.map(|(_, page)| page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_page_of_its_own_with_all_parts() {
        for id in IDS {
            let page = page(id).expect("it has one");
            assert!(page.starts_with(&format!("# {id}: ")), "{id}");
            for part in [
                "## What it means",
                "## How the gain is computed",
                "## When it is wrong",
            ] {
                assert!(page.contains(part), "{id}: {part}");
            }
        }
        assert_eq!(page("NONE001"), None);
    }
}
