//! libFuzzer's program: `cargo xtask fuzz` builds it, and names the target in the environment.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: std::sync::LazyLock<ioprof_fuzz::Target> = std::sync::LazyLock::new(|| {
        let name = std::env::var("IOPROF_FUZZ_TARGET").unwrap_or_default();
        ioprof_fuzz::target(&name).expect("IOPROF_FUZZ_TARGET names a target")
    });
    (*TARGET)(data);
});

/// Without libFuzzer there is nothing to run: the tests replay the corpus.
#[cfg(not(fuzzing))]
fn main() {
    eprintln!("`cargo xtask fuzz` builds and runs this");
}
