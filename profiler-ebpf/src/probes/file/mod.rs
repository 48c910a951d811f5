//! Files: the table of what was done to each.

pub mod descriptor;
pub mod folio;
pub mod identity;
pub mod inode;
pub mod path;
pub mod read_ahead;
pub mod stacked;
pub mod table;
