//! One probe that the report believes attached and that is not: a test that still passes does not test it. Only in a
//! build of the tests, by the feature `mute`; `cargo xtask mute` sets the variable.

#[cfg(not(debug_assertions))]
compile_error!("the feature `mute` is for tests: it makes reports that are wrong");

/// The environment variable that names the program of the probe.
const VARIABLE: &str = "IOPROF_MUTE";

/// Whether the probe with this program is to be left unattached.
pub fn is_muted(program: &str) -> bool {
    std::env::var_os(VARIABLE).is_some_and(|muted| muted == program)
}
