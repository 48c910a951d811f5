//! What only a machine of its own can show: `cargo xtask vm --configuration NAME` boots one, and runs the module
//! of that name.

mod support;
