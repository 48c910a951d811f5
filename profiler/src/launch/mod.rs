//! What `run` launches and what ioprof hands over: the targets, their user, the child that becomes the command, the
//! place of the report and of those before it, and the privileges that are given up.

pub mod child;
pub mod destination;
pub mod history;
pub mod keeper;
mod path;
pub mod privilege;
pub mod targets;
mod user;
