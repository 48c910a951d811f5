//! ioprof.
fn main() {}
