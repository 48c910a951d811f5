//! Files: the table of what was done to each.

pub mod descriptor;
pub mod identity;
pub mod inode;
pub mod path;
pub mod stacked;
pub mod table;
