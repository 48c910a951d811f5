//! System calls.

pub mod aio;
mod aio_call;
pub mod aio_end;
mod arguments;
pub mod errors;
pub mod file_access;
pub mod file_counts;
pub mod kind;
pub mod late;
pub mod page_cache;
pub mod programs;
pub mod size;
pub mod under_way;
