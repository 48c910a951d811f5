//! Files: the table of what was done to each.

pub mod inode;
pub mod path;
pub mod table;
