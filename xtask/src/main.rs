//! `cargo xtask`: builds, checks and measures ioprof.

fn main() {}
