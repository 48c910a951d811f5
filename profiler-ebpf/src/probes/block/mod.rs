//! Block requests.

pub mod above;
mod bio;
pub mod bios;
pub mod direct;
pub mod end;
pub mod life;
pub mod merge;
pub mod owner;
mod pages;
pub mod programs;
pub mod requests;
pub mod slot;
mod writers;
mod written;
