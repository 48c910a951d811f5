//! The machine, by /proc and sysconf(3).

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{BufRead as _, BufReader},
};

use nix::{
    sys::utsname::uname,
    unistd::{SysconfVar, sysconf},
};

use crate::{error::Error, text::Text};

/// The release of the running kernel, as uname(2) has it.
///
/// # Errors
///
/// Where the kernel does not tell it.
pub fn release() -> Result<Text, Error> {
    let uname = uname().map_err(Error::system("asking for the kernel's release"))?;
    Ok(Text::of(uname.release()))
}

/// What interrupts and the hypervisor have taken of all CPUs since boot, in nanoseconds: irq, softirq and steal of
/// proc_stat(5), in ticks of `_SC_CLK_TCK`. None where /proc is not mounted.
pub fn stolen_ns() -> Option<u64> {
    let ticks = stolen_ticks(&fs::read_to_string("/proc/stat").ok()?)?;
    let rate = sysconf(SysconfVar::CLK_TCK).ok()??.cast_unsigned();
    ticks.saturating_mul(1_000_000_000).checked_div(rate)
}

/// These ticks in /proc/stat; none where it has another format.
pub fn stolen_ticks(text: &str) -> Option<u64> {
    let numbers = text.lines().next()?.strip_prefix("cpu ")?;
    let taken = numbers.split_whitespace().skip(5).take(3);
    Some(
        taken
            .map_while(|word| word.parse().ok())
            .fold(0, u64::saturating_add),
    )
}

/// How many bytes of the page cache may be dirty before the kernel writes back, and at most: nr_dirty_background_threshold
/// and nr_dirty_threshold of /proc/vmstat, which it computes as the file is read. None where /proc is not mounted.
pub fn dirty_limits() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/vmstat").ok()?;
    dirty_limit_pages(&text).map(|(background, most)| {
        let bytes = |pages: u64| pages.saturating_mul(page_bytes().into());
        (bytes(background), bytes(most))
    })
}

/// These pages in /proc/vmstat; none where it does not have them.
pub fn dirty_limit_pages(text: &str) -> Option<(u64, u64)> {
    let number = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(key, _)| *key == name)?.1.trim().parse().ok()
    };
    Some((
        number("nr_dirty_background_threshold")?,
        number("nr_dirty_threshold")?,
    ))
}

/// The addresses of kernel functions, by /proc/kallsyms; without those that are missing or hidden.
pub fn kernel_symbols<'a>(names: impl Iterator<Item = &'a str>) -> HashMap<&'a str, u64> {
    let mut wanted: HashSet<&str> = names.collect();
    let mut addresses = HashMap::new();
    let Ok(symbols) = fs::File::open("/proc/kallsyms") else {
        return addresses;
    };
    let mut lines = BufReader::new(symbols).lines().map_while(Result::ok);
    while let Some(line) = lines.next().filter(|_| !wanted.is_empty()) {
        let mut words = line.split_whitespace();
        let (Some(address), Some(found)) = (words.next(), words.nth(1)) else {
            continue;
        };
        if let Some(name) = wanted.take(found) {
            let address = u64::from_str_radix(address, 16).ok();
            addresses.extend(
                address
                    .filter(|address| *address != 0)
                    .map(|address| (name, address)),
            );
        }
    }
    addresses
}

/// The size of a page.
pub fn page_bytes() -> u32 {
    sysconf(SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|bytes| u32::try_from(bytes).ok())
        .unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_irq_softirq_and_steal() {
        assert_eq!(stolen_ticks("cpu  1 2 3 4 5 6 7 8 9"), Some(6 + 7 + 8));
        assert_eq!(stolen_ticks("cpu0 1 2 3"), None);
    }

    #[test]
    fn limits_of_dirty_pages_are_found_by_their_whole_names() {
        let text = "nr_dirty 7\nnr_dirty_threshold 40\nnr_dirty_background_threshold 20\n";
        assert_eq!(dirty_limit_pages(text), Some((20, 40)));
        assert_eq!(dirty_limit_pages("nr_dirty_threshold 40\n"), None);
        assert_eq!(dirty_limit_pages("nr_dirty_threshold\n"), None);
    }
}
