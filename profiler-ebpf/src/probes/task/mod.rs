//! Tasks: which are in scope, and where their time goes.

pub mod edges;
pub mod iterators;
pub mod lifecycle;
pub mod loop_device;
pub mod off_cpu;
pub mod returned;
pub mod row;
pub mod state;
pub mod storage;
pub mod wait;
pub mod waiter;
pub mod worker;
