//! Tasks: which are in scope, and where their time goes.

pub mod edges;
pub mod iterators;
pub mod lifecycle;
pub mod off_cpu;
pub mod state;
pub mod storage;
